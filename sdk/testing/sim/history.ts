// What the global observer remembers of a run: who led, who voted, which entries exist, what is committed. Rules read and extend it.
import type { LogIndex, PeerId, Term } from "../../base/index.ts";
import type { Membership, Role } from "../../raft/index.ts";
import type { DiskImage, SimDisk } from "./disk.ts";
import type { SimEngine } from "./engine.ts";

/** One entry as first seen anywhere: by log matching it is the same everywhere, and so is the entry before it. */
interface KnownEntry {
  readonly term: Term;
  /** Of its kind and time, and of what a witness may hold of its content. */
  readonly shape: number;
  /** Of all of it; undefined while it was seen only as witnesses hold it. */
  hash: number | undefined;
  readonly previousTerm: Term;
}

/** What is known of one identity, across its restarts. */
export interface NodeSheet {
  readonly id: PeerId;
  readonly disk: SimDisk;
  /** Undefined while it is down. */
  engine: SimEngine | undefined;
  /** The last view, for noticing changes. Reset at a restart. */
  term: Term;
  role: Role;
  commit: LogIndex;
  membership: Membership;
  /** Votes ever durable here, by term. */
  readonly durableVotes: Map<Term, PeerId>;
  /** The last term in which it rightly became a candidate. */
  stood: Term;
  /** Own ticks in this incarnation, and when a leader was last heard, counted in them. */
  ticks: number;
  contact: { readonly term: Term; readonly ticks: number } | undefined;
  /** Own ticks since a leader of a lower term was heard, when a candidate's request came; the most, when it came more than once. */
  readonly patience: Map<string, number>;
  /** As a leader: when each peer was last heard, in own ticks. */
  readonly heard: Map<PeerId, number>;
  ledSinceTicks: number;
  /** As a follower: when it last sent each leader a heartbeat reply, in microseconds; keyed by leader and term. */
  readonly echoes: Map<string, number>;
  /** Position in the list of committed commands: the next one to be applied here. */
  nextCommand: number;
  applied: LogIndex;
}

/** A request for a read point on its way to a leader. */
interface AskedRead {
  readonly at: number;
  readonly committed: LogIndex;
}

/** A membership entry somebody made, whether or not it ever reached a disk. */
interface MadeMembership {
  readonly index: LogIndex;
  readonly term: Term;
  readonly membership: Membership;
}

/** Everything the rules know. */
export class History {
  readonly nodes: Map<PeerId, NodeSheet> = new Map();
  readonly leaders: Map<Term, PeerId> = new Map();
  /** Granted votes by term and voter, from bytes that were sent. */
  readonly votes: Map<Term, Map<PeerId, PeerId>> = new Map();
  /** Parting grants by the term they give a vote for. */
  readonly partings: Map<Term, { readonly from: PeerId; readonly to: PeerId }[]> = new Map();
  /** What candidates said of their logs, by term. */
  readonly candidacies: Map<Term, Map<PeerId, { readonly lastIndex: LogIndex; readonly lastTerm: Term }>> = new Map();
  /** What the leader of a term said the log holds before the entries it sent. */
  readonly assertions: Map<Term, Map<LogIndex, Term>> = new Map();
  readonly reads: Map<string, AskedRead> = new Map();
  /** Digest of the snapshot at an index, from the first that was stored. */
  readonly snapshotHashes: Map<LogIndex, number> = new Map();
  readonly #entries: KnownEntry[][] = [];
  /** Memberships whose place in the log was open when they were first seen in somebody's memory. */
  #memberships: MadeMembership[] = [];
  readonly #spans = new Map<Term, { first: LogIndex; last: LogIndex }>();
  /** By index: the committed entry's term, and the term of the leader that first reported it. */
  readonly #committedTerms: Term[] = [0];
  readonly #committedBy: Term[] = [0];

  /** The highest index any node ever reported committed. */
  get committed(): LogIndex {
    return this.#committedTerms.length - 1;
  }

  committedTerm(index: LogIndex): Term | undefined {
    return this.#committedTerms[index];
  }

  /** True when the entry (index, term) is committed, not merely something in its place. */
  isCommitted(index: LogIndex, term: Term): boolean {
    return this.committedTerm(index) === term;
  }

  /** The highest index committed by a leader of a term below `term`. */
  committedBefore(term: Term): LogIndex {
    let index = this.committed;
    while (index > 0 && (this.#committedBy[index] ?? 0) >= term) index -= 1;
    return index;
  }

  /** Appends to the list of what is committed. */
  commit(term: Term, by: Term): void {
    this.#committedTerms.push(term);
    this.#committedBy.push(by);
  }

  /** The entry (index, term) as first seen, or undefined when it is new. */
  known(index: LogIndex, term: Term): KnownEntry | undefined {
    return this.#entries[index]?.find((each) => each.term === term);
  }

  /** Remembers a new entry. */
  learn(index: LogIndex, entry: KnownEntry): void {
    (this.#entries[index] ??= []).push(entry);
    const span = this.#spans.get(entry.term);
    if (span === undefined) this.#spans.set(entry.term, { first: index, last: index });
    else span.last = Math.max(span.last, index);
  }

  /** The term of the entry at `index` in the log of the leader of `term`, as far as it is known. */
  leaderTermAt(term: Term, index: LogIndex, image: DiskImage | undefined): Term | undefined {
    const span = this.#spans.get(term);
    if (span !== undefined && index >= span.first) return index <= span.last ? term : undefined;
    return this.assertions.get(term)?.get(index) ?? image?.termAt(index);
  }

  /** A membership entry as somebody holds it in memory. */
  noteMembership(made: MadeMembership): void {
    const isKnown = this.#memberships.some(({ index, term }) => index === made.index && term === made.term);
    if (!isKnown) this.#memberships.push(made);
  }

  /**
   * The memberships that are committed or still may be: they may be in nobody's log now and yet in a frame under way, a write under way, or the
   * inbox of a frozen tab, and come into force later. Those in whose place something else is committed are forgotten.
   */
  openMemberships(): readonly MadeMembership[] {
    this.#memberships = this.#memberships.filter(({ index, term }) => index > this.committed || this.isCommitted(index, term));
    return this.#memberships;
  }

  sheet(id: PeerId): NodeSheet {
    const sheet = this.nodes.get(id);
    if (sheet === undefined) throw new Error(`no node ${id}`);
    return sheet;
  }

  /** True when the entry is durable on a quorum of the membership (both halves of a joint one). */
  isDurableOnQuorum(index: LogIndex, term: Term, membership: Membership): boolean {
    return isQuorum(membership, (id) => this.nodes.get(id)?.disk.durable.holds(index, term) ?? false);
  }
}

/** True when those for whom `has` holds form a majority of the voters, and of the outgoing voters of a joint membership. */
export function isQuorum(membership: Membership, has: (id: PeerId) => boolean): boolean {
  return isMajority(membership.voters, has) && (membership.votersOutgoing.length === 0 || isMajority(membership.votersOutgoing, has));
}

function isMajority(voters: readonly PeerId[], has: (id: PeerId) => boolean): boolean {
  let count = 0;
  for (const id of voters) if (has(id)) count += 1;
  return 2 * count > voters.length;
}

/** True when `id` may vote under `membership`. */
export function isVoter(membership: Membership, id: PeerId): boolean {
  return membership.voters.includes(id) || membership.votersOutgoing.includes(id);
}
