// What a room's database knows of identities: their keys, and a mark among their records. Both are written and deleted in one transaction.
import { bytesEqual, isPeerId, type PeerId } from "../base/index.ts";
import { scopedByteStore, type ByteStore } from "../storage/index.ts";
import type { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import type { KeyPair } from "./identity.ts";
import { isPublicKeyShaped, peerIdOfKey } from "./peer-id.ts";

/** One identity of a room, as stored. */
export interface StoredIdentity extends KeyPair {
  readonly peerId: PeerId;
  /** When a tab last opened or released it, ms since 1970. */
  readonly usedAtMs: number;
  /** Its records are lost or damaged: its key proves who one was, and nobody writes or votes under it again. */
  readonly isSpent: boolean;
}

const FORMAT = 1;

/** Every identity of the room that can be told to be one, and the keys of what can not. */
export async function readIdentities(db: IndexedDbByteStore): Promise<{ readonly whole: readonly StoredIdentity[]; readonly damaged: readonly string[] }> {
  const whole: StoredIdentity[] = [];
  const damaged: string[] = [];
  for (const [key, value] of await db.readValues()) {
    const identity = identityFrom(key, value);
    if (identity === undefined) damaged.push(key);
    else whole.push(identity);
  }
  return { whole, damaged };
}

/** Writes a new identity and the mark of its log. */
export async function createIdentity(db: IndexedDbByteStore, identity: StoredIdentity): Promise<void> {
  await db.write([{ type: "put", key: markOf(identity.peerId), value: identity.publicKey }], [valueOf(identity)]);
}

/** Writes when it was used. Its records are not touched. */
export async function stampIdentity(db: IndexedDbByteStore, identity: StoredIdentity, usedAtMs: number): Promise<void> {
  await db.write([], [valueOf({ ...identity, usedAtMs })]);
}

/** Deletes the records and keeps the key. */
export async function spendIdentity(db: IndexedDbByteStore, identity: StoredIdentity): Promise<void> {
  await db.write([allRecordsOf(identity.peerId)], [valueOf({ ...identity, isSpent: true })]);
}

/** Deletes records and key. */
export async function eraseIdentity(db: IndexedDbByteStore, key: string): Promise<void> {
  await db.write([allRecordsOf(key)], [{ type: "delete", key }]);
}

/** The identity's own records. */
export function recordsOf(db: IndexedDbByteStore, peer: PeerId): ByteStore {
  return scopedByteStore(db, scopeOf(peer));
}

/** Whether the identity has written anything yet. */
export async function hasRecords(db: IndexedDbByteStore, peer: PeerId): Promise<boolean> {
  const { from, to } = allRecordsOf(peer);
  return db.holdsAny(`${from}/`, to);
}

/** Whether the mark that was written with the key is there: a log that was wiped without its key must not be taken for an empty one. */
export async function isMarked(db: IndexedDbByteStore, identity: StoredIdentity): Promise<boolean> {
  const mark = await db.read(markOf(identity.peerId));
  return mark !== undefined && bytesEqual(mark, identity.publicKey);
}

// The mark is `peer/<id>`, the records are `peer/<id>/…`, and "0" is the sign after "/": one range holds both and nothing else.
function markOf(peer: string): string {
  return `peer/${peer}`;
}

function scopeOf(peer: PeerId): string {
  return `peer/${peer}/`;
}

function allRecordsOf(peer: string): { readonly type: "delete-range"; readonly from: string; readonly to: string } {
  return { type: "delete-range", from: markOf(peer), to: `peer/${peer}0` };
}

function valueOf({ peerId: key, privateKey, publicKey, usedAtMs, isSpent }: StoredIdentity): { readonly type: "put"; readonly key: string; readonly value: unknown } {
  return { type: "put", key, value: { format: FORMAT, privateKey, publicKey, usedAtMs, isSpent } };
}

function identityFrom(key: string, value: unknown): StoredIdentity | undefined {
  if (!isPeerId(key) || typeof value !== "object" || value === null) return undefined;
  const { format, privateKey, publicKey, usedAtMs, isSpent } = value as Readonly<Record<string, unknown>>;
  if (format !== FORMAT || typeof usedAtMs !== "number" || typeof isSpent !== "boolean") return undefined;
  if (!(publicKey instanceof Uint8Array) || !isPublicKeyShaped(publicKey) || peerIdOfKey(publicKey) !== key || !isPrivateKey(privateKey)) return undefined;
  return { peerId: key, privateKey, publicKey, usedAtMs, isSpent };
}

function isPrivateKey(value: unknown): value is CryptoKey {
  return typeof value === "object" && value !== null && "type" in value && value.type === "private";
}
