// The replica core as the group drives it: everything a tab runs but the loop and the link.
import { seededRandom, type PeerId } from "../../base/index.ts";
import { bootstrapState, type RaftConfig } from "../../raft/index.ts";
import { createReplicaCore, LANE_GAME, type ReplicaCore } from "../../replica/index.ts";
import { BENCH_CONFIG, Group, type BenchNode } from "./group.ts";
import { idsOf } from "./machine-node.ts";

/** Machine, envelopes, exactly-once table and settlements: what a tab runs but for the loop and the link. */
export class CoreNode implements BenchNode {
  readonly core: ReplicaCore;
  readonly id: PeerId;
  #serial = 0;
  #open = 0;

  constructor(id: PeerId, voters: readonly PeerId[], options: { readonly seed: number; readonly config?: RaftConfig }) {
    this.id = id;
    this.core = createReplicaCore({ id, groupId: "bench", config: options.config ?? BENCH_CONFIG, restored: bootstrapState(id, voters), random: seededRandom(options.seed) });
  }

  get isLeader(): boolean {
    return this.core.raft.role === "leader";
  }

  receive(from: PeerId, bytes: Uint8Array): void {
    this.core.receive(from, bytes);
  }

  tick(): void {
    this.core.tick();
  }

  propose(payload: Uint8Array): void {
    this.#serial += 1;
    this.core.propose({ lane: LANE_GAME, key: { clientId: this.id, requestId: this.#serial }, payload }, { lowestOutstanding: this.#serial - this.#open, fresh: true });
    this.#open += 1;
  }

  work(send: (to: PeerId, bytes: Uint8Array) => void): number {
    let committed = 0;
    while (this.core.hasWork()) {
      const work = this.core.takeWork();
      for (const { to, bytes } of work.frames) send(to, bytes);
      if (work.write !== undefined) this.core.writeDone(work.write.id);
      for (const { settlement } of work.settled) {
        if (settlement.outcome !== "committed") throw new Error(`a proposal ended ${settlement.outcome}`);
        committed += 1;
        this.#open -= 1;
      }
    }
    return committed;
  }
}

/** A group of replica cores, nobody elected yet. */
export function coreGroup(size: number, config: RaftConfig = BENCH_CONFIG): Group {
  const voters = idsOf(size);
  return new Group(voters.map((id, at) => new CoreNode(id, voters, { seed: at + 1, config })));
}
