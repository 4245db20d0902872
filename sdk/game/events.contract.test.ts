// The contract judges a game with a clock and dice as good, and each broken one by exactly the rule it breaks.
import { expect, test } from "vitest";
import { below, type Random } from "../base/index.ts";
import { brokenObligations, describeContract } from "../testing/contract.ts";
import { eventObligations } from "./events.contract.ts";
import { fairDice, type DiceState } from "./fair-dice.ts";
import { gameObligations, type GameHarness } from "./game.contract.ts";
import type { Game, GameClock, GameDice } from "./game.ts";

/** A sum under a clock, with dice that an action draws from and dice that the state asks for. */
interface Fair {
  readonly dice: DiceState;
  readonly sum: number;
  readonly due: number | null;
  readonly wanted: number;
}
type Play = { readonly type: "add"; readonly by: number } | { readonly type: "draw" } | { readonly type: "ask" };
const fairRules: Game<Fair, Play> & { readonly clock: GameClock<Fair>; readonly dice: Required<Omit<GameDice<Fair>, "seats" | "patienceMs">> } = {
  setup: () => ({ dice: fairDice(), sum: 0, due: null, wanted: 0 }),
  check: (state, action) => (action?.type === "draw" || action?.type === "ask" || (action?.type === "add" && typeof action.by === "number") ? (state.wanted > 0 ? "wait" : undefined) : "not an action"),
  apply: (state, action, { random, time }) => (action.type === "ask" ? { ...state, wanted: 2 } : { ...state, due: time + 500, sum: state.sum + (action.type === "draw" ? below(random, 6) : action.by) }),
  clock: { deadline: ({ due }) => due ?? undefined, timeout: (state, { time }) => (state.sum % 2 === 0 ? { ...state, due: null } : { ...state, due: time + 500, sum: state.sum + 1 }) },
  dice: {
    read: ({ dice }) => dice,
    write: (state, dice) => ({ ...state, dice }),
    isWanted: ({ wanted }) => wanted > 0,
    rolled: (state, _roll, { random }) => ({ ...state, wanted: state.wanted - 1, sum: state.sum + below(random, 6) }),
  },
};
const plays = (_state: unknown, _player: number, random: Random): Play => (below(random, 3) === 0 ? { type: "draw" } : below(random, 3) === 0 ? { type: "ask" } : { type: "add", by: below(random, 5) });
const fairWith = ({ clock, dice, ...rest }: Partial<Omit<typeof fairRules, "clock" | "dice">> & { readonly clock?: Partial<GameClock<Fair>>; readonly dice?: Partial<GameDice<Fair>> }): GameHarness => ({
  game: { ...fairRules, ...rest, clock: { ...fairRules.clock, ...clock }, dice: { ...fairRules.dice, ...dice } },
  sample: plays,
});
describeContract("the sum with a clock and dice keeps the game contract", gameObligations, { game: fairRules, sample: plays });
describeContract("clock and dice of the sum", eventObligations, { game: fairRules, sample: plays });

let calls = 0;
const broken: readonly { readonly how: string; readonly ids: readonly string[]; readonly harness: GameHarness }[] = [
  { how: "deadline answers with a text", ids: ["GA95"], harness: fairWith({ clock: { deadline: () => "soon" as never } }) },
  { how: "deadline throws before the first move", ids: ["GA95"], harness: fairWith({ clock: { deadline: ({ due }) => (due as unknown as { valueOf(): number }).valueOf() } }) },
  { how: "deadline counts from each look", ids: ["GA95"], harness: fairWith({ clock: { deadline: ({ due }) => (due === null ? undefined : due + (calls += 1)) } }) },
  { how: "deadline notes that it was asked", ids: ["GA95"], harness: fairWith({ clock: { deadline: (state) => ((state as { sum: number }).sum += 1, undefined) } }) },
  { how: "timeout leaves the deadline standing", ids: ["GA96"], harness: fairWith({ clock: { timeout: (state) => ({ ...state, sum: state.sum + 1 }) } }) },
  { how: "timeout forgets to return", ids: ["GA96"], harness: fairWith({ clock: { timeout: () => undefined as never } }) },
  { how: "timeout changes the state it gets", ids: ["GA96"], harness: fairWith({ clock: { timeout: (state) => Object.assign(state, { due: null }) } }) },
  { how: "timeout counts its calls", ids: ["GA96"], harness: fairWith({ clock: { timeout: (state) => ({ ...state, due: null, sum: (calls += 1) }) } }) },
  { how: "timeout draws although the game has dice", ids: ["GA96"], harness: fairWith({ clock: { timeout: (state, { random }) => ({ ...state, due: null, sum: below(random, 6) }) } }) },
  { how: "check draws although the game has dice", ids: ["GA4", "GA7"], harness: fairWith({ check: (_state, _action, { random }) => (below(random, 2) === 2 ? "never" : undefined) }) },
  { how: "the first state holds other dice", ids: ["GA115"], harness: fairWith({ setup: () => ({ dice: { ...fairDice(), rolls: 7 }, sum: 0, due: null, wanted: 0 }) }) },
  { how: "write writes nothing", ids: ["GA115"], harness: fairWith({ dice: { write: (state) => ({ ...state }) } }) },
  { how: "write writes more than the dice", ids: ["GA115"], harness: fairWith({ dice: { write: (state, dice) => ({ ...state, dice, sum: state.sum + 1 }) } }) },
  { how: "write changes the state it gets", ids: ["GA115"], harness: fairWith({ dice: { write: (state, dice) => Object.assign(state, { dice }) } }) },
  { how: "apply begins with new dice", ids: ["GA116"], harness: fairWith({ apply: (state, action, context) => ({ ...fairRules.apply(state, action, context), dice: fairDice() }) }) },
  { how: "timeout begins with new dice", ids: ["GA116"], harness: fairWith({ clock: { timeout: (state) => ({ ...state, due: null, dice: fairDice() }) } }) },
  { how: "rolled begins with new dice", ids: ["GA116"], harness: fairWith({ dice: { rolled: (state) => ({ ...state, wanted: 0, dice: fairDice() }) } }) },
  { how: "rolled forgets to return", ids: ["GA117"], harness: fairWith({ dice: { rolled: () => undefined as never } }) },
  { how: "rolled counts its calls", ids: ["GA117"], harness: fairWith({ dice: { rolled: (state) => ({ ...state, wanted: 0, sum: (calls += 1) }) } }) },
  { how: "rolled changes the state it gets", ids: ["GA117"], harness: fairWith({ dice: { rolled: (state) => Object.assign(state, { wanted: 0 }) } }) },
  { how: "one roll asks for the next for ever", ids: ["GA117"], harness: fairWith({ dice: { rolled: (state) => ({ ...state, sum: state.sum + 1 }) } }) },
  { how: "isWanted changes its mind", ids: ["GA117"], harness: fairWith({ dice: { isWanted: ({ wanted }) => wanted > 0 && (calls += 1) % 2 === 0 } }) },
];

test.each(broken)("a game where $how breaks $ids", async ({ ids, harness }) => {
  await expect(brokenObligations(gameObligations, harness)).resolves.toEqual(ids);
});
