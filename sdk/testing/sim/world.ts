// The simulated world: peers, wires, disks and time, driven by one queue of events and watched by the rules after each of them.
import { type PeerId } from "../../base/index.ts";
import { bootstrapState, decodeMembership, ENTRY_MEMBERSHIP, type Message } from "../../raft/index.ts";
import { Coverage } from "./coverage.ts";
import { DiskImage, SimDisk } from "./disk.ts";
import { between, chance, EventHash, hashText, pick, stream, STREAM } from "./draw.ts";
import type { EngineKind, EngineWork, Outcome, SimEngine } from "./engine.ts";
import { EventQueue } from "./event-queue.ts";
import { History, type NodeSheet } from "./history.ts";
import { SimNetwork, type SimFrame } from "./network.ts";
import { SimPeer } from "./peer.ts";
import type { SimPlan } from "./plan.ts";
import { Model } from "./rules-applied.ts";
import { judgeReadAuthority, judgeSent, noteRequests } from "./rules-messages.ts";
import { judgeLeaderContact, judgeView } from "./rules-views.ts";
import { describeMembership, hashEntry, hashShape, judgeDurable, judgeMembershipEntries, judgeWrite } from "./rules-writes.ts";
import { demand, Violation } from "./violation.ts";

const MS = 1_000;
const HOLD_NEWS = { holdNews: true };
/** Turns of work one event may cause before it counts as a livelock. */
const TURNS_MAX = 1_000;
/** Events of one run; a busy minute has a few hundred thousand. */
const EVENTS_MAX = 3_000_000;
/** How long a full disk is left alone before the write is tried again. */
const RETRY_WRITE = 50 * MS;

/** A request somebody in the world made of a peer's engine. */
export interface Pending {
  readonly kind: "propose" | "read" | "other";
  readonly at: number;
  readonly committed: number;
  readonly term: number;
  readonly led: boolean;
  readonly settle: (outcome: Outcome, peer: SimPeer) => void;
}

export class SimWorld {
  readonly plan: SimPlan;
  readonly queue: EventQueue = new EventQueue();
  readonly history: History = new History();
  readonly model: Model = new Model();
  readonly coverage: Coverage = new Coverage();
  readonly network: SimNetwork;
  readonly peers: SimPeer[];
  /** Those that can be asked something: all but a witness. */
  readonly people: SimPeer[];
  readonly proposed: Set<string> = new Set();
  events = 0;
  /** Told of everything that happens, for people. */
  log: ((line: string) => void) | undefined;
  readonly #hash = new EventHash();
  readonly #kind: EngineKind;
  readonly #diskRandom;
  readonly #slots = new Map<PeerId, number>();
  readonly #pending: Map<number, Pending>[] = [];
  readonly #views = new Map<PeerId, string>();
  readonly #electionTicksMin: number;
  readonly #electionTicksMax: number;

  constructor(plan: SimPlan, kind: EngineKind) {
    this.plan = plan;
    this.#kind = kind;
    this.#diskRandom = stream(plan.seed, STREAM.disk);
    const { electionTimeoutMsMin, electionTimeoutMsMax, tickMs } = plan.raft;
    this.#electionTicksMin = Math.ceil(electionTimeoutMsMin / tickMs);
    this.#electionTicksMax = Math.ceil(electionTimeoutMsMax / tickMs);
    const size = plan.voters + plan.spares;
    this.network = new SimNetwork(size, { queue: this.queue, random: stream(plan.seed, STREAM.network), plan: plan.network, deliver: (to, frame) => this.#arrive(to, frame) });
    this.peers = Array.from({ length: size }, (_, slot) => new SimPeer(slot, plan.seed, plan.witness && slot === plan.voters - 1));
    this.people = this.peers.filter((peer) => !peer.isWitness);
    this.#found();
  }

  /** Two runs were the same when these agree. */
  get hash(): string {
    return this.#hash.digest();
  }

  /** Mixes something into the run's hash. */
  mark(...values: readonly number[]): void {
    this.#hash.add(this.queue.now);
    for (const value of values) this.#hash.add(value);
  }

  peerOf(id: PeerId): SimPeer | undefined {
    const slot = this.#slots.get(id);
    const peer = slot === undefined ? undefined : this.peers[slot];
    return peer?.id === id ? peer : undefined;
  }

  /** Peers that believe they lead and are awake, lowest slot first. */
  leaders(): SimPeer[] {
    return this.peers.filter((peer) => peer.isAwake && peer.engine?.machine.role === "leader");
  }

  /** Starts a peer on what its disk holds. */
  start(peer: SimPeer): void {
    if (peer.engine !== undefined) return;
    peer.life += 1;
    const { sheet } = peer;
    const engine = this.#guard(peer, () => this.#kind.start({ id: peer.id, config: this.plan.raft, random: peer.random, restored: sheet.disk.restore() }));
    peer.engine = engine;
    sheet.engine = engine;
    this.#judgeStart(sheet, engine);
    this.mark(1, peer.slot, engine.machine.term);
    this.log?.(`${peer.id} starts`);
    this.#scheduleTick(peer, between(peer.random, 0, this.plan.raft.tickMs * MS));
    this.act(peer, () => undefined);
  }

  /** Ends a peer's process. What was on its way to the disk is there afterwards, or it is not. */
  crash(peer: SimPeer, survives: number): void {
    if (peer.engine === undefined) return;
    if (peer.engine.machine.role === "leader") this.coverage.hit("leader-crashed");
    const kept = chance(peer.random, survives);
    if (peer.disk.crash(kept)) this.coverage.hit(kept ? "torn-write-kept" : "torn-write-lost");
    judgeDurable(peer.sheet);
    peer.life += 1;
    peer.engine = undefined;
    peer.sheet.engine = undefined;
    peer.frozen = false;
    peer.inbox.length = 0;
    peer.overdueTicks = 0;
    peer.unreportedWrite = undefined;
    this.#pending[peer.slot]?.clear();
    this.mark(2, peer.slot);
    this.log?.(`${peer.id} crashes`);
    for (const other of this.peers) if (other !== peer) this.network.reset(peer.slot, other.slot);
  }

  /** A peer whose storage is gone comes back under a new id (never under the old one). It must be down. */
  wipe(peer: SimPeer): void {
    this.#slots.delete(peer.id);
    peer.id = peer.nextId();
    this.#enrol(peer, new DiskImage(undefined, decodeMembership));
    this.coverage.hit("wiped");
  }

  /** The page stops running: nothing is processed, the wires look healthy. */
  freeze(peer: SimPeer): void {
    if (!peer.isAwake) return;
    if (peer.engine?.machine.role === "leader") this.coverage.hit("leader-frozen");
    peer.frozen = true;
    this.mark(3, peer.slot);
    this.log?.(`${peer.id} freezes`);
  }

  /** The page runs again: what arrived comes before the ticks that fell due, or after them. */
  thaw(peer: SimPeer): void {
    if (!peer.frozen || peer.engine === undefined) return;
    peer.frozen = false;
    this.mark(4, peer.slot);
    this.log?.(`${peer.id} thaws`);
    const ticks = Math.min(peer.overdueTicks, pick(peer.random, [0, 1, 3, 1_000]));
    peer.overdueTicks = 0;
    const frames = peer.inbox.splice(0);
    const done = peer.unreportedWrite;
    peer.unreportedWrite = undefined;
    const ticksFirst = chance(peer.random, 0.5);
    const runTicks = (): void => {
      for (let i = 0; i < ticks; i += 1) this.#tick(peer);
    };
    if (ticksFirst) runTicks();
    if (done !== undefined) this.act(peer, (engine) => engine.writeDone(done));
    for (const frame of frames) this.#receive(peer, frame);
    if (!ticksFirst) runTicks();
  }

  /** Does something to a peer's engine, then everything the engine wants done. */
  act<T>(peer: SimPeer, action: (engine: SimEngine) => T): T | undefined {
    const { engine } = peer;
    if (engine === undefined || peer.frozen) return undefined;
    this.#count();
    const result = this.#guard(peer, () => action(engine));
    this.#drain(peer, engine);
    return result;
  }

  /** Asks something of a peer's engine that is settled later; false when the peer is not awake. */
  ask(peer: SimPeer, kind: Pending["kind"], call: (engine: SimEngine) => number, settle: Pending["settle"]): boolean {
    const { engine } = peer;
    if (engine === undefined || peer.frozen) return false;
    this.#count();
    const { term, role } = engine.machine;
    const committed = this.history.committed;
    const ticket = this.#guard(peer, () => call(engine));
    this.#pending[peer.slot]?.set(ticket, { kind, at: this.queue.now, committed, term, led: role === "leader", settle });
    this.#drain(peer, engine);
    return true;
  }

  #count(): void {
    this.events += 1;
    demand("L7", this.events < EVENTS_MAX, () => `more than ${EVENTS_MAX} events in one run: a storm`);
  }

  /** An id that is gone for ever: its storage was lost. */
  isGone(id: PeerId): boolean {
    return this.peerOf(id) === undefined;
  }

  /** The founding voters find the same first entry on their disks; everybody else finds nothing. */
  #found(): void {
    const voters = this.peers.slice(0, this.plan.voters).map((peer) => peer.id).sort();
    for (const peer of this.peers) {
      this.#pending.push(new Map());
      const restored = peer.slot < this.plan.voters ? bootstrapState(peer.id, voters) : undefined;
      this.#enrol(peer, new DiskImage(restored, decodeMembership));
      for (const entry of restored?.entries ?? []) {
        if (entry.index <= this.history.committed) continue;
        this.history.commit(entry.term, 0);
        this.history.learn(entry.index, { term: entry.term, hash: hashEntry(entry), shape: hashShape(entry), previousTerm: 0 });
      }
    }
  }

  #enrol(peer: SimPeer, image: DiskImage): void {
    this.#slots.set(peer.id, peer.slot);
    peer.sheet = {
      id: peer.id, disk: new SimDisk(image, this.#kind.records?.()), engine: undefined, term: 0, role: "learner", commit: 0,
      membership: { voters: [], votersOutgoing: [], learners: [], learnersNext: [] }, durableVotes: new Map(), patience: new Map(),
      ticks: 0, contact: undefined, heard: new Map(), stood: 0, ledSinceTicks: 0, echoes: new Map(), nextCommand: 0, applied: 0,
    };
    this.history.nodes.set(peer.id, peer.sheet);
  }

  #judgeStart(sheet: NodeSheet, { machine, appliedIndex }: SimEngine): void {
    const { durable } = sheet.disk;
    demand("I7", machine.term >= durable.hardState.term, () => `${sheet.id} restarts in term ${machine.term}, durable: ${durable.hardState.term}`);
    demand("I7", machine.commitIndex >= durable.hardState.commit, () => `${sheet.id} restarts with commit ${machine.commitIndex}, durable: ${durable.hardState.commit}`);
    demand("I6", machine.commitIndex <= this.history.committed, () => `${sheet.id} restarts with commit ${machine.commitIndex}, committed: ${this.history.committed}`);
    demand("D3", machine.lastIndex === durable.lastIndex, () => `${sheet.id} restarts with a log to ${machine.lastIndex}, durable: ${durable.lastIndex}`);
    demand("I1", machine.role !== "leader", () => `${sheet.id} restarts as leader`);
    sheet.term = machine.term;
    sheet.role = machine.role;
    sheet.commit = machine.commitIndex;
    sheet.membership = machine.membership;
    sheet.ticks = 0;
    sheet.contact = undefined;
    sheet.patience.clear();
    sheet.applied = Math.max(durable.snapshotIndex, Math.min(appliedIndex, durable.snapshotIndex));
    sheet.nextCommand = this.model.firstAfter(sheet.applied);
  }

  #scheduleTick(peer: SimPeer, delay: number): void {
    const { life } = peer;
    this.queue.after(delay, () => {
      if (peer.life !== life) return;
      if (peer.frozen) peer.overdueTicks += 1;
      else this.#tick(peer);
      if (peer.life === life) this.#scheduleTick(peer, Math.round(this.plan.raft.tickMs * MS * peer.tickRate));
    });
  }

  #tick(peer: SimPeer): void {
    const { sheet } = peer;
    sheet.ticks += 1;
    const wall = 1_700_000_000_000 + Math.floor(this.queue.now / MS) + peer.wallOffsetMs;
    this.act(peer, (engine) => {
      engine.observeTime(wall);
      engine.tick();
    });
    // One whole timeout may already have begun when the last word was heard.
    judgeLeaderContact(sheet, 2 * this.#electionTicksMax + 2);
  }

  #arrive(slot: number, frame: SimFrame): void {
    const peer = this.peers[slot];
    if (peer === undefined || peer.engine === undefined || peer.id !== frame.to) return;
    if (peer.frozen) peer.keep(frame);
    else this.#receive(peer, frame);
  }

  #receive(peer: SimPeer, { from, bytes, messages }: SimFrame): void {
    const { sheet } = peer;
    sheet.heard.set(from, sheet.ticks);
    noteRequests(sheet, from, messages);
    if (this.log !== undefined) for (const message of messages) this.log(`${from} → ${peer.id} ${describeMessage(message)}`);
    this.mark(5, peer.slot, bytes.length);
    this.act(peer, (engine) => engine.receive(from, bytes));
    for (const { type, term } of messages) {
      const leads = type === "append" || type === "heartbeat" || type === "snapshot-chunk";
      if (leads && sheet.term === term && sheet.role !== "leader") sheet.contact = { term, ticks: sheet.ticks };
    }
  }

  #drain(peer: SimPeer, engine: SimEngine, mayHold = true): void {
    this.#judgeView(peer);
    const { share, max } = this.plan.hold;
    const options = mayHold && share > 0 && chance(peer.random, share) ? HOLD_NEWS : undefined;
    for (let turn = 0; engine.hasWork(options); turn += 1) {
      demand("L7", turn < TURNS_MAX, () => `${peer.id} never runs out of work`);
      const work = this.#guard(peer, () => engine.takeWork(options));
      this.#send(peer, work);
      if (work.write !== undefined) this.#write(peer, work.write);
      for (const applied of work.applied) this.model.judge(peer.sheet, applied, (client, serial) => this.proposed.has(`${client} ${serial}`));
      if (work.applied.length > 0) {
        this.mark(6, peer.slot, peer.sheet.applied, engine.kv.digest);
        this.model.judgeState(peer.sheet, engine.kv.digest);
        if (work.applied.some(({ type }) => type === "install")) this.coverage.hit("snapshot-installed");
      }
      this.#judgeView(peer);
      for (const { ticket, outcome } of work.settled) this.#settle(peer, ticket, outcome);
    }
    if (options !== undefined && engine.hasWork()) this.#tellLater(peer, between(peer.random, 0, max));
    const { snapshotEvery } = this.plan;
    if (snapshotEvery > 0 && engine.appliedIndex - engine.machine.snapshotIndex >= snapshotEvery && peer.disk.pending === undefined) {
      if (this.#guard(peer, () => engine.compact())) {
        this.coverage.hit("compacted");
        this.#drain(peer, engine);
      }
    }
  }

  /** News that were held are told, unless an append took them along by then. */
  #tellLater(peer: SimPeer, delay: number): void {
    const { life } = peer;
    this.coverage.hit("news-held");
    this.queue.after(delay, () => {
      if (peer.life === life && peer.engine !== undefined && !peer.frozen) this.#drain(peer, peer.engine, false);
    });
  }

  #judgeView(peer: SimPeer): void {
    const { sheet } = peer;
    const joint = sheet.membership.votersOutgoing.length > 0;
    if (peer.engine !== undefined && peer.engine.machine.membership !== sheet.membership) this.#noteMemberships(peer.engine);
    const change = judgeView(this.history, sheet);
    if (this.log !== undefined) this.#logView(sheet);
    if (change.becameLeader) {
      const parting = this.history.partings.get(sheet.term)?.some(({ to }) => to === peer.id) ?? false;
      this.coverage.elected(peer.id, sheet, { joint, parting });
      this.mark(7, peer.slot, sheet.term);
    }
    if (change.ceasedToLead) this.coverage.hit("leader-stepped-down");
    if (change.byWitness) this.coverage.hit("committed-by-witness");
    if (change.committed > 0) this.mark(8, peer.slot, sheet.commit);
    this.coverage.viewed(sheet);
  }

  #noteMemberships({ machine }: SimEngine): void {
    for (const { index, term, kind, data } of machine.entries(this.history.committed + 1, machine.lastIndex)) {
      if (kind === ENTRY_MEMBERSHIP) this.history.noteMembership({ index, term, membership: decodeMembership(data) });
    }
  }

  #logView({ id, term, role, commit, membership }: NodeSheet): void {
    const view = `${id} is ${role} in term ${term}, commit ${commit}, ${describeMembership(membership)}`;
    if (this.#views.get(id) === view) return;
    this.#views.set(id, view);
    this.log?.(view);
  }

  #send(peer: SimPeer, { frames }: EngineWork): void {
    for (const { to, bytes, messages } of frames) {
      for (const message of messages) {
        judgeSent(this.history, { from: peer.sheet, to, message, now: this.queue.now, patienceTicks: this.#electionTicksMin - 1 });
        this.coverage.sent(peer.id, message);
        this.log?.(`${peer.id} sends ${to} ${describeMessage(message)}`);
      }
      this.mark(9, peer.slot, hashText(to), bytes.length);
      this.#hash.addBytes(bytes);
      demand("T2", to !== peer.id, () => `${peer.id} sends a frame to itself`);
      const target = this.#slots.get(to);
      if (target !== undefined) this.network.send(peer.slot, target, { from: peer.id, to, bytes, messages });
    }
  }

  #write(peer: SimPeer, write: NonNullable<EngineWork["write"]>): void {
    const { sheet } = peer;
    judgeWrite(this.history, sheet, write);
    judgeMembershipEntries(this.history, sheet, write, decodeMembership);
    if (write.truncateAfter !== undefined && write.snapshot === undefined && write.truncateAfter < sheet.disk.durable.lastIndex) this.coverage.hit("truncated");
    sheet.disk.pending = write;
    this.log?.(`${peer.id} writes #${write.id}${write.hardState === undefined ? "" : ` term ${write.hardState.term} vote ${String(write.hardState.vote)}`}${write.snapshot === undefined ? "" : ` snapshot ${write.snapshot.index}`}${write.truncateAfter === undefined ? "" : ` cut after ${write.truncateAfter}`}${write.entries.length === 0 ? "" : ` entries ${write.entries[0]?.index}..${write.entries.at(-1)?.index}`}`);
    this.mark(10, peer.slot, write.id, write.entries.length);
    const { writeMin, writeMax } = this.plan.disk;
    this.#finishWrite(peer, peer.life, between(this.#diskRandom, writeMin, writeMax));
  }

  #finishWrite(peer: SimPeer, life: number, delay: number): void {
    this.queue.after(delay, () => {
      const { disk, sheet } = peer;
      if (peer.life !== life || disk.pending === undefined) return;
      if (disk.stalledUntil > this.queue.now) return this.#finishWrite(peer, life, disk.stalledUntil - this.queue.now);
      if (disk.fullUntil > this.queue.now) {
        this.coverage.hit("write-refused");
        return this.#finishWrite(peer, life, RETRY_WRITE);
      }
      const { id } = disk.pending;
      disk.complete();
      judgeDurable(sheet);
      this.mark(11, peer.slot, id);
      this.log?.(`${peer.id} has written #${id}`);
      if (peer.frozen) peer.unreportedWrite = id;
      else this.act(peer, (engine) => engine.writeDone(id));
    });
  }

  #settle(peer: SimPeer, ticket: number, outcome: Outcome): void {
    const pending = this.#pending[peer.slot]?.get(ticket);
    if (pending === undefined) return;
    this.#pending[peer.slot]?.delete(ticket);
    if (outcome.outcome === "read") {
      demand("I18", outcome.index >= pending.committed, () => `${peer.id} reads at ${outcome.index}; ${pending.committed} was committed when it was asked`);
      const { sheet } = peer;
      if (pending.led && sheet.role === "leader" && sheet.term === pending.term) judgeReadAuthority(this.history, sheet, { term: sheet.term, since: pending.at });
      else this.coverage.hit("read-by-follower");
    }
    pending.settle(outcome, peer);
  }

  /** Nothing a peer is given may make it throw. */
  #guard<T>(peer: SimPeer, run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof Violation) throw error;
      throw new Violation("T1", `${peer.id} threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
}

/** A message in a few words. */
function describeMessage(message: Message): string {
  const { type, ...fields } = message;
  const words = Object.entries(fields).map(([name, value]) => {
    if (Array.isArray(value)) return `${name} [${value.length}]`;
    return `${name} ${typeof value === "object" && value !== null ? "…" : String(value)}`;
  });
  return `${type} (${words.join(", ")})`;
}
