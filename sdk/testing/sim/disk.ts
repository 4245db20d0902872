// A peer's disk: ordered atomic batches, issued, then durable. What a crash leaves is always the result of a prefix of them.
import { bytesEqual, type LogIndex, type Term } from "../../base/index.ts";
import { PackedEntries, type Entry, type HardState, type Membership, type RestoredState, type Snapshot, type StoredState, type Write } from "../../raft/index.ts";
import type { RecordStore } from "./engine.ts";
import { demand } from "./violation.ts";

const FRESH: HardState = { term: 0, vote: undefined, commit: 0 };

/** The stored state after some batches: what a restart would find. */
export class DiskImage {
  hardState: HardState = FRESH;
  snapshot: Snapshot | undefined;
  /** Contiguous from `firstIndex`. */
  entries: Entry[] = [];
  #memberships: { readonly index: LogIndex; readonly term: Term; readonly membership: Membership }[] = [];
  /** Where the snapshot's membership stood in the log, 0 when this disk does not know. */
  #membershipBase: LogIndex = 0;
  readonly #decode: (data: Uint8Array) => Membership;

  constructor(restored: RestoredState | undefined, decodeMembership: (data: Uint8Array) => Membership) {
    this.#decode = decodeMembership;
    if (restored === undefined) return;
    this.hardState = restored.hardState;
    this.snapshot = restored.snapshot;
    this.entries = [...restored.entries];
    for (const entry of this.entries) this.#note(entry);
  }

  get snapshotIndex(): LogIndex {
    return this.snapshot?.index ?? 0;
  }

  get lastIndex(): LogIndex {
    return this.entries.at(-1)?.index ?? this.snapshotIndex;
  }

  get lastTerm(): Term {
    return this.entries.at(-1)?.term ?? this.snapshot?.term ?? 0;
  }

  /** The stored entry, or undefined when it is compacted or beyond the end. */
  entryAt(index: LogIndex): Entry | undefined {
    const first = this.entries[0];
    return first === undefined || index < first.index ? undefined : this.entries[index - first.index];
  }

  /** The term of the entry at `index`: 0 for index 0, undefined when this disk does not know it. */
  termAt(index: LogIndex): Term | undefined {
    if (index === this.snapshotIndex) return this.snapshot?.term ?? 0;
    return this.entryAt(index)?.term;
  }

  /** True when `index` is stored with `term`, or lies inside the snapshot (what was compacted was committed). */
  holds(index: LogIndex, term: Term): boolean {
    return index < this.snapshotIndex || this.termAt(index) === term;
  }

  /** The newest stored membership and where it stands. */
  get membership(): { readonly index: LogIndex; readonly membership: Membership } | undefined {
    return this.#memberships.at(-1) ?? (this.snapshot === undefined ? undefined : { index: this.snapshot.index, membership: this.snapshot.membership });
  }

  /** The stored membership in force after `index`. */
  membershipAt(index: LogIndex): Membership | undefined {
    for (let i = this.#memberships.length - 1; i >= 0; i -= 1) {
      const placed = this.#memberships[i];
      if (placed !== undefined && placed.index <= index) return placed.membership;
    }
    return this.snapshot?.membership;
  }

  /**
   * Where the newest stored membership at or before `index` stands that is committed; 0 when there is none. A disk may hold another entry than
   * the committed one in the same place: made by a leader that crashed or was cut off with it, and never cut from its disk.
   */
  membershipUpTo(index: LogIndex, isCommitted: (index: LogIndex, term: Term) => boolean): LogIndex {
    for (let i = this.#memberships.length - 1; i >= 0; i -= 1) {
      const placed = this.#memberships[i];
      if (placed !== undefined && placed.index <= index && isCommitted(placed.index, placed.term)) return placed.index;
    }
    return this.#membershipBase <= index ? this.#membershipBase : 0;
  }

  /** Makes one batch part of the image. The caller has checked that it fits. */
  apply({ hardState, truncateAfter, entries, snapshot }: Write): void {
    if (snapshot !== undefined) {
      // Whoever made the snapshot knows where its membership stood; who received it need not.
      const isOwn = this.termAt(snapshot.index) === snapshot.term;
      // Before its own snapshot everything this disk holds is committed.
      this.#membershipBase = isOwn ? this.membershipUpTo(snapshot.index, () => true) : 0;
      this.snapshot = snapshot;
      const kept = this.entries.findIndex((entry) => entry.index > snapshot.index);
      this.entries = kept < 0 ? [] : this.entries.slice(kept);
      this.#memberships = this.#memberships.filter((each) => each.index > snapshot.index);
    }
    const keepTo = Math.min(truncateAfter ?? Number.POSITIVE_INFINITY, (entries[0]?.index ?? Number.POSITIVE_INFINITY) - 1);
    if (keepTo < this.lastIndex) {
      const first = this.entries[0]?.index ?? 0;
      this.entries.length = Math.max(0, keepTo - first + 1);
      this.#memberships = this.#memberships.filter((each) => each.index <= keepTo);
    }
    for (const entry of entries) {
      this.entries.push(entry);
      this.#note(entry);
    }
    if (hardState !== undefined) this.hardState = hardState;
  }

  /** What a machine starting on this disk reads back. */
  restored(): RestoredState {
    return { hardState: this.hardState, snapshot: this.snapshot, entries: [...this.entries] };
  }

  #note(entry: Entry): void {
    if (entry.kind === 2) this.#memberships.push({ index: entry.index, term: entry.term, membership: this.#decode(entry.data) });
  }
}

/** One disk: what is durable, and the batch that is on its way. */
export class SimDisk {
  readonly durable: DiskImage;
  readonly #records: RecordStore | undefined;
  /** Issued and not yet durable; the machine hands out one at a time. */
  pending: Write | undefined;
  /** Until when nothing completes, and until when every write fails (disk full); microseconds. */
  stalledUntil = 0;
  fullUntil = 0;

  constructor(durable: DiskImage, records: RecordStore | undefined) {
    this.durable = durable;
    this.#records = records;
    const { hardState, snapshot, entries } = durable;
    if (durable.lastIndex > 0) records?.apply({ id: 0, hardState, snapshot, truncateAfter: undefined, entries });
  }

  /** What a restart reads back: the engine's own records where it has a layout, which must say the same as this disk. */
  restore(): StoredState {
    const expected = this.durable.restored();
    const restored = this.#records?.restore();
    if (restored === undefined) return expected;
    const fault = difference(restored, expected);
    demand("D3", fault === undefined, () => `records read back differ from what was written: ${String(fault)}`);
    return restored;
  }

  /** The batch under way became durable. */
  complete(): void {
    if (this.pending !== undefined) {
      this.durable.apply(this.pending);
      this.#records?.apply(this.pending);
    }
    this.pending = undefined;
  }

  /** A crash between issue and completion: the batch is there or it is not. True when there was one. */
  crash(survives: boolean): boolean {
    const torn = this.pending !== undefined;
    if (survives) this.complete();
    this.pending = undefined;
    return torn;
  }
}

/** What differs between two restored states, or undefined. */
function difference(a: StoredState, b: RestoredState): string | undefined {
  if (a.hardState.term !== b.hardState.term || a.hardState.vote !== b.hardState.vote || a.hardState.commit !== b.hardState.commit) return "hard state";
  if (a.snapshot?.index !== b.snapshot?.index || a.snapshot?.term !== b.snapshot?.term) return "snapshot";
  if (a.snapshot !== undefined && b.snapshot !== undefined && !bytesEqual(a.snapshot.data, b.snapshot.data)) return "snapshot data";
  const entries = a.entries instanceof PackedEntries ? a.entries.toEntries() : a.entries;
  if (entries.length !== b.entries.length) return `${entries.length} entries, not ${b.entries.length}`;
  for (let i = 0; i < entries.length; i += 1) {
    const [x, y] = [entries[i], b.entries[i]];
    if (x === undefined || y === undefined || x.index !== y.index || x.term !== y.term || x.kind !== y.kind || x.time !== y.time || !bytesEqual(x.data, y.data)) return `entry ${String(y?.index)}`;
  }
  return undefined;
}
