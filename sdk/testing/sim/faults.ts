// What each planned disturbance does to the world, and how it ends.
import { fraction, seededRandom, type LogIndex, type PeerId, type Random, type Term } from "../../base/index.ts";
import { isWitness, type Membership } from "../../raft/index.ts";
import { between, chance, pick, shuffled } from "./draw.ts";
import { isQuorum, isVoter, type NodeSheet } from "./history.ts";
import { drawChange, type Keeper } from "./keeper.ts";
import { encodeCommand } from "./kv.ts";
import type { SimPeer } from "./peer.ts";
import type { Fault } from "./plan.ts";
import { demand } from "./violation.ts";
import type { SimWorld } from "./world.ts";

/** Serials one burst client uses before it becomes another. */
const BURST_SERIALS_MAX = 500;

type Directed = readonly [from: number, to: number];

/** Applies faults and remembers what must be undone when everything is healed. */
export class Faults {
  readonly #world: SimWorld;
  readonly #keeper: Keeper;
  /** Partitions in force, each with the directions it blocks. */
  readonly #partitions = new Set<readonly Directed[]>();
  readonly #bursts = new Map<PeerId, number>();

  constructor(world: SimWorld, keeper: Keeper) {
    this.#world = world;
    this.#keeper = keeper;
  }

  /** Schedules the seed's faults. */
  schedule(faults: readonly Fault[]): void {
    for (const fault of faults) this.#world.queue.at(fault.at, () => this.apply(fault));
  }

  apply(fault: Fault): void {
    const world = this.#world;
    if (world.queue.now >= world.plan.faultsEnd) return;
    const random = seededRandom(fault.salt);
    const leader = world.leaders()[0];
    const victim = leader !== undefined && chance(random, 0.4) ? leader : pick(random, world.peers);
    world.mark(20, fault.number);
    world.log?.(`fault ${fault.number}: ${fault.kind} of ${victim.id}`);
    const done = this.#do(fault, { random, leader, victim });
    if (done) world.coverage.fault(fault.kind);
  }

  /** Undoes every partition at once. */
  healLinks(): void {
    for (const partition of this.#partitions) this.#unblock(partition);
  }

  /** Cuts directions for good (until `healLinks`). */
  cut(directions: readonly Directed[]): void {
    for (const [from, to] of directions) this.#world.network.block(from, to, true);
    this.#partitions.add(directions);
  }

  #do(fault: Fault, { random, leader, victim }: { random: Random; leader: SimPeer | undefined; victim: SimPeer }): boolean {
    const world = this.#world;
    const { lasts } = fault;
    switch (fault.kind) {
      case "crash-tab":
        return this.#crash(victim, lasts, 0.5);
      case "crash-power":
        return this.#crash(victim, lasts, 0.1);
      case "crash-leader-after-append":
        return leader !== undefined && this.#crashAfterAppend(leader, lasts);
      case "freeze":
        return this.#freeze(victim, lasts);
      case "clock-rate":
        return this.#clockRate(victim, 0.5 + 1.5 * fraction(random), lasts);
      case "clock-jump":
        return this.#clockJump(victim, random);
      case "isolate":
      case "split":
      case "ring":
      case "star":
      case "one-way-in":
      case "one-way-out":
      case "random-graph":
        return this.#partition(drawPartition(fault.kind, { random, size: world.peers.length, victim: victim.slot }), { victim, lasts, oneWay: fault.kind.startsWith("one-way") });
      case "swizzle-clog":
        return this.#swizzle(random, lasts);
      case "channel-reset": {
        for (const other of world.peers) if (other !== victim && chance(random, 0.6)) world.network.reset(victim.slot, other.slot);
        world.coverage.hit("channel-reset");
        return true;
      }
      case "slow-links":
        world.network.slowness = between(random, 2, 20);
        world.queue.after(lasts, () => (world.network.slowness = 1));
        return true;
      case "disk-stall":
        victim.disk.stalledUntil = Math.max(victim.disk.stalledUntil, world.queue.now + lasts);
        if (victim === leader) world.coverage.hit("leader-stalled");
        return true;
      case "disk-full":
        victim.disk.fullUntil = Math.max(victim.disk.fullUntil, world.queue.now + lasts);
        return true;
      case "wipe":
        return this.#wipe(victim, lasts);
      case "membership": {
        const membership = leader?.engine?.machine.membership;
        if (leader === undefined || membership === undefined) return false;
        this.#keeper.ask(leader, drawChange(random, membership, world.peers.map((peer) => peer.id)));
        return true;
      }
      case "transfer":
        return leader !== undefined && this.#transfer(leader, random);
      case "part":
        return this.#part(leader ?? victim, lasts);
      case "lone-removal":
        return this.#loneRemoval(leader, lasts);
      case "compact":
        return world.act(victim, (engine) => engine.compact()) ?? false;
      case "burst":
        return this.#burst(victim, between(random, 5, 60));
    }
  }

  #crash(peer: SimPeer, lasts: number, survives: number): boolean {
    if (peer.engine === undefined) return false;
    this.#world.crash(peer, survives);
    this.#restartAfter(peer, lasts);
    return true;
  }

  #restartAfter(peer: SimPeer, lasts: number): void {
    const epoch = (peer.faultEpoch += 1);
    this.#world.queue.after(lasts, () => {
      if (peer.faultEpoch === epoch) this.#world.start(peer);
    });
  }

  /** The leader dies in the instant after it told others of new entries: what Figure 8 needs. */
  #crashAfterAppend(leader: SimPeer, lasts: number): boolean {
    this.#propose(leader, 1);
    this.#world.queue.after(between(leader.random, 0, 2 * this.#world.plan.network.latencyMax), () => this.#crash(leader, lasts, 0.5));
    return true;
  }

  #freeze(peer: SimPeer, lasts: number): boolean {
    if (!peer.isAwake) return false;
    this.#world.freeze(peer);
    const epoch = (peer.faultEpoch += 1);
    this.#world.queue.after(lasts, () => {
      if (peer.faultEpoch === epoch) this.#world.thaw(peer);
    });
    return true;
  }

  #clockRate(peer: SimPeer, rate: number, lasts: number): boolean {
    peer.tickRate = rate;
    this.#world.queue.after(lasts, () => (peer.tickRate = 1));
    return true;
  }

  /** The wall clock jumps, either way. The protocol never looks at it, the log's times must not go back. */
  #clockJump(peer: SimPeer, random: Random): boolean {
    peer.wallOffsetMs += between(random, -3_600_000, 3_600_000);
    this.#world.coverage.hit("clock-jumped");
    return true;
  }

  #partition(directions: readonly Directed[], { victim, lasts, oneWay }: { victim: SimPeer; lasts: number; oneWay: boolean }): boolean {
    if (directions.length === 0) return false;
    const leads = victim.engine?.machine.role === "leader" && directions.some(([from]) => from === victim.slot);
    if (leads) this.#world.coverage.hit("leader-isolated");
    if (oneWay) this.#world.coverage.hit("one-way-partition");
    this.cut(directions);
    this.#world.queue.after(lasts, () => this.#unblock(directions));
    return true;
  }

  #unblock(partition: readonly Directed[]): void {
    if (!this.#partitions.delete(partition)) return;
    for (const [from, to] of partition) this.#world.network.block(from, to, false);
  }

  /** Clogs a random subset one by one and unclogs it in another order (FoundationDB). */
  #swizzle(random: Random, lasts: number): boolean {
    const { peers, queue } = this.#world;
    const chosen = shuffled(random, peers).slice(0, between(random, 1, peers.length));
    const ends = shuffled(random, chosen.map((_, i) => i));
    chosen.forEach((peer, i) => {
      const directions = peers.flatMap((other): Directed[] => (other === peer ? [] : [[peer.slot, other.slot], [other.slot, peer.slot]]));
      queue.after((lasts * i) / (2 * chosen.length), () => {
        if (queue.now >= this.#world.plan.faultsEnd) return;
        this.cut(directions);
        queue.after(lasts / 2 + (lasts * (ends[i] ?? 0)) / (2 * chosen.length), () => this.#unblock(directions));
      });
    });
    return true;
  }

  /** The storage is gone; the tab comes back as somebody else. Not when the group could then never decide again. */
  #wipe(peer: SimPeer, lasts: number): boolean {
    const world = this.#world;
    const survivors = (id: PeerId): boolean => id !== peer.id && !world.isGone(id);
    if (!canDecide(world, survivors)) return false;
    world.crash(peer, 0);
    world.wipe(peer);
    this.#restartAfter(peer, lasts);
    return true;
  }

  #transfer(leader: SimPeer, random: Random): boolean {
    const { coverage } = this.#world;
    const to = pick(random, leader.engine?.machine.membership.voters ?? [leader.id]);
    coverage.hit("transfer-asked");
    return this.#world.ask(leader, "other", (engine) => engine.transferLeadership(to), (outcome) => {
      coverage.hit(outcome.outcome === "done" ? "transfer-done" : "transfer-refused");
    });
  }

  /** A tab says goodbye, closes, and is opened again later. */
  #part(peer: SimPeer, lasts: number): boolean {
    if (!peer.isAwake) return false;
    this.#world.act(peer, (engine) => engine.part());
    // The page lives on for an instant; its last words must be out before it is gone.
    this.#world.queue.after(between(peer.random, 0, 2 * this.#world.plan.network.latencyMax), () => this.#crash(peer, lasts, 0.5));
    return true;
  }

  /** In a two-voter group the other tab is gone, and the leader goes on alone. */
  #loneRemoval(leader: SimPeer | undefined, lasts: number): boolean {
    const membership = leader?.engine?.machine.membership;
    if (leader === undefined || membership?.voters.length !== 2 || membership.votersOutgoing.length > 0) return false;
    const other = membership.voters.find((id) => id !== leader.id);
    const gone = other === undefined ? undefined : this.#world.peerOf(other);
    if (gone !== undefined && chance(leader.random, 0.7)) this.#crash(gone, lasts, 0.5);
    this.#keeper.ask(leader, { voters: [leader.id], learners: membership.learners });
    return true;
  }

  #burst(peer: SimPeer, count: number): boolean {
    if (!peer.isAwake) return false;
    this.#propose(peer, count);
    return true;
  }

  /** Proposals nobody waits for. */
  #propose(peer: SimPeer, count: number): void {
    for (let i = 0; i < count; i += 1) {
      const sent = (this.#bursts.get(peer.id) ?? 0) + 1;
      this.#bursts.set(peer.id, sent);
      // Nobody retries these, so a client's floor may never rise: each stays well within the window of open serials.
      const [client, serial] = [`burst.${peer.id}.${Math.floor(sent / BURST_SERIALS_MAX)}`, (sent % BURST_SERIALS_MAX) + 1];
      const payload = encodeCommand({ kind: "write", key: 9, value: serial }, 20);
      this.#world.proposed.add(`${client} ${serial}`);
      this.#world.ask(peer, "propose", (engine) => engine.propose(client, serial, payload), () => undefined);
    }
  }
}

/** The directions a partition blocks. */
function drawPartition(kind: string, { random, size, victim }: { random: Random; size: number; victim: number }): Directed[] {
  const order = shuffled(random, Array.from({ length: size }, (_, slot) => slot));
  const place = new Map(order.map((slot, at) => [slot, at]));
  const left = new Set(order.slice(0, between(random, 1, Math.max(1, size - 1))));
  const blocked = (from: number, to: number): boolean => {
    const [a, b] = [place.get(from) ?? 0, place.get(to) ?? 0];
    switch (kind) {
      case "isolate":
        return from === victim || to === victim;
      case "split":
        return left.has(from) !== left.has(to);
      case "ring":
        return Math.abs(a - b) !== 1 && Math.abs(a - b) !== size - 1;
      case "star":
        return a !== 0 && b !== 0;
      case "one-way-in":
        return from === victim;
      case "one-way-out":
        return to === victim;
      default:
        return chance(random, 0.4);
    }
  };
  const directions: Directed[] = [];
  for (let from = 0; from < size; from += 1) {
    for (let to = 0; to < size; to += 1) if (from !== to && blocked(from, to)) directions.push([from, to]);
  }
  return directions;
}

/**
 * Whether those for whom `isThere` holds can elect a leader and commit, when they are left in peace. A quorum of every membership in force can, but
 * where a witness votes one of them must hold everything anybody holds, with content: what a witness holds beyond that it refuses its vote over.
 */
export function canDecide(world: Pick<SimWorld, "history" | "isGone">, isThere: (id: PeerId) => boolean): boolean {
  const memberships = membershipsInForce(world);
  if (!memberships.every((membership) => isQuorum(membership, isThere))) return false;
  if (!memberships.some(({ voters, votersOutgoing }) => voters.some(isWitness) || votersOutgoing.some(isWitness))) return true;
  const sheets = [...world.history.nodes.values()];
  // Also of those who are gone: what they told a witness it still holds.
  const holdsAll = ({ disk: { durable } }: NodeSheet): boolean => sheets.every(({ disk: { durable: other } }) => durable.lastTerm > other.lastTerm || (durable.lastTerm === other.lastTerm && durable.lastIndex >= other.lastIndex));
  return sheets.some((sheet) => isThere(sheet.id) && !isWitness(sheet.id) && memberships.every((membership) => isVoter(membership, sheet.id)) && holdsAll(sheet));
}

/**
 * Every membership that some node may still act by: the newest committed one and whatever was made after it and may still turn up anywhere.
 * Who votes in one of them may still be needed. Never empty: whoever lost their storage were always a minority of the newest committed
 * membership, so somebody left holds it. An empty list would let every question asked of all of them be answered with yes.
 */
export function membershipsInForce(world: Pick<SimWorld, "history" | "isGone">): Membership[] {
  const { history } = world;
  const nodes = [...history.nodes.values()];
  const stored = nodes.flatMap(({ id, disk }) => (disk.durable.membership === undefined || world.isGone(id) ? [] : [disk.durable.membership]));
  const isCommitted = (index: LogIndex, term: Term): boolean => history.isCommitted(index, term);
  const known = history.openMemberships();
  const committed = Math.max(
    ...nodes.map(({ disk }) => disk.durable.membershipUpTo(history.committed, isCommitted)),
    // Committed by disks that are gone or compacted since.
    ...known.filter(({ index, term }) => isCommitted(index, term)).map(({ index }) => index),
  );
  const inForce = [...stored, ...known].filter(({ index }) => index >= committed).map(({ membership }) => membership);
  demand("I6", inForce.length > 0, () => `nobody left holds the membership committed at ${committed}`);
  return inForce;
}
