// What a process keeps of each room beside its log: when somebody was last in it, and how often it was forgotten. A room that was forgotten begins anew as another
// group, so that nobody votes in one a second time who has forgotten how it voted in it.
import { ByteReader, ByteWriter, digest, hasCode, toHex, utf8 } from "../base/index.ts";
import { CorruptStateError, openRecord, sealRecord } from "../replica/index.ts";
import { storageOfGroup } from "../session/index.ts";
import { scopedByteStore, type ByteStore } from "../storage/index.ts";

/** What is kept of one room. */
export interface RoomRecord {
  /** How often it was forgotten. */
  readonly generation: number;
  /** When somebody was last in it, ms since 1970. */
  readonly usedAt: number;
  /** Undefined once it was forgotten, until somebody comes again: then this number is all that is left. */
  readonly name: string | undefined;
}

const PREFIX = "core/room/";
const VERSION = 1;
/** Where a node's log begins on its disk: either is there as soon as it holds anything. */
const FIRST_ENTRY = "raft/log/0000000000000001";
const SNAPSHOT = "raft/snapshot";
const ROOM_BYTES_MAX = 256;

/** The group of a room, the same on every process: 32 hexadecimal digits, others each time the room was forgotten. */
export function coreGroupOf(room: string, generation = 0): string {
  return toHex(digest(utf8(generation === 0 ? `flotilla/core-room/1\0${room}` : `flotilla/core-room/2\0${room}\0${generation}`), 16));
}

/** See the head of the file. */
export class CoreRoomRecords {
  readonly #storage: ByteStore;
  readonly #records: Map<string, RoomRecord>;

  private constructor(storage: ByteStore, records: Map<string, RoomRecord>) {
    this.#storage = storage;
    this.#records = records;
  }

  /** Reads all there are. Throws `CorruptStateError`. */
  static async open(storage: ByteStore): Promise<CoreRoomRecords> {
    const found = await storage.readRange(PREFIX, `${PREFIX}\uffff`);
    return new CoreRoomRecords(storage, new Map(found.map(([key, value]) => [key, decode(key, value)])));
  }

  /** Rooms with a log here, of those that were opened since this is counted. */
  get kept(): number {
    return [...this.#records.values()].filter(({ name }) => name !== undefined).length;
  }

  of(room: string): RoomRecord | undefined {
    return this.#records.get(keyOf(room));
  }

  generationOf(room: string): number {
    return this.of(room)?.generation ?? 0;
  }

  /** Rooms nobody was in since `before`. */
  unusedSince(before: number): readonly string[] {
    return [...this.#records.values()].flatMap(({ name, usedAt }) => (name !== undefined && usedAt < before ? [name] : []));
  }

  /** Where the log of a room's present group is. */
  logOf(room: string): ByteStore {
    return scopedByteStore(this.#storage, logPrefix(room, this.generationOf(room)));
  }

  /** Whether this process holds nothing of the log of a room's present group. */
  async isBlank(room: string): Promise<boolean> {
    const groupId = coreGroupOf(room, this.generationOf(room));
    const log = storageOfGroup(this.logOf(room), groupId);
    return (await log.read(FIRST_ENTRY)) === undefined && (await log.read(SNAPSHOT)) === undefined;
  }

  /** Somebody is in the room, or it was opened here for the first time. */
  async used(room: string, now: number): Promise<void> {
    await this.#put(room, { generation: this.generationOf(room), usedAt: now, name: room });
  }

  /** Leaves every group of the room before `generation`, for ever: with the record that says so goes what it wrote in the last one, at once. Nothing where it did before. */
  async leave(room: string, generation: number): Promise<void> {
    const before = this.generationOf(room);
    if (generation <= before) return;
    const prefix = logPrefix(room, before);
    const record: RoomRecord = { generation, usedAt: 0, name: undefined };
    // Known at once, so that nothing that begins meanwhile begins in the group that is left.
    this.#records.set(keyOf(room), record);
    await this.#storage.write([{ type: "delete-range", from: prefix, to: `${prefix}\uffff` }, { type: "put", key: keyOf(room), value: encode(keyOf(room), record) }]);
  }

  async #put(room: string, record: RoomRecord): Promise<void> {
    this.#records.set(keyOf(room), record);
    await this.#storage.write([{ type: "put", key: keyOf(room), value: encode(keyOf(room), record) }]);
  }
}

function keyOf(room: string): string {
  return `${PREFIX}${coreGroupOf(room)}`;
}

function logPrefix(room: string, generation: number): string {
  return `room/${coreGroupOf(room, generation)}/`;
}

function encode(key: string, { generation, usedAt, name }: RoomRecord): Uint8Array {
  return sealRecord(key, new ByteWriter().byte(VERSION).uint(generation).uint(Math.max(0, Math.floor(usedAt))).text(name ?? "").finish());
}

function decode(key: string, value: Uint8Array): RoomRecord {
  const reader = new ByteReader(openRecord(key, value));
  try {
    if (reader.byte() !== VERSION) throw new CorruptStateError(key, "it is of a later version");
    const [generation, usedAt, name] = [reader.uint(), reader.uint(), reader.text(ROOM_BYTES_MAX)];
    reader.end();
    return { generation, usedAt, name: name === "" ? undefined : name };
  } catch (cause) {
    if (hasCode(cause, "malformed")) throw new CorruptStateError(key, "it can not be decoded", { cause });
    throw cause;
  }
}
