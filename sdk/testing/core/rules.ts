// A game that shows what was lost, doubled or put in another order: every action leaves its mark on one number.
import { defineGame, type DefinedGame } from "../../game/index.ts";

/** How many actions there were, and a number made of all of them in their order. */
export interface Tally {
  readonly count: number;
  readonly mark: number;
}

/** What a core is given by `--game`, and clients play. */
export const game: DefinedGame<Tally, number> = defineGame<Tally, number>({
  name: "tally",
  setup: () => ({ count: 0, mark: 7 }),
  apply: ({ count, mark }, action, { player }) => ({ count: count + 1, mark: (Math.imul(mark, 31) + action * 8 + player) >>> 0 }),
});
