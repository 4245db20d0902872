// Fair dice: what a roll is made of, what counts for nothing, and the hands of the players around one log.
import { describe, expect, test } from "vitest";
import { below, peerId, seededRandom } from "../base/index.ts";
import { LocalLog } from "../replica/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { defineGame } from "./define-game.ts";
import { DiceHand, type DiceSecrets } from "./dice-hand.ts";
import { fairDice, tipOfContribution, type DiceState } from "./fair-dice.ts";
import type { Game } from "./game.ts";
import { replay } from "./replay.ts";
import { Recorder } from "./recorder.ts";
import { SpeculativeSequencer } from "./speculative-sequencer.ts";
import { CONTRIBUTION_BYTES, encodeSystemCommand, type SystemCommand } from "./system-command.ts";
import { openTable, settle } from "./test-fixtures.ts";
import { TurnSequencer } from "./turn-sequencer.ts";

interface Craps {
  readonly dice: DiceState;
  readonly rolling: boolean;
  readonly results: readonly { readonly eyes: number; readonly missing: readonly number[] }[];
}
type Throw = { readonly type: "roll" } | { readonly type: "stop" };

/** Anybody may have the dice rolled; a thousand eyes, so that two rolls are hardly ever alike. */
const craps: Game<Craps, Throw> = {
  name: "craps",
  setup: () => ({ dice: fairDice(), rolling: false, results: [] }),
  check: (state, action) => (action?.type === "roll" && state.rolling ? "rolling already" : undefined),
  apply: (state, action) => ({ ...state, rolling: action.type === "roll" }),
  dice: {
    read: (state) => state.dice,
    write: (state, dice) => ({ ...state, dice }),
    isWanted: (state) => state.rolling,
    rolled: (state, { missing }, { random }) => ({ ...state, rolling: false, results: [...state.results, { eyes: below(random, 1_000), missing }] }),
  },
};

const [ann, bob] = [peerId("self"), peerId("other")];
const value = (n: number): Uint8Array => new Uint8Array(CONTRIBUTION_BYTES).fill(n);
/** What promises `value(n)` as this seat's. */
const commit = (seat: number, n: number): SystemCommand => ({ type: "commit", tip: tipOfContribution(seat, value(n)) });
const reveal = (n: number): SystemCommand => ({ type: "reveal", value: value(n) });

/** Seats 0 and 1 by hand. */
function sit(rules: Game<Craps, Throw> = craps): ReturnType<typeof openTable<Craps, Throw>> & { say(by: typeof ann, command: SystemCommand | Throw, time?: number): void; open(): Craps["dice"]["open"] } {
  const table = openTable(rules);
  const say = (by: typeof ann, command: SystemCommand | Throw, time = 1_000): void => {
    const payload = command.type === "roll" || command.type === "stop" ? table.game.actions.encode(command) : encodeSystemCommand(command);
    table.log.append({ payload, proposer: by, time, key: { clientId: `c-${by}`, requestId: table.log.appliedIndex + 1 } });
  };
  return { ...table, say, open: () => table.speculative.confirmedState.dice.open };
}

function rolledWith(a: number, b: number): number {
  const { speculative, say } = sit();
  for (const [by, command] of [[ann, commit(0, a)], [bob, commit(1, b)], [ann, { type: "roll" }], [bob, reveal(b)], [ann, reveal(a)]] as const) say(by, command);
  return speculative.confirmedState.results[0]!.eyes;
}

test("[GA100] a roll is known when everybody has shown, and every contribution changes it", () => {
  const { speculative, say, open, reports } = sit();
  say(ann, commit(0, 1));
  say(bob, commit(1, 2));
  say(bob, { type: "roll" });
  expect(open()).toMatchObject({ phase: "revealing", seats: [0, 1], shown: [null, null], due: 11_000 });
  say(ann, reveal(1));
  expect(speculative.confirmedState.results).toEqual([]);
  say(bob, reveal(2));
  expect(speculative.confirmedState).toMatchObject({ rolling: false, results: [{ missing: [] }], dice: { open: null, rolls: 1 } });
  expect(reports).toEqual([]);
  const all = [rolledWith(1, 2), rolledWith(1, 3), rolledWith(4, 2), rolledWith(2, 1)];
  expect(all[0]).toBe(speculative.confirmedState.results[0]!.eyes);
  expect(new Set(all).size).toBe(4);
});

test("[GA101] what was not promised, was not asked for, or is another's counts for nothing", () => {
  const { speculative, say, open, log, reports } = sit();
  say(ann, commit(0, 1));
  say(bob, commit(1, 2));
  say(ann, reveal(1));
  say(ann, { type: "roll" });
  for (const [by, command] of [[ann, reveal(9)], [bob, reveal(1)], [ann, reveal(2)]] as const) say(by, command);
  expect(open()?.shown).toEqual([null, null]);
  say(bob, reveal(2));
  // Bob has seen nothing new, Ann everything: a new promise of hers is too late for this roll.
  say(ann, commit(0, 7));
  say(ann, reveal(7));
  expect(open()?.shown[0]).toBeNull();
  say(ann, reveal(1));
  expect(speculative.confirmedState.results).toHaveLength(1);
  expect(speculative.confirmedState.dice.hands[0]?.tip).toBe([...tipOfContribution(0, value(7))].map((byte) => byte.toString(16).padStart(2, "0")).join(""));
  // Without a seat one promises nothing.
  log.append({ payload: encodeSystemCommand(commit(0, 3)), proposer: peerId("stranger"), key: { clientId: "s", requestId: 1 } });
  expect(reports).toMatchObject([{ kind: "illegal", message: expect.stringContaining("not-seated") as string }]);
});

test("[GA102] who does not show is named, left out, and not waited for until it promises again", () => {
  const { speculative, say, open } = sit();
  say(ann, commit(0, 1));
  say(bob, commit(1, 2));
  say(ann, { type: "roll" });
  say(ann, reveal(1), 2_000);
  say(ann, { type: "tick" }, 10_999);
  expect(speculative.confirmedState.results).toEqual([]);
  say(bob, { type: "tick" }, 11_000);
  expect(speculative.confirmedState.results).toMatchObject([{ missing: [1] }]);
  // What it shows now is worth nothing, and the next roll goes without it.
  say(bob, reveal(2), 11_001);
  say(ann, commit(0, 3), 11_002);
  say(ann, { type: "roll" }, 11_003);
  expect(open()).toMatchObject({ phase: "revealing", seats: [0] });
  say(ann, reveal(3), 11_004);
  expect(speculative.confirmedState.results[1]).toMatchObject({ missing: [] });
  say(bob, commit(1, 4), 11_005);
  say(ann, commit(0, 5), 11_006);
  say(ann, { type: "roll" }, 11_007);
  expect(open()).toMatchObject({ seats: [0, 1] });
});

test("[GA102] a roll waits for a seat that has promised nothing yet, up to the patience; with nobody it does not happen", () => {
  const { speculative, say, open } = sit();
  say(ann, { type: "roll" });
  say(ann, { type: "tick" }, 99_000);
  expect(open()).toMatchObject({ phase: "gathering", due: 11_000 });
  say(ann, commit(0, 1), 99_001);
  expect(open()).toMatchObject({ phase: "revealing", seats: [0], due: 109_001 });
  say(bob, commit(1, 2), 99_002);
  say(ann, { type: "tick" }, 109_001);
  // Nobody has shown: it is asked for again, of whoever is there.
  expect(speculative.confirmedState.results).toEqual([]);
  expect(open()).toMatchObject({ phase: "revealing", seats: [1] });
  say(bob, reveal(2), 109_002);
  expect(speculative.confirmedState.results).toMatchObject([{ missing: [] }]);
});

test("[GA103] a roll that is not wanted any more is dropped, and what was not shown stays promised", () => {
  const { speculative, say, open } = sit();
  say(ann, commit(0, 1));
  say(bob, commit(1, 2));
  say(ann, { type: "roll" });
  say(ann, reveal(1));
  say(ann, { type: "stop" });
  expect(open()).toBeNull();
  say(ann, commit(0, 3));
  say(ann, { type: "roll" });
  say(bob, reveal(2));
  say(ann, reveal(3));
  expect(speculative.confirmedState.results).toMatchObject([{ missing: [] }]);
});

test("[GA105] dice that throw or answer nothing do nothing, and are reported", () => {
  for (const [dice, message] of [[{ rolled: () => undefined as unknown as Craps }, "returned undefined"], [{ isWanted: () => { throw new Error("oh no"); } }, "oh no"], [{ read: () => undefined as unknown as DiceState }, "dice failed"]] as const) {
    const { speculative, say, reports } = sit({ ...craps, dice: { ...craps.dice!, ...dice } });
    for (const [by, command] of [[ann, commit(0, 1)], [bob, commit(1, 2)], [ann, { type: "roll" }], [ann, reveal(1)], [bob, reveal(2)]] as const) say(by, command);
    expect(speculative.confirmedState.results).toEqual([]);
    expect(reports.map(({ kind }) => kind)).toContain("dice-failed");
    expect(reports.some((report) => report.message.includes(message))).toBe(true);
  }
});

describe("a player's hand", () => {
  const game = defineGame({ ...craps, dice: { ...craps.dice!, seats: () => [0] } });
  const open = (log: LocalLog, clock: VirtualClock, options: { readonly secrets?: DiceSecrets; readonly seed?: number; readonly recorder?: Recorder<Craps, Throw> } = {}): { speculative: SpeculativeSequencer<Craps, Throw>; hand: DiceHand<Craps, Throw> } => {
    const sequencer = new TurnSequencer<Throw>({ log, actions: game.actions, playerOf: () => 0 });
    const speculative = new SpeculativeSequencer({ sequencer, game, seats: 1, player: () => 0, onTurn: options.recorder?.add });
    return { speculative, hand: new DiceHand({ game, sequencer, speculative, clock, random: seededRandom(options.seed ?? 1), player: () => 0, secrets: options.secrets }) };
  };
  const memory = (): DiceSecrets & { secret: Uint8Array | undefined } => {
    const store: { secret: Uint8Array | undefined } = { secret: undefined };
    return Object.assign(store, { load: () => Promise.resolve(store.secret), keep: (secret: Uint8Array) => ((store.secret = secret), Promise.resolve()) });
  };

  test("[GA104] promises before it is asked, shows when it is, and rolls on past the end of its chain", async () => {
    const log = new LocalLog({ wallClock: () => 5 });
    const recorder = new Recorder({ game, seats: 1 });
    const { speculative } = open(log, new VirtualClock(), { recorder });
    await settle();
    expect(speculative.confirmedState.dice.hands[0]?.tip).not.toBeNull();
    for (let roll = 0; roll < 150; roll += 1) {
      await speculative.propose({ type: "roll" });
      await settle();
      expect(speculative.confirmedState.results).toHaveLength(roll + 1);
    }
    const { results } = speculative.confirmedState;
    expect(results.every(({ missing }) => missing.length === 0)).toBe(true);
    expect(new Set(results.map(({ eyes }) => eyes)).size).toBeGreaterThan(100);
    expect(replay(game, recorder.recording).state).toEqual(speculative.confirmedState);
  });

  test("[GA104] a tab that comes back in the middle of a roll shows what the earlier one has promised", async () => {
    const log = new LocalLog({ wallClock: () => 5 });
    const secrets = memory();
    const before = open(log, new VirtualClock(), { secrets });
    await settle();
    const [tip] = before.speculative.confirmedState.dice.hands.map((hand) => hand.tip);
    before.hand.close();
    await before.speculative.propose({ type: "roll" });
    before.speculative.close();
    expect(before.speculative.confirmedState.dice.open).toMatchObject({ phase: "revealing" });
    const after = open(log, new VirtualClock(), { secrets, seed: 2 });
    await settle();
    expect(after.speculative.confirmedState.results).toMatchObject([{ missing: [] }]);
    expect(after.speculative.confirmedState.dice.hands[0]?.tip).not.toBe(tip);
  });

  test("[GA104] one whose secret is lost promises anew, and its new promise is not taken for the roll that is open", async () => {
    let time = 5;
    const log = new LocalLog({ wallClock: () => time });
    const before = open(log, new VirtualClock());
    await settle();
    before.hand.close();
    await before.speculative.propose({ type: "roll" });
    before.speculative.close();
    const { speculative } = open(log, new VirtualClock(), { seed: 2 });
    await settle();
    expect(speculative.confirmedState.results).toEqual([]);
    expect(speculative.confirmedState.dice.hands[0]?.next).not.toBeNull();
    time = 20_000;
    await log.propose(encodeSystemCommand({ type: "tick" }));
    await settle();
    expect(speculative.confirmedState.results).toHaveLength(1);
  });

  test("[GA104] a promise that is not taken is proposed again after a pause, and a closed hand leaves nothing behind", async () => {
    const clock = new VirtualClock();
    const { log, sequencer, speculative, game: shared } = openTable(craps);
    const hand = new DiceHand({ game: shared, sequencer, speculative, clock, random: seededRandom(3), player: () => 0 });
    await settle();
    log.fail(0, new Error("busy"));
    await settle();
    expect(log.proposals).toHaveLength(1);
    await clock.advance(1_000);
    expect(log.proposals).toHaveLength(2);
    log.fail(1, new Error("busy"));
    await settle();
    hand.close();
    expect(clock.pendingTimers).toBe(0);
  });
});
