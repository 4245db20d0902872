// Turn clocks: deadlines in the state, judged by logged time, at every entry and by ticks.
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { defineGame } from "./define-game.ts";
import type { Game, Seat } from "./game.ts";
import { Recorder } from "./recorder.ts";
import { replay } from "./replay.ts";
import { encodeSystemCommand } from "./system-command.ts";
import { openTable, settle, type Table } from "./test-fixtures.ts";
import { Timekeeper } from "./timekeeper.ts";

interface Turns {
  readonly turn: Seat;
  readonly due: number | null;
  readonly story: readonly string[];
}
type Say = { readonly word: string };

const TURN_MS = 1_000;

/** Two speak in turns, a second each; who is late loses the turn. */
const turns: Game<Turns, Say> = {
  name: "turns",
  setup: () => ({ turn: 0, due: null, story: [] }),
  check: (state, action, { player }) => (typeof action?.word !== "string" ? "no word" : state.turn === player ? undefined : "not your turn"),
  apply: (state, { word }, { player, time, seats }) => ({ turn: (player + 1) % seats, due: time + TURN_MS, story: [...state.story, `${player}:${word}`] }),
  clock: {
    deadline: ({ due }) => due ?? undefined,
    timeout: (state, { time, seats }) => ({ turn: (state.turn + 1) % seats, due: time + TURN_MS, story: [...state.story, `late:${state.turn}`] }),
  },
};
const tick = encodeSystemCommand({ type: "tick" });

test("[GA90] the first entry at or after the deadline brings the timeout, once, whoever adds how many ticks", () => {
  const { speculative, log, foreign, reports } = openTable(turns);
  log.append({ payload: tick, time: 5_000 });
  expect(speculative.confirmedState.story).toEqual([]);
  void speculative.propose({ word: "a" });
  log.commit(0);
  expect(speculative.confirmedState).toEqual({ turn: 1, due: 2_000, story: ["0:a"] });
  log.append({ payload: tick, time: 1_999 });
  expect(speculative.confirmedState.turn).toBe(1);
  // Two leaders race: both ticks stand in the log.
  log.append({ payload: tick, time: 2_000 });
  log.append({ payload: tick, time: 2_001 });
  expect(speculative.confirmedState).toEqual({ turn: 0, due: 3_000, story: ["0:a", "late:1"] });
  foreign({ word: "b" }, { time: 2_500 });
  expect(speculative.confirmedState.story).toEqual(["0:a", "late:1"]);
  expect(reports.map(({ kind }) => kind)).toEqual(["illegal"]);
});

test("[GA91] a move that comes after the deadline is judged in the state after the timeout, and that stands although the move is illegal", async () => {
  const { speculative, log, foreign } = openTable(turns);
  void speculative.propose({ word: "a" });
  log.commit(0);
  foreign({ word: "too late" }, { time: 2_300 });
  expect(speculative.confirmedState).toEqual({ turn: 0, due: 3_300, story: ["0:a", "late:1"] });
  // An own one, predicted in time, that the log has too late.
  const outcome = speculative.propose({ word: "c" });
  expect(speculative.speculativeState.story.at(-1)).toBe("0:c");
  log.append({ payload: log.proposals[1]!.payload, key: log.proposals[1]!.key, time: 9_000 });
  await expect(outcome).resolves.toMatchObject({ outcome: "rejected", reason: "not your turn" });
  expect(speculative.speculativeState.story).toEqual(["0:a", "late:1", "late:0"]);
});

test("[GA92] a recording replays the ticks with everything else, and an in-flight tick of an earlier tab is nobody's action", () => {
  const recorder = new Recorder({ game: defineGame(turns), seats: 2 });
  const { speculative, log, game, foreign, reports } = openTable(turns, { onTurn: recorder.add, development: true });
  foreign({ word: "x" });
  void speculative.propose({ word: "a" });
  log.commit(0);
  log.append({ payload: tick, time: 4_000 });
  expect(replay(game, recorder.recording).state).toEqual(speculative.confirmedState);
  expect(speculative.confirmedCount).toBe(3);
  const later = openTable(turns, { log, resumed: [log.resume({ key: { clientId: log.clientId, requestId: 9 }, payload: tick, lane: 1 })] });
  expect(later.speculative.resumed).toEqual([]);
  expect([...reports, ...later.reports].map(({ kind }) => kind)).toEqual(["illegal", "illegal"]);
});

test("[GA93] a timeout that stands still, throws or answers nothing does nothing, and is reported", () => {
  const broken: readonly [Partial<NonNullable<Game<Turns, Say>["clock"]>>, string][] = [
    [{ timeout: (state) => state }, "leaves its deadline (1) standing"],
    [{ timeout: () => { throw new Error("oh no"); } }, "oh no"],
    [{ timeout: () => undefined as unknown as Turns }, "returned undefined"],
    [{ deadline: () => Number.NaN }, "deadline answers a time"],
  ];
  for (const [clock, message] of broken) {
    const { speculative, log, reports } = openTable<Turns, Say>({ ...turns, setup: () => ({ turn: 0, due: 1, story: [] }), clock: { ...turns.clock!, ...clock } });
    log.append({ payload: tick, time: 1_000 });
    expect(speculative.confirmedState).toEqual({ turn: 0, due: 1, story: [] });
    expect(reports).toMatchObject([{ kind: "clock-failed", index: 1, message: expect.stringContaining(message) as string }]);
  }
});

test("[GA10] a clock of the wrong shape is refused", () => {
  expect(() => defineGame({ ...turns, clock: { deadline: () => 1 } as never })).toThrow("a game's clock is { deadline, timeout } or left out, got an object with deadline");
});

describe("the timekeeper", () => {
  const keep = (table: Table<Turns, Say>, isLeading: () => boolean, offsetMs = 0): { clock: VirtualClock; keeper: Timekeeper<Turns, Say> } => {
    const clock = new VirtualClock();
    return { clock, keeper: new Timekeeper({ ...table, clock, wallClock: () => 1_000 + offsetMs + clock.now(), isLeading }) };
  };
  const start = (): Table<Turns, Say> => {
    const table = openTable(turns);
    void table.speculative.propose({ word: "a" });
    table.log.commit(0);
    return table;
  };

  test("[GA94] proposes one tick when the deadline has come, and none while it does not lead", async () => {
    const table = start();
    let isLeading = false;
    const { clock, keeper } = keep(table, () => isLeading);
    await clock.advance(5_000);
    expect(table.log.proposals).toHaveLength(1);
    isLeading = true;
    keeper.look();
    expect(table.log.proposals.map(({ payload }) => [...payload])).toContainEqual([...tick]);
    keeper.look();
    expect(table.log.proposals).toHaveLength(2);
    keeper.close();
    expect(clock.pendingTimers).toBe(0);
  });

  test("[GA94] waits for the deadline to the millisecond, and goes on with the next", async () => {
    const table = start();
    const { clock, keeper } = keep(table, () => true);
    await clock.advance(999);
    expect(table.log.proposals).toHaveLength(1);
    await clock.advance(1);
    expect(table.log.proposals).toHaveLength(2);
    const { payload, key } = table.log.proposals[1]!;
    table.log.append({ payload, key, time: 2_000 });
    table.log.tell(key, table.log.appliedIndex);
    await settle();
    expect(table.speculative.confirmedState.due).toBe(3_000);
    await clock.advance(1_000);
    expect(table.log.proposals).toHaveLength(3);
    keeper.close();
  });

  test("[GA94] a leader whose clock is behind the log goes on from the log's time: the deadline comes when it has passed, and not when that clock has caught up", async () => {
    const table = start();
    // The allowance of a second began at 1_000 by the log; here it is an hour earlier.
    const { clock, keeper } = keep(table, () => true, -3_600_000);
    await clock.advance(999);
    expect(table.log.proposals).toHaveLength(1);
    await clock.advance(1);
    expect(table.log.proposals).toHaveLength(2);
    keeper.close();
  });

  test("[GA94] a tick that fails or comes too early for the log's time is proposed again after a pause, one that changes nothing is not", async () => {
    const table = start();
    const { clock, keeper } = keep(table, () => true, 60_000);
    table.log.fail(1, new Error("nobody leads"));
    await settle();
    expect(table.log.proposals).toHaveLength(2);
    await clock.advance(1_000);
    expect(table.log.proposals).toHaveLength(3);
    const tell = async (at: number, time: number): Promise<void> => {
      const { payload, key } = table.log.proposals[at]!;
      table.log.append({ payload, key, time });
      table.log.tell(key, table.log.appliedIndex);
      await settle();
    };
    await tell(2, 1_500);
    await clock.advance(1_000);
    expect(table.log.proposals).toHaveLength(4);
    await tell(3, 2_100);
    expect(table.speculative.confirmedState.story).toEqual(["0:a", "late:1"]);
    table.speculative.close();
    expect(clock.pendingTimers).toBe(0);
    keeper.close();
    const stuck = openTable<Turns, Say>({ ...turns, clock: { deadline: () => 1, timeout: (state) => state } });
    const other = keep(stuck, () => true);
    await other.clock.advance(10);
    stuck.log.commit(0);
    await settle();
    await other.clock.advance(60_000);
    expect(stuck.log.proposals).toHaveLength(1);
  });
});
