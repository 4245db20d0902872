// A mark on each process's records: a process that comes back under its name with other records has forgotten its votes, and the others notice.
import { randomBytes } from "node:crypto";
import { bytesEqual, type PeerId } from "../base/index.ts";
import { CorruptStateError, openRecord, sealRecord } from "../replica/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { CORE_MARK_BYTES } from "./core-link-frame.ts";

const OWN = "core/mark";
const seenKey = (core: PeerId): string => `core/seen/${core}`;
const ownerKey = "core/name";

/** The marks one process knows: its own, and the one it last saw of each other process. */
export class CoreMarks {
  readonly own: Uint8Array;
  readonly #storage: ByteStore;
  readonly #seen = new Map<PeerId, Uint8Array>();

  private constructor(own: Uint8Array, storage: ByteStore) {
    this.own = own;
    this.#storage = storage;
  }

  /** Reads the mark, or makes one on blank records. Throws `CorruptStateError` for records of another process. */
  static async open(storage: ByteStore, self: PeerId): Promise<CoreMarks> {
    const [mark, owner] = [await storage.read(OWN), await storage.read(ownerKey)];
    if (mark !== undefined) {
      const name = owner === undefined ? "nobody" : new TextDecoder().decode(openRecord(ownerKey, owner));
      if (name !== self) throw new CorruptStateError(ownerKey, `these are the records of ${name}, not of ${self}`);
      return new CoreMarks(openRecord(OWN, mark).slice(), storage);
    }
    const own = Uint8Array.from(randomBytes(CORE_MARK_BYTES));
    await storage.write([{ type: "put", key: OWN, value: sealRecord(OWN, own) }, { type: "put", key: ownerKey, value: sealRecord(ownerKey, new TextEncoder().encode(self)) }]);
    return new CoreMarks(own, storage);
  }

  /** Whether `core` still has the records it had; the first time its mark is kept. */
  async meet(core: PeerId, mark: Uint8Array): Promise<boolean> {
    const seen = this.#seen.get(core) ?? (await this.#read(core));
    if (seen !== undefined) return bytesEqual(seen, mark);
    await this.#storage.write([{ type: "put", key: seenKey(core), value: sealRecord(seenKey(core), mark) }]);
    this.#seen.set(core, mark.slice());
    return true;
  }

  async #read(core: PeerId): Promise<Uint8Array | undefined> {
    const record = await this.#storage.read(seenKey(core));
    return record === undefined ? undefined : openRecord(seenKey(core), record).slice();
  }
}
