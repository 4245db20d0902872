// The records a node keeps beside its Raft state: whose storage this is, under which client id it writes, and how far each durable one may have counted.
import { ByteReader, ByteWriter, InvalidArgumentError, type LogIndex, type PeerId } from "../base/index.ts";
import { CorruptStateError } from "../raft/index.ts";
import type { ByteStore, ByteStoreOp } from "../storage/index.ts";
import { openRecord, sealRecord } from "./record.ts";

const NODE = "replica/node";
const WRITER = "replica/writer";
const CLIENT = "replica/client/";

/** Where one record is looked up: a storage, or what was read of it. */
type RecordLookup = Pick<ByteStore, "read">;

/** Whose storage this is. */
export interface NodeRecord {
  readonly id: PeerId;
  readonly groupId: string;
}

/** Checks that the storage is this node's, or nobody's yet; then returns the operation that claims it. A log must never be continued under another id (two peers would vote as one). */
export async function claimStorage(storage: RecordLookup, { id, groupId }: NodeRecord): Promise<ByteStoreOp[]> {
  const record = await storage.read(NODE);
  if (record === undefined) return [{ type: "put", key: NODE, value: sealRecord(NODE, new ByteWriter().text(id).text(groupId).finish()) }];
  const reader = readerOf(NODE, record);
  const [owner, group] = decoded(NODE, reader, () => [reader.text(), reader.text()] as const);
  if (owner === id && group === groupId) return [];
  throw new InvalidArgumentError(`this storage belongs to node ${owner} of group ${group}, not to node ${id} of group ${groupId}`);
}

/** The client id this storage's own writer has, or undefined when there is none yet. Throws `CorruptStateError`. */
export async function readWriterId(storage: RecordLookup): Promise<string | undefined> {
  const record = await storage.read(WRITER);
  if (record === undefined) return undefined;
  const reader = readerOf(WRITER, record);
  return decoded(WRITER, reader, () => reader.text());
}

/** The operations that give this storage a writer of its own, which has used no serial yet. */
export function writerOps(clientId: string): ByteStoreOp[] {
  return [{ type: "put", key: WRITER, value: sealRecord(WRITER, new ByteWriter().text(clientId).finish()) }, clientRecordOp(clientId, { reserved: 0, birth: 0 })];
}

/** How far a durable client id may have counted. */
export interface ClientRecord {
  /** Serials up to this one may have been used; 0: none was, and `birth` is still open. */
  readonly reserved: number;
  /** See ClientSessionTable; written once per client id and never changed. */
  readonly birth: LogIndex;
}

/** The client's record, or undefined when this storage never saw the id. `hasWritten`: something else in the storage is this client's. Throws `CorruptStateError`. */
export async function readClientRecord(storage: RecordLookup, clientId: string, hasWritten: boolean): Promise<ClientRecord | undefined> {
  const key = CLIENT + clientId;
  const record = await storage.read(key);
  // Without it serials would be used a second time, and what they stand for would be taken for duplicates.
  if (record === undefined && hasWritten) throw new CorruptStateError(key, "it is missing beside what this client wrote");
  if (record === undefined) return undefined;
  const reader = readerOf(key, record);
  return decoded(key, reader, () => ({ reserved: reader.uint(), birth: reader.uint() }));
}

/** The operation that stores the client's record. */
export function clientRecordOp(clientId: string, { reserved, birth }: ClientRecord): ByteStoreOp {
  const key = CLIENT + clientId;
  return { type: "put", key, value: sealRecord(key, new ByteWriter().uint(reserved).uint(birth).finish()) };
}

function readerOf(key: string, record: Uint8Array): ByteReader {
  return new ByteReader(openRecord(key, record));
}

function decoded<T>(key: string, reader: ByteReader, read: () => T): T {
  try {
    const value = read();
    reader.end();
    return value;
  } catch (cause) {
    throw new CorruptStateError(key, "it can not be decoded", { cause });
  }
}
