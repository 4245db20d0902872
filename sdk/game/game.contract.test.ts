// The contract judges good games as good, and each broken one by exactly the rule it breaks.
import { expect, test } from "vitest";
import { below, type Random } from "../base/index.ts";
import { brokenObligations, describeContract } from "../testing/contract.ts";
import { gameObligations, type GameHarness } from "./game.contract.ts";
import type { ActionContext, Game } from "./game.ts";
import { counterRules, lineRules, sumRules, type CounterAction, type CounterState, type LineAction, type LineState } from "./test-fixtures.ts";

const counter: GameHarness<CounterState, CounterAction> = {
  game: counterRules,
  sample: (_state, _player, random) => {
    const kind = below(random, 4);
    if (kind === 0) return { type: "roll" };
    if (kind === 1) return { type: "stamp" };
    return kind === 2 ? { type: "pass" } : { type: "add", by: below(random, 13) - 6 };
  },
};
const line: GameHarness<LineState, LineAction> = { game: lineRules, sample: (_state, _player, random) => ({ cell: below(random, 10) }) };
const by = (_state: unknown, _player: number, random: Random): { readonly by: number } => ({ by: below(random, 5) });

describeContract("the counter keeps the game contract", gameObligations, counter);
describeContract("three in a row keeps the game contract", gameObligations, line);
describeContract("the sum keeps the game contract", gameObligations, { game: sumRules, sample: by });

type Sum = { readonly sum: number };
type By = { readonly by: number };
/** The sum with one thing broken. */
const sumWith = (change: Partial<typeof sumRules>): GameHarness => ({ game: { ...sumRules, ...change }, sample: by });
const isLegalSum = (state: Sum, action: By, context: ActionContext): string | undefined => sumRules.check?.(state, action, context);

let calls = 0;
const made = new WeakSet<object>();
/** Reads the same on every copy, and otherwise on the one value it made itself. */
const applyByIdentity = (state: Sum): Sum => {
  const after = { sum: state.sum + (made.has(state) ? 2 : 1) };
  made.add(after);
  return after;
};
const mapGame: Game<Map<string, number>, By> = { setup: () => new Map([["sum", 0]]), check: sumRules.check as never, apply: (state) => new Map([["sum", (state.get("sum") ?? 0) + 1]]) };
const applyInPlace: typeof lineRules.apply = (state, { cell }, { player }) => ((state.cells as (number | null)[])[cell] = player, { ...state, turn: 1 - state.turn });

const broken: readonly { readonly how: string; readonly ids: readonly string[]; readonly harness: GameHarness }[] = [
  { how: "setup counts its calls", ids: ["GA1"], harness: sumWith({ setup: () => ({ sum: (calls += 1) }) }) },
  { how: "apply counts its calls", ids: ["GA2"], harness: sumWith({ apply: (state) => ({ sum: state.sum + (calls += 1) }) }) },
  { how: "check changes its mind", ids: ["GA2"], harness: sumWith({ check: (...args) => isLegalSum(...args) ?? ((calls += 1) % 3 === 0 ? "not now" : undefined) }) },
  { how: "apply changes the state it gets", ids: ["GA3"], harness: { game: { ...lineRules, apply: applyInPlace }, sample: line.sample } },
  { how: "apply changes the action it gets", ids: ["GA3"], harness: sumWith({ apply: ({ sum }, action) => ({ sum: sum + ((action as { by: number }).by += 1) }) }) },
  { how: "check throws on what is no action", ids: ["GA4"], harness: sumWith({ check: (_state, action) => (action.by.toFixed() === "" ? "never" : undefined) }) },
  { how: "check answers with a boolean", ids: ["GA4"], harness: sumWith({ check: (...args) => (isLegalSum(...args) === undefined ? undefined : (false as never)) }) },
  { how: "the state holds a Map and goes through JSON", ids: ["GA5"], harness: { game: mapGame, sample: by } },
  { how: "a state read back encodes otherwise", ids: ["GA5"], harness: sumWith({ states: { encode: ({ sum }) => new Uint8Array([sum, (calls += 1)]), decode: ([sum = 0]) => ({ sum }) } }) },
  { how: "an action holds undefined", ids: ["GA6"], harness: { game: sumRules, sample: () => ({ by: 1, why: undefined }) } },
  { how: "apply throws on a legal action", ids: ["GA7"], harness: sumWith({ apply: ({ sum }, action) => (action.by === 4 ? (null as unknown as { f(): never }).f() : { sum: sum + action.by }) }) },
  { how: "apply forgets to return", ids: ["GA7"], harness: sumWith({ apply: ({ sum }, action) => (action.by === 4 ? (undefined as never) : { sum }) }) },
  { how: "no sampled move is legal", ids: ["GA7"], harness: sumWith({ check: () => "never" }) },
  { how: "the state is known by its identity", ids: ["GA8"], harness: sumWith({ apply: applyByIdentity }) },
];

test.each(broken)("a game where $how breaks $ids", async ({ ids, harness }) => {
  await expect(brokenObligations(gameObligations, harness)).resolves.toEqual(ids);
});
