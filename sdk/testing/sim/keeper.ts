// Tends the membership as a session would: whoever leads replaces members whose storage is gone, admits newcomers as learners and
// promotes them. Also draws the arbitrary changes of the fault plan.
import type { PeerId, Random } from "../../base/index.ts";
import type { Membership, MembershipTarget } from "../../raft/index.ts";
import { between, chance, pick, shuffled } from "./draw.ts";
import type { SimPeer } from "./peer.ts";
import type { SimWorld } from "./world.ts";

/** The largest voter set the simulation makes. */
const VOTERS_MAX = 7;

/** What the leader of `membership` would ask for to keep the group whole; undefined when nothing is to be done. */
export function tend(membership: Membership, { present, votersWanted, self }: { readonly present: readonly PeerId[]; readonly votersWanted: number; readonly self: PeerId }): MembershipTarget | undefined {
  if (membership.votersOutgoing.length > 0) return undefined;
  const isPresent = (id: PeerId): boolean => present.includes(id);
  const voters = membership.voters.filter((id) => isPresent(id) || id === self);
  const learners = membership.learners.filter(isPresent);
  const gone = voters.length < membership.voters.length || learners.length < membership.learners.length;
  if (gone) return voters.length === 0 ? undefined : { voters, learners };
  const promoted = voters.length < votersWanted ? learners[0] : undefined;
  if (promoted !== undefined) return { voters: [...voters, promoted].sort(), learners: learners.filter((id) => id !== promoted) };
  const newcomer = present.find((id) => !voters.includes(id) && !learners.includes(id));
  return newcomer === undefined ? undefined : { voters, learners: [...learners, newcomer].sort() };
}

/** An arbitrary next membership out of those present: add, remove, promote, demote, replace, or everything at once. */
export function drawChange(random: Random, membership: Membership, present: readonly PeerId[]): MembershipTarget {
  const voters = membership.voters.filter((id) => present.includes(id));
  const learners = membership.learners.filter((id) => present.includes(id));
  const outside = present.filter((id) => !voters.includes(id) && !learners.includes(id));
  const without = (ids: readonly PeerId[], id: PeerId | undefined): PeerId[] => ids.filter((each) => each !== id);
  const target = ((): { voters: readonly PeerId[]; learners: readonly PeerId[] } => {
    switch (between(random, 0, 5)) {
      case 0:
        return { voters, learners: [...learners, ...outside.slice(0, 1)] };
      case 1: {
        const removed = pick(random, [...voters, ...learners, ...outside]);
        return { voters: without(voters, removed), learners: without(learners, removed) };
      }
      case 2: {
        const promoted = learners[0] ?? outside[0];
        return { voters: promoted === undefined ? voters : [...voters, promoted], learners: without(learners, promoted) };
      }
      case 3: {
        const demoted = voters.length > 0 ? pick(random, voters) : undefined;
        return { voters: without(voters, demoted), learners: demoted === undefined ? learners : [...learners, demoted] };
      }
      case 4: {
        const [out, into] = [voters.length > 0 ? pick(random, voters) : undefined, learners[0] ?? outside[0]];
        return { voters: into === undefined ? voters : [...without(voters, out), into], learners: without(learners, into) };
      }
      default: {
        const order = shuffled(random, present);
        const count = between(random, 1, Math.min(VOTERS_MAX, order.length));
        return { voters: order.slice(0, count), learners: order.slice(count).filter(() => chance(random, 0.5)) };
      }
    }
  })();
  const safe = target.voters.length === 0 ? voters.slice(0, 1) : target.voters;
  return { voters: [...safe].sort(), learners: target.learners.filter((id) => !safe.includes(id)).sort() };
}

/** Runs as long as the world: every few election timeouts each leader looks after its group. */
export class Keeper {
  /** Off while only a core is healthy: nobody is replaced then. */
  active = true;
  readonly #world: SimWorld;
  readonly #random: Random;

  constructor(world: SimWorld, random: Random) {
    this.#world = world;
    this.#random = random;
  }

  /** Begins. */
  start(): void {
    const gap = this.#world.plan.raft.electionTimeoutMsMax * 1_000;
    this.#world.queue.after(between(this.#random, gap, 3 * gap), () => {
      if (this.active) for (const leader of this.#world.leaders()) this.#look(leader);
      this.start();
    });
  }

  #look(leader: SimPeer): void {
    const membership = leader.engine?.machine.membership;
    if (membership === undefined) return;
    const present = this.#world.peers.map((peer) => peer.id);
    const target = tend(membership, { present, votersWanted: this.#world.plan.votersWanted, self: leader.id });
    if (target !== undefined) this.ask(leader, target);
  }

  /** Asks a leader for a membership; however it ends, the world goes on. */
  ask(leader: SimPeer, target: MembershipTarget): void {
    const before = leader.engine?.machine.membership;
    this.#world.ask(leader, "other", (engine) => engine.changeMembership(target), () => undefined);
    const after = leader.engine?.machine.membership;
    if (before !== undefined && after !== undefined) this.#note(leader.id, before, after);
  }

  #note(leader: PeerId, before: Membership, after: Membership): void {
    const { coverage } = this.#world;
    if (before.voters.length > 2) return;
    const isAlone = after.votersOutgoing.length === 0 && after.voters.length === 1 && after.voters[0] === leader;
    if (before.voters.length === 2 && isAlone) coverage.hit("lone-removal");
    if (after.voters.some((id) => before.learners.includes(id))) coverage.hit("spare-promoted");
  }
}
