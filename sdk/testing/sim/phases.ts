// After the faults: first only a random core that can decide is healed and everything else stays broken for good (liveness), then
// everything is healed (convergence). Progress is judged in election timeouts; a group that still moves is given more time.
import { below, type PeerId, type Random } from "../../base/index.ts";
import type { SimClient } from "./clients.ts";
import { between, pick, shuffled } from "./draw.ts";
import { canDecide, type Faults } from "./faults.ts";
import type { Keeper } from "./keeper.ts";
import { encodeCommand } from "./kv.ts";
import type { SimPeer } from "./peer.ts";
import { describeMembership } from "./rules-writes.ts";
import { demand } from "./violation.ts";
import type { SimWorld } from "./world.ts";

const MS = 1_000;
/** L1: a core has a leader within this many election timeouts. */
const LEADER_TIMEOUTS_MAX = 10;
/** Nothing at all may stand still for longer than this many election timeouts while something is to be done. */
const STANDSTILL_TIMEOUTS_MAX = 20;
/** Clients go on for this long while members catch up; then they stop, because limits of one entry per round trip may never carry both. */
const LOADED_TIMEOUTS_MAX = 40;
/** However slowly it moves, it is done by then. */
const PATIENCE_TIMEOUTS_MAX = 1_000;

/** What the two phases measured, in election timeouts. */
export interface Healing {
  /** False when no core could be chosen: what is left of some membership in force can not decide. */
  readonly hadCore: boolean;
  readonly coreSize: number;
  /** From the healing of the core to a leader that the core follows. */
  readonly leaderAfter: number;
  readonly convergedAfter: number;
}

export class Phases {
  readonly #world: SimWorld;
  readonly #faults: Faults;
  readonly #keeper: Keeper;
  readonly #clients: readonly SimClient[];
  readonly #random: Random;
  readonly #timeout: number;
  #probes = 0;

  constructor(world: SimWorld, parts: { readonly faults: Faults; readonly keeper: Keeper; readonly clients: readonly SimClient[]; readonly random: Random }) {
    this.#world = world;
    this.#faults = parts.faults;
    this.#keeper = parts.keeper;
    this.#clients = parts.clients;
    this.#random = parts.random;
    this.#timeout = world.plan.raft.electionTimeoutMsMax * MS;
  }

  /** Runs both phases to their end; throws the violation of the first that fails. */
  run(): Healing {
    const core = this.#chooseCore();
    this.#calm();
    const hadCore = core !== undefined;
    if (hadCore && this.#needsWitness(core)) this.#world.coverage.hit("core-needs-witness");
    const leaderAfter = hadCore ? this.#judgeCore(core) : 0;
    const convergedAfter = this.#judgeConvergence();
    return { hadCore, coreSize: core?.length ?? 0, leaderAfter, convergedAfter };
  }

  /** The fewest peers, in random order, that hold a quorum of every membership in force, and then some. */
  #chooseCore(): SimPeer[] | undefined {
    const { peers } = this.#world;
    const order = shuffled(this.#random, peers);
    const decides = (core: readonly SimPeer[]): boolean => {
      const ids = new Set<PeerId>(core.map((peer) => peer.id));
      return canDecide(this.#world, (id) => ids.has(id));
    };
    for (let size = 1; size <= order.length; size += 1) {
      if (decides(order.slice(0, size))) return order.slice(0, size + below(this.#random, order.length - size + 1));
    }
    return undefined;
  }

  #needsWitness(core: readonly SimPeer[]): boolean {
    const people = new Set<PeerId>(core.filter((peer) => !peer.isWitness).map((peer) => peer.id));
    return !canDecide(this.#world, (id) => people.has(id));
  }

  /** Ends what is not tied to a peer or a link. */
  #calm(): void {
    const { network, peers } = this.#world;
    network.noisy = false;
    network.slowness = 1;
    this.#keeper.active = false;
    for (const peer of peers) peer.tickRate = 1;
  }

  #judgeCore(core: readonly SimPeer[]): number {
    const outside = this.#world.peers.filter((peer) => !core.includes(peer));
    this.#faults.healLinks();
    for (const peer of outside) this.#breakForGood(peer, core);
    for (const peer of core) this.#repair(peer);
    const start = this.#world.queue.now;
    const elected = this.#await("L1", () => this.#coreLeader(core) !== undefined, { peers: core, timeouts: LEADER_TIMEOUTS_MAX, strict: true, what: "a core elects a leader it follows" });
    this.#commitProbe(core, "L1");
    this.#await("L5", () => this.#isSettled(core), { peers: core, timeouts: STANDSTILL_TIMEOUTS_MAX, strict: false, what: "a joint membership is left" });
    return (elected - start) / this.#timeout;
  }

  /** A peer outside the core stays broken: gone, frozen, cut off both ways or one way, or with a dead disk and no links. */
  #breakForGood(peer: SimPeer, core: readonly SimPeer[]): void {
    const world = this.#world;
    peer.faultEpoch += 1;
    const others = world.peers.filter((each) => each !== peer).map((each) => each.slot);
    const into = others.map((slot) => [slot, peer.slot] as const);
    const out = others.map((slot) => [peer.slot, slot] as const);
    switch (between(this.#random, 0, 4)) {
      case 0:
        return world.crash(peer, 0.5);
      case 1:
        if (core.length > 0 && peer.engine === undefined) world.start(peer);
        return world.freeze(peer);
      case 2:
        return this.#faults.cut([...into, ...out]);
      case 3:
        this.#wake(peer);
        return this.#faults.cut(into);
      default:
        this.#wake(peer);
        return this.#faults.cut(out);
    }
  }

  #wake(peer: SimPeer): void {
    this.#world.start(peer);
    this.#world.thaw(peer);
  }

  #repair(peer: SimPeer): void {
    peer.faultEpoch += 1;
    peer.disk.stalledUntil = 0;
    peer.disk.fullUntil = 0;
    this.#wake(peer);
  }

  /** The one leader that every voter of the core follows in its term, if there is one. */
  #coreLeader(core: readonly SimPeer[]): SimPeer | undefined {
    const leader = core.find((peer) => peer.isAwake && peer.engine?.machine.role === "leader" && core.every((each) => (each.engine?.machine.term ?? 0) <= (peer.engine?.machine.term ?? 0)));
    const machine = leader?.engine?.machine;
    if (leader === undefined || machine === undefined) return undefined;
    const follows = (peer: SimPeer): boolean => !machine.membership.voters.includes(peer.id) || (peer.engine?.machine.leader === leader.id && peer.engine.machine.term === machine.term);
    return core.every(follows) ? leader : undefined;
  }

  #isSettled(core: readonly SimPeer[]): boolean {
    const machine = this.#coreLeader(core)?.engine?.machine;
    return machine !== undefined && machine.membership.votersOutgoing.length === 0;
  }

  /** A command proposed by somebody of these commits, and they learn of it. */
  #commitProbe(peers: readonly SimPeer[], rule: string): void {
    const world = this.#world;
    this.#probes += 1;
    const client = `probe${this.#probes}`;
    const payload = encodeCommand({ kind: "write", key: 8, value: this.#probes });
    world.proposed.add(`${client} 1`);
    const members = peers.filter((peer) => !peer.isWitness && this.#coreLeader(peers)?.engine?.machine.membership.voters.includes(peer.id));
    const from = pick(this.#random, members.length > 0 ? members : peers.filter((peer) => !peer.isWitness));
    let settled = false;
    const propose = (): void => {
      if (settled) return;
      world.ask(from, "propose", (engine) => engine.propose(client, 1, payload), (outcome) => (settled ||= outcome.outcome === "committed"));
      world.queue.after(this.#timeout, propose);
    };
    propose();
    this.#await(rule, () => world.model.effects.has(`${client} 1`), { peers, timeouts: STANDSTILL_TIMEOUTS_MAX, strict: false, what: "a command commits" });
    settled = true;
  }

  /** Everything is healed: all members end with the same log, the same state and one leader. */
  #judgeConvergence(): number {
    const world = this.#world;
    this.#faults.healLinks();
    for (const peer of world.peers) this.#repair(peer);
    const start = world.queue.now;
    if (!canDecide(world, (id) => !world.isGone(id))) return 0;
    this.#await("L1", () => this.#coreLeader(world.peers) !== undefined, { peers: world.peers, timeouts: 2 * LEADER_TIMEOUTS_MAX, strict: true, what: "a healed group elects a leader" });
    this.#commitProbe(world.peers, "L1");
    if (this.#waits(() => this.#converged(), start + LOADED_TIMEOUTS_MAX * this.#timeout)) world.coverage.hit("converged-under-load");
    for (const client of this.#clients) client.stop();
    const end = this.#await("L4", () => this.#converged(), { peers: world.peers, timeouts: STANDSTILL_TIMEOUTS_MAX, strict: false, what: "all members catch up" });
    return (end - start) / this.#timeout;
  }

  #converged(): boolean {
    const world = this.#world;
    const machine = this.#coreLeader(world.peers)?.engine?.machine;
    if (machine === undefined || machine.membership.votersOutgoing.length > 0 || machine.commitIndex !== machine.lastIndex) return false;
    const members = [...machine.membership.voters, ...machine.membership.learners];
    return members.every((id) => {
      const engine = world.peerOf(id)?.engine;
      return world.isGone(id) || (engine !== undefined && engine.appliedIndex === machine.commitIndex && engine.machine.stableIndex === machine.lastIndex);
    });
  }

  /** Steps until `holds`, at most until `limit`; false when it did not hold by then. */
  #waits(holds: () => boolean, limit: number): boolean {
    const { queue } = this.#world;
    while (!holds() && queue.now < limit) {
      const until = Math.min(limit, queue.now + this.#timeout / 8);
      while (queue.step(until));
    }
    return holds();
  }

  /** Steps until `holds`; throws when it takes longer than allowed, or (not strict) when nothing moved for that long. */
  #await(rule: string, holds: () => boolean, { peers, timeouts, strict, what }: { readonly peers: readonly SimPeer[]; readonly timeouts: number; readonly strict: boolean; readonly what: string }): number {
    const { queue } = this.#world;
    const begun = queue.now;
    let moved = queue.now;
    let progress = this.#progress(peers);
    while (!holds()) {
      const patience = begun + PATIENCE_TIMEOUTS_MAX * this.#timeout;
      const limit = strict ? begun + timeouts * this.#timeout : Math.min(moved + timeouts * this.#timeout, patience);
      const allowed = strict ? `${timeouts}` : limit === patience ? `${PATIENCE_TIMEOUTS_MAX}` : `a standstill of ${timeouts}`;
      demand(rule, queue.now < limit, () => `not within ${allowed} election timeouts: ${what}\n${this.#describe()}`);
      const until = Math.min(limit, queue.now + this.#timeout / 8);
      while (queue.step(until));
      const now = this.#progress(peers);
      if (now > progress) moved = queue.now;
      progress = Math.max(progress, now);
    }
    return queue.now;
  }

  #progress(peers: readonly SimPeer[]): number {
    let sum = this.#world.history.committed;
    for (const { disk, engine } of peers) sum += disk.durable.lastIndex + (engine?.appliedIndex ?? 0) + (engine?.machine.commitIndex ?? 0) + (engine?.machine.membership.votersOutgoing.length ?? 0);
    return sum + this.#world.coverage.count("snapshot-progress");
  }

  #describe(): string {
    return this.#world.peers.map(({ id, engine, frozen }) => {
      const machine = engine?.machine;
      if (machine === undefined) return `  ${id}: down`;
      return `  ${id}: ${machine.role}${frozen ? " (frozen)" : ""} term ${machine.term} leader ${String(machine.leader)} commit ${machine.commitIndex} last ${machine.lastIndex} snapshot ${machine.snapshotIndex} ${describeMembership(machine.membership)}`;
    }).join("\n");
  }
}
