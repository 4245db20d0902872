// Nodes over MemorySeam, a virtual clock and disks that fail by plan, for this folder's tests.
import { digestHex, peerId, seededRandom, utf8, type PeerId } from "../base/index.ts";
import { LAN_CONFIG, type RaftConfig } from "../raft/index.ts";
import { MemoryHub, MuxSeam, RAFT_TAG, type LinkFaults } from "../seam/index.ts";
import { MemoryByteStore, MemoryDisk } from "../storage/index.ts";
import { FaultyByteStore } from "../testing/faulty-byte-store.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { decodeFeedFrame, encodeFeedFrame, type FeedMessage } from "./feed-frame.ts";
import { frameHeader } from "./frame.ts";
import type { LaneReducer } from "./lane.ts";
import type { NodeChannel } from "./node-channel.ts";
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

const FEED_TAG = 9;

/** One tab. */
export interface Tab {
  readonly id: PeerId;
  readonly mux: MuxSeam;
  readonly node: Replica;
  /** What its follower was given, in order, since it last began again. */
  seen: LogEvent[];
  /** Installs its follower was given. */
  installs: number;
  readonly stop: () => void;
}

/** Bytes sent, by peer. */
export interface Sent {
  readonly raft: Map<PeerId, number>;
  readonly feed: Map<PeerId, number>;
}

/** Members and an audience, with every byte counted. */
export class FeedRoom {
  readonly clock: VirtualClock = new VirtualClock();
  readonly hub: MemoryHub;
  readonly tabs: Map<PeerId, Tab> = new Map();
  readonly sent: Sent = { raft: new Map(), feed: new Map() };
  /** Peers nobody may feed. */
  readonly refused: Set<PeerId> = new Set();
  /** What a peer says on feeds instead of the truth; undefined: nothing. */
  readonly lies: Map<PeerId, (message: FeedMessage, to: PeerId) => FeedMessage | undefined> = new Map();
  readonly #seed: number;
  readonly #config: RaftConfig;
  readonly #fanOut: number | undefined;
  #opened = 0;

  constructor(seed: number, { faults = { delayMs: 5 }, config = LAN_CONFIG, fanOut }: { readonly faults?: Partial<LinkFaults>; readonly config?: RaftConfig; readonly fanOut?: number } = {}) {
    this.#seed = seed;
    this.#fanOut = fanOut;
    this.#config = config;
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(seed, 1), faults });
  }

  /** A group of voters that has a leader. */
  static async of(voters: number, seed: number, options: ConstructorParameters<typeof FeedRoom>[1] = {}): Promise<FeedRoom> {
    const room = new FeedRoom(seed, options);
    const ids = Array.from({ length: voters }, (_, at) => peerId(`v${at + 1}`));
    for (const id of ids) await room.open(id, { voters: ids });
    await room.when(() => room.leader !== undefined);
    return room;
  }

  async open(id: PeerId, options: Partial<ReplicaOptions> = {}): Promise<Tab> {
    this.#opened += 1;
    const mux = new MuxSeam(this.hub.seam(id));
    const node = await openReplica({
      seam: this.#counted(mux, RAFT_TAG, this.sent.raft), groupId: "group", clock: this.clock, random: seededRandom(this.#seed, 100 + this.#opened), wallClock: () => 1_700_000_000_000 + Math.floor(this.clock.now()),
      config: this.#config, lanes: [journal], feed: { channel: this.#counted(mux, FEED_TAG, this.sent.feed), admits: () => true, refuses: (peer) => this.refused.has(peer), fanOut: this.#fanOut }, ...options,
    });
    const tab: Tab = { id, mux, node, seen: [], installs: 0, stop: node.follow((event) => this.#see(id, event)) };
    this.tabs.set(id, tab);
    return tab;
  }

  /** Opens somebody who watches; found the leader by itself, as in a lobby. */
  async watch(id: PeerId, options: Partial<ReplicaOptions> = {}): Promise<Tab> {
    const tab = await this.open(id, options);
    tab.node.feedFrom(this.leader?.id);
    return tab;
  }

  /** Whoever leads now, as a lobby shows it: the newest one that says so. */
  get leader(): Tab | undefined {
    const leading = [...this.tabs.values()].filter(({ node }) => node.role === "leader" && node.status.failure === undefined);
    return leading.sort((a, b) => b.node.status.term - a.node.status.term)[0];
  }

  /** What the lobby tells everybody. */
  tell(): void {
    const leader = this.leader?.id;
    for (const { node } of this.tabs.values()) node.feedFrom(leader);
  }

  crash(id: PeerId, noticedAfterMs = 300): void {
    const tab = this.tabs.get(id);
    this.tabs.delete(id);
    this.hub.kill(id, { noticedAfterMs });
    void tab?.node.close();
  }

  async when(holds: () => boolean, ms = 60_000): Promise<void> {
    for (let at = 0; !holds(); at += 10) {
      if (at >= ms) throw new Error(`it did not come true in ${ms} simulated ms (seed ${this.#seed})`);
      await this.clock.advance(10);
      this.tell();
    }
  }

  async get<T>(promise: Promise<T>): Promise<T> {
    let isOpen = true;
    const settled = promise.finally(() => (isOpen = false));
    settled.catch(() => {});
    await this.when(() => !isOpen);
    return settled;
  }

  async close(): Promise<void> {
    await Promise.all([...this.tabs.values()].map(({ node }) => node.close()));
    for (const { mux } of this.tabs.values()) mux.close();
    await this.clock.advance(1_000);
  }

  /** Everything an audience was shown, as one digest. */
  digest(id: PeerId): string {
    const tab = this.tabs.get(id);
    if (tab === undefined) return "";
    return digestHex(utf8(JSON.stringify([[...tab.node.laneState(journal)], tab.node.appliedIndex])));
  }

  #see(id: PeerId, event: LogEvent): void {
    const tab = this.tabs.get(id);
    if (tab === undefined) return;
    if (event.type === "install") {
      tab.seen = [];
      tab.installs += 1;
    }
    tab.seen.push(event);
  }

  #said(from: PeerId, to: PeerId, truth: Uint8Array): Uint8Array | undefined {
    const lie = this.lies.get(from);
    if (lie === undefined) return truth;
    const said = lie(decodeFeedFrame(truth), to);
    return said && encodeFeedFrame(frameHeader("group"), said);
  }

  #counted(mux: MuxSeam, tag: number, into: Map<PeerId, number>): NodeChannel {
    const channel = mux.channel(tag);
    const { selfId } = channel;
    return {
      selfId,
      get peers() {
        return channel.peers;
      },
      payloadBytesMax: channel.payloadBytesMax,
      on: (event, listener) => channel.on(event, listener),
      sendTo: (peer, truth) => {
        const bytes = tag === FEED_TAG ? this.#said(selfId, peer, truth) : truth;
        if (bytes === undefined) return;
        into.set(selfId, (into.get(selfId) ?? 0) + bytes.length);
        channel.sendTo(peer, bytes);
      },
    };
  }
}
