// What a cluster client is: a learner of one log that proposes. Types only.
import type { LogIndex, PeerId } from "../base/index.ts";
import type { CommittedAt, LogEvent, RaftNode, ResumedCommand } from "../replica/index.ts";
import type { LinkStatus } from "./rotating-seam.ts";

/** Where a client stands; a new object per change. */
export interface ClientStatus {
  /** connecting: on the way to an endpoint; connected: nobody who leads is heard yet; synced: it follows, and what it proposes is sent; closed. */
  readonly phase: "connecting" | "connected" | "synced" | "closed";
  /** The way there: which endpoint, which attempt. Undefined where the caller owns the transport. */
  readonly link: LinkStatus | undefined;
  readonly leader: PeerId | undefined;
  readonly commitIndex: LogIndex;
  readonly appliedIndex: LogIndex;
  /** Proposals of this client that are not settled. */
  readonly pendingCount: number;
  /** Why it is over, where it ended by itself. */
  readonly failure: Error | undefined;
}

/** What a client tells its listeners. */
export interface ClientEvents {
  /** The object `status` now returns. */
  status: (status: ClientStatus) => void;
  /**
   * It is over: by `close` (no reason), or because it was put out (`KickedError`), no endpoint will have it (`EndpointRefusedError`), another program is the same peer
   * (`IdentityInUseError`), its group was given up, or its storage failed. Once, and the last event.
   */
  closed: (reason: Error | undefined) => void;
}

/** How one command is proposed. */
export interface ClientProposeOptions {
  /** Which lane; default `LANE_GAME`. */
  readonly lane?: number | undefined;
  /** The id under which the command was proposed before, or one of the caller's own that was never used for another. Default: one more than the last. */
  readonly requestId?: number | undefined;
  /** Stops waiting (rejects with the signal's reason) and proposing; what was sent before may still commit. */
  readonly signal?: AbortSignal | undefined;
  /** Stops waiting after so many ms, with `ProposalTimeoutError`, which names the id to ask again with. Default: waits as long as the client lives. */
  readonly deadlineMs?: number | undefined;
}

/** A learner that follows a log and proposes to it through whoever leads, and never votes. */
export interface ClusterClient {
  readonly id: PeerId;
  /** The writer's name, under which request ids are counted. */
  readonly clientId: string;
  /** The request id that was used last; the next one is larger. Readable as soon as `propose` was called. */
  readonly lastRequestId: number;
  /** Always. */
  readonly role: "learner";
  readonly status: ClientStatus;
  /** What the last incarnation on this storage had not settled; it is being proposed again under the same ids. */
  readonly resumed: readonly ResumedCommand[];
  /** The node underneath, for inspectors. */
  readonly node: RaftNode;
  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof ClientEvents>(event: K, listener: ClientEvents[K]): () => void;
  /** The log: replays from index `from` (default 1), then follows; each index once, in order, an install where it was compacted. Ends with the client. */
  committed(from?: LogIndex): AsyncIterable<LogEvent>;
  /**
   * Proposes, and asks again under the same id for as long as nobody answers: through a change of leaders, of endpoints, or nobody there. Resolves with where it
   * was first committed. Rejects with `ProposalTimeoutError` (at `deadlineMs`) or the signal's reason, after which it may still commit; with `PayloadTooLargeError`,
   * `BusyError`, `StorageQuotaError` or `InvalidArgumentError`, and nothing happened; with `ClientSessionExpiredError` or `ClientIdCollisionError`; with `ClosedError` where the client
   * ends first, by itself for the reason in its `cause`. One with a durable identity is then in its outbox, and settled by the next incarnation on the same storage.
   */
  propose(command: Uint8Array, options?: ClientProposeOptions): Promise<CommittedAt>;
  /** Leaves: what is open rejects with `ClosedError`, readers end, nothing is left running. Idempotent. Rejects with the first thing that went wrong, once everything has ended. */
  close(): Promise<void>;
}
