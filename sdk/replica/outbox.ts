// The commands of a durable writer whose fate is open, kept in storage so that the next incarnation proposes them again under the same keys.
//
// What one turn of the loop took in is one record; a record goes when everything in it is settled. Removals are
// lazy: a command that was settled and comes back after a crash is a duplicate, which the exactly-once table knows.
import { ByteReader, ByteWriter, MalformedError } from "../base/index.ts";
import { CorruptStateError } from "../raft/index.ts";
import type { ByteStoreOp } from "../storage/index.ts";
import type { BesideWrites } from "./disk.ts";
import { openRecord, sealRecord } from "./record.ts";

/** Range that holds every outbox record: `from <= key < to`. */
export const OUTBOX_RECORDS: { readonly from: string; readonly to: string } = { from: "outbox/", to: "outbox0" };

const NUMBER_DIGITS = 16;
/** In one record; a writer has fewer open (SERIAL_WINDOW). */
const COMMANDS_MAX = 4096;

/** One command as it lies in the outbox. */
export interface OutboxCommand {
  readonly requestId: number;
  readonly lane: number;
  readonly payload: Uint8Array;
}

/** What an earlier incarnation left behind. */
export interface FoundOutbox {
  /** By rising serial. */
  readonly commands: readonly OutboxCommand[];
  /** Records that can not be read, one error naming each; what they held is lost, and nobody was told that it had happened. */
  readonly damaged: readonly CorruptStateError[];
  /** Key → what is in it; nothing where it is damaged. */
  readonly records: ReadonlyMap<string, readonly OutboxCommand[]>;
}

/** Nothing was left behind. */
export const EMPTY_OUTBOX: FoundOutbox = { commands: [], damaged: [], records: new Map() };

/** The commands of this client in these records (all of {@link OUTBOX_RECORDS}). Records of other clients are left alone. Never throws. */
export function readOutbox(records: readonly (readonly [key: string, value: Uint8Array])[], clientId: string): FoundOutbox {
  const commands = new Map<number, OutboxCommand>();
  const damaged: CorruptStateError[] = [];
  const found = new Map<string, readonly OutboxCommand[]>();
  for (const [key, value] of records) {
    if (ownerOf(key) !== clientId) continue;
    try {
      const held = decodeRecord(key, value);
      found.set(key, held);
      for (const command of held) commands.set(command.requestId, command);
    } catch (cause) {
      damaged.push(cause instanceof CorruptStateError ? cause : new CorruptStateError(key, "it can not be decoded", { cause }));
      found.set(key, []);
    }
  }
  return { commands: [...commands.values()].sort((a, b) => a.requestId - b.requestId), damaged, records: found };
}

interface Kept {
  /** Undefined: never handed to the disk. */
  key: string | undefined;
  /** What is open of it, by serial. */
  readonly commands: Map<number, OutboxCommand>;
  bytes: number;
}

interface Taken {
  readonly fresh: Kept;
  readonly again: readonly Kept[];
  readonly over: readonly string[];
  readonly leaving: readonly number[];
}

/** The outbox of one running writer. */
export class Outbox implements BesideWrites {
  readonly #clientId: string;
  readonly #bytesMax: number;
  readonly #gone: (requestId: number) => void;
  /** Serial → the record it is in. */
  readonly #records = new Map<number, Kept>();
  /** Taken in since the last batch. */
  #fresh: Kept = blank();
  /** Records to be put once more: something was withdrawn from them, or the batch they were in failed. */
  readonly #again = new Set<Kept>();
  /** Records in which nothing is open any more. */
  #over: string[] = [];
  /** Withdrawn; gone once a batch without them is durable. */
  #leaving: number[] = [];
  #taken: Taken | undefined;
  #next = 1;
  #bytes = 0;

  /** `bytesMax`: payloads kept at a time, together. `gone` hears of each withdrawn command once it is in storage no more. */
  constructor(clientId: string, bytesMax: number, gone: (requestId: number) => void, found: FoundOutbox) {
    this.#clientId = clientId;
    this.#bytesMax = bytesMax;
    this.#gone = gone;
    for (const [key, commands] of found.records) {
      const record: Kept = { ...blank(), key };
      for (const command of commands) if (!this.has(command.requestId)) this.#keep(record, command);
      this.#overIfEmpty(record);
      this.#next = Math.max(this.#next, numberOf(key) + 1);
    }
  }

  /** Commands kept now. */
  get size(): number {
    return this.#records.size;
  }

  get isUrgent(): boolean {
    return this.#fresh.commands.size > 0 || this.#again.size > 0 || this.#leaving.length > 0;
  }

  /** True when this command is kept. */
  has(requestId: number): boolean {
    return this.#records.has(requestId);
  }

  /** True when a command of this size still fits. */
  hasRoom(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#bytesMax;
  }

  /** Keeps a command; one that is kept already stays as it is. */
  add(command: OutboxCommand): void {
    if (this.#records.has(command.requestId)) return;
    this.#leaving = this.#leaving.filter((requestId) => requestId !== command.requestId);
    this.#keep(this.#fresh, command);
  }

  /** The fate of a command is known. Its record is removed in time, together with other writes; what comes back after a crash meanwhile is a duplicate. */
  settle(requestId: number): void {
    this.#drop(requestId);
  }

  /** Nobody wants the command any more, and its serial may be given up once it is in storage no more. */
  withdraw(requestId: number): void {
    const record = this.#drop(requestId);
    if (record === undefined) return;
    if (record.key === undefined) return this.#gone(requestId);
    this.#leaving.push(requestId);
    if (record.commands.size > 0) this.#again.add(record);
  }

  take(): readonly ByteStoreOp[] {
    const fresh = this.#fresh;
    if (!this.isUrgent && this.#over.length === 0) return [];
    const again = [...this.#again].filter(({ commands }) => commands.size > 0);
    const over = this.#over;
    // What is over makes way for what is new: one put does the work of a put and a removal, and a request costs a fifth of a transaction.
    if (fresh.commands.size > 0) fresh.key = over.pop();
    this.#taken = { fresh, again, over, leaving: this.#leaving };
    this.#fresh = blank();
    this.#again.clear();
    this.#over = [];
    this.#leaving = [];
    const ops = this.#taken.over.map((key): ByteStoreOp => ({ type: "delete", key }));
    for (const record of fresh.commands.size > 0 ? [...again, fresh] : again) ops.push(this.#put(record));
    return ops;
  }

  written(): void {
    const taken = this.#taken;
    if (taken === undefined) return;
    this.#taken = undefined;
    for (const record of [taken.fresh, ...taken.again]) this.#overIfEmpty(record);
    for (const requestId of taken.leaving) if (!this.#records.has(requestId)) this.#gone(requestId);
  }

  failed(): void {
    const taken = this.#taken;
    if (taken === undefined) return;
    this.#taken = undefined;
    this.#over.push(...taken.over);
    this.#leaving.push(...taken.leaving);
    // Whether the records are there may be unknown: put once more or removed, both are right.
    for (const record of [taken.fresh, ...taken.again]) {
      if (record.commands.size > 0) this.#again.add(record);
      this.#overIfEmpty(record);
    }
  }

  #keep(record: Kept, command: OutboxCommand): void {
    record.commands.set(command.requestId, command);
    record.bytes += command.payload.length;
    this.#bytes += command.payload.length;
    this.#records.set(command.requestId, record);
  }

  #drop(requestId: number): Kept | undefined {
    const record = this.#records.get(requestId);
    if (record === undefined) return undefined;
    this.#records.delete(requestId);
    record.commands.delete(requestId);
    // Of a record just being written nobody knows yet whether it is there: it is removed after that.
    const isOnItsWay = this.#taken !== undefined && (record === this.#taken.fresh || this.#taken.again.includes(record));
    if (record.commands.size > 0) return record;
    this.#bytes -= record.bytes;
    record.bytes = 0;
    this.#again.delete(record);
    if (!isOnItsWay) this.#overIfEmpty(record);
    return record;
  }

  #overIfEmpty(record: Kept): void {
    if (record.key !== undefined && record.commands.size === 0) this.#over.push(record.key);
  }

  #put(record: Kept): ByteStoreOp {
    if (record.key === undefined) {
      record.key = keyOf(this.#next, this.#clientId);
      this.#next += 1;
    }
    return { type: "put", key: record.key, value: sealRecord(record.key, encodeRecord([...record.commands.values()])) };
  }
}

function blank(): Kept {
  return { key: undefined, commands: new Map(), bytes: 0 };
}

function keyOf(number: number, clientId: string): string {
  return `${OUTBOX_RECORDS.from}${String(number).padStart(NUMBER_DIGITS, "0")}/${clientId}`;
}

function ownerOf(key: string): string {
  return key.slice(OUTBOX_RECORDS.from.length + NUMBER_DIGITS + 1);
}

/** 0 where damage left no number. */
function numberOf(key: string): number {
  const number = Number(key.slice(OUTBOX_RECORDS.from.length, OUTBOX_RECORDS.from.length + NUMBER_DIGITS));
  return Number.isSafeInteger(number) ? number : 0;
}

function encodeRecord(commands: readonly OutboxCommand[]): Uint8Array {
  const writer = new ByteWriter();
  writer.list(commands, ({ requestId, lane, payload }) => void writer.uint(requestId).byte(lane).bytes(payload));
  return writer.finish();
}

function decodeRecord(key: string, record: Uint8Array): OutboxCommand[] {
  const reader = new ByteReader(openRecord(key, record));
  const commands = reader.list(() => ({ requestId: reader.uint(), lane: reader.byte(), payload: reader.bytes() }), COMMANDS_MAX);
  reader.end();
  if (commands.some(({ requestId, lane }) => requestId === 0 || lane === 0)) throw new MalformedError("no serial or no lane");
  return commands;
}
