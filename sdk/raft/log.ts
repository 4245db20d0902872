// The log in memory: entries packed into segments of bytes, terms as runs, memberships beside it. Knows nothing of roles or messages.
import { assert, type LogIndex, type Term } from "../base/index.ts";
import { decodeMembership, EMPTY_MEMBERSHIP } from "./membership.ts";
import type { PackedRun } from "./packed-entries.ts";
import { ENTRY_MEMBERSHIP, type Entry, type EntryKind, type Membership, type Snapshot } from "./types.ts";

/** Entries per segment. 1024 keeps the fixed part of a segment at 13 KiB, so a short game stays small. */
const SEGMENT_ENTRIES = 1024;
/** First buffer of the first segment; a later one begins with what the one before it took. It doubles as needed and is cut to size when the segment is full. */
const SEGMENT_BYTES_MIN = 4096;
/** A later segment begins with this much at most: after one of large entries the next may be one of small ones. */
const SEGMENT_BYTES_AHEAD_MAX = 256 * 1024;
/** How many of the newest entries also stay as objects, so that writing, sending and delivering one shares it. */
const RECENT_ENTRIES = 1024;
/** A restored entry stays in the array it was read in when that has this many bytes at least: copying many is what a start would cost most, and keeping small arrays costs more than their bytes. */
const SOURCE_BYTES_MIN = 1024;
/** What an entry counts beside its data, so that empty commands are bounded too. */
export const ENTRY_OVERHEAD_BYTES = 16;

/** Where the entries of a segment lie of which some were taken over as they lay in larger arrays. */
interface Sources {
  /** The array each one lies in; undefined: the segment's own bytes. */
  readonly homes: (Uint8Array | undefined)[];
  readonly starts: Uint32Array;
}

class Segment {
  /** Data bytes up to the end of each entry. */
  readonly ends: Uint32Array = new Uint32Array(SEGMENT_ENTRIES);
  /** Undefined: all data lie in `bytes`, one behind the other. */
  #sources: Sources | undefined;
  readonly times: Float64Array = new Float64Array(SEGMENT_ENTRIES);
  readonly kinds: Uint8Array = new Uint8Array(SEGMENT_ENTRIES);
  bytes: Uint8Array;
  /** Bytes taken of `bytes`. */
  used = 0;
  /** Data bytes of all segments before this one. */
  readonly bytesBefore: number;

  constructor(bytesBefore: number, bytesExpected: number) {
    this.bytesBefore = bytesBefore;
    this.bytes = new Uint8Array(Math.max(SEGMENT_BYTES_MIN, Math.min(bytesExpected, SEGMENT_BYTES_AHEAD_MAX)));
  }

  reserve(length: number): void {
    if (this.used + length <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.used + length));
    larger.set(this.bytes.subarray(0, this.used));
    this.bytes = larger;
  }

  /** Takes a copy of `data` as what lies in `slot`. */
  add(slot: number, data: Uint8Array): void {
    this.reserve(data.length);
    this.bytes.set(data, this.used);
    this.#place(slot, this.bytes, this.used, data.length);
    this.used += data.length;
  }

  /** Takes over as what lies in `slot` and behind it the `count` entries of a run from `from` on, whose source never changes: of a large one without a copy. */
  addRun(slot: number, { columns: { starts, ends }, source }: PackedRun, from: number, count: number): void {
    if (source.length < SOURCE_BYTES_MIN) {
      for (let at = 0; at < count; at += 1) this.add(slot + at, source.subarray(starts[from + at], ends[from + at]));
      return;
    }
    const { homes, starts: placed } = (this.#sources ??= this.#makeSources());
    let end = this.startOf(slot);
    for (let at = 0; at < count; at += 1) {
      const start = starts[from + at] ?? 0;
      end += (ends[from + at] ?? 0) - start;
      this.ends[slot + at] = end;
      placed[slot + at] = start;
      homes[slot + at] = source;
    }
  }

  /** So far one entry lies behind the other. */
  #makeSources(): Sources {
    const starts = new Uint32Array(SEGMENT_ENTRIES);
    starts.set(this.ends.subarray(0, SEGMENT_ENTRIES - 1), 1);
    return { homes: [], starts };
  }

  #place(slot: number, home: Uint8Array, start: number, length: number): void {
    this.ends[slot] = this.startOf(slot) + length;
    if (this.#sources === undefined) return;
    this.#sources.homes[slot] = home === this.bytes ? undefined : home;
    this.#sources.starts[slot] = start;
  }

  /** Data bytes in front of `slot`. */
  startOf(slot: number): number {
    return slot === 0 ? 0 : (this.ends[slot - 1] ?? 0);
  }

  /** The data in `slot`, as a view. */
  dataAt(slot: number): Uint8Array {
    const start = this.startOf(slot);
    const end = this.ends[slot] ?? 0;
    if (this.#sources === undefined) return this.bytes.subarray(start, end);
    const from = this.#sources.starts[slot] ?? 0;
    return (this.#sources.homes[slot] ?? this.bytes).subarray(from, from + end - start);
  }

  /** Forgets what lies behind `slot`. */
  cutAfter(slot: number): void {
    // With sources it is only passed over.
    if (this.#sources !== undefined) return;
    this.used = this.ends[slot] ?? 0;
    // A copy, because entries handed out (to a write still under way, say) are views on the old buffer and must not change.
    this.bytes = this.bytes.slice(0, Math.max(this.used, SEGMENT_BYTES_MIN));
  }
}

/** A membership and where its entry stands. */
export interface PlacedMembership {
  readonly index: LogIndex;
  readonly membership: Membership;
}

/** Entries after a snapshot, appended and truncated at the end, compacted at the front. Every operation but truncation and compaction is O(1) per entry. */
export class RaftLog {
  /** Everything up to here is covered by the snapshot and gone. */
  #snapshotIndex: LogIndex = 0;
  #snapshotTerm: Term = 0;
  #snapshotTime = 0;
  #last: LogIndex = 0;
  #lastTerm: Term = 0;
  #lastTime = 0;
  #segments: Segment[] = [];
  #firstSegment = 0;
  /** Runs of equal term: where each starts, ascending. */
  #runStarts: LogIndex[] = [];
  #runTerms: Term[] = [];
  /** Memberships from the one in force at the snapshot on; never empty. */
  #memberships: PlacedMembership[] = [{ index: 0, membership: EMPTY_MEMBERSHIP }];
  readonly #recent: (Entry | undefined)[] = [];
  #sliceFirst = 0;
  #slice: readonly Entry[] = [];
  /** Last index that is durable and agrees with this log. */
  stable: LogIndex = 0;
  /** Last index the disk holds, agreeing or not: what lies beyond `stable` is cut by the next write. */
  stored: LogIndex = 0;

  get snapshotIndex(): LogIndex {
    return this.#snapshotIndex;
  }

  get snapshotTerm(): Term {
    return this.#snapshotTerm;
  }

  get last(): LogIndex {
    return this.#last;
  }

  get lastTerm(): Term {
    return this.#lastTerm;
  }

  /** Time of the last entry: the next one is not earlier. */
  get lastTime(): number {
    return this.#lastTime;
  }

  /** The newest membership, committed or not. */
  get membership(): Membership {
    return this.#newest.membership;
  }

  /** Where the newest membership stands. */
  get membershipIndex(): LogIndex {
    return this.#newest.index;
  }

  get #newest(): PlacedMembership {
    const newest = this.#memberships[this.#memberships.length - 1];
    assert(newest !== undefined, "a log always knows a membership, if only the empty one");
    return newest;
  }

  /** The membership in force after `index`. */
  membershipAt(index: LogIndex): Membership {
    for (let i = this.#memberships.length - 1; i > 0; i -= 1) {
      const placed = this.#memberships[i];
      if (placed !== undefined && placed.index <= index) return placed.membership;
    }
    return this.#memberships[0]?.membership ?? EMPTY_MEMBERSHIP;
  }

  /** Memberships whose entries lie after `after` and up to `through`, in order. */
  membershipsIn(after: LogIndex, through: LogIndex): readonly PlacedMembership[] {
    return this.#memberships.filter(({ index }) => index > after && index <= through);
  }

  /** Term of the entry at `index`; -1 when it is compacted or beyond the end. */
  termAt(index: LogIndex): Term {
    if (index > this.#last || index < this.#snapshotIndex) return -1;
    if (index === this.#last) return this.#lastTerm;
    if (index === this.#snapshotIndex) return this.#snapshotTerm;
    return this.#runTerms[this.#runAt(index)] ?? -1;
  }

  matches(index: LogIndex, term: Term): boolean {
    return this.termAt(index) === term;
  }

  /** The rule of §5.4.1: a later last term wins, then the longer log. */
  isUpToDate(lastIndex: LogIndex, lastTerm: Term): boolean {
    return lastTerm > this.#lastTerm || (lastTerm === this.#lastTerm && lastIndex >= this.#last);
  }

  /** The largest index at most `index` whose term is at most `term`: skips a whole term at once (fast backup). Not below the snapshot. */
  lastAtMost(index: LogIndex, term: Term): LogIndex {
    let at = Math.min(index, this.#last);
    if (at <= this.#snapshotIndex) return this.#snapshotIndex;
    for (let run = this.#runAt(at); run >= 0; run -= 1) {
      if ((this.#runTerms[run] ?? 0) <= term) return at;
      at = (this.#runStarts[run] ?? 1) - 1;
    }
    return Math.max(at, this.#snapshotIndex);
  }

  /** The run that holds `index`, by bisection. */
  #runAt(index: LogIndex): number {
    let low = 0;
    let high = this.#runStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#runStarts[middle] ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #segmentOf(index: LogIndex): Segment {
    const segment = this.#segments[Math.floor(index / SEGMENT_ENTRIES) - this.#firstSegment];
    assert(segment !== undefined, "an index between the snapshot and the end has a segment");
    return segment;
  }

  /** Appends a new entry, copying `data`. */
  append(term: Term, kind: EntryKind, time: number, data: Uint8Array): Entry {
    const index = this.#last + 1;
    const segment = this.#segmentForNext(index);
    segment.add(index % SEGMENT_ENTRIES, data);
    this.#note(segment, { term, kind, time }, data);
    const entry: Entry = { index, term, kind, time, data: segment.bytes.subarray(segment.used - data.length, segment.used) };
    this.#recent[index % RECENT_ENTRIES] = entry;
    return entry;
  }

  /** Appends an entry received; keeps the object itself for a while. Its index must be the next. */
  appendEntry(entry: Entry): void {
    const { index, term, data } = entry;
    assert(index === this.#last + 1 && term >= this.#lastTerm, "entries are appended in order, terms never fall");
    const segment = this.#segmentForNext(index);
    segment.add(index % SEGMENT_ENTRIES, data);
    this.#note(segment, entry, data);
    this.#recent[index % RECENT_ENTRIES] = entry;
  }

  /** Appends restored entries, none of them a membership; their source never changes, and no object is made for one before somebody asks. */
  appendRun(run: PackedRun): void {
    const { columns: { terms, kinds, times }, to } = run;
    for (let from = run.from; from < to; ) {
      const segment = this.#segmentForNext(this.#last + 1);
      const slot = (this.#last + 1) % SEGMENT_ENTRIES;
      const count = Math.min(to - from, SEGMENT_ENTRIES - slot);
      segment.addRun(slot, run, from, count);
      for (let at = 0; at < count; at += 1) {
        segment.kinds[slot + at] = kinds[from + at] ?? 0;
        segment.times[slot + at] = times[from + at] ?? 0;
      }
      this.#noteTerms(terms, from, count);
      this.#lastTime = times[from + count - 1] ?? 0;
      from += count;
    }
  }

  /** Takes up the terms of the next `count` entries, and that they are there. */
  #noteTerms(terms: Float64Array, from: number, count: number): void {
    const first = this.#last + 1;
    for (let at = 0; at < count; at += 1) {
      const term = terms[from + at] ?? 0;
      if (term === this.#lastTerm && this.#runStarts.length > 0) continue;
      assert(term >= this.#lastTerm, "terms never fall");
      this.#runStarts.push(first + at);
      this.#runTerms.push(term);
      this.#lastTerm = term;
    }
    this.#last += count;
    if (this.#recent.length > 0) for (let at = 0; at < count; at += 1) this.#recent[(first + at) % RECENT_ENTRIES] = undefined;
  }

  /** States that everything appended so far is on the disk, and nothing else. */
  restored(): void {
    this.stable = this.#last;
    this.stored = this.#last;
  }

  /** Takes up what is known of the next entry beside its data, which only a membership is read from. */
  #note(segment: Segment, { term, kind, time }: Omit<Entry, "index" | "data">, data: Uint8Array): void {
    const index = this.#last + 1;
    const slot = index % SEGMENT_ENTRIES;
    segment.times[slot] = time;
    segment.kinds[slot] = kind;
    if (term !== this.#lastTerm || this.#runStarts.length === 0) {
      this.#runStarts.push(index);
      this.#runTerms.push(term);
    }
    if (kind === ENTRY_MEMBERSHIP) this.#memberships.push({ index, membership: decodeMembership(data) });
    this.#last = index;
    this.#lastTerm = term;
    this.#lastTime = time;
  }

  #segmentForNext(index: LogIndex): Segment {
    const number = Math.floor(index / SEGMENT_ENTRIES);
    if (this.#segments.length === 0) this.#firstSegment = number;
    const existing = this.#segments[number - this.#firstSegment];
    if (existing !== undefined) return existing;
    const previous = this.#segments[this.#segments.length - 1];
    if (previous !== undefined) previous.bytes = previous.bytes.slice(0, previous.used);
    // An eighth more: doubling at the end would cost more than it.
    const segment = previous === undefined ? new Segment(0, 0) : new Segment(previous.bytesBefore + previous.startOf(SEGMENT_ENTRIES), Math.ceil(previous.used * 1.125));
    this.#segments.push(segment);
    return segment;
  }

  /** Data bytes packed before the end of entry `index`, counted from some fixed point. */
  #bytesThrough(index: LogIndex): number {
    const number = Math.floor(index / SEGMENT_ENTRIES) - this.#firstSegment;
    const segment = this.#segments[number];
    // Only the snapshot's own index can lie before the first segment.
    if (segment === undefined) return this.#segments[0]?.bytesBefore ?? 0;
    return segment.bytesBefore + (segment.ends[index % SEGMENT_ENTRIES] ?? 0);
  }

  /** Size of the entries after `after` up to `through`, overhead included. */
  sizeBetween(after: LogIndex, through: LogIndex): number {
    if (through <= after) return 0;
    return this.#bytesThrough(through) - this.#bytesThrough(after) + (through - after) * ENTRY_OVERHEAD_BYTES;
  }

  /** The entry at `index`, which must be after the snapshot and not beyond the end. */
  entry(index: LogIndex): Entry {
    const recent = this.#recent[index % RECENT_ENTRIES];
    if (recent !== undefined && recent.index === index) return recent;
    const segment = this.#segmentOf(index);
    const slot = index % SEGMENT_ENTRIES;
    const kind = segment.kinds[slot];
    return { index, term: this.termAt(index), kind: kind === 1 ? 1 : kind === 2 ? 2 : 0, time: segment.times[slot] ?? 0, data: segment.dataAt(slot) };
  }

  /** Entries `first` to `last`, both included. The array is shared between callers of the same range and must not be changed. */
  slice(first: LogIndex, last: LogIndex): readonly Entry[] {
    if (last < first) return [];
    if (this.#sliceFirst === first && this.#slice.length === last - first + 1) return this.#slice;
    const entries: Entry[] = [];
    for (let index = first; index <= last; index += 1) entries.push(this.entry(index));
    this.#sliceFirst = first;
    this.#slice = entries;
    return entries;
  }

  /** What is held of `first` to `last`, both included; like {@link slice}, but clipped and not remembered. */
  held(first: LogIndex, last: LogIndex): readonly Entry[] {
    const entries: Entry[] = [];
    const end = Math.min(last, this.#last);
    for (let index = Math.max(first, this.#snapshotIndex + 1); index <= end; index += 1) entries.push(this.entry(index));
    return entries;
  }

  /** The last index of a batch from `first` to at most `limit` that fits `bytesMax` and `countMax`; a single larger entry goes alone. */
  batchEnd(first: LogIndex, limit: LogIndex, bytesMax: number, countMax: number): LogIndex {
    const last = Math.min(limit, first + countMax - 1);
    if (this.sizeBetween(first - 1, last) <= bytesMax) return last;
    let low = first;
    let high = last;
    while (low < high) {
      const middle = Math.floor((low + high + 1) / 2);
      if (this.sizeBetween(first - 1, middle) <= bytesMax) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Forgets every entry after `index`. Objects handed out before stay as they were. */
  truncateAfter(index: LogIndex): void {
    assert(index >= this.#snapshotIndex && index <= this.#last, "only what is after the snapshot can be truncated");
    if (index === this.#last) return;
    const term = this.termAt(index);
    this.#lastTime = index === this.#snapshotIndex ? this.#snapshotTime : this.entry(index).time;
    this.#cutSegments(index);
    while ((this.#runStarts[this.#runStarts.length - 1] ?? 0) > index) {
      this.#runStarts.pop();
      this.#runTerms.pop();
    }
    while (this.#memberships.length > 1 && this.membershipIndex > index) this.#memberships.pop();
    this.#last = index;
    this.#lastTerm = term;
    this.#slice = [];
    this.#sliceFirst = 0;
    this.stable = Math.min(this.stable, index);
  }

  #cutSegments(index: LogIndex): void {
    const keep = index === this.#snapshotIndex ? 0 : Math.floor(index / SEGMENT_ENTRIES) - this.#firstSegment + 1;
    this.#segments.length = Math.min(this.#segments.length, keep);
    this.#segments[this.#segments.length - 1]?.cutAfter(index % SEGMENT_ENTRIES);
  }

  /** Drops the prefix up to `index`, which a durable snapshot now covers. */
  compactTo(index: LogIndex): void {
    assert(index > this.#snapshotIndex && index <= this.#last, "only a held prefix can be compacted");
    const term = this.termAt(index);
    this.#snapshotTime = this.entry(index).time;
    const base = this.membershipAt(index);
    const later = this.#memberships.filter((placed) => placed.index > index);
    const at = this.#memberships.reduce((found, placed) => (placed.index <= index ? placed.index : found), 0);
    this.#memberships = [{ index: at, membership: base }, ...later];
    const run = this.#runAt(index);
    this.#runStarts.splice(0, run);
    this.#runTerms.splice(0, run);
    const gone = Math.floor(index / SEGMENT_ENTRIES) - this.#firstSegment;
    this.#segments.splice(0, gone);
    this.#firstSegment += gone;
    this.#snapshotIndex = index;
    this.#snapshotTerm = term;
  }

  /** Forgets everything: the log now begins after `snapshot`. `stable` moves with it, as the one write that stores the snapshot stores this too. */
  reset(snapshot: Omit<Snapshot, "data">): void {
    this.#snapshotIndex = snapshot.index;
    this.#snapshotTerm = snapshot.term;
    this.#snapshotTime = snapshot.time;
    this.#last = snapshot.index;
    this.#lastTerm = snapshot.term;
    this.#lastTime = snapshot.time;
    this.#segments = [];
    this.#runStarts = [];
    this.#runTerms = [];
    this.#memberships = [{ index: snapshot.index, membership: snapshot.membership }];
    this.#recent.fill(undefined);
    this.#slice = [];
    this.#sliceFirst = 0;
    this.stable = snapshot.index;
    this.stored = snapshot.index;
  }
}
