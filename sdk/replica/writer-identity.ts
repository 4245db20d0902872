// Under which name and numbers this node writes: a new client id per incarnation, or a durable one whose serials are reserved in storage.
import type { LogIndex, Random } from "../base/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { clientRecordOp, readClientRecord, type ClientRecord } from "./node-records.ts";
import { SerialBook } from "./serial-book.ts";

/** Serials reserved at a time for a durable id: a restart leaves a gap of at most this many, which must stay well inside SERIAL_WINDOW. */
const RESERVED_AT_ONCE = 256;
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** Every entry in memory, on disk and, once per frame, on the wire holds its writer's id: 80 bits are few, and enough. */
const CLIENT_ID_CHARS = 16;

/** A client id nobody else has: 16 characters of 5 random bits. Among a million writers of one group two are alike with odds of 1 in 2 million million (EO7 notices). */
export function newClientId(random: Random): string {
  let id = "";
  for (let i = 0; i < CLIENT_ID_CHARS; i += 1) id += ALPHABET[random.uint32() & 31] ?? "";
  return id;
}

/** One node's writer: its id, its serials, and when they may be used. */
export class WriterIdentity {
  readonly clientId: string;
  readonly serials: SerialBook;
  readonly #storage: ByteStore | undefined;
  #birth: LogIndex | undefined;
  /** Reserved and durable. */
  #reserved: number;
  #reserving: Promise<void> | undefined;
  #hasWritten = false;

  private constructor(clientId: string, storage: ByteStore | undefined, record: ClientRecord | undefined) {
    this.clientId = clientId;
    this.#storage = storage;
    this.#reserved = record?.reserved ?? 0;
    this.#birth = record?.birth;
    // Of an earlier incarnation nobody knows what was settled: everything in the window may be asked for again.
    this.serials = storage === undefined ? new SerialBook() : new SerialBook(this.#reserved, 1);
  }

  /** A new id for this incarnation: at least once across a restart. */
  static auto(random: Random): WriterIdentity {
    return new WriterIdentity(newClientId(random), undefined, undefined);
  }

  /** An id that goes on where an earlier incarnation on this storage stopped: exactly once across a restart. */
  static async durable(clientId: string, storage: ByteStore): Promise<WriterIdentity> {
    return new WriterIdentity(clientId, storage, await readClientRecord(storage, clientId));
  }

  /** What the envelope says about the client's birth; fixed by the time anything of it has committed. */
  birth(appliedIndex: LogIndex): LogIndex {
    if (this.#birth !== undefined) return this.#birth;
    if (this.#hasWritten || this.#storage !== undefined) this.#birth = appliedIndex;
    return appliedIndex;
  }

  /** A command of this writer was seen committed at `index`: whatever is proposed later must not claim a later birth. */
  committedAt(index: LogIndex): void {
    if (this.#hasWritten) return;
    this.#hasWritten = true;
    this.#birth ??= index - 1;
  }

  /** Undefined when `serial` may go out now; else a promise for when it may. Rejects when the reservation can not be stored. */
  whenReserved(serial: number, appliedIndex: LogIndex): Promise<void> | undefined {
    if (this.#storage === undefined) return undefined;
    if (serial + RESERVED_AT_ONCE / 4 > this.#reserved) this.#reserving ??= this.#reserve(this.#storage, appliedIndex);
    return serial > this.#reserved ? this.#reserving : undefined;
  }

  async #reserve(storage: ByteStore, appliedIndex: LogIndex): Promise<void> {
    const reserved = this.serials.last + RESERVED_AT_ONCE;
    try {
      await storage.write([clientRecordOp(this.clientId, { reserved, birth: this.birth(appliedIndex) })]);
      this.#reserved = Math.max(this.#reserved, reserved);
    } finally {
      this.#reserving = undefined;
    }
  }
}
