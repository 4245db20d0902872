// The Raft machine with its codec, as the group drives it.
import { NO_BYTES, peerId, seededRandom, type PeerId } from "../../base/index.ts";
import { bootstrapState, decodeMessage, encodeMessage, Raft, type Message, type RaftConfig } from "../../raft/index.ts";
import { BENCH_CONFIG, Group, type BenchNode } from "./group.ts";

/** The ids of a group of this size. */
export const idsOf = (count: number): PeerId[] => Array.from({ length: count }, (_, at) => peerId(`n${at + 1}`));

/** The machine alone; `data` of a proposal is the payload as it is. */
export class MachineNode implements BenchNode {
  readonly raft: Raft;
  readonly id: PeerId;
  #proposed = 0;
  #ownFirst = 0;

  constructor(id: PeerId, voters: readonly PeerId[], options: { readonly seed: number; readonly config?: RaftConfig }) {
    this.id = id;
    this.raft = new Raft({ id, config: options.config ?? BENCH_CONFIG, restored: bootstrapState(id, voters), random: seededRandom(options.seed) });
  }

  get isLeader(): boolean {
    return this.raft.role === "leader";
  }

  receive(from: PeerId, bytes: Uint8Array): void {
    this.raft.step(from, decodeMessage(bytes));
  }

  tick(): void {
    this.raft.tick();
  }

  propose(payload: Uint8Array): void {
    // No two in a row begin alike: what a message leaves out is to be what real commands have in common, not this bench's.
    payload[0] = this.#proposed & 255;
    const result = this.raft.propose([payload]);
    if ("refused" in result) throw new Error(`refused: ${result.refused}`);
    if (this.#proposed === 0) this.#ownFirst = result.first;
    this.#proposed += 1;
  }

  work(send: (to: PeerId, bytes: Uint8Array) => void): number {
    let committed = 0;
    let before: Message | undefined;
    let bytes = NO_BYTES;
    while (this.raft.hasWork()) {
      const work = this.raft.takeWork();
      for (const { to, message } of work.messages) {
        // One message for several members is encoded once, as the replica does.
        if (message !== before) bytes = encodeMessage(message);
        before = message;
        send(to, bytes);
      }
      if (work.write !== undefined) this.raft.writeDone(work.write.id);
      for (const entry of work.committed) if (this.#proposed > 0 && entry.index >= this.#ownFirst) committed += 1;
    }
    return committed;
  }
}

/** A group of machines, nobody elected yet. */
export function machineGroup(size: number, config: RaftConfig = BENCH_CONFIG): Group {
  const voters = idsOf(size);
  return new Group(voters.map((id, at) => new MachineNode(id, voters, { seed: at + 1, config })));
}
