// Pig, a dice game: roll as often as you dare, and bank the sum before a one takes it. The dice are fair: nobody can choose them.
import { below, defineGame, fairDice, type DefinedGame, type DiceState, type Seat } from "../../sdk/index.ts";

/** The state of one game of pig. */
export interface Pig {
  readonly dice: DiceState;
  readonly turn: Seat;
  /** The active player has asked for the die, and it still rolls. */
  readonly isRolling: boolean;
  /** Thrown in this turn and not banked. */
  readonly pot: number;
  readonly scores: readonly number[];
  readonly eyes: readonly number[];
  /** When the active player has thought long enough, logged time; null before the first action. */
  readonly due: number | null;
}

/** What the active player can do. */
export type PigAction = { readonly type: "roll" } | { readonly type: "bank" };

/** Who has as many has won. */
export const GOAL = 30;
/** How long one may think, ms. */
export const THINKING_MS = 20_000;

function next(state: Pig, scores: readonly number[], time: number): Pig {
  return { ...state, turn: (state.turn + 1) % scores.length, isRolling: false, pot: 0, scores, due: time + THINKING_MS };
}

/** Pig for any number of seats. */
export const pig: DefinedGame<Pig, PigAction> = defineGame<Pig, PigAction>({
  name: "pig",
  setup: ({ seats }) => ({ dice: fairDice(), turn: 0, isRolling: false, pot: 0, scores: Array.from({ length: seats }, () => 0), eyes: [], due: null }),
  check: (state, action, { player }) => {
    if (action?.type !== "roll" && action?.type !== "bank") return "that is no move";
    if (state.scores.some((score) => score >= GOAL)) return "the game is over";
    if (state.turn !== player) return "not your turn";
    return state.isRolling ? "the die still rolls" : undefined;
  },
  apply: (state, action, { player, time }) => {
    // While the die rolls nobody is late: the dice have a patience of their own.
    if (action.type === "roll") return { ...state, isRolling: true, due: null };
    return next(state, state.scores.map((score, seat) => (seat === player ? score + state.pot : score)), time);
  },
  clock: {
    deadline: (state) => state.due ?? undefined,
    timeout: (state, { time }) => next(state, state.scores, time),
  },
  dice: {
    read: (state) => state.dice,
    write: (state, dice) => ({ ...state, dice }),
    isWanted: (state) => state.isRolling,
    rolled: (before, { missing }, { random, time }) => {
      const eyes = 1 + below(random, 6);
      const state = { ...before, eyes: [...before.eyes, eyes] };
      // Who asks for a roll and then keeps its part of it back has seen what it would have been: that counts as a one.
      const isLost = eyes === 1 || missing.includes(state.turn);
      return isLost ? next(state, state.scores, time) : { ...state, isRolling: false, pot: state.pot + eyes, due: time + THINKING_MS };
    },
    patienceMs: 5_000,
  },
});
