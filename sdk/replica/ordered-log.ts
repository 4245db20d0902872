// The port the game sees: one committed log of commands, the same on every node. No word of terms or votes.
import type { LogIndex, PeerId } from "../base/index.ts";

/** One log carries several lanes, each a deterministic reducer with its own section in the snapshot. */
export const LANE_GAME = 1;
/** The session's lane: who sits where. */
export const LANE_SESSION = 2;
/** The lane of durable sessions' ownership claims. */
export const LANE_FENCE = 3;
/** The number kept for a cluster's own commands. */
export const LANE_CLUSTER = 4;

/** Names one command for ever: stamped once by the proposer, never changed on the way. */
export interface DedupKey {
  /** One writer: a durable or per-incarnation client id. 1 to 64 characters. */
  readonly clientId: string;
  /** Serial of the command within its client, from 1. */
  readonly requestId: number;
}

/** A committed command, delivered in log order, each index exactly once. Indexes of no-ops and memberships do not appear. */
export interface CommittedCommand {
  readonly type: "command";
  readonly index: LogIndex;
  readonly lane: number;
  readonly key: DedupKey;
  /** The peer that proposed it, as vouched for by the leader's channel to it. */
  readonly proposer: PeerId;
  readonly payload: Uint8Array;
  /** The appending leader's wall clock, ms since 1970, non-decreasing along the log. */
  readonly time: number;
  /** The key was already applied at an earlier index: skip the effect, count the index. */
  readonly duplicate: boolean;
}

/** The log was compacted past where this reader stood: replace everything by these lane sections, taken after `index`. */
export interface InstalledSnapshot {
  readonly type: "install";
  readonly index: LogIndex;
  /** Lane → its section; a lane that had nothing is absent. */
  readonly sections: ReadonlyMap<number, Uint8Array>;
}

/** What a follower hears: the next command, or a snapshot that stands for everything up to its index. */
export type LogEvent = CommittedCommand | InstalledSnapshot;

/** What a proposal resolves to. */
export interface CommittedAt {
  /** Where the command was first committed; a retried key gives the first index. */
  readonly index: LogIndex;
  readonly key: DedupKey;
}

/** How one command is proposed. */
export interface ProposeOptions {
  /** Which lane; default {@link LANE_GAME}. */
  readonly lane?: number | undefined;
  /** A serial used before, to settle a command whose outcome is unknown. Default: the next serial. */
  readonly requestId?: number | undefined;
  /** Stops waiting (rejects with the signal's reason); the command may still commit. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for an outcome before `ProposalTimeoutError`, ms; at least 0, counted in ticks. `Infinity`: for as long as the log lives, with the serial open all the while. Default: the config's `proposeTimeoutMs`. */
  readonly deadlineMs?: number | undefined;
}

/** A replicated, totally ordered, exactly-once log of commands as one node sees it. */
export interface OrderedLog {
  readonly id: PeerId;
  /** The client id `propose` stamps. */
  readonly clientId: string;
  /** The last serial `propose` used or reserved; the next is one more. */
  readonly lastRequestId: number;
  /**
   * Proposes from any role. Resolves when committed here; rejects with `ProposalTimeoutError` or `LeadershipLostError` (outcome unknown:
   * retry with the same requestId), `PayloadTooLargeError`, `BusyError` or `StorageQuotaError` (refused before anything happened), `ClosedError` (outcome unknown).
   * The key is readable at once through `lastRequestId`, before any await.
   * When the tab dies before this settled, an `auto` writer's command may commit or not. A durable writer's is written to its outbox in the turn of
   * this call, while it goes out: from the end of that write on the next incarnation proposes it again under the same key (`Replica.resumed`), exactly
   * once. So it does with one that timed out or was cut short by `close`; not with one that was refused or aborted.
   */
  propose(payload: Uint8Array, options?: ProposeOptions): Promise<CommittedAt>;
  /**
   * Takes back a proposal of this log that has not left this node: sent to nobody and in no log, as long as nobody leads. Its promise rejects with
   * `WithdrawnError`, it never commits, and its serial may be used again. False, and nothing happens, when it may have left or is not open: then only the log
   * decides. A tab that dies before its next write may find a withdrawn command of a durable writer in its outbox.
   */
  withdraw(requestId: number): boolean;
  /** Resolves to an index such that everything committed before the call is at or before it and applied here. */
  readIndex(options?: { readonly signal?: AbortSignal | undefined }): Promise<LogIndex>;
  /**
   * Calls `listener` synchronously, in log order, first for everything from index `from` on that is still held (an install first where
   * the log was compacted), then as entries commit. Returns the function that stops it. Default `from`: 1.
   */
  follow(listener: (event: LogEvent) => void, from?: LogIndex): () => void;
  /** The same as an async iterable; a reader that stops reading holds at most a bounded queue and is then restarted with an install. */
  committed(from?: LogIndex): AsyncIterable<LogEvent>;
  /** Hands in the game lane's section after applying everything up to `through`; the log before it may be compacted. */
  snapshot(through: LogIndex, gameSection: Uint8Array): Promise<void>;
  /** The index up to which commands were delivered to followers. */
  readonly appliedIndex: LogIndex;
  /** Ends this log: open requests reject with `ClosedError`, followers hear nothing more, iterables end. Idempotent. */
  close(): Promise<void>;
}
