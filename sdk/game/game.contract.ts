// What every game must keep to be the same on every peer: for authors, over their own game. Rules GA1 to GA8 in SPEC.md, and those of its clock and dice.
import { assert, bytesEqual, jsonCodec } from "../base/index.ts";
import type { Obligation } from "../testing/contract.ts";
import { deepCopy, deepEqual } from "./deep.ts";
import { defineGame } from "./define-game.ts";
import { eventObligations } from "./events.contract.ts";
import type { DefinedGame } from "./game.ts";
import { isLegal, legalMoves, moves, next, readBack, text, type GameHarness, type Move } from "./game-walk.ts";

export type { GameHarness } from "./game-walk.ts";

/** Values that decode as JSON actions and that no game expects. */
const STRANGE: readonly unknown[] = [null, 0, -1, 1.5, 1e21, "", "x", true, [], {}, { type: "" }, { cell: "0" }, [[[]]], { toString: null }];

/** `apply` on this state and a copy of the action. Throwing is GA7's business: undefined elsewhere. */
function applyTo(state: unknown, { game, action, context }: Move): unknown {
  try {
    return game.apply(state, deepCopy(action), context());
  } catch {
    return undefined;
  }
}

function checkStrange({ game, state, checkContext, where }: Move): void {
  for (const strange of STRANGE) {
    const action = decodedOrNothing(game, strange);
    if (action === undefined) continue;
    assertAnswers(() => game.check(deepCopy(state), action, checkContext()), `${where}, but the action is ${text(strange)}`);
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
      for (const move of moves(harness)) {
        const { state, action, where } = move;
        const stateCopy = deepCopy(state);
        const actionCopy = deepCopy(action);
        next({ ...move, state: stateCopy, action: actionCopy });
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
        assertAnswers(() => move.game.check(deepCopy(move.state), deepCopy(move.action), move.checkContext()), move.where);
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
  ...eventObligations,
];
