// A RaftNode: the one loop of the SDK. Takes the core's work, sends, stores, hands events up, settles; never more than one write under way.
import type { Emitter } from "nanoevents";
import { ClosedError, hasCode, InvalidArgumentError, PayloadTooLargeError, type LogIndex, type Logger, type PeerId } from "../base/index.ts";
import type { Membership, MembershipTarget, RaftConfig, RaftMetrics, Role, WorkOptions, Write } from "../raft/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { onAbort, throwIfAborted } from "./abort.ts";
import { envelopeOverheadMax } from "./envelope.ts";
import { BusyError, ClientIdCollisionError } from "./errors.ts";
import type { LaneReducer } from "./lane.ts";
import { LogFeed } from "./log-feed.ts";
import type { NodeChannel } from "./node-channel.ts";
import { LANE_GAME, type CommittedAt, type DedupKey, type LogEvent, type ProposeOptions } from "./ordered-log.ts";
import { writeToOps, type LogLayout } from "./raft-log-store.ts";
import type { NodeStatus, RaftNode, RaftNodeEvents } from "./raft-node.ts";
import type { ReplicaCore, Settlement } from "./replica-core.ts";
import { outcomeOf, type Request } from "./settle.ts";
import type { WriterIdentity } from "./writer-identity.ts";

/** Everything a running node is made of; `replica.ts` gathers it. */
export interface RunningNodeParts {
  readonly core: ReplicaCore;
  readonly seam: NodeChannel;
  readonly storage: ByteStore;
  readonly layout: LogLayout;
  readonly config: RaftConfig;
  readonly writer: WriterIdentity;
  readonly logger: Logger;
  readonly wallClock: () => number;
  readonly events: Emitter<RaftNodeEvents>;
}

interface Pending {
  readonly request: Request;
  readonly resolve: (index: LogIndex) => void;
  readonly reject: (error: unknown) => void;
  readonly letGo: () => void;
}

interface SnapshotWaiter {
  readonly through: LogIndex;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const HOLD_NEWS: WorkOptions = { holdNews: true };
/** Promise hops between a settlement and the news of its commit (RN9): enough for a caller's own layers of `await`, and still in the same task. */
const NEWS_HOPS = 16;
const HOP: Promise<void> = Promise.resolve();

/** One running node; made by `openReplica`. */
export class RunningNode implements RaftNode {
  readonly #parts: RunningNodeParts;
  readonly #core: ReplicaCore;
  readonly #feed: LogFeed;
  readonly #events: Emitter<RaftNodeEvents>;
  readonly #pending = new Map<number, Pending>();
  readonly #dropped: Record<string, number> = {};
  #snapshotWaiters: SnapshotWaiter[] = [];
  #status: NodeStatus;
  #pendingProposals = 0;
  #isScheduled = false;
  #inTurn = false;
  #isTelling = false;
  /** Takes no part any more: closed, parted or failed. */
  #stopped: Error | undefined;
  /** Requests are refused with this; the node may still vote and store. */
  #refusing: Error | undefined;
  #writing: Promise<void> = Promise.resolve();
  #stopListening: () => void;
  #stopTicking: () => void = () => {};
  /** Where the first command of this incarnation committed, and its serial: from there on nobody else may write under the same id. */
  #ownSince: { readonly index: LogIndex; readonly serial: number } | undefined;

  constructor(parts: RunningNodeParts) {
    this.#parts = parts;
    this.#core = parts.core;
    this.#events = parts.events;
    this.#feed = new LogFeed(parts.core, parts.logger);
    this.#status = this.#look();
    this.#stopListening = parts.seam.on("frame", (from, bytes) => {
      this.#core.receive(from, bytes);
      this.#schedule();
    });
    this.#schedule();
  }

  get id(): PeerId {
    return this.#core.raft.id;
  }

  get clientId(): string {
    return this.#parts.writer.clientId;
  }

  get lastRequestId(): number {
    return this.#parts.writer.serials.last;
  }

  get appliedIndex(): LogIndex {
    return this.#core.appliedIndex;
  }

  get commitIndex(): LogIndex {
    return this.#core.raft.commitIndex;
  }

  get role(): Role {
    return this.#core.raft.role;
  }

  get leader(): PeerId | undefined {
    return this.#core.raft.leader;
  }

  get membership(): Membership {
    return this.#core.raft.membership;
  }

  get status(): NodeStatus {
    return this.#status;
  }

  get metrics(): RaftMetrics {
    const { metrics } = this.#core.raft;
    return { ...metrics, framesDropped: { ...metrics.framesDropped, ...this.#core.dropped, ...this.#dropped } };
  }

  /** Ends the ticking together with the node. */
  onStop(stopTicking: () => void): void {
    this.#stopTicking = stopTicking;
  }

  /** One tick of the config's length passed. For who drives the node without a clock of its own. */
  tick(): void {
    if (this.#stopped !== undefined) return;
    this.#core.tick();
    this.#schedule();
  }

  laneState<S>(lane: LaneReducer<S>): S {
    return this.#core.laneState(lane);
  }

  on<K extends keyof RaftNodeEvents>(event: K, listener: RaftNodeEvents[K]): () => void {
    return this.#events.on(event, listener);
  }

  async propose(payload: Uint8Array, options: ProposeOptions = {}): Promise<CommittedAt> {
    this.#mustServe(options.signal);
    const { writer, config } = this.#parts;
    const room = config.commandBytesMax - envelopeOverheadMax(writer.clientId, this.id);
    if (payload.length > room) throw new PayloadTooLargeError(payload.length, room, "command");
    const { requestId, lane = LANE_GAME } = options;
    const known = requestId === undefined ? 0 : (this.#core.firstIndex({ clientId: writer.clientId, requestId }) ?? 0);
    if (requestId !== undefined && known > 0) return { index: known, key: { clientId: writer.clientId, requestId } };
    if (writer.serials.isFull) throw new BusyError("too many commands are open");
    const key: DedupKey = { clientId: writer.clientId, requestId: writer.serials.take(requestId) };
    const own = payload.slice();
    const reserved = writer.whenReserved(key.requestId, this.#core.appliedIndex);
    if (reserved !== undefined) {
      await reserved;
      this.#mustServe(options.signal);
    }
    const ticket = this.#core.propose({ lane, key, payload: own }, {
      lowestOutstanding: Math.min(writer.serials.lowest, key.requestId), birth: writer.birth(this.#core.appliedIndex), fresh: requestId === undefined,
    });
    const index = await this.#ask(ticket, { kind: "propose", key, bytes: payload.length }, options.signal);
    return { index, key };
  }

  async readIndex(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<LogIndex> {
    this.#mustServe(options.signal);
    return this.#ask(this.#core.readIndex(), { kind: "read" }, options.signal);
  }

  async changeMembership(target: MembershipTarget, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<LogIndex> {
    this.#mustServe(options.signal);
    return this.#ask(this.#core.changeMembership(target), { kind: "change" }, options.signal);
  }

  async transferLeadership(to: PeerId): Promise<void> {
    this.#mustServe(undefined);
    await this.#ask(this.#core.transferLeadership(to), { kind: "transfer", to }, undefined);
  }

  follow(listener: (event: LogEvent) => void, from?: LogIndex): () => void {
    return this.#feed.follow(listener, from);
  }

  committed(from?: LogIndex): AsyncIterable<LogEvent> {
    return this.#feed.committed(from);
  }

  async snapshot(through: LogIndex, gameSection: Uint8Array): Promise<void> {
    this.#mustServe(undefined);
    const { snapshotTotalBytesMax } = this.#parts.config;
    if (through > this.#core.appliedIndex) throw new InvalidArgumentError(`a snapshot through ${through} where ${this.#core.appliedIndex} is applied`);
    if (gameSection.length > snapshotTotalBytesMax) throw new PayloadTooLargeError(gameSection.length, snapshotTotalBytesMax, "snapshot");
    if (!this.#core.snapshot(through, gameSection)) return;
    this.#schedule();
    await new Promise<void>((resolve, reject) => this.#snapshotWaiters.push({ through, resolve, reject }));
  }

  part(): void {
    if (this.#stopped !== undefined) return;
    this.#core.part();
    // In `pagehide` there may be no later task: the goodbye leaves before this call returns.
    if (!this.#inTurn) this.#turn({});
    this.#stop(new ClosedError("the node has parted and"));
  }

  async close(): Promise<void> {
    this.#stop(new ClosedError("the node"));
    this.#feed.close();
    await this.#writing;
  }

  #mustServe(signal: AbortSignal | undefined): void {
    const refusing = this.#stopped ?? this.#refusing;
    if (refusing !== undefined) throw refusing;
    throwIfAborted(signal);
  }

  #ask(ticket: number, request: Request, signal: AbortSignal | undefined): Promise<LogIndex> {
    this.#schedule();
    if (request.kind === "propose") this.#pendingProposals += 1;
    return new Promise((resolve, reject) => {
      const letGo = onAbort(signal, (reason) => {
        this.#core.cancel(ticket);
        this.#forget(ticket);
        if (request.kind === "propose") this.#parts.writer.serials.leaveOpen(request.key.requestId);
        reject(reason);
      });
      this.#pending.set(ticket, { request, resolve, reject, letGo });
    });
  }

  #forget(ticket: number): Pending | undefined {
    const pending = this.#pending.get(ticket);
    if (pending === undefined) return undefined;
    this.#pending.delete(ticket);
    pending.letGo();
    if (pending.request.kind === "propose") this.#pendingProposals -= 1;
    return pending;
  }

  /** Everything that comes within one task makes one turn. */
  #schedule(): void {
    if (this.#isScheduled || this.#stopped !== undefined) return;
    this.#isScheduled = true;
    void Promise.resolve().then(() => {
      this.#isScheduled = false;
      if (this.#stopped === undefined && !this.#inTurn) this.#turn(HOLD_NEWS);
    });
  }

  /** News of a commit wait until whoever was told of it has had the chance to propose on: then the next append carries them. */
  async #tellNews(): Promise<void> {
    this.#isTelling = true;
    for (let hop = 0; hop < NEWS_HOPS; hop += 1) await HOP;
    this.#isTelling = false;
    if (this.#stopped === undefined && !this.#inTurn) this.#turn({});
  }

  #turn(how: WorkOptions): void {
    this.#inTurn = true;
    try {
      this.#core.observeTime(this.#parts.wallClock());
      while (this.#stopped === undefined && this.#core.hasWork(how)) {
        const work = this.#core.takeWork(how);
        for (const { to, bytes } of work.frames) this.#send(to, bytes);
        if (work.write !== undefined) this.#store(work.write);
        if (work.events.length > 0) {
          this.#feed.deliver(work.events);
          this.#watchForTwins(work.events);
        }
        for (const { ticket, settlement } of work.settled) this.#settle(ticket, settlement);
      }
      if (this.#core.failure !== undefined && this.#refusing === undefined) this.#refuse(this.#core.failure);
    } finally {
      this.#inTurn = false;
    }
    if (!this.#isTelling && this.#stopped === undefined && this.#core.hasWork()) void this.#tellNews();
    this.#publish();
  }

  #send(to: PeerId, bytes: Uint8Array): void {
    const { seam, logger } = this.#parts;
    if (!seam.peers.has(to)) return this.#drop("peer-absent");
    try {
      seam.sendTo(to, bytes);
    } catch (error) {
      // The protocol sends again what matters; only a frame that can never pass is somebody's mistake.
      if (hasCode(error, "payload-too-large")) logger.error(`a frame of ${bytes.length} bytes does not fit the seam`, error);
      this.#drop(error instanceof Error && "code" in error ? String(error.code) : "send-failed");
    }
  }

  #store(write: Write): void {
    const { storage, layout } = this.#parts;
    this.#writing = storage.write(writeToOps(write, layout)).then(
      () => {
        const { snapshot } = write;
        if (snapshot !== undefined) this.#settleSnapshots((through) => through <= snapshot.index, undefined);
        if (this.#stopped !== undefined) return;
        this.#core.writeDone(write.id);
        this.#schedule();
      },
      (error: unknown) => this.#fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #settle(ticket: number, settlement: Settlement): void {
    const pending = this.#forget(ticket);
    if (pending === undefined) return;
    const { request } = pending;
    const { writer, config } = this.#parts;
    const outcome = outcomeOf(request, settlement, { leader: this.leader, timeoutMs: config.proposeTimeoutMs, commandBytesMax: config.commandBytesMax });
    if (request.kind === "propose") {
      if ("index" in outcome) {
        writer.serials.settle(request.key.requestId);
        writer.committedAt(outcome.index);
        this.#ownSince ??= { index: outcome.index, serial: request.key.requestId };
      } else {
        writer.serials.leaveOpen(request.key.requestId);
      }
    }
    if ("index" in outcome) return pending.resolve(outcome.index);
    pending.reject(outcome.error);
    if (settlement.outcome === "collision") this.#refuse(outcome.error);
  }

  /** Another peer's command under this node's client id, after this node began to write: two tabs believe to be the same writer. */
  #watchForTwins(events: readonly LogEvent[]): void {
    const since = this.#ownSince;
    if (since === undefined || this.#refusing !== undefined) return;
    for (const event of events) {
      if (event.type !== "command" || event.key.clientId !== this.clientId || event.proposer === this.id) continue;
      if (event.index > since.index && event.key.requestId >= since.serial) return this.#refuse(new ClientIdCollisionError(this.clientId, event.key.requestId));
    }
  }

  /** Requests are of no use any more; the machine goes on, because the others need its vote and its disk. */
  #refuse(error: Error): void {
    this.#refusing ??= error;
    this.#parts.logger.error("this node serves no more requests", error);
    this.#rejectAll(error);
    this.#publish();
  }

  #fail(error: Error): void {
    if (this.#stopped !== undefined) return this.#settleSnapshots(() => true, error);
    this.#parts.logger.error("storage failed: this node acknowledges nothing more", error);
    this.#refusing = error;
    this.#stop(error);
  }

  #stop(error: Error): void {
    if (this.#stopped === undefined) {
      this.#stopped = error;
      this.#stopTicking();
      this.#stopListening();
      this.#publish();
    }
    this.#rejectAll(error);
    this.#settleSnapshots(() => true, error);
  }

  #rejectAll(error: Error): void {
    for (const ticket of this.#pending.keys()) {
      this.#core.cancel(ticket);
      this.#forget(ticket)?.reject(error);
    }
  }

  #settleSnapshots(which: (through: LogIndex) => boolean, error: Error | undefined): void {
    const done = this.#snapshotWaiters.filter(({ through }) => which(through));
    if (done.length === 0) return;
    this.#snapshotWaiters = this.#snapshotWaiters.filter(({ through }) => !which(through));
    for (const waiter of done) {
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
  }

  #drop(reason: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }

  #look(): NodeStatus {
    const { raft, appliedIndex } = this.#core;
    const isOn = this.#stopped === undefined;
    return {
      role: raft.role, leader: isOn ? raft.leader : undefined, term: raft.term, commitIndex: raft.commitIndex, appliedIndex, membership: raft.membership,
      // A leader without a quorum steps down by itself (CheckQuorum), and a follower hears a leader only while that one leads.
      hasQuorum: isOn && raft.leader !== undefined, pendingCount: this.#pendingProposals, failure: this.#refusing,
    };
  }

  #publish(): void {
    const next = this.#look();
    if (sameStatus(this.#status, next)) return;
    this.#status = next;
    this.#events.emit("status", next);
  }
}

function sameStatus(a: NodeStatus, b: NodeStatus): boolean {
  return (
    a.commitIndex === b.commitIndex && a.appliedIndex === b.appliedIndex && a.pendingCount === b.pendingCount && a.role === b.role && a.leader === b.leader &&
    a.term === b.term && a.membership === b.membership && a.hasQuorum === b.hasQuorum && a.failure === b.failure
  );
}
