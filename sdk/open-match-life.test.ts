// A tab's life at its edges: opened and given up, opened twice, left twice, reloaded in haste, named strangely. Nothing is left behind, and nobody else is disturbed.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "./base/index.ts";
import type { Game } from "./game/index.ts";
import { importMatch, openMatch, type Match, type MatchOptions } from "./open-match.ts";
import { MemoryHub } from "./seam/index.ts";
import { MemoryByteStore } from "./storage/index.ts";
import { settled, until as untilBy } from "./testing/turn-clock.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

type Played = Match<readonly string[], string>;
const words: Game<readonly string[], string> = { name: "words", setup: () => [], apply: (said, word) => [...said, word] };
const [ann, bob, eve] = ["ann", "bob", "eve"].map(peerId) as [PeerId, PeerId, PeerId];

let clock: VirtualClock;
let hub: MemoryHub;
let matches: Played[];
let seeds = 0;

beforeEach(() => {
  clock = new VirtualClock();
  hub = new MemoryHub({ clock, random: seededRandom(5), faults: { delayMs: 20 } });
  matches = [];
});

afterEach(async () => {
  await get(Promise.all(matches.map((match) => match.leave())));
  await clock.advance(120_000);
  expect(clock.pendingTimers).toBe(0);
});

const get = <T>(promise: Promise<T>): Promise<T> => settled(clock, promise);
const until = (condition: () => boolean, ms?: number): Promise<boolean> => untilBy(clock, condition, ms);

function opening(id: PeerId, options: Partial<MatchOptions<readonly string[], string>> = {}): Promise<Played> {
  return openMatch<readonly string[], string>({ room: "r", game: words, name: id, seam: () => hub.seam(id), clock, random: seededRandom((seeds += 1)), ...options });
}

async function open(id: PeerId, options: Partial<MatchOptions<readonly string[], string>> = {}): Promise<Played> {
  const match = await get(opening(id, options));
  matches.push(match);
  return match;
}

/** Who is in the room, as somebody sees it who comes to look. */
async function present(): Promise<PeerId[]> {
  const seam = hub.seam(eve);
  await clock.advance(1_000);
  const peers = [...seam.peers].filter((peer) => peer !== eve).sort();
  await seam.close();
  await clock.advance(100);
  return peers;
}

describe("opening", () => {
  test("given up at any of its awaits, or any moment after, leaves nobody in the room and no timer", async () => {
    const slowly = async (): Promise<MemoryByteStore> => {
      for (let hop = 0; hop < 5; hop += 1) await Promise.resolve();
      return new MemoryByteStore();
    };
    const never = new Error("never mind");
    for (const [hops, ms] of [...Array.from({ length: 40 }, (_, at) => [at, 0] as const), ...Array.from({ length: 30 }, (_, at) => [5, at * 40] as const)]) {
      const abort = new AbortController();
      const outcome = opening(ann, { storage: slowly, signal: abort.signal }).then((match) => match.leave(), (error: unknown) => expect([hops, ms, error]).toEqual([hops, ms, never]));
      for (let hop = 0; hop < hops; hop += 1) await Promise.resolve();
      if (ms > 0) await clock.advance(ms);
      abort.abort(never);
      await get(outcome);
      expect([hops, ms, await present()]).toEqual([hops, ms, []]);
      await clock.advance(10_000);
      expect([hops, ms, clock.pendingTimers]).toEqual([hops, ms, 0]);
    }
  });

  test("whose storage can not be opened closes the seam that was made for it", async () => {
    const failure: unknown = await get(opening(ann, { storage: () => Promise.reject(new Error("no disk")) }).catch((error: unknown) => error));
    expect(failure).toMatchObject({ message: "no disk" });
    expect(await present()).toEqual([]);
  });

  test("twice at once, as a view that is mounted, unmounted and mounted again does, ends in one seat that plays", async () => {
    const host = await open(bob);
    const stores = new MemoryByteStore();
    const first = new AbortController();
    const given = opening(ann, { storage: stores, signal: first.signal }).catch((error: unknown) => error);
    first.abort(new Error("unmounted"));
    const second = await open(ann, { storage: stores });
    expect(await get(given)).toMatchObject({ message: "unmounted" });
    expect(second.status.get()).toMatchObject({ seat: 1, phase: "live" });
    expect(await get(second.play("hello"))).toMatchObject({ outcome: "committed" });
    expect(await until(() => host.confirmed.get().join() === "hello")).toBe(true);
    expect(host.players.get().map(({ peer }) => peer)).toEqual([bob, ann]);
  });
});

describe("leaving", () => {
  test("[SE67] twice is leaving once, also while somebody is being let in; afterwards everything answers, and nothing is done", async () => {
    const first = await open(ann);
    const coming = opening(bob);
    await clock.advance(150);
    const [once, twice] = [first.leave(), first.leave()];
    expect(twice).toBe(once);
    expect(await first.play("late")).toEqual({ outcome: "rejected", reason: "closed" });
    const second = await get(coming);
    matches.push(second);
    await get(once);
    expect(first.undo()).toEqual({ undone: false, reason: "nothing" });
    expect(await first.play("later")).toEqual({ outcome: "rejected", reason: "closed" });
    const asks: Record<string, () => Promise<void>> = {
      rename: () => first.rename("x"), sit: () => first.sit(), stand: () => first.stand(), kick: () => first.kick(bob), rematch: () => first.rematch(), cancelRematch: () => first.cancelRematch(), continueWithout: () => first.continueWithout(),
    };
    for (const [name, ask] of Object.entries(asks)) expect([name, await get(ask().catch((error: unknown) => error))]).toMatchObject([name, { code: "closed" }]);
    expect(importMatch(words, await first.export()).at().state).toEqual([]);
    expect(first.status.get().phase).toBe("closed");
    expect(await until(() => second.status.get().isLeader)).toBe(true);
    expect(await get(second.play("on"))).toMatchObject({ outcome: "committed" });
  });
});

describe("reloading", () => {
  test("five times in haste, crashed or closed, is one player in one seat who knows every move", async () => {
    const stores = new Map([ann, bob].map((id) => [id, new MemoryByteStore()]));
    const host = await open(ann, { storage: stores.get(ann) });
    let tab = await open(bob, { storage: stores.get(bob) });
    await get(tab.play("before"));
    for (let reload = 0; reload < 5; reload += 1) {
      hub.kill(bob, { noticedAfterMs: 40 * reload });
      await clock.advance(60);
      tab = await open(bob, { storage: stores.get(bob) });
      await clock.advance(50 * reload);
    }
    expect(await until(() => tab.status.get().phase === "live" && host.status.get().phase === "live")).toBe(true);
    expect(await get(tab.play("after"))).toMatchObject({ outcome: "committed" });
    expect(await until(() => host.confirmed.get().join() === "before,after")).toBe(true);
    expect(tab.confirmed.get()).toEqual(["before", "after"]);
    expect(host.players.get().map(({ peer, seat, presence }) => [peer, seat, presence])).toEqual([[ann, 0, "here"], [bob, 1, "here"]]);
  });

  test("of both at once, again and again, ends in the same match", async () => {
    const stores = new Map([ann, bob].map((id) => [id, new MemoryByteStore()]));
    let tabs = [await open(ann, { storage: stores.get(ann) }), await open(bob, { storage: stores.get(bob) })];
    await get(tabs[0]!.play("before"));
    expect(await until(() => tabs[1]!.confirmed.get().length === 1)).toBe(true);
    for (let reload = 0; reload < 3; reload += 1) {
      for (const id of [ann, bob]) hub.kill(id, { noticedAfterMs: 100 });
      await clock.advance(200);
      const [first, second] = [opening(ann, { storage: stores.get(ann) }), opening(bob, { storage: stores.get(bob) })];
      tabs = [await get(first), await get(second)];
      matches.push(...tabs);
    }
    expect(await until(() => tabs.every((tab) => tab.status.get().phase === "live"))).toBe(true);
    expect(await get(tabs[1]!.play("after"))).toMatchObject({ outcome: "committed" });
    expect(await until(() => tabs.every((tab) => tab.confirmed.get().join() === "before,after"))).toBe(true);
    expect(tabs.map((tab) => tab.status.get().seat)).toEqual([0, 1]);
  });
});

test("[SE67] a name is shown as it was meant, cut where it is too long, and never turns what stands beside it", async () => {
  const family = "\u{1F468}\u200D\u{1F469}\u200D\u{1F467}";
  const names: readonly (readonly [given: string, shown: string])[] = [
    [family, family], ["\u05E9\u05DC\u05D5\u05DD", "\u05E9\u05DC\u05D5\u05DD"], ["x".repeat(10_000), "x".repeat(40)], ["\u{1F600}".repeat(5_000), "\u{1F600}".repeat(20)],
    ["\u202Enna\u2066", "nna"], ["\u0000\n\t ", "Player"], ["\uD83D", "Player"],
  ];
  const host = await open(ann);
  const guest = await open(bob, { name: names[0]![0] });
  for (const [given, shown] of names) {
    await get(guest.rename(given));
    expect(await until(() => host.players.get()[1]?.name === shown, 5_000), JSON.stringify(given.slice(0, 9))).toBe(true);
    expect(guest.players.get()[1]?.name).toBe(shown);
  }
});
