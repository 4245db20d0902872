// Shards of a match, in virtual time: who owns what while tabs come, go, fall silent and are cut off, and what of it survives.
import { createNanoEvents } from "nanoevents";
import { afterEach, expect, test } from "vitest";
import { fromUtf8, peerId, seededRandom, utf8, type PeerId } from "./base/index.ts";
import type { MatchCluster, MatchClusterOptions, OwnedShard } from "./cluster/index.ts";
import type { Game } from "./game/index.ts";
import { openMatch, type Match } from "./open-match.ts";
import type { PageEvent, PageLifecycle } from "./platform/index.ts";
import { MemoryHub } from "./seam/index.ts";
import { MemoryByteStore } from "./storage/index.ts";
import { settled, until } from "./testing/turn-clock.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

const SHARDS = 64;
const nothing: Game<null, null> = { name: "zones", setup: () => null, apply: () => null };
const [ann, bob, cat, dan] = ["ann", "bob", "cat", "dan"].map((name) => peerId(name)) as [PeerId, PeerId, PeerId, PeerId];

/** Who owned a shard under which epoch, from when to when; still owned: no end. */
interface Tenure {
  readonly shard: number;
  readonly epoch: number;
  readonly owner: PeerId;
  readonly from: number;
  to: number | undefined;
}

interface Tab {
  readonly id: PeerId;
  readonly match: Match<null, null>;
  readonly cluster: MatchCluster;
}

/** Tabs whose shards count: `add` is confirmed, `read` tells, `slow` holds a call open. */
class World {
  readonly clock = new VirtualClock();
  readonly hub = new MemoryHub({ clock: this.clock, random: seededRandom(4), faults: { delayMs: 10 } });
  readonly tabs: Tab[] = [];
  readonly tenures: Tenure[] = [];
  readonly gates: (() => void)[] = [];
  readonly stores = new Map<PeerId, MemoryByteStore>();

  async open(id: PeerId, options: Partial<MatchClusterOptions> = {}, page = new Page()): Promise<Tab> {
    const storage = this.stores.get(id) ?? new MemoryByteStore();
    this.stores.set(id, storage);
    const match = await this.get(openMatch({ room: "r", game: nothing, name: id, seats: 4, storage, page, seam: () => this.hub.seam(id), clock: this.clock, random: seededRandom(id.charCodeAt(0) + this.tabs.length), evictAfterMs: 10_000 }));
    const cluster = match.cluster({ shards: SHARDS, handler: (envelope, signal, shard) => this.#handle(envelope.type, signal, shard), onOwned: (shard) => this.#owned(id, shard), ...options });
    const tab = { id, match, cluster };
    this.tabs.push(tab);
    return tab;
  }

  async opened(ids: readonly PeerId[]): Promise<Tab[]> {
    const tabs: Tab[] = [];
    for (const id of ids) tabs.push(await this.open(id));
    expect(await this.until(() => this.isSettled(tabs))).toBe(true);
    return tabs;
  }

  /** Every tab agrees on who owns what, and everybody owns something. */
  isSettled(tabs: readonly Tab[]): boolean {
    const ids = tabs.map(({ id }) => id);
    const maps = tabs.map(({ cluster }) => Array.from({ length: SHARDS }, (_, shard) => cluster.ownerOf(shard)));
    return maps.every((map) => JSON.stringify(map) === JSON.stringify(maps[0]))
      && maps[0]!.every((owner) => owner !== undefined && ids.includes(owner.peer))
      && ids.every((id) => maps[0]!.some((owner) => owner?.peer === id))
      && tabs.every(({ id, cluster }) => cluster.node.shards.length === maps[0]!.filter((owner) => owner?.peer === id).length);
  }

  /** The tab is closed: `quietly` as a crash, else with a goodbye. */
  close(tab: Tab, quietly = false): void {
    this.tabs.splice(this.tabs.indexOf(tab), 1);
    if (quietly) return this.hub.kill(tab.id, { noticedAfterMs: 0 });
    void tab.match.leave();
  }

  /** No shard had two owners at any moment, and no epoch two owners ever. */
  checkTenures(): void {
    for (let shard = 0; shard < SHARDS; shard += 1) {
      const mine = this.tenures.filter((tenure) => tenure.shard === shard);
      expect(mine.map(({ epoch }) => epoch)).toEqual([...new Set(mine.map(({ epoch }) => epoch))].sort((a, b) => a - b));
      for (const [at, tenure] of mine.entries()) {
        const next = mine[at + 1];
        if (next !== undefined) expect([shard, tenure.to !== undefined && tenure.to <= next.from]).toEqual([shard, true]);
      }
    }
  }

  get<T>(promise: Promise<T>): Promise<T> {
    return settled(this.clock, promise);
  }

  until(condition: () => boolean, ms?: number): Promise<boolean> {
    return until(this.clock, condition, ms);
  }

  async end(): Promise<void> {
    await this.get(Promise.all(this.tabs.map(({ match }) => match.leave())));
  }

  async #handle(type: string, signal: AbortSignal, shard: OwnedShard): Promise<Uint8Array> {
    if (type === "slow") await new Promise<void>((resolve, reject) => {
      this.gates.push(resolve);
      signal.addEventListener("abort", () => reject(signal.reason));
    });
    if (type !== "read") await shard.save(utf8(String(countIn(shard.state) + 1)));
    return utf8(JSON.stringify({ count: countIn(shard.state), epoch: shard.fence.epoch, by: shard.fence.owner }));
  }

  #owned(owner: PeerId, { shard, fence: { epoch }, lost }: OwnedShard): void {
    const tenure: Tenure = { shard, epoch, owner, from: this.clock.now(), to: undefined };
    this.tenures.push(tenure);
    lost.addEventListener("abort", () => { tenure.to = this.clock.now(); });
  }
}

/** A page whose life the test tells. */
class Page implements PageLifecycle {
  isHidden = false;
  readonly #events = createNanoEvents<Record<PageEvent, () => void>>();

  on(event: PageEvent, listener: () => void): () => void {
    return this.#events.on(event, listener);
  }

  tell(event: PageEvent): void {
    this.#events.emit(event);
  }
}

interface Answer {
  readonly count: number;
  readonly epoch: number;
  readonly by: PeerId;
}

function countIn(state: Uint8Array | undefined): number {
  return state === undefined ? 0 : Number(fromUtf8(state));
}

const call = (tab: Tab, shard: number, type: string): Promise<Answer> => tab.cluster.client.requestShard(shard, {}, { type, repeatable: type === "read" }) as Promise<Answer>;
const all = (tab: Tab, type: string): Promise<Answer[]> => Promise.all(Array.from({ length: SHARDS }, (_, shard) => call(tab, shard, type)));

let world: World;
afterEach(() => world.end());

test("[CL20] the tabs at the table share the shards as the log says, and every shard answers from everywhere", async () => {
  world = new World();
  const tabs = await world.opened([ann, bob, cat]);
  for (const tab of tabs) {
    const answers = await world.get(all(tab, "read"));
    for (const [shard, { by, epoch }] of answers.entries()) expect({ peer: by, epoch }).toEqual(tab.cluster.ownerOf(shard));
  }
  await world.get(tabs[2]!.cluster.ready);
  world.checkTenures();
});

test("[CL21] who comes takes over only its own part, with what was confirmed, and nobody else's moves", async () => {
  world = new World();
  const tabs = await world.opened([ann, bob]);
  await world.get(all(tabs[0]!, "add"));
  const before = Array.from({ length: SHARDS }, (_, shard) => tabs[0]!.cluster.ownerOf(shard));
  tabs.push(await world.open(cat));
  expect(await world.until(() => world.isSettled(tabs))).toBe(true);
  for (const [shard, owner] of before.entries()) {
    const now = tabs[0]!.cluster.ownerOf(shard);
    if (now?.peer !== cat) expect(now).toEqual(owner);
    else expect(now.epoch).toBeGreaterThan(owner!.epoch);
  }
  expect((await world.get(all(tabs[2]!, "read"))).map(({ count }) => count)).toEqual(Array(SHARDS).fill(1));
  world.checkTenures();
});

test("[CL22] a tab that closes loses no confirmed state, and calls under way meanwhile are answered by the next owners", async () => {
  world = new World();
  const tabs = await world.opened([ann, bob, cat, dan]);
  await world.get(all(tabs[1]!, "add"));
  // The one that leads goes first, then another.
  world.close(tabs[0]!);
  const meanwhile = all(tabs[1]!, "read");
  expect((await world.get(meanwhile)).map(({ count }) => count)).toEqual(Array(SHARDS).fill(1));
  const left = tabs.slice(1);
  expect(await world.until(() => world.isSettled(left))).toBe(true);
  await world.get(all(tabs[2]!, "add"));
  // Of four voters only one may be gone at a time.
  expect(await world.until(() => left.every(({ match: { node: { membership } } }) => membership.voters.length === 3 && membership.votersOutgoing.length === 0))).toBe(true);
  world.close(tabs[3]!);
  expect((await world.get(all(tabs[1]!, "read"))).map(({ count }) => count)).toEqual(Array(SHARDS).fill(2));
  world.checkTenures();
});

test("[CL22] a tab that crashes keeps its shards until it counts as gone, and then loses no confirmed state", async () => {
  world = new World();
  const tabs = await world.opened([ann, bob, cat]);
  await world.get(all(tabs[0]!, "add"));
  world.close(tabs[2]!, true);
  const answers = await world.get(all(tabs[0]!, "read"));
  expect(answers.map(({ count }) => count)).toEqual(Array(SHARDS).fill(1));
  expect(new Set(answers.map(({ by }) => by))).toEqual(new Set([ann, bob]));
  world.checkTenures();
});

test("[CL23] an owner that is cut off stops answering before its shards are somebody else's, and can confirm nothing", async () => {
  world = new World();
  const tabs = await world.opened([ann, bob, cat]);
  await world.get(all(tabs[0]!, "add"));
  world.hub.partition([cat]);
  const mine = tabs[2]!.cluster.owned[0]!;
  const refused = tabs[2]!.cluster.owned.map((shard) => shard.save(utf8("999")).catch((error: { readonly code: string }) => error.code));
  expect(await world.until(() => !tabs[2]!.match.node.status.hasQuorum, 9_000)).toBe(true);
  // Its own calls to itself are refused too: it can not know whether it is still the owner.
  const lonely = call(tabs[2]!, mine.shard, "read");
  expect(tabs[0]!.cluster.ownerOf(mine.shard)?.peer).toBe(cat);
  expect(await world.until(() => world.isSettled(tabs.slice(0, 2)), 40_000)).toBe(true);
  world.hub.heal();
  expect(new Set(await world.get(Promise.all(refused)))).toEqual(new Set(["stale-owner"]));
  expect((await world.get(lonely)).count).toBe(1);
  expect((await world.get(all(tabs[0]!, "read"))).map(({ count }) => count)).toEqual(Array(SHARDS).fill(1));
  world.checkTenures();
});

test("[CL23] a notification that meets an owner out of touch is sent again, and is handled once it is back", async () => {
  world = new World();
  const tabs = await world.opened([ann, bob, cat]);
  world.hub.partition([cat]);
  const { shard } = tabs[2]!.cluster.owned[0]!;
  expect(await world.until(() => !tabs[2]!.match.node.status.hasQuorum, 9_000)).toBe(true);
  const told = tabs[2]!.cluster.client.notifyShard(shard, {}, { type: "add" });
  await world.clock.advance(1_000);
  world.hub.heal();
  await world.get(told);
  expect(await world.until(() => countIn(tabs[0]!.cluster.stateOf(shard)) === 1)).toBe(true);
  await world.clock.advance(1_000);
  expect(countIn(tabs[0]!.cluster.stateOf(shard))).toBe(1);
});

test("[CL12] a call that saved before its shard was lost is not made again: whether it was done is unknown", async () => {
  world = new World();
  let go: (() => void) | undefined;
  const handler = async (_: unknown, __: unknown, shard: OwnedShard): Promise<undefined> => {
    await shard.save(utf8(String(countIn(shard.state) + 1)));
    await new Promise<void>((resolve) => { go = resolve; });
    await shard.save(utf8("never"));
    return undefined;
  };
  const tabs = [await world.open(ann), await world.open(bob), await world.open(cat, { handler, handlerTimeoutMs: -1 })];
  expect(await world.until(() => world.isSettled(tabs))).toBe(true);
  const { shard } = tabs[2]!.cluster.owned[0]!;
  const outcome = call(tabs[2]!, shard, "twice").then(() => "ok", (error: { readonly code: string; readonly message: string }) => `${error.code}: ${error.message}`);
  expect(await world.until(() => go !== undefined)).toBe(true);
  world.hub.partition([cat]);
  expect(await world.until(() => world.isSettled(tabs.slice(0, 2)), 40_000)).toBe(true);
  world.hub.heal();
  go?.();
  expect(await world.get(outcome)).toMatch(/^handler-failed: .*unknown/);
  expect(countIn(tabs[0]!.cluster.stateOf(shard))).toBe(1);
});

test("[CL24] handing over waits for the call that runs, and takes along what was not saved", async () => {
  world = new World();
  const [first] = await world.opened([ann]) as [Tab];
  const calls = Array.from({ length: SHARDS }, (_, shard) => call(first, shard, "slow"));
  await world.clock.advance(100);
  const second = await world.open(bob);
  await world.clock.advance(1_000);
  expect(second.cluster.owned).toEqual([]);
  for (const open of world.gates) open();
  expect((await world.get(Promise.all(calls))).map(({ count }) => count)).toEqual(Array(SHARDS).fill(1));
  expect(await world.until(() => world.isSettled([first, second]))).toBe(true);
  expect((await world.get(all(second, "add"))).map(({ count }) => count)).toEqual(Array(SHARDS).fill(2));
  world.checkTenures();
});

test("[CL24] what goes along with a shard is what its owner says last", async () => {
  world = new World();
  const first = await world.open(ann, { handOver: ({ shard }) => utf8(String(1_000 + shard)) });
  await world.until(() => world.isSettled([first]));
  const second = await world.open(bob);
  expect(await world.until(() => world.isSettled([first, second]))).toBe(true);
  for (const { shard, state } of second.cluster.owned) expect(countIn(state)).toBe(1_000 + shard);
  expect(second.cluster.owned.length).toBeGreaterThan(10);
});

test("[CL25] a match that runs with other shards refuses a tab that wants its own, and goes on", async () => {
  world = new World();
  const [first] = await world.opened([ann]) as [Tab];
  const other = await world.open(bob, { shards: 32 });
  await expect(world.get(other.cluster.ready)).rejects.toMatchObject({ code: "invalid-argument" });
  expect(() => first.match.cluster({ shards: 64, handler: async () => undefined })).toThrow(/one cluster/);
  expect((await world.get(all(first, "read"))).every(({ by }) => by === ann)).toBe(true);
  // However long it stays, it is given nothing, and what happens to others goes on, also when it leads.
  await world.clock.advance(10_000);
  expect((await world.get(all(first, "read"))).every(({ by }) => by === ann)).toBe(true);
  const third = await world.open(cat);
  expect(await world.until(() => world.isSettled([first, third]))).toBe(true);
  first.match.node.transferLeadership(bob).catch(() => {});
  expect(await world.until(() => other.match.node.role === "leader")).toBe(true);
  world.close(third);
  expect(await world.until(() => world.isSettled([first]))).toBe(true);
});

test("[CL25] what can never be agreed on is refused at once", async () => {
  world = new World();
  await expect(world.get(world.open(ann, { seed: "x".repeat(513) }))).rejects.toMatchObject({ code: "invalid-argument" });
  await expect(world.get(world.open(bob, { shards: 16_385 }))).rejects.toMatchObject({ code: "invalid-argument" });
});

test("[CL22] a page that goes into the back/forward cache owns nothing in that very task, and serves again when it is back", async () => {
  world = new World();
  const page = new Page();
  const tabs = [await world.open(ann), await world.open(bob, {}, page)] as const;
  expect(await world.until(() => world.isSettled(tabs))).toBe(true);
  await world.get(all(tabs[0], "add"));
  const mine = tabs[1].cluster.owned;
  page.tell("hide");
  expect([tabs[1].cluster.owned, mine.every(({ lost }) => lost.aborted)]).toEqual([[], true]);
  expect((await world.get(all(tabs[0], "read"))).map(({ count, by }) => [count, by])).toEqual(Array(SHARDS).fill([1, ann]));
  page.tell("show");
  expect(await world.until(() => world.isSettled(tabs))).toBe(true);
  expect((await world.get(all(tabs[1], "add"))).map(({ count }) => count)).toEqual(Array(SHARDS).fill(2));
  world.checkTenures();
});
