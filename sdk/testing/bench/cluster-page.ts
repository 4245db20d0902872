// What runs in the pages of the cluster's bench: assignments on this page's thread, and calls to the other tab beside bare frames.
import { peerId, type PeerId } from "../../base/index.ts";
import { clusterLane, SeamTransport, shardFromString, ShardClient, ShardTable } from "../../cluster/index.ts";
import { breather } from "../../cluster/assigner.ts";
import { encodeClusterCommand } from "../../cluster/cluster-command.ts";
import { systemClock, systemRandom, wallClock } from "../../platform/index.ts";
import { APPLICATION_TAG, BroadcastChannelSignaling, MuxSeam, NamedMux, type Seam } from "../../seam/index.ts";
import { WebRtcSeam } from "../../seam/webrtc/index.ts";

const ANSWER = new TextEncoder().encode("1");

/** What one assignment took, milliseconds. */
export interface AssignmentCost {
  readonly hashes: number;
  readonly totalMs: number;
  /** The longest stretch without a turn for the page while hashing. */
  readonly longestSliceMs: number;
  /** Choosing the owners from the scores. */
  readonly ownersMs: number;
  /** The lane's reducer on the entry, on every peer. */
  readonly applyMs: number;
  /** What the browser itself saw of tasks over 50 ms. */
  readonly longTasksMs: readonly number[];
}

/** The page's side of the bench, as the script outside sees it. */
export class ClusterBench {
  #shards = new ShardTable(4_096, "bench");
  #table = clusterLane.initial;
  #index = 0;
  #echo: Seam | undefined;
  #other: PeerId | undefined;
  #client: ShardClient | undefined;
  #heard: () => void = () => {};

  /** Forgets every assignment and every score. */
  forget(): void {
    this.#shards = new ShardTable(4_096, "bench");
    this.#table = clusterLane.initial;
    this.#index = 0;
  }

  /** Makes `nodes` the owners of 4,096 shards, as whoever leads a match does. */
  async assign(nodes: readonly string[]): Promise<AssignmentCost> {
    const longTasksMs: number[] = [];
    const observer = new PerformanceObserver((list) => longTasksMs.push(...list.getEntries().map(({ duration }) => duration)));
    observer.observe({ entryTypes: ["longtask"] });
    const before = this.#shards.hashes;
    const began = performance.now();
    let longestSliceMs = 0;
    let sliceBegan = began;
    const cut = (): void => {
      longestSliceMs = Math.max(longestSliceMs, performance.now() - sliceBegan);
    };
    const pause = breather(systemClock);
    await this.#shards.setNodesGently(nodes, () => {
      const paused = pause();
      if (paused !== undefined) cut();
      return paused?.then(() => {
        sliceBegan = performance.now();
      });
    });
    cut();
    const hashed = performance.now();
    const place = new Map(nodes.map((node, at) => [node, at]));
    const targets = Uint8Array.from(this.#shards.owners(), (owner) => place.get(owner ?? "") ?? 0);
    const chosen = performance.now();
    // Between the two lies the log: the reducer runs in a task of its own.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const entered = performance.now();
    this.#index += 1;
    this.#table = clusterLane.apply(this.#table, { index: this.#index, proposer: nodes[0] ?? "", payload: encodeClusterCommand({ type: "assign", base: this.#table.index, numShards: 4_096, seed: "bench", nodes, targets }) });
    const ended = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 100));
    observer.disconnect();
    return { hashes: this.#shards.hashes - before, totalMs: chosen - began + ended - entered, longestSliceMs, ownersMs: chosen - hashed, applyMs: ended - entered, longTasksMs };
  }

  /** Milliseconds for `count` routed keys, and for as many bare hashes of the same keys. */
  route(count: number): { readonly routedMs: number; readonly hashedMs: number } {
    const client = this.#client;
    if (client === undefined) throw new Error("not linked yet");
    const keys = Array.from({ length: count }, (_, at) => `player-${at}`);
    const began = performance.now();
    for (const key of keys) client.shardOf(key);
    const routed = performance.now();
    for (const key of keys) shardFromString(key, 4_096);
    return { routedMs: routed - began, hashedMs: performance.now() - routed };
  }

  /** Links this tab with the other one, and serves every shard there. */
  async link(self: string, other: string, room: string): Promise<void> {
    const selfId = peerId(self);
    const seam = new WebRtcSeam({ selfId, signaling: new BroadcastChannelSignaling({ selfId, room }), clock: systemClock, random: systemRandom(), iceServers: [] });
    await new Promise<void>((done) => void seam.on("peers", (peers) => peers.size === 2 && done()));
    const channels = new NamedMux(new MuxSeam(seam).channel(APPLICATION_TAG));
    const echo = channels.channel("echo");
    this.#other = peerId(other);
    this.#echo = echo;
    echo.on("frame", (from, bytes) => {
      if (bytes[0] === 1) echo.sendTo(from, Uint8Array.of(2));
      else this.#heard();
    });
    const transport = new SeamTransport({ seam: channels.channel("calls"), ownerOf: () => this.#other, clock: systemClock, wallClock });
    await transport.subscribe(0, async () => ANSWER);
    this.#client = new ShardClient({ transport, numShards: 4_096, clock: systemClock, wallClock });
  }

  /** Round trips one after the other for about `ms`, milliseconds each: one frame there and one back. */
  async frames(ms: number, bytes: number): Promise<number[]> {
    const payload = new Uint8Array(bytes);
    payload[0] = 1;
    return timed(ms, () => new Promise((resolve) => {
      this.#heard = resolve;
      this.#echo?.sendTo(this.#other ?? peerId("nobody"), payload);
    }));
  }

  /** The same as requests of a shard over the seam, whose payload makes about as many bytes. */
  async requests(ms: number, bytes: number): Promise<number[]> {
    const text = "x".repeat(Math.max(0, bytes - 30));
    return timed(ms, async () => void (await this.#client?.requestShard(0, text, { type: "bench" })));
  }
}

async function timed(ms: number, trip: () => Promise<void>): Promise<number[]> {
  const taken: number[] = [];
  const end = performance.now() + ms;
  while (performance.now() < end) {
    const began = performance.now();
    await trip();
    taken.push(performance.now() - began);
  }
  return taken;
}

declare global {
  // The page's global, which the script outside calls.
  var clusterBench: ClusterBench;
}
globalThis.clusterBench = new ClusterBench();
