// Append-only records with their order and their owner's epoch, so that a reader can tell a torn tail from a damaged middle.
import { ByteReader, ByteWriter, bytesEqual, digest64, MalformedError } from "../base/index.ts";
import { DurableCorruptError } from "./errors.ts";

/** What a journal holds, in append order. */
export type JournalKind = "delta" | "crash-marked" | "restarted" | "reconnected";

/** One journal entry. */
export interface JournalEntry {
  readonly kind: JournalKind;
  /** Place in the session's journal, from 1, without gaps. */
  readonly sequence: number;
  /** Number of deltas up to and including this entry since the session began or was last remounted. */
  readonly position: number;
  /** Epoch of the owner that wrote it. */
  readonly epoch: number;
  /** An encoded delta; for `restarted` the policy, for `reconnected` the route, as UTF-8; else empty. */
  readonly payload: Uint8Array;
}

const KINDS: readonly JournalKind[] = ["delta", "crash-marked", "restarted", "reconnected"];
const RECORD_VERSION = 1;
// 2^53 in base 36 has 11 digits: padded keys sort as numbers do.
const SEQUENCE_DIGITS = 11;

/** Keys of a session's journal: `journal/<session>/<sequence>`; the prefix ends in a byte no sequence starts with. */
export function journalKey(sessionId: string, sequence: number): string {
  return `${journalPrefix(sessionId)}${sequence.toString(36).padStart(SEQUENCE_DIGITS, "0")}`;
}

/** First key of a session's journal. */
export function journalPrefix(sessionId: string): string {
  return `journal/${encodeURIComponent(sessionId)}/`;
}

/** First key after a session's journal. */
export function journalEnd(sessionId: string): string {
  return `journal/${encodeURIComponent(sessionId)}0`;
}

/** One record: version, entries, checksum. Several entries of one append share a record and so stand or fall together. */
export function encodeJournalRecord(entries: readonly JournalEntry[]): Uint8Array {
  const body = new ByteWriter().byte(RECORD_VERSION);
  body.list(entries, (entry) => {
    body.byte(KINDS.indexOf(entry.kind)).uint(entry.sequence).uint(entry.position).uint(entry.epoch).bytes(entry.payload);
  });
  const bytes = body.finish();
  return new ByteWriter().raw(digest64(bytes)).raw(bytes).finish();
}

/** The entries of a record. Throws `MalformedError` when the checksum or any field is off. */
export function decodeJournalRecord(record: Uint8Array): readonly JournalEntry[] {
  const outer = new ByteReader(record);
  const sum = outer.raw(8);
  const body = outer.raw(outer.remaining);
  if (!bytesEqual(sum, digest64(body))) throw new MalformedError("the checksum does not fit");
  const reader = new ByteReader(body);
  const version = reader.byte();
  if (version !== RECORD_VERSION) throw new MalformedError(`a journal record of version ${version} where ${RECORD_VERSION} is known`);
  const entries = reader.list((): JournalEntry => {
    const kind = KINDS[reader.byte()];
    if (kind === undefined) throw new MalformedError("an unknown kind of journal entry");
    return { kind, sequence: reader.uint(), position: reader.uint(), epoch: reader.uint(), payload: reader.bytes() };
  }, Number.MAX_SAFE_INTEGER);
  reader.end();
  return entries;
}

/** What a journal read back as. */
export interface ReadJournal {
  readonly entries: readonly JournalEntry[];
  /** The record at the end that did not read back and was left out; undefined when the tail is clean. */
  readonly tornRecord: string | undefined;
}

/**
 * Reads records in key order. An unreadable record with nothing after it is a torn tail: cut and reported. Anything else that is not a
 * gapless sequence throws `DurableCorruptError` naming the record.
 */
export function readJournal(records: readonly (readonly [key: string, value: Uint8Array])[]): ReadJournal {
  const entries: JournalEntry[] = [];
  for (const [place, [key, value]] of records.entries()) {
    let read: readonly JournalEntry[];
    try {
      read = decodeJournalRecord(value);
    } catch (cause) {
      if (place === records.length - 1) return { entries, tornRecord: key };
      throw new DurableCorruptError(key, "does not read back, and records follow it", { cause });
    }
    for (const entry of read) {
      const last = entries.at(-1);
      if (last !== undefined && entry.sequence !== last.sequence + 1) throw new DurableCorruptError(key, `entry ${entry.sequence} follows entry ${last.sequence}`);
      if (last !== undefined && !follows(last.position, entry)) throw new DurableCorruptError(key, `entry ${entry.sequence} has position ${entry.position} after ${last.position}`);
      if (last !== undefined && entry.epoch < last.epoch) throw new DurableCorruptError(key, `entry ${entry.sequence} has epoch ${entry.epoch} after ${last.epoch}`);
      entries.push(entry);
    }
  }
  return { entries, tornRecord: undefined };
}

/** A delta counts one up; a remount counts from 0 again; everything else leaves the count. */
function follows(position: number, entry: JournalEntry): boolean {
  if (entry.kind === "restarted" && entry.position === 0) return true;
  return entry.position === position + (entry.kind === "delta" ? 1 : 0);
}

/** A short stable name for logs and reports: `delta#12`. */
export function journalLabel(entry: JournalEntry): string {
  return `${entry.kind}#${entry.sequence}`;
}
