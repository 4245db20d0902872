// Shards of a match under whatever tabs do, in virtual time: no shard with two owners at any moment, no confirmed write lost, none made twice.
import { expect, test } from "vitest";
import { below, fromUtf8, hasCode, peerId, seededRandom, utf8, type PeerId } from "./base/index.ts";
import type { MatchCluster, OwnedShard } from "./cluster/index.ts";
import type { Game } from "./game/index.ts";
import { openMatch, type Match } from "./open-match.ts";
import { MemoryHub } from "./seam/index.ts";
import { MemoryByteStore } from "./storage/index.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

const SHARDS = 24;
const STEPS = 25;
const PEERS = ["ann", "bob", "cat", "dan", "eve"].map((name) => peerId(name));
const nothing: Game<null, null> = { name: "zones", setup: () => null, apply: () => null };

interface Tab {
  readonly id: PeerId;
  readonly match: Match<null, null>;
  readonly cluster: MatchCluster;
}

/** From which moment to which a tab took itself for the owner of a shard. */
interface Tenure {
  readonly owner: PeerId;
  readonly epoch: number;
  readonly from: number;
  to: number;
}

/** One run: marks are added to shards by calls from anywhere, and every mark that was confirmed to its caller must be there in the end, once. */
class Run {
  readonly clock = new VirtualClock();
  readonly hub: MemoryHub;
  readonly tabs = new Map<PeerId, Tab>();
  readonly disks = new Map<PeerId, MemoryByteStore>();
  readonly tenures = Array.from({ length: SHARDS }, (): Tenure[] => []);
  readonly confirmed = Array.from({ length: SHARDS }, (): string[] => []);
  readonly #random;
  #marks = 0;
  readonly #seed: number;
  #opened = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(seed + 1), faults: { delayMs: 5, jitterMs: 20 } });
  }

  async open(id: PeerId): Promise<void> {
    const storage = this.disks.get(id) ?? new MemoryByteStore();
    this.disks.set(id, storage);
    this.#opened += 1;
    const abort = new AbortController();
    const opening = openMatch({ room: "r", game: nothing, name: id, seats: PEERS.length, storage, seam: this.hub.seam(id), clock: this.clock, random: seededRandom(this.#seed * 1_000_000 + this.#opened), signal: abort.signal });
    // Whether somebody is let in, and when, is the session's matter and is shown there.
    const match = await this.within(opening, 90_000).catch((error: unknown) => (hasCode(error, "join-timeout") ? undefined : Promise.reject(error)));
    if (match === undefined) return;
    const cluster = match.cluster({ shards: SHARDS, handler: (envelope, _, shard) => this.#handle(envelope.data, shard), onOwned: (shard) => this.#owned(id, shard) });
    this.tabs.set(id, { id, match, cluster });
  }

  /** One thing happens: somebody comes, goes, dies, is cut off, or just time passes; calls go on all the while. */
  async step(): Promise<void> {
    this.calls();
    const open = [...this.tabs.keys()];
    const closed = PEERS.filter((peer) => !this.tabs.has(peer));
    const dice = below(this.#random, 10);
    const pick = <T>(from: readonly T[]): T => from[below(this.#random, from.length)]!;
    if (dice < 4 && closed.length > 0) await this.open(pick(closed));
    else if (dice < 6 && open.length > 2) await this.goes(pick(open));
    else if (dice < 7 && open.length > 2) {
      const cut = pick(open);
      this.hub.partition([cut]);
      await this.clock.advance(below(this.#random, 6_000));
      this.calls();
      this.hub.heal();
    }
    this.calls();
    await this.pass(below(this.#random, 3_000));
  }

  /** Leaves its seat with a goodbye, or dies without a word. */
  async goes(id: PeerId): Promise<void> {
    const tab = this.tabs.get(id)!;
    this.tabs.delete(id);
    if (below(this.#random, 2) === 0) this.hub.kill(id, { noticedAfterMs: 300 });
    else await this.within(tab.match.leave(), 60_000);
    // As many voters as are here: what else goes next is another matter.
    await this.until(() => [...this.tabs.values()].every(({ match }) => match.status.get().phase !== "connecting" && match.node.status.hasQuorum && !match.node.membership.voters.includes(id) && match.node.membership.votersOutgoing.length === 0), 60_000);
  }

  calls(): void {
    for (const { cluster } of this.tabs.values()) {
      const shard = below(this.#random, SHARDS);
      const mark = `m${(this.#marks += 1)}`;
      cluster.client.requestShard(shard, mark, { type: "mark" }).then(() => void this.confirmed[shard]!.push(mark), () => {});
    }
  }

  /** Everybody who is here answers for everything. */
  async check(): Promise<void> {
    await this.until(() => this.#isShared(), 90_000);
    expect(this.#isShared()).toBe(true);
    await this.pass(16_000);
    for (const { cluster } of this.tabs.values()) {
      for (let shard = 0; shard < SHARDS; shard += 1) {
        const marks = marksIn(cluster.stateOf(shard));
        expect([shard, this.confirmed[shard]!.filter((mark) => !marks.includes(mark))]).toEqual([shard, []]);
        expect(marks).toEqual([...new Set(marks)]);
      }
    }
    for (const [shard, tenures] of this.tenures.entries()) {
      const inOrder = [...tenures].sort((a, b) => a.epoch - b.epoch || a.from - b.from);
      for (const [at, tenure] of inOrder.entries()) {
        const next = inOrder[at + 1];
        if (next === undefined) continue;
        if (next.epoch === tenure.epoch) expect([shard, next.owner]).toEqual([shard, tenure.owner]);
        expect([shard, tenure.owner, tenure.to <= next.from]).toEqual([shard, tenure.owner, true]);
      }
    }
  }

  async pass(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += 25) await this.clock.advance(25);
  }

  async until(condition: () => boolean, ms: number): Promise<void> {
    for (let at = 0; at < ms && !condition(); at += 25) await this.clock.advance(25);
  }

  async within<T>(promise: Promise<T>, ms: number): Promise<T> {
    let isSettled = false;
    const settle = (): void => void (isSettled = true);
    promise.then(settle, settle);
    await this.until(() => isSettled, ms);
    if (!isSettled) throw new Error(`still waiting after ${ms} ms`);
    return promise;
  }

  #isShared(): boolean {
    const tabs = [...this.tabs.values()];
    const here = new Set(tabs.map(({ id }) => id));
    return tabs.every(({ cluster }) => Array.from({ length: SHARDS }, (_, shard) => cluster.ownerOf(shard)).every((owner) => owner !== undefined && here.has(owner.peer)))
      && tabs.reduce((sum, { cluster }) => sum + cluster.node.shards.length, 0) === SHARDS;
  }

  async #handle(data: Uint8Array, shard: OwnedShard): Promise<Uint8Array> {
    const mark: string = JSON.parse(fromUtf8(data));
    const marks = this.#kept.get(shard) ?? marksIn(shard.state);
    this.#kept.set(shard, marks);
    marks.push(mark);
    await shard.save(utf8(marks.join(" ")));
    return utf8("1");
  }

  readonly #kept = new Map<OwnedShard, string[]>();

  #owned(owner: PeerId, { shard, fence: { epoch }, lost }: OwnedShard): void {
    const tenure: Tenure = { owner, epoch, from: this.clock.now(), to: Number.POSITIVE_INFINITY };
    this.tenures[shard]!.push(tenure);
    lost.addEventListener("abort", () => { tenure.to = this.clock.now(); });
  }
}

function marksIn(state: Uint8Array | undefined): string[] {
  return state === undefined || state.length === 0 ? [] : fromUtf8(state).split(" ");
}

test.each([4, 5, 28, 41, 112, 127])("[CL22] whatever tabs do, what was confirmed is kept once, and no shard has two owners at any moment (seed %i)", async (seed) => {
  const run = new Run(seed);
  for (const id of PEERS.slice(0, 3)) await run.open(id);
  for (let step = 0; step < STEPS; step += 1) await run.step();
  await run.check();
  expect(run.confirmed.flat().length).toBeGreaterThan(20);
  await run.within(Promise.all([...run.tabs.values()].map(({ match }) => match.leave())), 60_000);
});
