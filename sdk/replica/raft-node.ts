// The promise API people use: one node of the group, as an OrderedLog plus what only consensus knows.
import type { LogIndex, PeerId, Term } from "../base/index.ts";
import type { Membership, MembershipTarget, RaftMetrics, Role, TraceEvent } from "../raft/index.ts";
import type { StorageHealth } from "./disk.ts";
import type { FeedStatus } from "./feeding.ts";
import type { OrderedLog } from "./ordered-log.ts";
import type { ResumedCommand } from "./resumed.ts";

/** What a node says of itself; a new object per change. */
export interface NodeStatus {
  readonly role: Role;
  readonly leader: PeerId | undefined;
  readonly term: Term;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  readonly membership: Membership;
  /** True when this node believes a quorum is reachable: it leads with quorum contact, or hears a leader. */
  readonly hasQuorum: boolean;
  /** Undefined unless this node shows what it is fed (see {@link RaftNode.feedFrom}). */
  readonly feed: FeedStatus | undefined;
  /** Proposals of this node whose fate is open. */
  readonly pendingCount: number;
  /**
   * `ok`, or why nothing is being acknowledged: `full` (no room; goes on by itself once there is: hand in a snapshot, or delete something), `reopening`
   * (the connection to the storage was lost and is being made anew), `failed` (given up; `failure` says why).
   */
  readonly storage: StorageHealth;
  /** Set when the node stopped for good (corrupt state, failed storage). */
  readonly failure: Error | undefined;
}

/** What a node tells its listeners. */
export interface RaftNodeEvents {
  /** Something in the status changed; this is the object `status` now returns. */
  status: (status: NodeStatus) => void;
  /** One protocol event, as it happens inside the machine. Must not call back into the node. */
  trace: (event: TraceEvent) => void;
}

/** One running node. */
export interface RaftNode extends OrderedLog {
  readonly status: NodeStatus;
  readonly role: Role;
  readonly leader: PeerId | undefined;
  readonly membership: Membership;
  readonly commitIndex: LogIndex;
  readonly metrics: RaftMetrics;
  /**
   * What was in flight when the node before this one on the same storage ended, by rising serial; empty for an `auto` writer. It is being proposed
   * again under the same keys. A command is in here when the write of the turn that took it in was durable, and its promise had not settled as
   * committed or refused, nor been aborted: one that timed out comes back too. One proposed in the very last moment may be missing here and commit
   * all the same; one in here may have committed already, and then resolves to where. Nothing is ever applied twice.
   */
  readonly resumed: readonly ResumedCommand[];
  /** Adds a listener; returns the function that removes it. Called synchronously. */
  on<K extends keyof RaftNodeEvents>(event: K, listener: RaftNodeEvents[K]): () => void;
  /**
   * Leader only (`NotLeaderError` elsewhere). Resolves when the target is in force and committed. Rejects with
   * `MembershipChangeInProgressError`, `LeadershipLostError` (outcome unknown), `ProposalTimeoutError`, `InvalidArgumentError`.
   */
  changeMembership(target: MembershipTarget, options?: { readonly signal?: AbortSignal | undefined }): Promise<LogIndex>;
  /** Leader only. Resolves when somebody else leads; rejects with `LeadershipTransferError` when it did not happen within an election timeout. */
  transferLeadership(to: PeerId): Promise<void>;
  /**
   * Everything committed and applied here as one file, to open the match from in another place: `openReplica({ founding: bytes, voters, groupId, … })`
   * with a group id of its own. Holds the newest snapshot of every lane, the exactly-once table and the commands after it; no term, no vote, no
   * membership, no identity, and nothing of the outbox. Throws `UnknownLaneError` where this node can not apply what is committed, `BusyError` while it
   * takes in a snapshot of another node. Cost: a copy of all that. `uncommitted`: with what this node's log holds behind that, too; in a pair nothing
   * the other one confirmed is missing then, because it confirmed nothing that was not here.
   */
  exportLog(options?: { readonly uncommitted?: boolean | undefined }): Uint8Array;
  /**
   * Is fed from now on, as long as it is no member: follows what is committed through some member, or through somebody else who is fed, beginning at
   * `leader`, who also takes its commands and reads. Undefined: goes on with the parent it has and asks nobody new. Fed, its machine stays as it is, and
   * what comes is kept in memory. When it becomes a member it goes over to its own log by itself; where that is not certain to say the same, every
   * follower gets an install and begins again. Does nothing for a node opened without `feed`.
   */
  feedFrom(leader: PeerId | undefined): void;
  /** Somebody saw that what this node was fed is not what its leader has: throws it away, is not fed by those it came from for a while, and begins again; every follower gets an install. Does nothing for a node that is not fed. */
  feedAnew(): void;
  /** What `part` would send now, and to whom; undefined unless this node leads others. For whoever sends it other ways as well. */
  goodbye(): { readonly to: PeerId; readonly bytes: Uint8Array } | undefined;
  /** Takes a goodbye of `from` that came another way; the caller has made sure that it is from there. Anything but a goodbye is dropped and counted; the same one again is harmless. */
  hearGoodbye(from: PeerId, bytes: Uint8Array): void;
  /** Sends the parting message at once and synchronously (usable in `pagehide`), then stops taking part. */
  part(): void;
}
