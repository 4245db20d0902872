// A RaftNode: the one loop of the SDK. Takes the core's work, sends, stores, hands events up, settles; never more than one write under way.
import type { Emitter } from "nanoevents";
import { ClosedError, hasCode, InvalidArgumentError, PayloadTooLargeError, type LoggedClock, type LogIndex, type Logger, type PeerId } from "../base/index.ts";
import type { CorruptStateError, Membership, MembershipTarget, RaftConfig, RaftMetrics, Role, WorkOptions, Write } from "../raft/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { onAbort, throwIfAborted } from "./abort.ts";
import { Disk } from "./disk.ts";
import { envelopeOverheadMax } from "./envelope.ts";
import { BusyError, ClientIdCollisionError, WithdrawnError } from "./errors.ts";
import type { LaneReducer } from "./lane.ts";
import { encodeExport } from "./log-export.ts";
import { LogFeed } from "./log-feed.ts";
import type { NodeChannel } from "./node-channel.ts";
import type { NodeRecord } from "./node-records.ts";
import { LANE_GAME, type CommittedAt, type DedupKey, type LogEvent, type ProposeOptions } from "./ordered-log.ts";
import type { FoundOutbox, OutboxCommand } from "./outbox.ts";
import type { LogLayout } from "./raft-log-store.ts";
import type { NodeStatus, RaftNode, RaftNodeEvents } from "./raft-node.ts";
import type { ReplicaCore, Settlement } from "./replica-core.ts";
import type { ResumedCommand } from "./resumed.ts";
import { outcomeOf, type Request } from "./settle.ts";
import type { WriterIdentity } from "./writer-identity.ts";

/** Everything a running node is made of; `replica.ts` gathers it. */
export interface RunningNodeParts {
  readonly core: ReplicaCore;
  readonly seam: NodeChannel;
  /** The channel of feeds. */
  readonly feed: NodeChannel | undefined;
  readonly storage: ByteStore;
  readonly reopenStorage: (() => Promise<ByteStore>) | undefined;
  readonly owner: NodeRecord;
  readonly layout: LogLayout;
  readonly config: RaftConfig;
  readonly writer: WriterIdentity;
  readonly logger: Logger;
  /** What this node stamps entries with while it leads. */
  readonly time: LoggedClock;
  /** What an earlier incarnation of the writer left behind. */
  readonly outbox: FoundOutbox;
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

/** Pause before a full or lost storage is asked again, at first. */
const RETRY_MS = 1_000;

/** One running node; made by `openReplica`. */
export class RunningNode implements RaftNode {
  readonly #parts: RunningNodeParts;
  readonly #core: ReplicaCore;
  readonly #feed: LogFeed;
  readonly #disk: Disk;
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
  #stopListening: () => void;
  #stopFeeding: (() => void) | undefined;
  #stopTicking: () => void = () => {};
  /** Where the first command of this incarnation committed, and its serial: from there on nobody else may write under the same id. */
  #ownSince: { readonly index: LogIndex; readonly serial: number } | undefined;
  /** Waiting until their serial is reserved; false once taken back. */
  readonly #unreserved = new Map<number, boolean>();
  /** Timed out without ever having left this node: they can still be taken back. */
  readonly #unsent = new Set<number>();
  /** Those to be told of the next tick. */
  #onTick: (() => void)[] = [];
  readonly #scheduled = (): void => {
    this.#isScheduled = false;
    if (this.#stopped === undefined && !this.#inTurn) this.#turn(HOLD_NEWS);
  };

  readonly resumed: readonly ResumedCommand[];

  constructor(parts: RunningNodeParts) {
    this.#parts = parts;
    this.#core = parts.core;
    this.#events = parts.events;
    this.#feed = new LogFeed(parts.core, parts.logger);
    this.#disk = this.#openDisk(parts);
    parts.writer.storeWith((ops) => this.#disk.store(ops));
    this.#status = this.#look();
    this.#stopListening = parts.seam.on("frame", (from, bytes) => {
      this.#core.receive(from, bytes);
      this.#schedule();
    });
    this.#stopFeeding = parts.feed?.on("frame", (from, bytes) => {
      this.#core.receiveFeed(from, bytes);
      this.#schedule();
    });
    this.resumed = this.#resume(parts.outbox.commands);
    this.#schedule();
  }

  get outboxDamage(): readonly CorruptStateError[] {
    return this.#parts.outbox.damaged;
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
    return this.#core.view.commitIndex;
  }

  get role(): Role {
    return this.#core.view.role;
  }

  get leader(): PeerId | undefined {
    return this.#core.view.leader;
  }

  get membership(): Membership {
    return this.#core.view.membership;
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
    this.#tellTime();
    this.#core.tick();
    this.#disk.tick();
    this.#parts.writer.sweep((requestId) => this.#core.firstIndex({ clientId: this.clientId, requestId }));
    for (const tell of this.#onTick.splice(0)) tell();
    this.#schedule();
  }

  /** Proposes again what an earlier incarnation left in the outbox. Before anything else is proposed. */
  #resume(commands: readonly OutboxCommand[]): ResumedCommand[] {
    const { writer } = this.#parts;
    const { clientId } = writer;
    const open = commands.filter(({ requestId }) => {
      const isApplied = this.#core.firstIndex({ clientId, requestId }) !== undefined;
      if (isApplied) writer.outbox?.settle(requestId);
      return !isApplied;
    });
    // All serials before the first proposal: its envelope says which is the lowest that may still come.
    for (const { requestId } of open) writer.serials.take(requestId);
    return open.map(({ lane, requestId, payload }) => {
      const outcome = this.#proposeUntilKnown(payload, { lane, requestId });
      // Nobody has to listen.
      outcome.catch(() => {});
      return { lane, payload, key: { clientId, requestId }, outcome };
    });
  }

  laneState<S>(lane: LaneReducer<S>): S {
    return this.#core.laneState(lane);
  }

  on<K extends keyof RaftNodeEvents>(event: K, listener: RaftNodeEvents[K]): () => void {
    const off = this.#events.on(event, listener);
    if (event !== "trace") return off;
    this.#core.raft.traceTo((told) => this.#events.emit("trace", told));
    return () => {
      off();
      if ((this.#events.events.trace?.length ?? 0) === 0) this.#core.raft.traceTo(undefined);
    };
  }

  async propose(payload: Uint8Array, options: ProposeOptions = {}): Promise<CommittedAt> {
    this.#mustServe(options.signal);
    const { deadlineMs } = options;
    if (deadlineMs !== undefined && !(deadlineMs >= 0)) throw new InvalidArgumentError(`deadlineMs is at least 0, got ${deadlineMs}`);
    const { writer, config } = this.#parts;
    const room = config.commandBytesMax - envelopeOverheadMax(writer.clientId, this.id);
    if (payload.length > room) throw new PayloadTooLargeError(payload.length, room, "command");
    const { requestId, lane = LANE_GAME } = options;
    const known = requestId === undefined ? 0 : (this.#core.firstIndex({ clientId: writer.clientId, requestId }) ?? 0);
    if (requestId !== undefined && known > 0) {
      writer.committed(requestId, known);
      return { index: known, key: { clientId: writer.clientId, requestId } };
    }
    if (this.#disk.health === "full" && this.#disk.error !== undefined) throw this.#disk.error;
    const key: DedupKey = { clientId: writer.clientId, requestId: writer.take(requestId, payload.length) };
    // A writer that nobody remembers encodes the payload before this call returns; any other keeps it.
    const own = writer.outbox === undefined ? payload : payload.slice();
    const reserved = writer.whenReserved(key.requestId, this.#core.appliedIndex);
    if (reserved !== undefined) await this.#mayUse(key.requestId, reserved, options.signal);
    writer.keep({ requestId: key.requestId, lane, payload: own });
    const ticket = this.#core.propose({ lane, key, payload: own }, {
      lowestOutstanding: Math.min(writer.serials.lowest, key.requestId), birth: writer.birth(this.#core.appliedIndex), fresh: requestId === undefined,
      mayHaveLeft: requestId !== undefined && !this.#unsent.delete(requestId),
      patienceTicks: deadlineMs === undefined ? undefined : Math.ceil(deadlineMs / config.tickMs),
    });
    const index = await this.#ask(ticket, { kind: "propose", key, bytes: payload.length, deadlineMs }, options.signal);
    return { index, key };
  }

  withdraw(requestId: number): boolean {
    if (this.#unreserved.get(requestId) === true) {
      this.#unreserved.set(requestId, false);
      return true;
    }
    if (this.#core.withdraw({ clientId: this.clientId, requestId })) {
      this.#schedule();
      return true;
    }
    if (!this.#unsent.delete(requestId)) return false;
    this.#parts.writer.withdrawn(requestId);
    return true;
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
    // Nothing of what is fed is stored.
    if (!this.#core.snapshot(through, gameSection) || this.#core.feed !== undefined) return;
    // Where there was no room, the snapshot goes with the write that failed, and the log it replaces makes some.
    this.#disk.retry();
    this.#schedule();
    await new Promise<void>((resolve, reject) => this.#snapshotWaiters.push({ through, resolve, reject }));
  }

  exportLog({ uncommitted = false }: { readonly uncommitted?: boolean | undefined } = {}): Uint8Array {
    const { owner, time } = this.#parts;
    if (this.#core.failure !== undefined) throw this.#core.failure;
    const image = this.#core.image(Math.max(0, Math.floor(time.now())), uncommitted);
    if (image === undefined) throw new BusyError("a snapshot is being taken in");
    return encodeExport({ groupId: owner.groupId, ...image });
  }

  feedFrom(leader: PeerId | undefined): void {
    if (this.#stopped !== undefined) return;
    this.#core.feedFrom(leader);
    this.#schedule();
  }

  feedAnew(): void {
    if (this.#stopped !== undefined) return;
    this.#core.feedAnew();
    this.#schedule();
  }

  goodbye(): { readonly to: PeerId; readonly bytes: Uint8Array } | undefined {
    return this.#stopped === undefined ? this.#core.goodbye() : undefined;
  }

  hearGoodbye(from: PeerId, bytes: Uint8Array): void {
    if (this.#stopped !== undefined) return;
    this.#core.receiveGoodbye(from, bytes);
    this.#schedule();
  }

  part(): void {
    if (this.#stopped !== undefined) return;
    this.#core.part();
    // In `pagehide` there may be no later task: the goodbye leaves before this call returns.
    if (!this.#inTurn) this.#turn({});
    this.#stop(new ClosedError("the node has parted and"));
    void this.#disk.close();
  }

  async close(): Promise<void> {
    this.#stop(new ClosedError("the node"));
    this.#feed.close();
    await this.#disk.close();
  }

  #openDisk({ storage, reopenStorage: reopen, layout, owner, logger, writer, config }: RunningNodeParts): Disk {
    return new Disk({
      storage, reopen, layout, owner, logger, outbox: writer.outbox, pauseTicks: Math.ceil(RETRY_MS / config.tickMs),
      written: (write) => this.#written(write),
      rewrite: ({ id }, found) => this.#core.raft.rewrite(id, found),
      recheck: (found) => this.#core.raft.recheck(found),
      failed: (error) => this.#fail(error),
      changed: () => this.#publish(),
    });
  }

  async #mayUse(serial: number, reserved: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    this.#unreserved.set(serial, true);
    try {
      await reserved;
      this.#mustServe(signal);
      if (this.#unreserved.get(serial) === false) throw new WithdrawnError();
    } catch (error) {
      this.#parts.writer.withdrawn(serial);
      throw error;
    } finally {
      this.#unreserved.delete(serial);
    }
  }

  /** However long it takes: what was in flight when a tab died has waited for a leader before. Asks again where there was no room for it. */
  async #proposeUntilKnown(payload: Uint8Array, options: ProposeOptions): Promise<CommittedAt> {
    for (;;) {
      try {
        return await this.propose(payload, { ...options, deadlineMs: Infinity });
      } catch (error) {
        if (!hasCode(error, "busy") && !hasCode(error, "storage-quota")) throw error;
        await new Promise<void>((resolve) => this.#onTick.push(resolve));
      }
    }
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
        if (request.kind === "propose") this.#parts.writer.withdrawn(request.key.requestId);
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
    void HOP.then(this.#scheduled);
  }

  /** News of a commit wait until whoever was told of it has had the chance to propose on: then the next append carries them. */
  async #tellNews(): Promise<void> {
    this.#isTelling = true;
    // Once an append has carried them there is nothing left to wait for.
    for (let hop = 0; hop < NEWS_HOPS && this.#core.hasWork(); hop += 1) await HOP;
    this.#isTelling = false;
    if (this.#stopped === undefined && !this.#inTurn && this.#core.hasWork()) this.#turn({});
  }

  #turn(how: WorkOptions): void {
    this.#inTurn = true;
    try {
      // Only a leader stamps entries; whoever may become one was told the time with the last tick.
      if (this.#core.raft.role === "leader") this.#tellTime();
      while (this.#stopped === undefined && this.#core.hasWork(how)) {
        const work = this.#core.takeWork(how);
        for (const { to, bytes } of work.frames) this.#send(to, bytes);
        for (const { to, bytes } of work.feedFrames) this.#send(to, bytes, this.#parts.feed);
        // What was refused at once is not kept for later incarnations.
        for (const { ticket, settlement } of work.settled) if (settlement.outcome === "refused") this.#settle(ticket, settlement);
        if (work.write !== undefined) this.#disk.take(work.write);
        this.#disk.flush();
        if (work.isBegunAnew) this.#feed.beginAnew();
        else if (work.applied !== "none") this.#feed.deliver(work);
        if (work.applied === "others") this.#watchForTwins(work);
        for (const { ticket, settlement } of work.settled) this.#settle(ticket, settlement);
      }
      if (this.#core.failure !== undefined && this.#refusing === undefined) this.#refuse(this.#core.failure);
      this.#disk.flush();
    } finally {
      this.#inTurn = false;
    }
    if (!this.#isTelling && this.#stopped === undefined && this.#core.hasWork()) void this.#tellNews();
    this.#publish();
  }

  /** What an entry appended now is stamped with. */
  #tellTime(): void {
    const { time } = this.#parts;
    time.heard(this.#core.raft.lastTime);
    this.#core.observeTime(time.now());
  }

  #send(to: PeerId, bytes: Uint8Array, seam: NodeChannel = this.#parts.seam): void {
    const { logger } = this.#parts;
    if (!seam.peers.has(to)) return this.#drop("peer-absent");
    try {
      seam.sendTo(to, bytes);
    } catch (error) {
      // The protocol sends again what matters; only a frame that can never pass is somebody's mistake.
      if (hasCode(error, "payload-too-large")) logger.error(`a frame of ${bytes.length} bytes does not fit the seam`, error);
      this.#drop(error instanceof Error && "code" in error ? String(error.code) : "send-failed");
    }
  }

  #written({ id, snapshot }: Write): void {
    if (snapshot !== undefined) this.#settleSnapshots((through) => through <= snapshot.index, undefined);
    if (this.#stopped !== undefined) return;
    this.#core.writeDone(id);
    this.#schedule();
  }

  #settle(ticket: number, settlement: Settlement): void {
    const pending = this.#forget(ticket);
    if (pending === undefined) return;
    const { request } = pending;
    const { writer, config } = this.#parts;
    const outcome = outcomeOf(request, settlement, { leader: this.leader, timeoutMs: config.proposeTimeoutMs, commandBytesMax: config.commandBytesMax });
    if (request.kind === "propose") {
      const { requestId } = request.key;
      if ("index" in outcome) {
        writer.committed(requestId, outcome.index);
        this.#ownSince ??= { index: outcome.index, serial: requestId };
      } else if (settlement.outcome === "unknown") {
        writer.unknown(requestId);
        if (settlement.hasLeft === false) this.#unsent.add(requestId);
      } else if (settlement.outcome === "refused" && settlement.reason !== "client-session-expired" && settlement.reason !== "withdrawn") {
        writer.refused(requestId);
      } else {
        // Nothing can ever come of this key.
        writer.withdrawn(requestId);
      }
    }
    if ("index" in outcome) return pending.resolve(outcome.index);
    pending.reject(outcome.error);
    if (settlement.outcome === "collision") this.#refuse(outcome.error);
  }

  /** Another peer's command under this node's client id, after this node began to write: two tabs believe to be the same writer. */
  #watchForTwins(news: { readonly events: readonly LogEvent[] }): void {
    const since = this.#ownSince;
    if (since === undefined || this.#refusing !== undefined) return;
    for (const event of news.events) {
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
      this.#stopFeeding?.();
      this.#publish();
    }
    this.#rejectAll(error);
    this.#settleSnapshots(() => true, error);
    for (const tell of this.#onTick.splice(0)) tell();
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
    const { view, appliedIndex, feed } = this.#core;
    const isOn = this.#stopped === undefined;
    return {
      role: view.role, leader: isOn ? view.leader : undefined, term: view.term, commitIndex: view.commitIndex, appliedIndex, membership: view.membership, feed,
      // A leader without a quorum steps down by itself (CheckQuorum), and a follower hears a leader only while that one leads.
      hasQuorum: isOn && view.leader !== undefined, pendingCount: this.#pendingProposals, storage: this.#disk.health, failure: this.#refusing,
    };
  }

  #publish(): void {
    // Most turns change nothing of it: then nothing is made.
    if (this.#isAsPublished(this.#status)) return;
    this.#status = this.#look();
    this.#events.emit("status", this.#status);
  }

  /** What {@link RunningNode.#look} would return, field by field. */
  #isAsPublished(was: NodeStatus): boolean {
    const { view, appliedIndex } = this.#core;
    const leader = this.#stopped === undefined ? view.leader : undefined;
    return (
      was.commitIndex === view.commitIndex && was.appliedIndex === appliedIndex && was.pendingCount === this.#pendingProposals && was.role === view.role && was.leader === leader &&
      was.term === view.term && was.membership === view.membership && was.feed === this.#core.feed && was.storage === this.#disk.health && was.failure === this.#refusing
    );
  }
}
