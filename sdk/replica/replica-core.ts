// The pure half of a replica: the Raft machine, the exactly-once table, the lanes and this node's pending requests in one deterministic
// object. Inputs are calls, output is one list of work. The loop around it (replica.ts) and the simulator both drive exactly this.
import type { LogIndex, PeerId, Random } from "../base/index.ts";
import type { MembershipTarget, RaftConfig, RaftMachine, RestoredState, TraceEvent, Write } from "../raft/index.ts";
import type { LaneReducer } from "./lane.ts";
import type { DedupKey, LogEvent } from "./ordered-log.ts";

export interface ReplicaCoreOptions {
  readonly id: PeerId;
  /** Frames of another group are dropped and counted. 1 to 64 characters. */
  readonly groupId: string;
  readonly config: RaftConfig;
  readonly random: Random;
  readonly restored: RestoredState;
  readonly lanes?: readonly LaneReducer<unknown>[] | undefined;
  readonly trace?: ((event: TraceEvent) => void) | undefined;
}

/** How a request ended. `unknown`: it may or may not have happened; ask again under the same key. */
export type Settlement =
  | { readonly outcome: "committed"; readonly index: LogIndex }
  | { readonly outcome: "read"; readonly index: LogIndex }
  | { readonly outcome: "done" }
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "unknown"; readonly reason: "timeout" | "leadership-lost" };

/** Everything to do now, in this order: send `frames`, start `write`, hand `events` to followers, settle. See `Work` for what may overlap. */
export interface ReplicaWork {
  readonly frames: readonly { readonly to: PeerId; readonly bytes: Uint8Array }[];
  readonly write: Write | undefined;
  readonly events: readonly LogEvent[];
  readonly settled: readonly { readonly ticket: number; readonly settlement: Settlement }[];
}

export interface ReplicaCore {
  readonly raft: RaftMachine;
  readonly appliedIndex: LogIndex;
  /** State of a registered lane after `appliedIndex`. */
  laneState<S>(lane: LaneReducer<S>): S;
  tick(): void;
  observeTime(wallMs: number): void;
  /** Never throws. */
  receive(from: PeerId, frame: Uint8Array): void;
  /** Returns a ticket at once; the settlement comes in `ReplicaWork.settled` (possibly of the very next `takeWork`). */
  propose(lane: number, key: DedupKey, payload: Uint8Array): number;
  readIndex(): number;
  changeMembership(target: MembershipTarget): number;
  transferLeadership(to: PeerId): number;
  /** Forgets a ticket: it will not be settled or retried; a proposal may still commit. */
  cancel(ticket: number): void;
  snapshot(through: LogIndex, gameSection: Uint8Array): boolean;
  /** Events from `from` up to `appliedIndex` again, an install first where the log was compacted. */
  replay(from: LogIndex): readonly LogEvent[];
  part(): void;
  takeWork(): ReplicaWork;
  writeDone(id: number): void;
  hasWork(): boolean;
}
