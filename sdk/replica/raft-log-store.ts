// Where a node's state lies in a ByteStore: writes of the machine to batches of operations, and records back to the restored state. No I/O here.
//
// Layout. `raft/hard` holds term, vote and commit hint. `raft/snapshot` holds the newest snapshot. `raft/log/<index>` holds the entries of one
// write, named by the first of them; a record per write is 10 to 20 times faster than one per entry. A later record wins over the tail of an
// earlier one: the log ends, for the earlier record, where the later begins. So cutting the log never rewrites anything: records from the cut on
// are deleted and a record is put at the cut, without entries when there are none. Every cut leaves a record at its index, hence a tail that was
// cut off once can never show again.
//
// Every record carries the number of its batch, a batch begins with a put, and `raft/hard` is its last operation. A store that broke its promise
// and kept only the beginning of a batch therefore shows a record that is newer than the hard state, and is refused. The hard state also says where the
// snapshot and the log end and how many records the log has, so that a record lost whole is missed wherever it was.
import type { ByteStoreOp } from "../storage/index.ts";
import { ByteWriter, hasCode, isPeerId, MalformedError, NO_BYTES, utf8, type ByteReader, type LogIndex, type PeerId } from "../base/index.ts";
import {
  BLANK_STATE, CorruptStateError, ENTRY_COMMAND, ENTRY_MEMBERSHIP, ENTRY_NOOP, PackedEntries, readMembership, writeMembership, type Entry, type EntryKind,
  type HardState, type RestoredState, type Snapshot, type StoredState, type Write,
} from "../raft/index.ts";
import { readRecord, sealWritten } from "./record.ts";

/** Range that holds everything of a node's Raft state: `from <= key < to`. */
export const RAFT_RECORDS: { readonly from: string; readonly to: string } = { from: "raft/", to: "raft0" };

const HARD = "raft/hard";
const SNAPSHOT = "raft/snapshot";
const LOG = "raft/log/";
const LOG_END = "raft/log0";
/** What a stored entry takes at least: term, kind, time and length. */
const ENTRY_BYTES_MIN = 4;
/** 2^53 has 16 digits; padded, keys sort as their indexes do. */
const INDEX_DIGITS = 16;

/** What the store holds of the log, kept beside it so that a write needs no read. Made by {@link emptyLayout} or {@link restoreFrom}, moved on by {@link writeToOps}. */
export interface LogLayout {
  /** First indexes of the log records, rising. */
  firsts: LogIndex[];
  /** The index after the last stored entry. */
  next: LogIndex;
  /** Index of the stored snapshot; 0: there is none. */
  base: LogIndex;
  /** Number of the last batch. */
  batch: number;
  /** The hard state of the last batch. */
  hard: HardState;
}

/** What a node starts from, with its entries still in their records. */
interface PackedState extends StoredState {
  readonly entries: PackedEntries;
}

/** The layout of an empty store. */
export function emptyLayout(): LogLayout {
  return { firsts: [], next: 1, base: 0, batch: 0, hard: BLANK_STATE.hardState };
}

/** The operations of one atomic batch that make `write` durable, in an order that means the same as the machine's. Moves `layout` on: do it once per write, in the order of the writes. */
export function writeToOps(write: Write, layout: LogLayout): ByteStoreOp[] {
  const ops: ByteStoreOp[] = [];
  layout.batch += 1;
  layout.hard = write.hardState ?? layout.hard;
  if (write.snapshot !== undefined) storeSnapshot(write, write.snapshot, layout, ops);
  const first = write.entries[0]?.index ?? (write.truncateAfter ?? Number.POSITIVE_INFINITY) + 1;
  if (first < layout.next || write.entries.length > 0) putEntries(first, write.entries, layout, ops);
  ops.push({ type: "put", key: HARD, value: sealed(HARD, layout, layout, encodeHard) });
  return ops;
}

/** The state in these records (all of {@link RAFT_RECORDS}, in key order) and its layout. Throws `CorruptStateError` naming the record; nothing is ever guessed. */
export function restoreFrom(records: readonly (readonly [key: string, value: Uint8Array])[]): { readonly restored: RestoredState; readonly layout: LogLayout } {
  const { restored, layout } = restorePacked(records);
  return { restored: { ...restored, entries: restored.entries.toEntries() }, layout };
}

/** {@link restoreFrom} that leaves the entries in the records, which must not change while they are read. */
export function restorePacked(records: readonly (readonly [key: string, value: Uint8Array])[]): { readonly restored: PackedState; readonly layout: LogLayout } {
  let hard: Numbered<StoredHard> | undefined;
  let snapshot: Numbered<Snapshot> | undefined;
  const logRecords: (readonly [key: string, value: Uint8Array])[] = [];
  for (const [key, value] of records) {
    if (key === HARD) hard = decoded(key, value, decodeHard);
    else if (key === SNAPSHOT) snapshot = decoded(key, value, decodeSnapshot);
    else if (key.startsWith(LOG)) logRecords.push([key, value]);
    else throw new CorruptStateError(key, "no record has this name");
  }
  if (hard === undefined && (snapshot !== undefined || logRecords.length > 0)) throw new CorruptStateError(HARD, "it is missing beside a log");
  const { value: { hardState, base, next, count }, batch } = hard ?? { value: { hardState: BLANK_STATE.hardState, base: 0, next: 1, count: 0 }, batch: 0 };
  if (snapshot !== undefined && snapshot.batch > batch) throw isTorn(SNAPSHOT);
  if ((snapshot?.value.index ?? 0) !== base) throw new CorruptStateError(SNAPSHOT, `it ends at ${snapshot?.value.index ?? 0} instead of ${base}`);
  const { entries, ...log } = restoreLog(logRecords, snapshot?.value, { batch, next });
  if (log.next !== next) throw new CorruptStateError(logKey(Math.min(log.next, next)), `the log ends at ${log.next - 1} instead of ${next - 1}`);
  if (log.firsts.length !== count) throw new CorruptStateError(LOG, `it has ${log.firsts.length} records instead of ${count}`);
  const restored: PackedState = { hardState, snapshot: snapshot?.value, entries };
  checkTerms(restored);
  return { restored, layout: { ...log, base, batch, hard: hardState } };
}

function isTorn(key: string): CorruptStateError {
  return new CorruptStateError(key, "it belongs to a batch whose end is missing");
}

function storeSnapshot(write: Write, snapshot: Snapshot, layout: LogLayout, ops: ByteStoreOp[]): void {
  layout.base = snapshot.index;
  ops.push({ type: "put", key: SNAPSHOT, value: sealed(SNAPSHOT, layout, snapshot, encodeSnapshot) });
  const { truncateAfter } = write;
  const isAllCovered = layout.next <= snapshot.index + 1 || (truncateAfter !== undefined && truncateAfter <= snapshot.index);
  if (isAllCovered) {
    ops.push({ type: "delete-range", from: LOG, to: LOG_END });
    layout.firsts = [];
    layout.next = snapshot.index + 1;
    return;
  }
  // The record that reaches across the snapshot stays whole; what it holds up to there is passed over when read.
  let across = 0;
  while ((layout.firsts[across + 1] ?? Number.POSITIVE_INFINITY) <= snapshot.index + 1) across += 1;
  if (across === 0) return;
  ops.push({ type: "delete-range", from: LOG, to: logKey(layout.firsts[across] ?? 0) });
  layout.firsts = layout.firsts.slice(across);
}

/** The log from `first` on is `entries` and nothing else. */
function putEntries(first: LogIndex, entries: readonly Entry[], layout: LogLayout, ops: ByteStoreOp[]): void {
  const key = logKey(first);
  ops.push({ type: "put", key, value: sealed(key, layout, entries, encodeEntries) });
  if (first < layout.next) {
    ops.push({ type: "delete-range", from: logKey(first + 1), to: LOG_END });
    while ((layout.firsts.at(-1) ?? 0) >= first) layout.firsts.pop();
  }
  if (layout.firsts.at(-1) !== first) layout.firsts.push(first);
  layout.next = first + entries.length;
}

function restoreLog(records: readonly (readonly [key: string, value: Uint8Array])[], snapshot: Snapshot | undefined, { batch: newest, next }: { readonly batch: number; readonly next: LogIndex }): Pick<LogLayout, "firsts" | "next"> & { readonly entries: PackedEntries } {
  const base = snapshot?.index ?? 0;
  const start = records[0] === undefined ? base + 1 : indexOf(records[0][0]);
  const layout: Pick<LogLayout, "firsts" | "next"> = { firsts: [], next: start };
  const bytes = records.reduce((sum, [, { length }]) => sum + length, 0);
  // What the hard state says is only believed as far as it can be right.
  const entries = new PackedEntries(start, Math.max(0, Math.min(next - start, Math.ceil(bytes / ENTRY_BYTES_MIN))));
  for (const [key, value] of records) {
    const first = indexOf(key);
    entries.cutFrom(first);
    const { value: count, batch } = decoded(key, value, (reader) => decodeEntries(reader, value, entries));
    if (batch > newest) throw isTorn(key);
    if (first > layout.next) throw new CorruptStateError(logKey(layout.next), `the log goes on at ${first} and nothing holds what is before`);
    layout.firsts.push(first);
    layout.next = first + count;
  }
  if (layout.firsts.length > 0 && (start > base + 1 || layout.next < base + 1)) throw new CorruptStateError(logKey(base + 1), `the log holds ${start} to ${layout.next - 1}, the snapshot ends at ${base}`);
  entries.skipTo(base + 1);
  return { entries, ...layout };
}

function checkTerms({ hardState, snapshot, entries }: PackedState): void {
  let term = snapshot?.term ?? 0;
  entries.eachRun(({ columns: { terms }, from, to }, first) => {
    for (let at = from; at < to; at += 1) {
      const next = terms[at] ?? 0;
      if (next < term) throw new CorruptStateError(logKey(first + at - from), `term ${next} after term ${term}`);
      term = next;
    }
  });
  if (term > hardState.term) throw new CorruptStateError(HARD, `term ${hardState.term}, but the log has term ${term}`);
  const last = (snapshot?.index ?? 0) + entries.length;
  if (hardState.commit > last) throw new CorruptStateError(HARD, `commit index ${hardState.commit}, but the log ends at ${last}`);
}

// An index padded with zeros: what the digits leave of this, and the digits.
const LOG_ZEROS = LOG + "0".repeat(INDEX_DIGITS);

function logKey(index: LogIndex): string {
  const digits = String(index);
  return LOG_ZEROS.slice(0, LOG_ZEROS.length - digits.length) + digits;
}

function indexOf(key: string): LogIndex {
  const index = Number(key.slice(LOG.length));
  if (!Number.isSafeInteger(index) || index < 1 || logKey(index) !== key) throw new CorruptStateError(key, "its name is no index");
  return index;
}

/** What a record holds, and the batch that put it. */
interface Numbered<T> {
  readonly value: T;
  readonly batch: number;
}

function sealed<T>(key: string, { batch }: LogLayout, value: T, encode: (writer: ByteWriter, value: T) => void): Uint8Array {
  const writer = new ByteWriter().uint(batch);
  encode(writer, value);
  return sealWritten(key, writer);
}

function decoded<T>(key: string, record: Uint8Array, read: (reader: ByteReader) => T): Numbered<T> {
  const reader = readRecord(key, record);
  try {
    const batch = reader.uint();
    const value = read(reader);
    reader.end();
    return { value, batch };
  } catch (cause) {
    if (hasCode(cause, "malformed")) throw new CorruptStateError(key, "it can not be decoded", { cause });
    throw cause;
  }
}

/** The hard state, and what the log was when it was put. */
interface StoredHard {
  readonly hardState: HardState;
  readonly base: LogIndex;
  readonly next: LogIndex;
  readonly count: number;
}

function encodeHard(writer: ByteWriter, { hard: { term, vote, commit }, base, next, firsts }: LogLayout): void {
  if (vote !== lastVote) {
    lastVote = vote;
    lastVoteBytes = utf8(vote ?? "");
  }
  writer.uint(term).bytes(lastVoteBytes).uint(commit).uint(base).uint(next).uint(firsts.length);
}

// One vote stands in every record of a term.
let lastVote: PeerId | undefined;
let lastVoteBytes = NO_BYTES;

function decodeHard(reader: ByteReader): StoredHard {
  const term = reader.uint();
  const vote = reader.text();
  if (vote !== "" && !isPeerId(vote)) throw new MalformedError("a vote for no peer id");
  return { hardState: { term, vote: vote === "" ? undefined : vote, commit: reader.uint() }, base: reader.uint(), next: reader.uint(), count: reader.uint() };
}

/** Terms and times as differences to the entry before; both never fall. */
function encodeEntries(writer: ByteWriter, entries: readonly Entry[]): void {
  writer.uint(entries.length);
  let term = 0;
  let time = 0;
  for (const entry of entries) {
    writer.uint(entry.term - term).byte(entry.kind).uint(entry.time - time).bytes(entry.data);
    term = entry.term;
    time = entry.time;
  }
}

/** Adds the entries of a record to `entries` and returns how many there are; their data stays where it is. */
function decodeEntries(reader: ByteReader, record: Uint8Array, entries: PackedEntries): number {
  const count = reader.uint();
  // A count is judged before anything is made for it.
  if (count * ENTRY_BYTES_MIN > reader.remaining) throw new MalformedError(`${count} entries in ${reader.remaining} bytes`);
  entries.begin(record, count);
  let term = 0;
  let time = 0;
  for (let at = 0; at < count; at += 1) {
    term += reader.uint();
    const kind = kindOf(reader.byte());
    time += reader.uint();
    const length = reader.uint();
    const start = reader.skip(length);
    entries.push({ term, kind, time, start, end: start + length });
  }
  return count;
}

function kindOf(byte: number): EntryKind {
  if (byte === ENTRY_NOOP || byte === ENTRY_COMMAND || byte === ENTRY_MEMBERSHIP) return byte;
  throw new MalformedError(`no entry is of kind ${byte}`);
}

function encodeSnapshot(writer: ByteWriter, { index, term, time, membership, data }: Snapshot): void {
  writer.uint(index).uint(term).uint(time);
  writeMembership(writer, membership);
  writer.bytes(data);
}

function decodeSnapshot(reader: ByteReader): Snapshot {
  return { index: reader.uint(), term: reader.uint(), time: reader.uint(), membership: readMembership(reader), data: reader.bytes() };
}
