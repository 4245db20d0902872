// Under which name and numbers this node writes: a new client id per incarnation, or a durable one whose serials are reserved in storage.
import type { LogIndex, Random } from "../base/index.ts";
import type { ByteStoreOp } from "../storage/index.ts";
import { BusyError } from "./errors.ts";
import { clientRecordOp, type ClientRecord } from "./node-records.ts";
import { Outbox, type FoundOutbox, type OutboxCommand } from "./outbox.ts";
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

/** What an earlier incarnation of a durable writer left in storage. */
export interface StoredWriter {
  readonly record: ClientRecord | undefined;
  readonly outbox: FoundOutbox;
}

/** One node's writer: its id, its serials, when they may be used, and what of it must not be forgotten. */
export class WriterIdentity {
  readonly clientId: string;
  readonly serials: SerialBook;
  readonly #outbox: Outbox | undefined;
  #store: ((ops: readonly ByteStoreOp[]) => Promise<void>) | undefined;
  #birth: LogIndex | undefined;
  /** Reserved and durable. */
  #reserved: number;
  #reserving: Promise<void> | undefined;
  #hasWritten = false;
  /** Callers waiting, by serial. */
  readonly #waiting = new Map<number, number>();
  /** In the outbox before anybody of this call asked; stays there when the call is refused. */
  readonly #keptBefore = new Set<number>();
  /** In the outbox, and nobody waits: the oldest go when there is no room. */
  readonly #abandoned = new Set<number>();

  private constructor(clientId: string, outboxBytesMax: number, stored: StoredWriter | undefined) {
    this.clientId = clientId;
    this.#reserved = stored?.record?.reserved ?? 0;
    this.#birth = this.#reserved > 0 ? stored?.record?.birth : undefined;
    // Of an earlier incarnation nobody knows what was settled: everything in the window may be asked for again.
    this.serials = stored === undefined ? new SerialBook() : new SerialBook(this.#reserved, 1);
    // A serial is given up only when nothing in storage could propose it again.
    if (stored !== undefined) this.#outbox = new Outbox(clientId, outboxBytesMax, (serial) => this.serials.leaveOpen(serial), stored.outbox);
  }

  /** A new id for this incarnation: at least once across a restart. */
  static auto(random: Random): WriterIdentity {
    return new WriterIdentity(newClientId(random), 0, undefined);
  }

  /** An id that goes on where an earlier incarnation on this storage stopped: exactly once across a restart. `outboxBytesMax`: open payloads, together. */
  static durable(clientId: string, outboxBytesMax: number, stored: StoredWriter): WriterIdentity {
    return new WriterIdentity(clientId, outboxBytesMax, stored);
  }

  /** What to write beside the log; undefined for a writer that nobody remembers. */
  get outbox(): Outbox | undefined {
    return this.#outbox;
  }

  /** How records of its own are stored, from now on. */
  storeWith(store: (ops: readonly ByteStoreOp[]) => Promise<void>): void {
    this.#store = store;
  }

  /** What the envelope says about the client's birth; fixed by the time anything of it has committed. */
  birth(appliedIndex: LogIndex): LogIndex {
    if (this.#birth !== undefined) return this.#birth;
    if (this.#hasWritten || this.#outbox !== undefined) this.#birth = appliedIndex;
    return appliedIndex;
  }

  /** The serial of the next command, or the one asked for. Throws `BusyError` when too much is open, `InvalidArgumentError` for a serial that was settled or given up. */
  take(requestId: number | undefined, bytes: number): number {
    const isKept = requestId !== undefined && this.#outbox?.has(requestId) === true;
    if (!isKept && this.serials.isFull(requestId)) throw this.#busy("too many commands are open");
    if (!isKept && this.#outbox?.hasRoom(bytes) === false) throw this.#busy("too many bytes of commands are open");
    const serial = this.serials.take(requestId);
    if (isKept && !this.#waiting.has(serial)) this.#keptBefore.add(serial);
    this.#abandoned.delete(serial);
    this.#waiting.set(serial, (this.#waiting.get(serial) ?? 0) + 1);
    return serial;
  }

  /** Undefined when `serial` may go out now; else a promise for when it may. Rejects when the reservation can not be stored. */
  whenReserved(serial: number, appliedIndex: LogIndex): Promise<void> | undefined {
    if (this.#outbox === undefined || this.#store === undefined) return undefined;
    if (serial + RESERVED_AT_ONCE / 4 > this.#reserved) {
      this.#reserving ??= this.#reserve(this.#store, appliedIndex);
      // Where nobody needs it yet nobody waits for it: who does hears of the failure.
      this.#reserving.catch(() => {});
    }
    return serial > this.#reserved ? this.#reserving : undefined;
  }

  /** The command goes out now: from the end of this turn's write on it survives this incarnation. */
  keep(command: OutboxCommand): void {
    this.#outbox?.add(command);
  }

  /** The command of this serial stands in the log at `index`: it will not be sent again, and whatever is proposed later must not claim a later birth. */
  committed(serial: number, index: LogIndex): void {
    this.#waiting.delete(serial);
    this.#keptBefore.delete(serial);
    this.#abandoned.delete(serial);
    this.#outbox?.settle(serial);
    this.serials.settle(serial);
    if (this.#hasWritten) return;
    this.#hasWritten = true;
    this.#birth ??= Math.max(0, index - 1);
  }

  /** Nothing came of a call. What it asked for before may still be open. */
  refused(serial: number): void {
    const wasKept = this.#keptBefore.has(serial);
    if (!this.#isLast(serial)) return;
    if (wasKept) this.#abandoned.add(serial);
    else this.#letGo(serial);
  }

  /** Nobody waits any more, and what became of it is unknown: it may be asked for again, and the next incarnation will. */
  unknown(serial: number): void {
    if (!this.#isLast(serial)) return;
    if (this.#outbox?.has(serial) === true) this.#abandoned.add(serial);
    else this.serials.leaveOpen(serial);
  }

  /** Looks whether something nobody waits for any more was applied after all. Cheap while there is nothing of the kind. */
  sweep(firstIndex: (serial: number) => LogIndex | undefined): void {
    for (const serial of this.#abandoned) {
      const index = firstIndex(serial);
      if (index !== undefined) this.committed(serial, index);
    }
  }

  /** The caller withdrew it: nobody sends it again. */
  withdrawn(serial: number): void {
    if (this.#isLast(serial)) this.#letGo(serial);
  }

  /** True when this was the last caller who waited for the serial. */
  #isLast(serial: number): boolean {
    const left = (this.#waiting.get(serial) ?? 1) - 1;
    if (left > 0) this.#waiting.set(serial, left);
    else this.#waiting.delete(serial);
    if (left > 0) return false;
    this.#keptBefore.delete(serial);
    return true;
  }

  #letGo(serial: number): void {
    if (this.#outbox?.has(serial) === true) this.#outbox.withdraw(serial);
    else this.serials.leaveOpen(serial);
  }

  /** Makes room for the next call where somebody gave up waiting long ago. */
  #busy(what: string): BusyError {
    const { lowest } = this.serials;
    const [oldest] = this.#abandoned.has(lowest) ? [lowest] : this.#abandoned;
    if (oldest !== undefined) {
      this.#abandoned.delete(oldest);
      this.#outbox?.withdraw(oldest);
    }
    return new BusyError(what);
  }

  async #reserve(store: (ops: readonly ByteStoreOp[]) => Promise<void>, appliedIndex: LogIndex): Promise<void> {
    const reserved = this.serials.last + RESERVED_AT_ONCE;
    try {
      await store([clientRecordOp(this.clientId, { reserved, birth: this.birth(appliedIndex) })]);
      this.#reserved = Math.max(this.#reserved, reserved);
    } finally {
      this.#reserving = undefined;
    }
  }
}
