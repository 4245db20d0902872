// Another game with the same people: asked for by everybody who sits, begun by the log, for players, watchers, latecomers and files alike.
import { afterEach, beforeEach, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "./base/index.ts";
import { decodeRecording, encodeRecording, replay, stateDigest, defineGame, type Game, type GameReport } from "./game/index.ts";
import { importMatch, openMatch, type Match, type MatchOptions } from "./open-match.ts";
import type { PageLifecycle } from "./platform/index.ts";
import { MemoryHub } from "./seam/index.ts";
import { MemoryByteStore } from "./storage/index.ts";
import { settled, until as untilBy } from "./testing/turn-clock.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

interface Tally {
  readonly trail: string;
}
type Add = { readonly add: number };

const tally: Game<Tally, Add> = {
  name: "tally",
  setup: () => ({ trail: "" }),
  apply: (state, { add }, { player }) => ({ trail: `${state.trail}${player}${add} ` }),
};

/** A page's life, turned by hand. */
class Page implements PageLifecycle {
  isHidden = false;
  readonly #listeners = new Map<string, Set<() => void>>();

  on(event: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  tell(event: string): void {
    for (const listener of this.#listeners.get(event) ?? []) listener();
  }
}

type Played = Match<Tally, Add>;
const [ann, bob, cat, dan] = ["ann", "bob", "cat", "dan"].map(peerId) as [PeerId, PeerId, PeerId, PeerId];

let clock: VirtualClock;
let hub: MemoryHub;
let matches: Played[];
let reports: GameReport[];
let seeds = 0;

beforeEach(() => {
  clock = new VirtualClock();
  hub = new MemoryHub({ clock, random: seededRandom(5), faults: { delayMs: 20 } });
  matches = [];
  reports = [];
});

afterEach(async () => {
  await get(Promise.all(matches.map((match) => match.leave())));
  await clock.advance(120_000);
  expect(clock.pendingTimers).toBe(0);
  expect(reports).toEqual([]);
});

const get = <T>(promise: Promise<T>): Promise<T> => settled(clock, promise);
const until = (condition: () => boolean, ms?: number): Promise<boolean> => untilBy(clock, condition, ms);

async function open(id: PeerId, options: Partial<MatchOptions<Tally, Add>> = {}): Promise<Played> {
  const random = seededRandom((seeds += 1));
  const match = await get(openMatch<Tally, Add>({ room: "r", game: tally, name: id.toUpperCase(), seam: hub.seam(id), clock, random, development: true, onReport: (report) => reports.push(report), ...options }));
  matches.push(match);
  return match;
}

const trail = (match: Played): string => match.confirmed.get().trail;
const all = (trails: string, ...played: readonly Played[]): Promise<boolean> => until(() => played.every((match) => trail(match) === trails && match.state.get().trail === trails));

test("begins once everybody who sits has asked, from the setup, for players and watchers, in the same seats, and the log goes on", async () => {
  const [first, second] = [await open(ann), await open(bob)];
  const watcher = await open(cat, { spectate: true });
  await get(first.play({ add: 1 }));
  await get(second.play({ add: 2 }));
  expect(await all("01 12 ", first, second, watcher)).toBe(true);
  const before = first.status.get().commitIndex;
  let hasBegun = false;
  const wish = first.rematch().then(() => (hasBegun = true));
  expect(await until(() => second.status.get().rematchAsked.includes(ann))).toBe(true);
  await clock.advance(5_000);
  expect([hasBegun, trail(first)]).toEqual([false, "01 12 "]);
  expect(await get(first.play({ add: 9 }))).toEqual({ outcome: "rejected", reason: "rematch-asked" });
  await get(second.play({ add: 3 }));
  expect(await all("01 12 13 ", first, second, watcher)).toBe(true);
  await get(Promise.all([wish, second.rematch()]));
  expect(await all("", first, second, watcher)).toBe(true);
  for (const match of [first, second, watcher]) expect(match.status.get()).toMatchObject({ game: 2, rematchAsked: [], divergences: [] });
  const outcome = await get(second.play({ add: 4 }));
  expect(outcome).toMatchObject({ outcome: "committed" });
  expect(outcome.outcome === "committed" && outcome.index).toBeGreaterThan(before);
  await get(first.play({ add: 5 }));
  expect(await all("14 05 ", first, second, watcher)).toBe(true);
  expect(first.players.get().map(({ peer, seat }) => [peer, seat])).toEqual([[ann, 0], [bob, 1], [cat, undefined]]);
});

test("waits for what is open, so that it counts in the game it was played in, and plays nothing meanwhile", async () => {
  const [first, second] = [await open(ann), await open(bob)];
  const outcome = second.play({ add: 1 });
  const wish = second.rematch();
  expect(await get(second.play({ add: 2 }))).toEqual({ outcome: "rejected", reason: "rematch-asked" });
  await get(Promise.all([wish, first.rematch()]));
  expect(await get(outcome)).toMatchObject({ outcome: "committed" });
  expect(await all("", first, second)).toBe(true);
  const file = importMatch(tally, await second.export());
  expect([...file.steps()].map(({ state, reason }) => [state.trail, reason])).toEqual([["", undefined], ["11 ", undefined], ["", undefined]]);
});

test("a wish can be taken back, is nobody's without a seat, and ends with it", async () => {
  const [first, second] = [await open(ann), await open(bob)];
  const watcher = await open(cat, { spectate: true });
  await expect(get(watcher.rematch())).rejects.toMatchObject({ code: "invalid-argument" });
  const abort = new AbortController();
  const wish = first.rematch({ signal: abort.signal }).catch((error: unknown) => error);
  expect(await until(() => second.status.get().rematchAsked.length === 1)).toBe(true);
  abort.abort(new Error("never mind"));
  expect(await get(wish)).toMatchObject({ message: "never mind" });
  expect(await until(() => second.status.get().rematchAsked.length === 0)).toBe(true);
  expect(await get(first.play({ add: 1 }))).toMatchObject({ outcome: "committed" });
  const lone = second.rematch().catch((error: unknown) => error);
  await clock.advance(3_000);
  expect([trail(first), first.status.get().game]).toEqual(["01 ", 1]);
  await get(first.kick(bob));
  expect(await get(lone)).toMatchObject({ code: "kicked" });
  expect(await until(() => first.status.get().rematchAsked.length === 0)).toBe(true);
});

test("goes on being asked while the page is away, by the same promise; a wish from before a reload can be taken back, and then its tab plays", async () => {
  const stores = new Map([ann, bob].map((id) => [id, new MemoryByteStore()]));
  const page = new Page();
  const first = await open(ann, { storage: stores.get(ann) });
  const second = await open(bob, { storage: stores.get(bob), page, seam: () => hub.seam(bob) });
  let hasBegun = false;
  const wish = second.rematch().then(() => (hasBegun = true));
  expect(await until(() => first.status.get().rematchAsked.includes(bob))).toBe(true);
  page.tell("hide");
  await clock.advance(2_000);
  page.tell("show");
  expect(await until(() => second.status.get().phase === "live")).toBe(true);
  expect([hasBegun, await get(second.play({ add: 1 }))]).toEqual([false, { outcome: "rejected", reason: "rematch-asked" }]);
  await get(Promise.all([wish, first.rematch()]));
  expect(await all("", first, second)).toBe(true);
  // The tab dies while it asks, and is opened again.
  second.rematch().catch(() => {});
  expect(await until(() => first.status.get().rematchAsked.includes(bob))).toBe(true);
  hub.kill(bob, { noticedAfterMs: 100 });
  await clock.advance(1_000);
  const again = await open(bob, { storage: stores.get(bob) });
  expect(await until(() => again.status.get().phase === "live" && again.status.get().rematchAsked.includes(bob))).toBe(true);
  await get(again.cancelRematch());
  expect(again.status.get().rematchAsked).toEqual([]);
  expect(await get(again.play({ add: 2 }))).toMatchObject({ outcome: "committed" });
  expect(await all("12 ", first, again)).toBe(true);
});

test("of three the one who did not want it leaves: nothing begins by that, and does when somebody asks again", async () => {
  const [first, second, third] = [await open(ann, { seats: 3 }), await open(bob, { seats: 3 }), await open(cat, { seats: 3 })];
  await get(first.play({ add: 1 }));
  const wishes = [first.rematch(), second.rematch()];
  expect(await until(() => third.status.get().rematchAsked.length === 2)).toBe(true);
  await get(third.leave());
  await clock.advance(3_000);
  expect([trail(first), first.status.get().game]).toEqual(["01 ", 1]);
  await get(Promise.all([...wishes, second.rematch()]));
  expect(await all("", first, second)).toBe(true);
});

test("survives the host's leaving, a reload and the coming of somebody late, and a file of it replays and goes on from either game", async () => {
  const stores = new Map([ann, bob].map((id) => [id, new MemoryByteStore()]));
  const seat = (id: PeerId): Promise<Played> => open(id, { storage: stores.get(id) });
  const [first, second] = [await seat(ann), await seat(bob)];
  await get(first.play({ add: 1 }));
  await get(second.play({ add: 2 }));
  const over = second.status.get().commitIndex;
  await get(Promise.all([first.rematch(), second.rematch()]));
  await get(second.play({ add: 3 }));
  expect(await all("13 ", first, second)).toBe(true);
  // The second tab crashes, comes back and reads its log again.
  hub.kill(bob, { noticedAfterMs: 100 });
  await clock.advance(1_000);
  const again = await seat(bob);
  expect(await all("13 ", first, again)).toBe(true);
  expect(again.status.get()).toMatchObject({ game: 2 });
  const late = await open(dan, { spectate: true });
  await get(again.play({ add: 4 }));
  await get(first.leave());
  expect(await until(() => again.status.get().isLeader)).toBe(true);
  expect(await all("13 14 ", again, late)).toBe(true);
  expect(late.status.get()).toMatchObject({ game: 2, divergences: [] });

  const file = await again.export();
  const read = importMatch(tally, file);
  expect([read.at().state.trail, read.at(over).state.trail]).toEqual(["13 14 ", "01 12 "]);
  const game = defineGame(tally);
  const copied = decodeRecording(encodeRecording(read.recording));
  expect(copied).toEqual(read.recording);
  expect(stateDigest(game, replay(game, copied).state)).toBe(stateDigest(game, again.confirmed.get()));
  const forked = await open(cat, { room: "r2", seam: new MemoryHub({ clock, random: seededRandom(9), faults: { delayMs: 20 } }).seam(cat), from: { file, at: over } });
  expect([trail(forked), forked.status.get().game]).toEqual(["01 12 ", 1]);
});
