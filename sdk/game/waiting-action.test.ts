// Actions that draw from the fair dice: what their numbers hang on, and what may not come between an action and its numbers.
import { expect, test } from "vitest";
import { below, peerId } from "../base/index.ts";
import { defineGame } from "./define-game.ts";
import { fairDice, tipOfContribution, type DiceState, type Roll } from "./fair-dice.ts";
import type { Game } from "./game.ts";
import { nextDue } from "./happenings.ts";
import { Recorder } from "./recorder.ts";
import { replay } from "./replay.ts";
import type { SpeculativeSequencerOptions } from "./speculative-sequencer.ts";
import { CONTRIBUTION_BYTES, encodeSystemCommand, type SystemCommand } from "./system-command.ts";
import { openTable, settle, type Table } from "./test-fixtures.ts";

interface Lots {
  readonly dice: DiceState;
  readonly drawn: readonly { readonly lot: number; readonly player: number; readonly index: number; readonly time: number; readonly roll: Roll | undefined }[];
  readonly said: readonly string[];
  readonly due: number | null;
}
type Lot = { readonly type: "draw" | "peek" | "burst" } | { readonly type: "say"; readonly word: string } | { readonly type: "alarm"; readonly at: number };

/** A hundred thousand lots, so that two draws are hardly ever alike. */
const lots: Game<Lots, Lot> = {
  name: "lots",
  setup: () => ({ dice: fairDice(), drawn: [], said: [], due: null }),
  check: (state, action, { random }) => (action.type === "peek" ? String(random.uint32()) : action.type === "say" && state.said.includes(action.word) ? "said already" : undefined),
  apply: (state, action, { player, index, time, random, roll }) => {
    if (action.type === "say") return { ...state, said: [...state.said, action.word] };
    if (action.type === "alarm") return { ...state, due: action.at };
    const lot = below(random, 100_000);
    if (action.type === "burst") throw new Error(`burst at ${lot}`);
    return { ...state, drawn: [...state.drawn, { lot, player, index, time, roll }] };
  },
  clock: { deadline: ({ due }) => due ?? undefined, timeout: (state) => ({ ...state, due: null, said: [...state.said, "late"] }) },
  dice: { read: ({ dice }) => dice, write: (state, dice) => ({ ...state, dice }) },
};

const [ann, bob] = [peerId("self"), peerId("other")];
const value = (n: number): Uint8Array => new Uint8Array(CONTRIBUTION_BYTES).fill(n);
const commit = (seat: number, n: number): SystemCommand => ({ type: "commit", tip: tipOfContribution(seat, value(n)) });
const reveal = (n: number): SystemCommand => ({ type: "reveal", value: value(n) });
const tick: SystemCommand = { type: "tick" };

interface Lottery extends Table<Lots, Lot> {
  /** Commits something of theirs. */
  say(by: typeof ann, command: SystemCommand | Lot, time?: number): void;
  /** Both show what `commit(0, 1)` and `commit(1, 2)` have promised. */
  showBoth(time?: number): void;
}

function sit(rules: Game<Lots, Lot> = lots, options: Partial<SpeculativeSequencerOptions<Lots, Lot>> = {}): Lottery {
  const table = openTable(rules, options);
  const say: Lottery["say"] = (by, command, time = 1_000) => {
    const isSystem = command.type === "commit" || command.type === "reveal" || command.type === "tick";
    table.log.append({ payload: isSystem ? encodeSystemCommand(command) : table.game.actions.encode(command), proposer: by, time, key: { clientId: `c-${by}`, requestId: table.log.appliedIndex + 1 } });
  };
  say(ann, commit(0, 1));
  say(bob, commit(1, 2));
  return { ...table, say, showBoth: (time) => [reveal(2), reveal(1)].forEach((each, at) => say(at === 0 ? bob : ann, each, time)) };
}

/** The lot of a table where something else came before. */
function lotAfter(prepare: (table: Lottery) => void, draw: (table: Lottery) => void = ({ say }) => say(bob, { type: "draw" })): number {
  const table = sit();
  prepare(table);
  draw(table);
  table.showBoth(5_000);
  expect(table.speculative.confirmedState.drawn).toHaveLength(1);
  return table.speculative.confirmedState.drawn[0]!.lot;
}

test("[GA106] an action that draws waits at its entry for its roll, and then takes effect with it", async () => {
  const { speculative, log, say, reports, states } = sit();
  const before = states.length;
  const outcome = speculative.propose({ type: "draw" });
  // Shown at once: that it waits. Nobody knows its number.
  expect(speculative.speculativeState).toMatchObject({ drawn: [], dice: { waiting: { player: 0 }, open: { phase: "revealing" } } });
  log.commit(0);
  await expect(outcome).resolves.toEqual({ outcome: "committed", index: 3, judged: true });
  expect(states).toHaveLength(before + 1);
  expect(speculative.confirmedState).toMatchObject({ drawn: [], dice: { waiting: { player: 0, index: 3 }, open: { seats: [0, 1], due: 11_000 } } });
  say(bob, reveal(2), 2_000);
  expect(speculative.confirmedState.drawn).toEqual([]);
  say(ann, reveal(1), 3_000);
  expect(speculative.confirmedState).toMatchObject({
    drawn: [{ player: 0, index: 3, time: 3_000, roll: { number: 1, seats: [0, 1], missing: [] } }],
    dice: { waiting: null, open: null, rolls: 1 },
  });
  expect(reports).toEqual([]);
});

test("[GA107] while an action waits every other one is refused, and the deadline that passes meanwhile counts after it", async () => {
  const { speculative, game, log, say, showBoth, reports } = sit();
  say(bob, { type: "alarm", at: 4_000 });
  say(ann, { type: "draw" }, 2_000);
  await expect(speculative.propose({ type: "say", word: "wait" })).resolves.toEqual({ outcome: "rejected", reason: "dice-rolling" });
  await expect(speculative.propose({ type: "draw" })).resolves.toEqual({ outcome: "rejected", reason: "dice-rolling" });
  say(bob, { type: "say", word: "now" }, 3_000);
  expect(reports).toMatchObject([{ kind: "illegal", message: expect.stringContaining("dice-rolling") as string, index: log.appliedIndex }]);
  say(bob, tick, 5_000);
  expect(speculative.confirmedState.said).toEqual([]);
  expect(nextDue(game, speculative.confirmedState)).toBe(12_000);
  showBoth(6_000);
  // At one and the same entry: the draw, then what was due.
  expect(speculative.confirmedState).toMatchObject({ drawn: [{ player: 0 }], said: ["late"], due: null });
  say(bob, { type: "say", word: "now" }, 7_000);
  expect(speculative.confirmedState.said).toEqual(["late", "now"]);
});

test("[GA108] its numbers hang on what was promised before it alone: not on when, how often, by whom or at which index it is proposed, nor on who comes back", () => {
  const usual = lotAfter(() => {});
  const others: readonly [string, number][] = [
    ["later", lotAfter(({ say }) => say(bob, { type: "say", word: "x" }, 2_000), ({ say }) => say(bob, { type: "draw" }, 4_000))],
    ["at another index", lotAfter(({ log }) => log.skip(9))],
    ["by another player", lotAfter(() => {}, ({ say }) => say(ann, { type: "draw" }))],
    ["under another serial", lotAfter(() => {}, ({ log, game }) => void log.append({ payload: game.actions.encode({ type: "draw" }), proposer: bob, key: { clientId: "again", requestId: 77 } }))],
    ["three times over", lotAfter(() => {}, ({ say }) => [1, 2, 3].forEach(() => say(bob, { type: "draw" })))],
    ["with its entry doubled", lotAfter(() => {}, ({ log, game, say }) => {
      say(bob, { type: "draw" });
      log.append({ payload: game.actions.encode({ type: "draw" }), proposer: bob, key: { clientId: `c-${bob}`, requestId: log.appliedIndex }, duplicate: true });
    })],
    ["with a new promise too late", lotAfter(() => {}, ({ say }) => (say(bob, { type: "draw" }), say(bob, commit(1, 9)), say(ann, commit(0, 9))))],
  ];
  for (const [how, lot] of others) expect([how, lot]).toEqual([how, usual]);
  const table = sit();
  table.say(ann, commit(0, 7));
  table.say(bob, { type: "draw" });
  table.say(bob, reveal(2));
  table.say(ann, reveal(7));
  expect(table.speculative.confirmedState.drawn[0]!.lot).not.toBe(usual);
});

test("[GA108] who does not show is left out and named once the log's time has come, and only then", () => {
  const { speculative, say } = sit();
  say(bob, { type: "draw" }, 2_000);
  say(ann, reveal(1), 3_000);
  say(ann, tick, 11_999);
  expect(speculative.confirmedState.drawn).toEqual([]);
  say(ann, tick, 12_000);
  expect(speculative.confirmedState.drawn).toMatchObject([{ player: 1, time: 12_000, roll: { seats: [0], missing: [1] } }]);
});

test("[GA108] with nobody who shows the action waits on, for whoever promises next", () => {
  const { speculative, say } = sit();
  say(bob, { type: "draw" }, 2_000);
  say(ann, tick, 99_000);
  expect(speculative.confirmedState).toMatchObject({ drawn: [], dice: { waiting: { player: 1 }, open: { phase: "gathering" } } });
  say(ann, commit(0, 3), 99_500);
  say(ann, reveal(3), 99_600);
  expect(speculative.confirmedState.drawn).toMatchObject([{ player: 1, roll: { seats: [0], missing: [] } }]);
});

test("[GA109] in a game with dice there are no numbers in check and timeout: who asks there is told, and nothing is left to be chosen", async () => {
  const { speculative, say, reports } = sit({ ...lots, clock: { deadline: ({ due }) => due ?? undefined, timeout: (state, { random }) => ({ ...state, due: random.uint32() }) } });
  say(bob, { type: "peek" });
  expect(reports).toMatchObject([{ kind: "check-failed", message: expect.stringContaining("a game with dice has no numbers here") as string }]);
  say(bob, { type: "alarm", at: 1_000 });
  expect(speculative.confirmedState.due).toBe(1_000);
  expect(reports[1]).toMatchObject({ kind: "clock-failed", message: expect.stringContaining("a game with dice has no numbers here") as string });
  await expect(speculative.propose({ type: "peek" })).resolves.toMatchObject({ outcome: "rejected", reason: "check-failed" });
});

test("[GA109] without dice the numbers are the entry's own, and nothing waits", () => {
  const { dice: _dice, ...seeded } = lots;
  const table = openTable(seeded);
  table.foreign({ type: "draw" });
  table.foreign({ type: "draw" });
  const { drawn } = table.speculative.confirmedState;
  expect(drawn).toMatchObject([{ index: 1, roll: undefined }, { index: 2, roll: undefined }]);
  expect(drawn[0]!.lot).not.toBe(drawn[1]!.lot);
});

test("[GA106] an apply that throws with its numbers does nothing, is reported, and lets the table go on", () => {
  const { speculative, say, showBoth, reports } = sit();
  say(bob, { type: "burst" });
  showBoth();
  expect(speculative.confirmedState).toMatchObject({ drawn: [], dice: { waiting: null, open: null, rolls: 1 } });
  expect(reports).toMatchObject([{ kind: "apply-failed", message: expect.stringContaining("burst at") as string }]);
  say(bob, { type: "say", word: "on" });
  expect(speculative.confirmedState.said).toEqual(["on"]);
});

test("[GA106] a roll that is open for something else is not taken: the action is refused", () => {
  const isWanted = ({ said }: Lots): boolean => said.includes("roll") && !said.includes("rolled");
  const table = sit({ ...lots, dice: { ...lots.dice!, isWanted, rolled: (state, { number }) => ({ ...state, said: [...state.said, "rolled", String(number)] }) } });
  table.say(ann, { type: "say", word: "roll" });
  table.say(bob, { type: "draw" });
  expect(table.reports).toMatchObject([{ kind: "illegal", message: expect.stringContaining("dice-rolling") as string }]);
  // What draws nothing goes on beside it.
  table.say(bob, { type: "say", word: "meanwhile" });
  table.showBoth();
  expect(table.speculative.confirmedState).toMatchObject({ said: ["roll", "meanwhile", "rolled", "1"], drawn: [] });
});

test("[GA106] a snapshot in the middle, a replay and a rollback of every action come to the same", async () => {
  const recorder = new Recorder({ game: defineGame(lots), seats: 2 });
  const table = sit(lots, { onTurn: recorder.add, development: "rollback" });
  const outcome = table.speculative.propose({ type: "draw" });
  table.log.commit(0);
  await expect(outcome).resolves.toMatchObject({ judged: true });
  const middle = table.speculative.section();
  table.showBoth();
  await settle();
  expect(table.reports).toEqual([]);
  expect(replay(table.game, recorder.recording).state).toEqual(table.speculative.confirmedState);
  const late = openTable(lots);
  late.log.install(3, new Map([[1, middle]]));
  late.log.append({ payload: encodeSystemCommand(reveal(2)), proposer: bob });
  late.log.append({ payload: encodeSystemCommand(reveal(1)), proposer: ann });
  expect(late.speculative.confirmedState).toEqual(table.speculative.confirmedState);
});

test("[GA10] dice of the wrong shape are refused", () => {
  const { read, write } = lots.dice!;
  for (const dice of [{ read }, { read, write, isWanted: () => false }, { read, write, rolled: (state: Lots) => state }] as const) expect(() => defineGame({ ...lots, dice: dice as never })).toThrow("a game's dice is { read, write }, with isWanted and rolled or neither, or left out, got an object with");
});
