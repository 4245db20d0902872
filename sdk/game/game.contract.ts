// What every game must keep to be the same on every peer: for authors, over their own game. Rules GA1 to GA8 in SPEC.md.
import { assert, below, bytesEqual, jsonCodec, seededRandom, type Random } from "../base/index.ts";
import type { Obligation } from "../testing/contract.ts";
import { entryContext } from "./action-context.ts";
import { deepCopy, deepEqual } from "./deep.ts";
import { defineGame } from "./define-game.ts";
import type { ActionContext, DefinedGame, Game, Seat } from "./game.ts";

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
interface Move {
  readonly game: DefinedGame<unknown, unknown>;
  readonly state: unknown;
  readonly action: unknown;
  /** A fresh context each time it is called. */
  readonly context: () => ActionContext;
  readonly where: string;
}

/** Values that decode as JSON actions and that no game expects. */
const STRANGE: readonly unknown[] = [null, 0, -1, 1.5, 1e21, "", "x", true, [], {}, { type: "" }, { cell: "0" }, [[[]]], { toString: null }];

/** One walk through the game: random seats try sampled moves, and the game goes on where they are legal. */
function* walk(harness: GameHarness, seed: number): Generator<Move> {
  const game = defineGame(harness.game);
  const { seats = 2, moves: length = 40 } = harness;
  const random = seededRandom(seed);
  let state = game.setup({ seats });
  for (let index = 1; index <= length; index += 1) {
    const player = below(random, seats);
    const action = harness.sample(deepCopy(state), player, random);
    const source = { player, seats, index, time: 1_700_000_000_000 + index * 1000, dedupKey: { clientId: `seat-${player}`, requestId: index } };
    const context = (): ActionContext => entryContext(source);
    const move: Move = { game, state, action, context, where: `seed ${seed}, move ${index}, player ${player}, ${text(action)}` };
    yield move;
    // From copies, so that a game that changes its arguments spoils nothing but what GA3 looks at.
    state = next({ ...move, state: deepCopy(state), action: deepCopy(action) });
  }
}

/** Where the game goes on; a function that throws or forgets to return is the business of GA4 and GA7 alone. */
function next({ game, state, action, context }: Omit<Move, "where">): unknown {
  try {
    return game.check(state, action, context()) === undefined ? (game.apply(state, action, context()) ?? state) : state;
  } catch {
    return state;
  }
}

function* moves(harness: GameHarness): Generator<Move> {
  for (const seed of harness.seeds ?? [1, 2, 3, 4, 5]) yield* walk(harness, seed);
}

/** The moves the game calls legal. */
function* legalMoves(harness: GameHarness): Generator<Move> {
  for (const move of moves(harness)) if (isLegal(move)) yield move;
}

function isLegal({ game, state, action, context }: Move): boolean {
  try {
    return game.check(deepCopy(state), deepCopy(action), context()) === undefined;
  } catch {
    return false;
  }
}

/** `apply` on this state and a copy of the action. Throwing is GA7's business: undefined elsewhere. */
function applyTo(state: unknown, { game, action, context }: Move): unknown {
  try {
    return game.apply(state, deepCopy(action), context());
  } catch {
    return undefined;
  }
}

/** The same through the codec, or undefined when it does not come back the same: GA5's business. */
function readBack(game: DefinedGame<unknown, unknown>, state: unknown): unknown {
  try {
    const back = game.states.decode(game.states.encode(state));
    return deepEqual(back, state) ? back : undefined;
  } catch {
    return undefined;
  }
}

function checkStrange({ game, state, context, where }: Move): void {
  for (const strange of STRANGE) {
    const action = decodedOrNothing(game, strange);
    if (action === undefined) continue;
    assertAnswers(() => game.check(deepCopy(state), action, context()), `${where}, but the action is ${text(strange)}`);
  }
}

/** What a lying peer can get past the codec and the schema. */
function decodedOrNothing(game: DefinedGame<unknown, unknown>, value: unknown): unknown {
  try {
    return game.actions.decode(jsonCodec<unknown>().encode(value));
  } catch {
    return undefined;
  }
}

function assertAnswers(check: () => unknown, where: string): void {
  let answer: unknown;
  try {
    answer = check();
  } catch (thrown) {
    assert(false, `check threw ${String(thrown)} at ${where}`);
  }
  assert(answer === undefined || typeof answer === "string", `check answers a reason or undefined, got ${typeof answer} at ${where}`);
}

function text(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** The obligations of every game; run them with `describeContract("my game", gameObligations, { game, sample })`. */
export const gameObligations: readonly Obligation<GameHarness>[] = [
  {
    id: "GA1",
    says: "setup gives the same state every time",
    check: async ({ game, seats = 2 }) => {
      const { setup } = defineGame(game);
      assert(deepEqual(setup({ seats }), setup({ seats })), `two setups for ${seats} seats differ`);
    },
  },
  {
    id: "GA2",
    says: "check and apply give the same answer for the same state, action and context",
    check: async (harness) => {
      for (const move of moves(harness)) {
        assert(isLegal(move) === isLegal(move), `check answers differently when asked twice at ${move.where}`);
        if (isLegal(move)) assert(deepEqual(applyTo(deepCopy(move.state), move), applyTo(deepCopy(move.state), move)), `apply gives different states when run twice at ${move.where}`);
      }
    },
  },
  {
    id: "GA3",
    says: "check and apply change neither the state nor the action they get",
    check: async (harness) => {
      for (const { game, state, action, context, where } of moves(harness)) {
        const stateCopy = deepCopy(state);
        const actionCopy = deepCopy(action);
        next({ game, state: stateCopy, action: actionCopy, context });
        assert(deepEqual(stateCopy, state), `the state was changed at ${where}`);
        assert(deepEqual(actionCopy, action), `the action was changed at ${where}`);
      }
    },
  },
  {
    id: "GA4",
    says: "check answers a reason or undefined for everything that decodes, by any player, and never throws",
    check: async (harness) => {
      for (const move of moves(harness)) {
        assertAnswers(() => move.game.check(deepCopy(move.state), deepCopy(move.action), move.context()), move.where);
        checkStrange(move);
      }
    },
  },
  {
    id: "GA5",
    says: "every state survives encoding and decoding, with the same bytes again",
    check: async (harness) => {
      for (const { game, state, where } of moves(harness)) {
        const bytes = game.states.encode(state);
        const back = game.states.decode(bytes);
        assert(deepEqual(back, state), `a state came back otherwise at ${where}`);
        assert(bytesEqual(game.states.encode(back), bytes), `a state read back encodes otherwise at ${where}`);
      }
    },
  },
  {
    id: "GA6",
    says: "every action survives encoding and decoding",
    check: async (harness) => {
      for (const { game, action, where } of moves(harness)) {
        assert(deepEqual(game.actions.decode(game.actions.encode(action)), action), `an action came back otherwise at ${where}`);
      }
    },
  },
  {
    id: "GA7",
    says: "apply returns a state for every legal action and never throws",
    check: async (harness) => {
      let seen = 0;
      for (const { game, state, action, context, where } of legalMoves(harness)) {
        const after = game.apply(deepCopy(state), deepCopy(action), context());
        assert(after !== undefined, `apply returned undefined at ${where}`);
        assert(!(typeof after === "object" && after !== null && "then" in after), `apply returned a promise at ${where}`);
        seen += 1;
      }
      assert(seen > 0, "none of the sampled moves was legal, so nothing was shown: let `sample` make better ones");
    },
  },
  {
    id: "GA8",
    says: "a state read back plays on like the one it was made from",
    check: async (harness) => {
      for (const move of legalMoves(harness)) {
        const backs = [readBack(move.game, move.state), readBack(move.game, move.state)];
        if (backs.includes(undefined)) continue;
        const original = applyTo(move.state, move);
        const [resumed, again] = backs.map((back) => applyTo(back, move));
        // A game that differs from itself is GA2's business.
        assert(deepEqual(resumed, original) || !deepEqual(resumed, again), `a state read back plays on otherwise at ${move.where}`);
      }
    },
  },
];
