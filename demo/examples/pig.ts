// Pig, a dice game: roll as often as you dare, and bank the sum before a one takes it. The dice are fair: nobody can choose them.
import { below, defineGame, fairDice, type ActionContext, type DefinedGame, type DiceState, type Seat } from "../../sdk/index.ts";

/** The state of one game of pig. */
export interface Pig {
  readonly dice: DiceState;
  readonly turn: Seat;
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
  return { ...state, turn: (state.turn + 1) % scores.length, pot: 0, scores, due: time + THINKING_MS };
}

/** Whoever keeps its part of a roll back has seen what it would have been: that costs the active player the roll, and gives it a six when it was another. */
function eyesOf({ player, random, roll }: ActionContext): number {
  const missing = roll?.missing ?? [];
  if (missing.includes(player)) return 1;
  return missing.length > 0 ? 6 : 1 + below(random, 6);
}

/** Pig for any number of seats. */
export const pig: DefinedGame<Pig, PigAction> = defineGame<Pig, PigAction>({
  name: "pig",
  setup: ({ seats }) => ({ dice: fairDice(), turn: 0, pot: 0, scores: Array.from({ length: seats }, () => 0), eyes: [], due: null }),
  check: (state, action, { player }) => {
    if (action?.type !== "roll" && action?.type !== "bank") return "that is no move";
    if (state.scores.some((score) => score >= GOAL)) return "the game is over";
    return state.turn === player ? undefined : "not your turn";
  },
  apply: (state, action, context) => {
    const { player, time } = context;
    if (action.type === "bank") return next(state, state.scores.map((score, seat) => (seat === player ? score + state.pot : score)), time);
    // Drawn from the dice: this runs when everybody has shown its part.
    const eyes = eyesOf(context);
    const rolled = { ...state, eyes: [...state.eyes, eyes] };
    return eyes === 1 ? next(rolled, state.scores, time) : { ...rolled, pot: state.pot + eyes, due: time + THINKING_MS };
  },
  clock: {
    deadline: (state) => state.due ?? undefined,
    timeout: (state, { time }) => next(state, state.scores, time),
  },
  dice: {
    read: (state) => state.dice,
    write: (state, dice) => ({ ...state, dice }),
    patienceMs: 5_000,
  },
});
