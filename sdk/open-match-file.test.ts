// A match taken out of its room and opened again: replayed step by step, gone on with in another group, forked; and what a tab comes back to.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "./base/index.ts";
import { decodeRecording, encodeRecording, replay, stateDigest, defineGame, type Game, type GameReport } from "./game/index.ts";
import { decodeMatchFile, encodeMatchFile } from "./open-match-file.ts";
import { exportMatch, importMatch, openMatch, type Match, type MatchOptions } from "./open-match.ts";
import { MemoryHub } from "./seam/index.ts";
import { MemoryByteStore } from "./storage/index.ts";
import { settled, until as untilBy } from "./testing/turn-clock.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

interface Tally {
  readonly by: readonly number[];
  readonly trail: string;
}
type Add = { readonly add: number };

/** Everybody adds up its own; negative sums are illegal. */
const tally: Game<Tally, Add> = {
  name: "tally",
  setup: ({ seats }) => ({ by: Array.from({ length: seats }, () => 0), trail: "" }),
  check: (state, { add }, { player }) => ((state.by[player] ?? 0) + add < 0 ? "below zero" : undefined),
  apply: (state, { add }, { player }) => ({ by: state.by.map((sum, seat) => (seat === player ? sum + add : sum)), trail: `${state.trail}${player}${add} ` }),
};

type Played = Match<Tally, Add>;
const [ann, bob, cat] = ["ann", "bob", "cat"].map(peerId) as [PeerId, PeerId, PeerId];

let clock: VirtualClock;
let hub: MemoryHub;
let matches: Played[];

beforeEach(() => {
  clock = new VirtualClock();
  hub = new MemoryHub({ clock, random: seededRandom(3), faults: { delayMs: 20 } });
  matches = [];
});

afterEach(async () => {
  await get(Promise.all(matches.map((match) => match.leave())));
  await clock.advance(120_000);
  expect(clock.pendingTimers).toBe(0);
});

let seeds = 100;
async function open(id: PeerId, options: Partial<MatchOptions<Tally, Add>> = {}): Promise<Played> {
  const match = await get(openMatch<Tally, Add>({ room: "r", game: tally, name: id.toUpperCase(), seam: hub.seam(id), clock, random: seededRandom((seeds += 1)), ...options }));
  matches.push(match);
  return match;
}

const get = <T>(promise: Promise<T>): Promise<T> => settled(clock, promise);
const until = (condition: () => boolean, ms?: number): Promise<boolean> => untilBy(clock, condition, ms);

const live = (...played: readonly Played[]): Promise<boolean> => until(() => played.every((match) => match.status.get().phase === "live"));
const trail = (match: Played): string => match.confirmed.get().trail;

/** Two players and four moves: "01 12 03 14 ". */
async function played(): Promise<{ readonly first: Played; readonly second: Played; readonly indexes: number[] }> {
  const [first, second] = [await open(ann), await open(bob)];
  expect(await live(first, second)).toBe(true);
  const indexes: number[] = [];
  for (const [at, add] of [1, 2, 3, 4].entries()) {
    const outcome = await get([first, second][at % 2]!.play({ add }));
    if (outcome.outcome === "committed") indexes.push(outcome.index);
  }
  expect(await until(() => [first, second].every((match) => trail(match) === "01 12 03 14 "))).toBe(true);
  return { first, second, indexes };
}

async function leaveAll(): Promise<void> {
  await get(Promise.all(matches.splice(0).map((match) => match.leave())));
}

describe("a file of a match", () => {
  test("replays to the state and digest the match had, to any index and step by step", async () => {
    const { first, second, indexes } = await played();
    const file = await exportMatch(second);
    const match = importMatch(tally, file);
    expect(match).toMatchObject({ rules: "tally@1", seats: 2, players: ["ANN", "BOB"], firstIndex: 0 });
    expect(match.lastIndex).toBeGreaterThanOrEqual(indexes.at(-1)!);
    expect(indexes.map((index) => match.at(index).state.trail)).toEqual(["01 ", "01 12 ", "01 12 03 ", "01 12 03 14 "]);
    expect(match.at(indexes[1]! - 1).state.trail).toBe("01 ");
    expect([...match.steps()].map(({ turn, action }) => [turn?.player, action?.add])).toEqual([[undefined, undefined], [0, 1], [1, 2], [0, 3], [1, 4]]);
    const game = defineGame(tally);
    expect(stateDigest(game, match.at().state)).toBe(stateDigest(game, first.confirmed.get()));
    expect(replay(game, decodeRecording(encodeRecording(match.recording))).state).toEqual(first.confirmed.get());
  });

  test("holds nothing that is only pending, and can still be taken when the match is over here", async () => {
    const { first, second } = await played();
    hub.cut(ann, bob);
    void second.play({ add: 9 }).catch(() => {});
    expect(second.state.get().trail).toBe("01 12 03 14 19 ");
    expect(importMatch(tally, await second.export()).at().state.trail).toBe("01 12 03 14 ");
    hub.heal();
    await get(first.leave());
    expect(importMatch(tally, await first.export()).at().state.trail).toContain("01 12 03 14 ");
  });

  test("of another game or version is refused by name, and so is one that is damaged or none", async () => {
    const { first } = await played();
    const file = await first.export();
    for (const game of [{ ...tally, version: "2" }, { ...tally, name: "other" }]) expect(() => importMatch(game, file)).toThrow(expect.objectContaining({ code: "rules-mismatch", actual: "tally@1" }));
    for (let at = 0; at < file.length; at += 7) {
      for (const damaged of [file.map((byte, where) => (where === at ? byte ^ 0x21 : byte)), file.subarray(0, at)]) expect(() => importMatch(tally, damaged)).toThrow(expect.objectContaining({ code: "corrupt-state", record: "match" }));
    }
    // What is sealed and says something else inside is refused too.
    const { log } = decodeMatchFile(file);
    expect(() => importMatch({ ...tally, version: "2" }, encodeMatchFile({ rules: "tally@2", seats: 2, log }))).toThrow(expect.objectContaining({ code: "rules-mismatch", actual: "tally@1" }));
    expect(() => importMatch(tally, encodeMatchFile({ rules: "tally@1", seats: 2, log: log.subarray(1) }))).toThrow(expect.objectContaining({ code: "corrupt-state", record: "export" }));
    expect(() => importMatch(tally, encodeMatchFile({ rules: "tally@1", seats: 0, log }))).toThrow(expect.objectContaining({ code: "corrupt-state" }));
    await expect(open(cat, { from: file.subarray(1) })).rejects.toMatchObject({ code: "corrupt-state" });
    await expect(open(cat, { from: file, game: { ...tally, version: "2" } })).rejects.toMatchObject({ code: "rules-mismatch" });
  });
});

describe("a new match from a file", () => {
  test("begins in its state, hosted by whoever brought it, with the other seats free, and goes on", async () => {
    const { first, indexes } = await played();
    const file = await first.export();
    await leaveAll();
    const again = await open(cat, { from: file });
    expect(again.status.get()).toMatchObject({ phase: "waiting", seat: 0, isLeader: true });
    expect(again.players.get().map(({ peer, seat }) => [peer, seat])).toEqual([[cat, 0]]);
    expect(again.confirmed.get()).toEqual({ by: [4, 6], trail: "01 12 03 14 " });
    const joined = await open(bob);
    expect(await live(again, joined)).toBe(true);
    expect(joined.status.get().seat).toBe(1);
    expect(await get(joined.play({ add: -7 }))).toMatchObject({ outcome: "rejected", reason: "below zero" });
    const outcome = await get(joined.play({ add: -6 }));
    expect(outcome).toMatchObject({ outcome: "committed" });
    if (outcome.outcome === "committed") expect(outcome.index).toBeGreaterThan(indexes.at(-1)!);
    expect(await until(() => trail(again) === "01 12 03 14 1-6 ")).toBe(true);
    const exported = importMatch(tally, await again.export());
    expect(exported.at().state).toEqual(again.confirmed.get());
    expect(exported.at(exported.firstIndex).state.trail).toBe("01 12 03 14 ");
    expect([...exported.steps()].length).toBe(2);
  });

  test("gives a player of the old one its seat, another one where asked, and forks after any entry", async () => {
    const { first, indexes } = await played();
    const file = await first.export();
    await leaveAll();
    for (const [options, seat, state] of [
      [{ file }, 1, "01 12 03 14 "],
      [{ file, as: 0 }, 0, "01 12 03 14 "],
      [{ file, at: indexes[1]! }, 1, "01 12 "],
    ] as const) {
      const match = await open(bob, { from: options });
      expect(match.status.get().seat).toBe(seat);
      expect(trail(match)).toBe(state);
      expect(await get(match.play({ add: 5 }))).toMatchObject({ outcome: "committed" });
      expect(trail(match)).toBe(`${state}${seat}5 `);
      await leaveAll();
    }
  });

  test("is refused for seats or an index the file does not have, for a watcher, and where the room plays already", async () => {
    const { first } = await played();
    const file = await first.export();
    for (const options of [{ from: file, seats: 3 }, { from: { file, as: 2 } }, { from: { file, as: -1 } }, { from: { file, at: 0 } }, { from: { file, at: 10_000 } }, { from: file, spectate: true }]) {
      await expect(open(cat, options)).rejects.toMatchObject({ code: "invalid-argument" });
    }
    await expect(open(cat, { from: file })).rejects.toMatchObject({ code: "duplicate-host" });
    expect(trail(first)).toBe("01 12 03 14 ");
  });

  test("survives its tab like any other", async () => {
    const { first } = await played();
    const file = await first.export();
    await leaveAll();
    const disk = new MemoryByteStore();
    const again = await open(ann, { from: file, storage: disk });
    await get(again.play({ add: 5 }));
    const back = await open(ann, { storage: await crash(ann, disk) });
    expect(await until(() => back.status.get().phase === "waiting" && trail(back) === "01 12 03 14 05 ")).toBe(true);
    expect(back.status.get().seat).toBe(0);
  });
});

test("a match brought along that meets an older one of the same room ends, and says why, instead of becoming that one", async () => {
  const { first } = await played();
  const file = await first.export();
  await leaveAll();
  hub.cut(ann, bob);
  const [older, brought] = [await open(ann), await open(bob, { from: file })];
  hub.heal();
  expect(await until(() => brought.status.get().phase === "closed")).toBe(true);
  expect(brought.status.get().reason).toContain("host");
  expect(trail(brought)).toBe("01 12 03 14 ");
  expect(trail(older)).toBe("");
});

/** What the disk of a tab holds at the moment it crashes: the crashed one, which lives on in this process, writes to its own. */
async function crash(id: PeerId, disk: MemoryByteStore): Promise<MemoryByteStore> {
  hub.kill(id);
  const kept = new MemoryByteStore();
  await kept.write((await disk.readRange("", "\uffff")).map(([key, value]) => ({ type: "put", key, value })));
  return kept;
}

describe("what a tab comes back to", () => {
  for (const moves of [0, 1, 5]) {
    test(`moves in flight when it crashed are shown as pending again, commit once, and are never shown twice (after ${moves} moves)`, async () => {
      const disk = new MemoryByteStore();
      const first = await open(ann, { storage: new MemoryByteStore() });
      const second = await open(bob, { storage: disk });
      expect(await live(first, second)).toBe(true);
      for (let move = 0; move < moves; move += 1) await get(first.play({ add: 1 }));
      await clock.advance(500);
      hub.cut(ann, bob);
      void second.play({ add: 1 }).catch(() => {});
      void second.play({ add: 2 }).catch(() => {});
      await clock.advance(100);
      const kept = await crash(bob, disk);
      const again = await open(bob, { storage: kept });
      const seen: string[] = [again.state.get().trail];
      again.state.listen((state) => seen.push(state.trail));
      // Of a match that had no move yet, the disk may not know that the last word about seats was agreed on: then it waits for the others.
      if (moves > 0) expect([again.pending.get(), again.state.get().by[1]]).toEqual([[{ add: 1 }, { add: 2 }], 3]);
      hub.heal();
      const all = `${"01 ".repeat(moves)}11 12 `;
      expect(await until(() => trail(first) === all && trail(again) === all)).toBe(true);
      expect(again.pending.get()).toEqual([]);
      await clock.advance(10_000);
      expect([first, again].map((match) => match.confirmed.get())).toEqual([{ by: [moves, 3], trail: all }, { by: [moves, 3], trail: all }]);
      for (const shown of seen) expect(shown.split("11 ").length).toBeLessThanOrEqual(2);
      if (moves > 0) for (const shown of seen) expect(shown).toMatch(/11 12 $/u);
    });
  }

  test("a match of another version is not played on: opening says which one it needs, and may be asked for a new match", async () => {
    const disk = new MemoryByteStore();
    const first = await open(ann, { storage: disk });
    await get(first.play({ add: 1 }));
    const kept = await crash(ann, disk);
    const newer = { ...tally, version: "2" };
    await expect(open(ann, { storage: kept, game: newer })).rejects.toMatchObject({ code: "rules-mismatch", expected: "tally@2", actual: "tally@1" });
    hub.kill(ann);
    const fresh = await open(ann, { storage: kept, game: newer, resume: false });
    expect(trail(fresh)).toBe("");
    expect(await get(fresh.play({ add: 2 }))).toMatchObject({ outcome: "committed" });
  });
});

describe("peers that came to different states", () => {
  /** Whoever runs this in place of `tally` counts sevens double. */
  const cheating: Game<Tally, Add> = { ...tally, apply: (state, { add }, context) => tally.apply(state, { add: add === 7 ? 14 : add }, context) };

  test("are named with the index, to each other, in development after the very move", async () => {
    const reports: GameReport[] = [];
    const first = await open(ann, { development: true, seats: 3, onReport: (report) => reports.push(report) });
    const second = await open(bob, { development: true, seats: 3 });
    const third = await open(cat, { development: true, seats: 3, game: cheating, onReport: () => {} });
    expect(await live(first, second, third)).toBe(true);
    const before = await get(first.play({ add: 1 }));
    expect(first.status.get().divergences).toEqual([]);
    const outcome = await get(second.play({ add: 7 }));
    if (outcome.outcome !== "committed" || before.outcome !== "committed") throw new Error("a legal move");
    await until(() => [first, second, third].every((match) => match.status.get().divergences.length > 0));
    expect([first, second, third].map((match) => match.status.get().divergences.map(({ peer, index, agreedIndex }) => [peer, index, agreedIndex]))).toEqual([
      [[cat, outcome.index, before.index]],
      [[cat, outcome.index, before.index]],
      expect.arrayContaining([[ann, outcome.index, before.index], [bob, outcome.index, before.index]]),
    ]);
    expect(reports.filter(({ kind }) => kind === "diverged").map(({ peer, index }) => [peer, index])).toEqual([[cat, outcome.index]]);
    await get(third.leave());
    expect(await until(() => first.status.get().divergences.length === 0)).toBe(true);
  });

  test("are found by a newcomer, too, and otherwise within fifty moves", async () => {
    const first = await open(ann, { seats: 3 });
    const second = await open(bob, { seats: 3, game: cheating });
    expect(await until(() => [first, second].every((match) => match.status.get().phase === "waiting"))).toBe(true);
    for (let move = 0; move < 49; move += 1) await get(first.play({ add: 7 }));
    expect(first.status.get().divergences).toEqual([]);
    const fiftieth = await get(first.play({ add: 1 }));
    expect(await until(() => first.status.get().divergences.length === 1)).toBe(true);
    if (fiftieth.outcome === "committed") expect(first.status.get().divergences).toMatchObject([{ peer: bob, index: fiftieth.index, agreedIndex: 0 }]);
    const third = await open(cat, { seats: 3 });
    expect(await until(() => third.status.get().divergences.length === 1)).toBe(true);
    expect(third.status.get().divergences).toMatchObject([{ peer: bob }]);
  });
});
