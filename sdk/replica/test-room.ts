// Nodes over MemorySeam, a virtual clock and disks that fail by plan, for this folder's tests.
import { peerId, seededRandom, type PeerId } from "../base/index.ts";
import { LAN_CONFIG } from "../raft/index.ts";
import { MemoryHub } from "../seam/index.ts";
import { MemoryByteStore, MemoryDisk } from "../storage/index.ts";
import { FaultyByteStore } from "../testing/faulty-byte-store.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { LaneReducer } from "./lane.ts";
import { LANE_SESSION, type LogEvent } from "./ordered-log.ts";
import { openReplica, type Replica, type ReplicaOptions } from "./replica.ts";

/** Errors a dead tab's storage would give, had it anybody to give them to. */
const NEVER = { type: "hang" } as const;

/** Remembers every command of its lane, in order: the fold a snapshot must hold exactly. */
export const journal: LaneReducer<readonly number[]> = {
  lane: LANE_SESSION,
  initial: [],
  apply: (state, { payload }) => [...state, payload[0] ?? 0],
  encode: (state) => Uint8Array.from(state),
  decode: (section) => [...section],
};

/** One peer: its disk outlives its nodes. */
export interface TestPeer {
  readonly id: PeerId;
  readonly disk: MemoryDisk;
  store: FaultyByteStore;
  node: Replica;
}

export class TestGroup {
  readonly clock: VirtualClock = new VirtualClock();
  readonly hub: MemoryHub;
  readonly peers: TestPeer[] = [];
  readonly #seed: number;
  readonly #extra: (id: PeerId) => Partial<ReplicaOptions>;
  #opened = 0;

  private constructor(seed: number, extra: (id: PeerId) => Partial<ReplicaOptions>) {
    this.#seed = seed;
    this.#extra = extra;
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(seed), faults: { delayMs: 2, jitterMs: 1 } });
  }

  static async open(count: number, seed: number, extra: (id: PeerId) => Partial<ReplicaOptions> = () => ({})): Promise<TestGroup> {
    const group = new TestGroup(seed, extra);
    const ids = Array.from({ length: count }, (_, at) => peerId(`n${at + 1}`));
    for (const id of ids) {
      const disk = new MemoryDisk();
      const store = new FaultyByteStore(new MemoryByteStore(disk));
      group.peers.push({ id, disk, store, node: await group.#node(id, store, ids) });
    }
    return group;
  }

  peer(id: PeerId): TestPeer {
    const found = this.peers.find((peer) => peer.id === id);
    if (found === undefined) throw new Error(`no peer ${id}`);
    return found;
  }

  /** The tab is gone from one moment to the next; what the disk holds stays. */
  crash(peer: TestPeer): void {
    peer.store.plan = () => NEVER;
    void peer.node.close();
  }

  /** A new tab on what the disk holds. */
  async reopen(peer: TestPeer, options: Partial<ReplicaOptions> = {}): Promise<Replica> {
    peer.store = new FaultyByteStore(new MemoryByteStore(peer.disk));
    return (peer.node = await this.#node(peer.id, peer.store, undefined, options));
  }

  /** Time passes until the promise settles. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isOpen = true;
    const settled = promise.finally(() => (isOpen = false));
    settled.catch(() => {});
    for (let step = 0; isOpen; step += 1) {
      if (step > 12_000) throw new Error(`nothing happened in 120 simulated seconds (seed ${this.#seed})`);
      await this.clock.advance(10);
    }
    return settled;
  }

  /** Time passes until the condition holds. */
  async when(holds: () => boolean): Promise<void> {
    for (let step = 0; !holds(); step += 1) {
      if (step > 12_000) throw new Error(`it did not come true in 120 simulated seconds (seed ${this.#seed})`);
      await this.clock.advance(10);
    }
  }

  async leader(): Promise<TestPeer> {
    const leads = ({ node }: TestPeer): boolean => node.role === "leader" && node.status.failure === undefined;
    await this.when(() => this.peers.some(leads));
    return this.peers.find(leads) ?? this.leader();
  }

  async close(): Promise<void> {
    await Promise.all(this.peers.map(({ node }) => node.close()));
    await this.clock.advance(1_000);
  }

  #node(id: PeerId, storage: FaultyByteStore, voters: readonly PeerId[] | undefined, options: Partial<ReplicaOptions> = {}): Promise<Replica> {
    this.#opened += 1;
    return openReplica({
      seam: this.hub.seam(id), groupId: "group", clock: this.clock, random: seededRandom(this.#seed, this.#opened), wallClock: () => 1_700_000_000_000 + this.clock.now(),
      voters, storage, config: { ...LAN_CONFIG }, ...this.#extra(id), ...options,
    });
  }
}

/** What was applied at a node, in order: the first byte of every game command that took effect. */
export function appliedBytes(node: Replica): number[] {
  const bytes: number[] = [];
  const see = (event: LogEvent): void => {
    if (event.type === "command" && !event.duplicate) bytes.push(event.payload[0] ?? -1);
  };
  node.follow(see)();
  return bytes;
}
