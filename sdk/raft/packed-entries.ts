// Entries in the bytes they were stored in: what a long log is restored from without an object and a view for each of them.
import type { LogIndex } from "../base/index.ts";
import type { Entry, EntryKind, RestoredState } from "./types.ts";

/** One entry; its data are the bytes from `start` to before `end` of `source`. */
export interface PackedEntry extends Omit<Entry, "data"> {
  readonly source: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** Consecutive entries as columns of numbers beside the arrays their data lies in, which must not change. Nothing is checked here but that indexes follow each other, by construction. */
export class PackedEntries {
  #terms: Float64Array;
  #kinds: Uint8Array;
  #times: Float64Array;
  #starts: Uint32Array;
  #ends: Uint32Array;
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
    this.#terms = new Float64Array(expected);
    this.#kinds = new Uint8Array(expected);
    this.#times = new Float64Array(expected);
    this.#starts = new Uint32Array(expected);
    this.#ends = new Uint32Array(expected);
  }

  get length(): number {
    return this.#used - this.#skipped;
  }

  /** The next `count` entries have their data in `source`, in the order of its bytes. */
  begin(source: Uint8Array, count: number): void {
    this.#sources.push(source);
    this.#begins.push(this.#used);
    const wanted = this.#used + count;
    if (wanted > this.#terms.length) this.#grow(Math.max(wanted, this.#terms.length * 2));
  }

  /** Adds the next entry, whose data is what was given to {@link begin} from `start` to before `end`. */
  push({ term, kind, time, start, end }: Omit<PackedEntry, "index" | "source">): void {
    const at = this.#used;
    this.#terms[at] = term;
    this.#kinds[at] = kind;
    this.#times[at] = time;
    this.#starts[at] = start;
    this.#ends[at] = end;
    this.#used = at + 1;
  }

  #grow(room: number): void {
    const [terms, kinds, times, starts, ends] = [this.#terms, this.#kinds, this.#times, this.#starts, this.#ends];
    (this.#terms = new Float64Array(room)).set(terms);
    (this.#kinds = new Uint8Array(room)).set(kinds);
    (this.#times = new Float64Array(room)).set(times);
    (this.#starts = new Uint32Array(room)).set(starts);
    (this.#ends = new Uint32Array(room)).set(ends);
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

  /** Shows every entry in order. */
  each(visit: (entry: PackedEntry) => void): void {
    const [terms, kinds, times, starts, ends] = [this.#terms, this.#kinds, this.#times, this.#starts, this.#ends];
    for (const [number, source] of this.#sources.entries()) {
      const end = this.#begins[number + 1] ?? this.#used;
      for (let at = Math.max(this.#begins[number] ?? 0, this.#skipped); at < end; at += 1) {
        // The column holds what was given to push, be it a kind or not: whoever believes it checks it.
        visit({ index: this.#origin + at, term: terms[at] ?? 0, kind: kinds[at] as EntryKind, time: times[at] ?? 0, source, start: starts[at] ?? 0, end: ends[at] ?? 0 });
      }
    }
  }

  /** The same as objects, their data as views. */
  toEntries(): Entry[] {
    const entries: Entry[] = [];
    this.each(({ index, term, kind, time, source, start, end }) => entries.push({ index, term, kind, time, data: source.subarray(start, end) }));
    return entries;
  }
}

/** What a node starts from: as {@link RestoredState}, or with the entries still in the bytes they were read from. */
export interface StoredState extends Omit<RestoredState, "entries"> {
  readonly entries: readonly Entry[] | PackedEntries;
}
