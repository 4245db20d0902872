// Walks through an author's game, for the obligations to look at: random moves by random seats, and what happens between them by itself.
import { below, seededRandom, type Random } from "../base/index.ts";
import { entryContext, noRandom } from "./action-context.ts";
import { deepCopy, deepEqual } from "./deep.ts";
import { defineGame } from "./define-game.ts";
import type { Roll } from "./fair-dice.ts";
import type { ActionContext, DefinedGame, EventContext, Game, Seat } from "./game.ts";

/** An author's game, and how to make up moves for it. */
export interface GameHarness<State = unknown, Action = unknown> {
  readonly game: Game<State, Action>;
  /** Seats at the table. Default 2. */
  readonly seats?: number | undefined;
  /** A move to try, legal or not. The more of them are legal, the more of the game is seen. */
  sample(state: State, player: Seat, random: Random): Action;
  /** Moves per walk through the game. Default 40. */
  readonly moves?: number | undefined;
  /** Seeds of the walks. Default 1 to 5. */
  readonly seeds?: readonly number[] | undefined;
}

/** One move of a walk, before it is judged. */
export interface Move {
  readonly game: DefinedGame<unknown, unknown>;
  readonly state: unknown;
  readonly action: unknown;
  /** For `apply`: a fresh context each time it is called. With dice its numbers stand for a roll that is known. */
  readonly context: () => ActionContext;
  /** For `check`: the same, but in a game with dice without numbers. */
  readonly checkContext: () => ActionContext;
  /** For what happens by itself at this entry. */
  readonly eventContext: () => EventContext;
  readonly where: string;
}

/** Hands that have promised something, so that dice which are lost or made anew are noticed. */
const PROMISED = "0123456789abcdef0123456789abcdef";

/** One walk through the game: random seats try sampled moves, deadlines pass and rolls come in between, and the game goes on where they are legal. */
function* walk(harness: GameHarness, seed: number): Generator<Move> {
  const game = defineGame(harness.game);
  const { seats = 2, moves: length = 40 } = harness;
  const random = seededRandom(seed);
  let state = withPromises(game, seats);
  for (let index = 1; index <= length; index += 1) {
    const player = below(random, seats);
    const action = harness.sample(deepCopy(state), player, random);
    const contexts = contextsOf(game, { player, seats, index });
    const move: Move = { game, state, action, ...contexts, where: `seed ${seed}, move ${index}, player ${player}, ${text(action)}` };
    yield move;
    // From copies, so that a game that changes its arguments spoils nothing but what GA3 looks at.
    state = next({ ...move, state: deepCopy(rolledOn(game, state, contexts.eventContext)), action: deepCopy(action) });
  }
}

function withPromises(game: DefinedGame<unknown, unknown>, seats: number): unknown {
  const state = game.setup({ seats });
  try {
    const hands = Array.from({ length: seats }, () => ({ tip: PROMISED, next: null, isAbsent: false }));
    return game.dice === undefined ? state : (game.dice.write(deepCopy(state), { hands, open: null, waiting: null, rolls: 3 }) ?? state);
  } catch {
    return state;
  }
}

/** A game that asks for a roll gets one, as it would once everybody has shown. */
function rolledOn({ dice }: DefinedGame<unknown, unknown>, state: unknown, context: () => EventContext): unknown {
  try {
    return dice?.isWanted?.(deepCopy(state)) === true ? (dice.rolled?.(deepCopy(state), rollOf(context()), context()) ?? state) : state;
  } catch {
    return state;
  }
}

/** A roll that everybody is in. */
export function rollOf({ index, seats }: EventContext): Roll {
  return { number: index, seats: Array.from({ length: seats }, (_, seat) => seat), missing: [] };
}

function contextsOf({ dice }: DefinedGame<unknown, unknown>, at: { readonly player: Seat; readonly seats: number; readonly index: number }): Pick<Move, "context" | "checkContext" | "eventContext"> {
  const source = { ...at, time: 1_700_000_000_000 + at.index * 1000, dedupKey: { clientId: `seat-${at.player}`, requestId: at.index } };
  const eventContext = (): EventContext => ({ seats: at.seats, index: at.index, time: source.time, random: seededRandom(at.index, 1) });
  const plain = (): ActionContext => entryContext(source);
  if (dice === undefined) return { context: plain, checkContext: plain, eventContext };
  return {
    context: () => entryContext({ ...source, random: seededRandom(at.index, 2), roll: rollOf(eventContext()) }),
    checkContext: () => entryContext({ ...source, random: noRandom }),
    eventContext,
  };
}

/** Where the game goes on; a function that throws or forgets to return is the business of GA4 and GA7 alone. */
export function next({ game, state, action, context, checkContext }: Pick<Move, "game" | "state" | "action" | "context" | "checkContext">): unknown {
  try {
    return game.check(state, action, checkContext()) === undefined ? (game.apply(state, action, context()) ?? state) : state;
  } catch {
    return state;
  }
}

/** Every move of every walk. */
export function* moves(harness: GameHarness): Generator<Move> {
  for (const seed of harness.seeds ?? [1, 2, 3, 4, 5]) yield* walk(harness, seed);
}

/** The moves the game calls legal. */
export function* legalMoves(harness: GameHarness): Generator<Move> {
  for (const move of moves(harness)) if (isLegal(move)) yield move;
}

/** What the game says to the move, asked once. */
export function isLegal({ game, state, action, checkContext }: Move): boolean {
  try {
    return game.check(deepCopy(state), deepCopy(action), checkContext()) === undefined;
  } catch {
    return false;
  }
}

/** The same through the codec, or undefined when it does not come back the same: GA5's business. */
export function readBack(game: DefinedGame<unknown, unknown>, state: unknown): unknown {
  try {
    const back = game.states.decode(game.states.encode(state));
    return deepEqual(back, state) ? back : undefined;
  } catch {
    return undefined;
  }
}

/** For messages. */
export function text(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}
