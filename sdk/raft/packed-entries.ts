// Entries in the bytes they were stored in: what a long log is restored from without an object and a view for each of them.
import type { LogIndex } from "../base/index.ts";
import type { Entry, EntryKind, RestoredState } from "./types.ts";

/** One entry; its data are the bytes from `start` to before `end` of what was given to `begin`. */
export interface PackedEntry extends Omit<Entry, "data" | "index"> {
  readonly start: number;
  readonly end: number;
}

/** What is known of entries, a column of numbers for each property: a start looks at many, and an object for each would cost more than all the rest. */
export interface EntryColumns {
  readonly terms: Float64Array;
  readonly kinds: Uint8Array;
  readonly times: Float64Array;
  /** Where each one's data begins in its source, and before where it ends. */
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

/** Neighbours in the columns, from the place `from` to before `to`, whose data lies in one array. */
export interface PackedRun {
  readonly columns: EntryColumns;
  readonly source: Uint8Array;
  readonly from: number;
  readonly to: number;
}

function columnsOf(room: number): EntryColumns {
  return { terms: new Float64Array(room), kinds: new Uint8Array(room), times: new Float64Array(room), starts: new Uint32Array(room), ends: new Uint32Array(room) };
}

/** Consecutive entries as columns beside the arrays their data lies in, which must not change. Nothing is checked here but that indexes follow each other, by construction. */
export class PackedEntries {
  #columns: EntryColumns;
  /** So many are in the columns. */
  #used = 0;
  readonly #sources: Uint8Array[] = [];
  /** Where in the columns the entries of each source begin. */
  readonly #begins: number[] = [];
  /** Index of what is first in the columns. */
  readonly #origin: LogIndex;
  /** So many in front are passed over. */
  #skipped = 0;

  /** None yet; the first one will have the index `first`. There is room for `expected`, which saves growing. */
  constructor(first: LogIndex, expected: number) {
    this.#origin = first;
    this.#columns = columnsOf(expected);
  }

  get length(): number {
    return this.#used - this.#skipped;
  }

  /** The next `count` entries have their data in `source`, in the order of its bytes. */
  begin(source: Uint8Array, count: number): void {
    this.#sources.push(source);
    this.#begins.push(this.#used);
    const wanted = this.#used + count;
    const room = this.#columns.terms.length;
    if (wanted > room) this.#grow(Math.max(wanted, room * 2));
  }

  /** Adds the next entry, whose data is what was given to {@link begin} from `start` to before `end`. */
  push({ term, kind, time, start, end }: PackedEntry): void {
    const at = this.#used;
    const { terms, kinds, times, starts, ends } = this.#columns;
    terms[at] = term;
    kinds[at] = kind;
    times[at] = time;
    starts[at] = start;
    ends[at] = end;
    this.#used = at + 1;
  }

  #grow(room: number): void {
    const { terms, kinds, times, starts, ends } = this.#columns;
    const larger = columnsOf(room);
    larger.terms.set(terms);
    larger.kinds.set(kinds);
    larger.times.set(times);
    larger.starts.set(starts);
    larger.ends.set(ends);
    this.#columns = larger;
  }

  /** Forgets the entry at `index` and all behind it. */
  cutFrom(index: LogIndex): void {
    this.#used = Math.min(this.#used, Math.max(0, index - this.#origin));
    while ((this.#begins.at(-1) ?? 0) > this.#used) {
      this.#begins.pop();
      this.#sources.pop();
    }
  }

  /** Passes over everything before `index`. */
  skipTo(index: LogIndex): void {
    this.#skipped = Math.min(Math.max(0, index - this.#origin), this.#used);
  }

  /** Shows all entries in order, those of one array at a time, with the index of the first of them. */
  eachRun(visit: (run: PackedRun, index: LogIndex) => void): void {
    const columns = this.#columns;
    for (let number = 0; number < this.#sources.length; number += 1) {
      const source = this.#sources[number];
      const from = Math.max(this.#begins[number] ?? 0, this.#skipped);
      const to = this.#begins[number + 1] ?? this.#used;
      if (source !== undefined && from < to) visit({ columns, source, from, to }, this.#origin + from);
    }
  }

  /** The same as objects, their data as views. */
  toEntries(): Entry[] {
    const entries: Entry[] = [];
    this.eachRun((run, first) => {
      for (let at = run.from; at < run.to; at += 1) entries.push(entryOf(run, first, at));
    });
    return entries;
  }
}

/** The entry at a place of a run whose first one has the index `first`. */
export function entryOf({ columns: { terms, kinds, times, starts, ends }, source, from }: PackedRun, first: LogIndex, at: number): Entry {
  // The column holds what was given to push, be it a kind or not: whoever believes it checks it.
  return { index: first + at - from, term: terms[at] ?? 0, kind: kinds[at] as EntryKind, time: times[at] ?? 0, data: source.subarray(starts[at], ends[at]) };
}

/** What a node starts from: as {@link RestoredState}, or with the entries still in the bytes they were read from. */
export interface StoredState extends Omit<RestoredState, "entries"> {
  readonly entries: readonly Entry[] | PackedEntries;
}
