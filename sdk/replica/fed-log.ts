// The committed log as a fed node holds it: entries after a snapshot, in memory, checked as they come. It is nobody's Raft log.
import type { LogIndex, Term } from "../base/index.ts";
import { decodeMembership, EMPTY_MEMBERSHIP, ENTRY_MEMBERSHIP, type Entry, type Membership, type Snapshot } from "../raft/index.ts";

/** Entries kept behind a snapshot for children that are only a little behind. */
const TRAILING_ENTRIES = 256;

/** What a feed is given out of: the log of a member, or of somebody who is fed. */
export interface FeedSource {
  /** Committed, applied, and not to be lost by a restart of the one who promised it. */
  readonly applied: LogIndex;
  readonly snapshot: Snapshot | undefined;
  /** What is held of `from` to `through`, both included. */
  entries(from: LogIndex, through: LogIndex): readonly Entry[];
}

/** Entries from a snapshot (or from 1) on, each once and in order. */
export class FedLog implements FeedSource {
  #snapshot: Snapshot | undefined;
  #entries: Entry[] = [];
  /** Index of `#entries[0]`, or of the next entry. */
  #first: LogIndex = 1;
  #memberships: { readonly index: LogIndex; readonly membership: Membership }[] = [];
  #lastTerm: Term = 0;
  #lastTime = 0;

  get applied(): LogIndex {
    return this.#first + this.#entries.length - 1;
  }

  /** The first entry that is held, or the next one. */
  get first(): LogIndex {
    return this.#first;
  }

  get lastTerm(): Term {
    return this.#lastTerm;
  }

  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** The newest membership: all of this log is committed. */
  get membership(): Membership {
    return this.#memberships[this.#memberships.length - 1]?.membership ?? this.#snapshot?.membership ?? EMPTY_MEMBERSHIP;
  }

  entries(from: LogIndex, through: LogIndex): readonly Entry[] {
    return this.#entries.slice(Math.max(0, from - this.#first), Math.max(0, through - this.#first + 1));
  }

  /** Appends an entry. False, and nothing changed, when it can not be the next one of any log. */
  append(entry: Entry): boolean {
    if (entry.index !== this.applied + 1 || entry.term < 1 || entry.term < this.#lastTerm || entry.time < this.#lastTime) return false;
    if (entry.kind === ENTRY_MEMBERSHIP) {
      const membership = membershipOf(entry);
      if (membership === undefined) return false;
      this.#memberships.push({ index: entry.index, membership });
    }
    this.#entries.push(entry);
    this.#lastTerm = entry.term;
    this.#lastTime = entry.time;
    return true;
  }

  /** Begins after `snapshot` instead. */
  reset(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#entries = [];
    this.#first = snapshot.index + 1;
    this.#memberships = [];
    this.#lastTerm = snapshot.term;
    this.#lastTime = snapshot.time;
  }

  /** The layers above made a snapshot after `through`, which is held: what lies well before it goes. */
  compact(through: LogIndex, data: Uint8Array): boolean {
    const entry = this.#entries[through - this.#first];
    if (entry === undefined) return false;
    const { term, time } = entry;
    const before = this.#memberships.filter(({ index }) => index <= through);
    const membership = before[before.length - 1]?.membership ?? this.#snapshot?.membership ?? EMPTY_MEMBERSHIP;
    this.#snapshot = { index: through, term, time, membership, data };
    this.#memberships = this.#memberships.filter(({ index }) => index > through);
    const gone = Math.max(0, through - TRAILING_ENTRIES - this.#first + 1);
    this.#entries.splice(0, gone);
    this.#first += gone;
    return true;
  }
}

/** The term at `index` of a source, undefined where it is not held. */
export function termIn(source: FeedSource, index: LogIndex): Term | undefined {
  if (index === 0) return 0;
  if (index === source.snapshot?.index) return source.snapshot.term;
  return source.entries(index, index)[0]?.term;
}

function membershipOf(entry: Entry): Membership | undefined {
  try {
    return decodeMembership(entry.data);
  } catch {
    return undefined;
  }
}
