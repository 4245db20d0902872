// Goofspiel, a card game with hidden hands: everybody lays a card face down for the prize, then all are turned over, and the highest takes it.
import { defineGame, isOpening, type DefinedGame, type Opening, type Seat, type SealContext } from "../../sdk/index.ts";

/** A card on the table. */
export interface Laid {
  /** What the card was sealed into. */
  readonly commitment: string;
  /** The card, once it is turned over. */
  readonly card: number | null;
}

/** The state of one game. Nobody's hidden card is in it: those are in the tabs of their players. */
export interface Goofspiel {
  /** Counted from 1; the prize of a round is its number. */
  readonly round: number;
  /** Cards still in hand, by seat. */
  readonly hands: readonly (readonly number[])[];
  /** This round's cards, by seat. */
  readonly laid: readonly (Laid | null)[];
  readonly scores: readonly number[];
  /** Rounds so far: what was turned over, null for who did not. */
  readonly history: readonly (readonly (number | null)[])[];
  /** When whoever has not laid, or not turned over, loses the round; null before the first card. */
  readonly due: number | null;
}

/** Lay a sealed card, then turn it over. */
export type GoofspielAction = { readonly type: "lay"; readonly commitment: string } | { readonly type: "turn"; readonly open: Opening<number> };

/** Cards of each player, and rounds of the game. */
export const CARDS = 5;
/** For laying, and again for turning over, ms. */
export const ROUND_MS = 30_000;

/** What a card is sealed for: this player, this round. */
export function sealContext(player: Seat, round: number): SealContext {
  return { player, about: `goofspiel ${round}` };
}

/** Everybody has laid a card. */
export function isTurning({ laid }: Goofspiel): boolean {
  return laid.every((card) => card !== null);
}

/** Highest card takes the prize; equals share nothing; who did not turn over loses any one card: its lowest. */
function scored(state: Goofspiel, time: number): Goofspiel {
  const shown = state.laid.map((laid) => laid?.card ?? null);
  const best = Math.max(...shown.map((card) => card ?? 0));
  const winners = shown.filter((card) => card === best).length;
  return {
    round: state.round + 1,
    hands: state.hands.map((hand, seat) => hand.filter((card) => card !== (shown[seat] ?? Math.min(...hand)))),
    laid: state.laid.map(() => null),
    scores: state.scores.map((score, seat) => (best > 0 && winners === 1 && shown[seat] === best ? score + state.round : score)),
    history: [...state.history, shown],
    due: time + ROUND_MS,
  };
}

function refuse(state: Goofspiel, action: GoofspielAction, player: Seat): string | undefined {
  if (state.round > CARDS) return "the game is over";
  const mine = state.laid[player];
  if (action?.type === "lay") return typeof action.commitment !== "string" || !/^[0-9a-f]{64}$/u.test(action.commitment) ? "that is no sealed card" : mine === null ? undefined : "you have laid a card";
  if (action?.type !== "turn") return "that is no move";
  if (!isTurning(state) || mine === null || mine === undefined) return "not everybody has laid a card";
  if (mine.card !== null) return "it is turned over";
  if (!isOpening(mine.commitment, action.open, sealContext(player, state.round))) return "that is not the card you laid";
  return state.hands[player]?.includes(action.open.value) === true ? undefined : "you do not hold that card";
}

function withLaid(state: Goofspiel, player: Seat, laid: Laid): Goofspiel {
  return { ...state, laid: state.laid.map((each, seat) => (seat === player ? laid : each)) };
}

/** Goofspiel for any number of seats. */
export const goofspiel: DefinedGame<Goofspiel, GoofspielAction> = defineGame<Goofspiel, GoofspielAction>({
  name: "goofspiel",
  setup: ({ seats }) => ({
    round: 1,
    hands: Array.from({ length: seats }, () => Array.from({ length: CARDS }, (_, card) => card + 1)),
    laid: Array.from({ length: seats }, () => null),
    scores: Array.from({ length: seats }, () => 0),
    history: [],
    due: null,
  }),
  check: (state, action, { player }) => refuse(state, action, player),
  apply: (state, action, { player, time }) => {
    if (action.type === "lay") {
      const next = withLaid(state, player, { commitment: action.commitment, card: null });
      return isTurning(next) ? { ...next, due: time + ROUND_MS } : { ...next, due: state.due ?? time + ROUND_MS };
    }
    const next = withLaid(state, player, { commitment: state.laid[player]?.commitment ?? "", card: action.open.value });
    return next.laid.every((laid) => laid?.card !== null) ? scored(next, time) : next;
  },
  clock: {
    deadline: ({ due, round }) => (round > CARDS ? undefined : (due ?? undefined)),
    timeout: (state, { time }) => scored(state, time),
  },
});
