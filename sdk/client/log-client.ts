// A ClusterClient on a running node: proposes for as long as it takes, says how it stands, and ends whole.
import { createNanoEvents } from "nanoevents";
import { ClosedError, hasCode, InvalidArgumentError, silentLogger, type Clock, type Logger, type LogIndex, type PeerId } from "../base/index.ts";
import { systemClock } from "../platform/index.ts";
import { ProposalTimeoutError, type CommittedAt, type LogEvent, type RaftNode, type ResumedCommand } from "../replica/index.ts";
import type { ClientEvents, ClientProposeOptions, ClientStatus, ClusterClient } from "./cluster-client.ts";
import type { LinkStatus } from "./rotating-seam.ts";

/** What stands around the node. */
export interface Surroundings {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Why what stands around the node ended by itself; undefined while it has not. */
  readonly failure?: (() => Error | undefined) | undefined;
  /** The way to the others; undefined where it is the caller's. */
  readonly link?: (() => LinkStatus) | undefined;
  /** Says that this peer goes, while it still can. */
  readonly part?: (() => void) | undefined;
  /** Closes what was opened for the node, after it. */
  readonly close?: (() => Promise<void>) | undefined;
}

/** What `clusterClientWithNode` takes beside the node. */
export interface NodeClientOptions {
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * A client on a node of the caller's, whose transport stays the caller's; the node is closed with the client. It must be a learner, opened without `voters` (`InvalidArgumentError`), and
 * whoever leads takes it in by a membership change.
 */
export function clusterClientWithNode(node: RaftNode, { clock = systemClock, logger = silentLogger }: NodeClientOptions = {}): ClusterClient {
  return new LogClient(node, { clock, logger });
}

/** The one implementation. */
export class LogClient implements ClusterClient {
  readonly node: RaftNode;
  readonly role = "learner" as const;
  readonly #around: Surroundings;
  readonly #events = createNanoEvents<ClientEvents>();
  /** Those who wait, to be told of the end. */
  readonly #waiting = new Set<() => void>();
  readonly #off: () => void;
  #pending = 0;
  #failure: Error | undefined;
  #status: ClientStatus;
  #closing: Promise<void> | undefined;

  constructor(node: RaftNode, around: Surroundings) {
    if (node.role !== "learner") throw new InvalidArgumentError(`a client is a learner, and this node is a ${node.role}: open it without voters`);
    this.node = node;
    this.#around = around;
    this.#status = this.#look();
    this.#off = node.on("status", () => this.refresh());
  }

  get id(): PeerId {
    return this.node.id;
  }

  get clientId(): string {
    return this.node.clientId;
  }

  get lastRequestId(): number {
    return this.node.lastRequestId;
  }

  get status(): ClientStatus {
    return this.#status;
  }

  get resumed(): readonly ResumedCommand[] {
    return this.node.resumed;
  }

  on<K extends keyof ClientEvents>(event: K, listener: ClientEvents[K]): () => void {
    return this.#events.on(event, listener);
  }

  committed(from?: LogIndex): AsyncIterable<LogEvent> {
    return this.node.committed(from);
  }

  async propose(command: Uint8Array, { deadlineMs, signal, ...options }: ClientProposeOptions = {}): Promise<CommittedAt> {
    if (deadlineMs !== undefined && !(deadlineMs >= 0)) throw new InvalidArgumentError(`deadlineMs is at least 0, got ${deadlineMs}`);
    if (this.#closing !== undefined) throw this.#end();
    signal?.throwIfAborted();
    // Before the first await, so that the id is there when the call returns. The node waits as long as the caller does, and keeps the id open all the while: an
    // id that is let go between two attempts can be given up for one that is proposed meanwhile.
    const before = this.node.lastRequestId;
    const asked = this.node.propose(command, { ...options, signal, deadlineMs: deadlineMs ?? Infinity });
    const requestId = options.requestId ?? (this.node.lastRequestId > before ? this.node.lastRequestId : undefined);
    this.#pending += 1;
    this.refresh();
    const stop = new AbortController();
    const timeout = deadlineMs === undefined ? undefined : this.#around.clock.after(deadlineMs, () => stop.abort(new ProposalTimeoutError("the proposal", deadlineMs, requestId)));
    const end = (): void => stop.abort(this.#end());
    const abort = (): void => stop.abort(signal?.reason);
    this.#waiting.add(end);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      return await orAborted(asked, stop.signal);
    } catch (error) {
      if (stop.signal.aborted || !hasCode(error, "closed")) throw error;
      // The node ended under the client: with what stands around it, or by its owner.
      this.refresh();
      this.fail(error instanceof Error ? error : new ClosedError("the node"));
      throw this.#end();
    } finally {
      timeout?.();
      this.#waiting.delete(end);
      signal?.removeEventListener("abort", abort);
      this.#pending -= 1;
      this.refresh();
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** It is over, for a reason that was not the caller's. */
  fail(reason: Error): void {
    if (this.#closing !== undefined) return;
    this.#failure = reason;
    // What went wrong at the end was logged.
    this.close().catch(() => {});
  }

  /** Looks again: something changed. */
  refresh(): void {
    if (this.#closing !== undefined) return;
    const failure = this.node.status.failure ?? this.#around.failure?.();
    if (failure !== undefined) return this.fail(failure);
    this.#say(this.#look());
  }

  #end(): Error {
    return new ClosedError("the client", this.#failure === undefined ? undefined : { cause: this.#failure });
  }

  /** Every part ends, and everybody is told, whatever goes wrong with one of them; what went wrong first is thrown then. */
  async #close(): Promise<void> {
    const { logger, part, close } = this.#around;
    const troubles: unknown[] = [];
    const step = async (act: (() => void | Promise<void>) | undefined): Promise<void> => {
      try {
        await act?.();
      } catch (error) {
        logger.error("a client did not end as it should", error);
        troubles.push(error);
      }
    };
    this.#off();
    const ended = [step(part), step(() => this.node.close())];
    for (const end of this.#waiting) end();
    await Promise.all(ended);
    await step(close);
    this.#say({ ...this.#look(), phase: "closed", leader: undefined });
    this.#tell(() => this.#events.emit("closed", this.#failure));
    this.#events.events = {};
    if (troubles.length > 0) throw troubles[0];
  }

  /** Whoever listens must not keep a proposal, the node or the end from going on. */
  #tell(news: () => void): void {
    try {
      news();
    } catch (error) {
      this.#around.logger.error("a listener of a client threw", error);
    }
  }

  #look(): ClientStatus {
    const { leader, commitIndex, appliedIndex } = this.node.status;
    const link = this.#around.link?.();
    const isConnected = link === undefined || link.phase === "connected";
    // Without a way to anybody nobody is heard, whatever the node heard last.
    const phase = isConnected ? (leader === undefined ? "connected" : "synced") : "connecting";
    return { phase, link, leader: isConnected ? leader : undefined, commitIndex, appliedIndex, pendingCount: this.#pending, failure: this.#failure };
  }

  #say(status: ClientStatus): void {
    const was = this.#status;
    this.#status = status;
    const isSame = was.phase === status.phase && was.link === status.link && was.leader === status.leader && was.commitIndex === status.commitIndex && was.appliedIndex === status.appliedIndex && was.pendingCount === status.pendingCount;
    if (!isSame) this.#tell(() => this.#events.emit("status", status));
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort)).catch(() => {});
    return undefined;
  });
}
