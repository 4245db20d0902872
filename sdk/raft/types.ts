// The words of the machine: entries, membership, what is durable, and the roles.
import type { LogIndex, PeerId, Term } from "../base/index.ts";

/** What an entry is for: 0 a new leader's no-op, 1 a command of the layers above, 2 a membership. */
export const ENTRY_NOOP = 0;
/** A command of the layers above; its bytes are opaque here. */
export const ENTRY_COMMAND = 1;
/** A membership, in force from the moment it stands in the log (thesis §4.1). */
export const ENTRY_MEMBERSHIP = 2;
/** One of the three kinds; no other number is an entry. */
export type EntryKind = typeof ENTRY_NOOP | typeof ENTRY_COMMAND | typeof ENTRY_MEMBERSHIP;

/** One log entry. `data` is opaque to the machine for commands, an encoded {@link Membership} for memberships, empty for no-ops. */
export interface Entry {
  readonly index: LogIndex;
  readonly term: Term;
  readonly kind: EntryKind;
  /** The appending leader's wall clock in ms since 1970, made non-decreasing along the log. For games' logged time; the protocol never looks at it. */
  readonly time: number;
  readonly data: Uint8Array;
}

/** Who is in the group. Joint while `votersOutgoing` is not empty (thesis §4.3). A peer is in at most one of voters and learners; lists are sorted and without duplicates. */
export interface Membership {
  readonly voters: readonly PeerId[];
  /** The old voters while a joint change is under way, else empty. */
  readonly votersOutgoing: readonly PeerId[];
  readonly learners: readonly PeerId[];
  /** Voters of the outgoing set that become learners when the joint configuration is left. */
  readonly learnersNext: readonly PeerId[];
}

/** What must never be forgotten (Figure 2: currentTerm, votedFor). */
export interface HardState {
  readonly term: Term;
  readonly vote: PeerId | undefined;
  /** A hint that saves re-learning the commit index after a restart; may lag. */
  readonly commit: LogIndex;
}

/** The state of the layers above after applying every entry up to `index`. */
export interface Snapshot {
  readonly index: LogIndex;
  readonly term: Term;
  /** `time` of the entry at `index`. */
  readonly time: number;
  readonly membership: Membership;
  readonly data: Uint8Array;
}

/** Everything a node reads back at start. A fresh learner has `hardState` zero, no snapshot and no entries. */
export interface RestoredState {
  readonly hardState: HardState;
  readonly snapshot: Snapshot | undefined;
  /** Contiguous from `snapshot.index + 1` (or 1). */
  readonly entries: readonly Entry[];
}

/** `learner` is a follower without a vote; `pre-candidate` asks before it raises the term (thesis §9.6). */
export type Role = "learner" | "follower" | "pre-candidate" | "candidate" | "leader";

/** What is asked of membership: the voters and learners wanted at the end. */
export interface MembershipTarget {
  readonly voters: readonly PeerId[];
  readonly learners: readonly PeerId[];
}
