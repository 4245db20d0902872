// Pig with tabs that die and come back in the middle of a roll.
import { describe, expect, test } from "vitest";
import { below, replay, type Random } from "../../sdk/index.ts";
import { importMatch } from "../../sdk/index.ts";
import { describeContract, gameObligations, openTable, type TestPlayer, type TestTable } from "../../sdk/testing/index.ts";
import { GOAL, pig, THINKING_MS, type Pig, type PigAction } from "./pig.ts";

type Player = TestPlayer<Pig, PigAction>;
type Table = TestTable<Pig, PigAction>;

const isOver = (state: Pig): boolean => state.scores.some((score) => score >= GOAL);
const living = (table: Table): Player => table.players.find(({ isAlive }) => isAlive)!;

/** Whoever's turn it is rolls until the pot is worth it. */
async function playOn(table: Table, isDone: (state: Pig) => boolean): Promise<void> {
  await table.until(() => {
    const { confirmed: state } = living(table);
    const active = table.player(state.turn);
    if (active.isAlive && active.match.pending.get().length === 0 && active.status.leader !== undefined && active.confirmed === active.state) {
      const { turn, dice, pot, scores } = active.state;
      if (table.players[turn] === active && dice.waiting === null && !isOver(active.state)) void active.match.play({ type: pot >= 10 || pot + scores[turn]! >= GOAL ? "bank" : "roll" }).catch(() => {});
    }
    return isDone(state);
  }, "the game to go on");
}

describeContract("pig keeps the game contract", gameObligations, { game: pig, seats: 3, sample: (_state: Pig, _player: number, random: Random): PigAction => ({ type: below(random, 3) === 0 ? "bank" : "roll" }) }, { describe, test });

test("a whole game ends alike for everybody, and its file replays to the same end", async () => {
  const table = await openTable(pig, { players: 3, seed: 4 });
  await playOn(table, isOver);
  await table.settled();
  const { confirmed } = table.player(0);
  expect(confirmed.eyes.length).toBeGreaterThan(5);
  expect(new Set(confirmed.eyes).size).toBeGreaterThan(2);
  const imported = importMatch(pig, await table.player(2).match.export());
  expect(imported.at().state).toEqual(confirmed);
  expect(replay(pig, imported.recording).state).toEqual(confirmed);
  await table.close();
});

test("another seed of the same players rolls otherwise, the same one the same", async () => {
  const eyes: string[] = [];
  for (const seed of [7, 7, 8]) {
    const table = await openTable(pig, { players: 2, seed });
    await playOn(table, (state) => state.eyes.length >= 6);
    eyes.push(living(table).confirmed.eyes.slice(0, 6).join());
    await table.close();
  }
  expect(eyes[1]).toBe(eyes[0]);
  expect(eyes[2]).not.toBe(eyes[0]);
});

describe("when tabs die", () => {
  test("a roll goes on after the leader's tab died in the middle of it, and the tab that comes back shows what it had promised", async () => {
    const table = await openTable(pig, { players: 3, seed: 5 });
    await playOn(table, (state) => state.eyes.length >= 2);
    const victim = table.leader;
    const before = victim.confirmed.eyes.length;
    await table.until(() => {
      const active = table.player(victim.confirmed.turn);
      if (active.state.dice.waiting === null && active.match.pending.get().length === 0) void active.match.play({ type: "roll" });
      return victim.confirmed.dice.open?.phase === "revealing";
    });
    victim.kill();
    await victim.reload();
    await table.until(() => living(table).confirmed.eyes.length > before);
    await playOn(table, isOver);
    await table.settled();
    await table.close();
  });

  test("who is gone for good is left out of the roll by the log's time, and its own turns pass", async () => {
    const table = await openTable(pig, { players: 3, seed: 6 });
    await playOn(table, (state) => state.eyes.length >= 1);
    table.player(2).kill();
    const start = table.clock.now();
    await playOn(table, isOver);
    expect(table.clock.now() - start).toBeGreaterThan(THINKING_MS / 2);
    await table.settled();
    const { dice, scores } = table.player(0).confirmed;
    expect(dice.hands[2]?.isAbsent).toBe(true);
    expect(scores.findIndex((score) => score >= GOAL)).toBeLessThan(2);
    await table.close();
  });

  test("who keeps its part of a roll back, having seen the others', is named and pays for it", async () => {
    for (const holder of [0, 1]) {
      const table = await openTable(pig, { players: 3, seed: 11 });
      // The tab dies between the action and its part of the roll, and stays away for longer than the patience.
      const roller = table.player(0);
      await table.until(() => roller.confirmed.dice.hands.filter(({ tip }) => tip !== null).length === 3);
      const rolling = roller.match.play({ type: "roll" });
      await table.until(() => table.player(holder).confirmed.dice.open?.phase === "revealing");
      table.player(holder).kill();
      rolling.catch(() => {});
      const other = table.player(2);
      await table.until(() => other.confirmed.eyes.length === 1);
      expect(other.confirmed).toMatchObject(holder === 0 ? { eyes: [1], turn: 1, pot: 0 } : { eyes: [6], turn: 0, pot: 6 });
      await table.close();
    }
  });

  test("who goes on alone in the middle of a roll has it made of its own part, once the patience has passed", async () => {
    const table = await openTable(pig, { players: 3, seed: 12 });
    const roller = table.player(0);
    await table.until(() => roller.confirmed.dice.hands.filter(({ tip }) => tip !== null).length === 3);
    roller.match.play({ type: "roll" }).catch(() => {});
    await table.until(() => roller.confirmed.dice.open?.phase === "revealing");
    table.player(1).kill();
    table.player(2).kill();
    await table.until(() => roller.status.phase === "no-quorum");
    await table.get(roller.match.continueWithout());
    await table.until(() => roller.confirmed.dice.waiting === null);
    // What the others have promised is secret still, and what they promise in the fork is new: here nobody but this one is asked any more.
    expect(roller.confirmed.eyes).toHaveLength(1);
    await playOn(table, (state) => state.eyes.length >= 2 || state.turn !== 0);
    await table.close();
  });

  test("a deadline outlives the leader that knew it, and passes once", async () => {
    const table = await openTable(pig, { players: 3, seed: 9 });
    await table.player(0).play({ type: "roll" });
    await table.until(() => table.player(0).confirmed.due !== null);
    await table.settled();
    const { turn, due } = table.player(0).confirmed;
    const leader = table.leader;
    await table.advance(due! - 1_700_000_000_000 - table.clock.now() - 100);
    leader.kill();
    const others = table.players.filter(({ isAlive }) => isAlive);
    await table.until(() => others.every(({ confirmed }) => confirmed.turn !== turn));
    await table.advance(5_000);
    for (const { confirmed } of others) expect(confirmed).toMatchObject({ turn: (turn + 1) % 3, pot: 0 });
    expect(others[0]!.confirmed.due! - due!).toBeLessThan(2 * THINKING_MS);
    await table.settled();
    await table.close();
  });
});
