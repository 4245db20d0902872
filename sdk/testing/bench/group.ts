// Some nodes in one process, joined by queues of bytes: what is measured is the nodes and the codec, not a network.
import { LAN_CONFIG, raftConfig, type RaftConfig } from "../../raft/config.ts";
import type { PeerId } from "../../base/index.ts";

/** A node as the group drives it. Every write it asks for is durable at once. */
export interface BenchNode {
  readonly id: PeerId;
  readonly isLeader: boolean;
  receive(from: PeerId, bytes: Uint8Array): void;
  tick(): void;
  /** Does everything there is to do: hands frames to `send` and returns how many of its own proposals committed here. */
  work(send: (to: PeerId, bytes: Uint8Array) => void): number;
  propose(payload: Uint8Array): void;
}

/** Limits that never bite in a bench, timing that never fires unless asked. */
export const BENCH_CONFIG: RaftConfig = raftConfig({ ...LAN_CONFIG, uncommittedBytesMax: 64 * 1024 * 1024, proposeTimeoutMs: 3_600_000 }, "lan");

const TICKS_TO_ELECT_MAX = 1_000;

interface Letter {
  readonly from: PeerId;
  readonly bytes: Uint8Array;
}

/** Delivers frames between its nodes in waves: everybody reads all that lies in their box, then does their work, as a tab does once per turn. */
export class Group {
  readonly nodes: readonly BenchNode[];
  readonly #boxes: Letter[][];
  readonly #places = new Map<PeerId, number>();
  frames = 0;
  bytes = 0;

  constructor(nodes: readonly BenchNode[]) {
    this.nodes = nodes;
    this.#boxes = nodes.map(() => []);
    nodes.forEach((node, place) => this.#places.set(node.id, place));
  }

  /** Ticks until one leads and all is quiet. */
  elect(): BenchNode {
    for (let tick = 0; tick < TICKS_TO_ELECT_MAX; tick += 1) {
      for (const node of this.nodes) node.tick();
      this.settle();
      const leader = this.nodes.find((node) => node.isLeader);
      if (leader !== undefined) return leader;
    }
    throw new Error("nobody was elected");
  }

  /** One node's turn. Returns how many of its proposals committed. */
  turn(place: number): number {
    const node = this.nodes[place]!;
    const box = this.#boxes[place]!;
    if (box.length > 0) {
      this.#boxes[place] = [];
      for (const letter of box) node.receive(letter.from, letter.bytes);
    }
    return node.work((to, bytes) => {
      this.frames += 1;
      this.bytes += bytes.length;
      this.#boxes[this.#places.get(to)!]!.push({ from: node.id, bytes });
    });
  }

  /** Turns until nobody has anything to say. */
  settle(): void {
    do for (let place = 0; place < this.nodes.length; place += 1) this.turn(place);
    while (this.#boxes.some((box) => box.length > 0));
  }
}
