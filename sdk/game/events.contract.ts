// What a game's clock and dice must keep to do the same on every peer. Part of `gameObligations`; for games without them there is nothing to show.
import { assert, bytesEqual } from "../base/index.ts";
import type { Obligation } from "../testing/contract.ts";
import { deepCopy, deepEqual } from "./deep.ts";
import { defineGame } from "./define-game.ts";
import { fairDice, type DiceState } from "./fair-dice.ts";
import type { DefinedGame, EventContext, GameClock, GameDice } from "./game.ts";
import { isLegal, moves, rollOf, type GameHarness, type Move } from "./game-walk.ts";

/** A game that wants more rolls in a row than this does not stop wanting them. */
const ROLLS_MAX = 1_000;

const noClock = ({ game }: GameHarness): string | undefined => (game.clock === undefined ? "the game has no clock" : undefined);
const noDice = ({ game }: GameHarness): string | undefined => (game.dice === undefined ? "the game has no dice" : undefined);
const noEventRolls = ({ game }: GameHarness): string | undefined => (game.dice?.isWanted === undefined ? "the game asks for no rolls but those of its actions" : undefined);

/** A state the game was in, and what is due in it. */
interface Due {
  readonly move: Move;
  readonly clock: GameClock<unknown>;
  readonly at: number;
  readonly context: () => EventContext;
}

function* dues(harness: GameHarness): Generator<Due> {
  for (const move of moves(harness)) {
    const { clock } = move.game;
    const at = clock === undefined ? undefined : tried(() => clock.deadline(deepCopy(move.state)));
    if (clock === undefined || typeof at !== "number") continue;
    // No numbers where there are dice, and those of the entry where there are none: as in a match.
    const context = (): EventContext => ({ ...move.eventContext(), time: Math.max(at, move.eventContext().time), ...(move.game.dice === undefined ? {} : { random: move.checkContext().random }) });
    yield { move, clock, at, context };
  }
}

/** What it answers, or undefined when it throws: another rule's business. */
function tried<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

/** The answer of `call` to the state: alike twice, through the codec and back, and the state left as it was. */
function answered(game: DefinedGame<unknown, unknown>, state: unknown, call: (state: unknown) => unknown, what: string): unknown {
  const copy = deepCopy(state);
  const after = call(copy);
  assert(deepEqual(copy, state), `${what} changes the state it gets`);
  assert(after !== undefined, `${what} returned undefined`);
  assert(deepEqual(call(deepCopy(state)), after), `${what} gives different states when run twice`);
  const bytes = game.states.encode(after);
  assert(bytesEqual(game.states.encode(game.states.decode(bytes)), bytes), `the state after ${what} does not survive its codec`);
  return after;
}

/** The dice of both are the same. */
function assertCarried(dice: GameDice<unknown>, before: unknown, after: unknown, what: string): void {
  // What can not be read, or was not answered, is another rule's business.
  const [old, now] = [tried(() => dice.read(before)), tried(() => dice.read(after))];
  if (old !== undefined && after !== undefined) assert(deepEqual(old, now), `${what} does not carry the dice along as they are`);
}

function checkCarried(move: Move, dice: GameDice<unknown>): void {
  const { game, state, context, where } = move;
  if (isLegal(move)) assertCarried(dice, state, tried(() => game.apply(deepCopy(state), deepCopy(move.action), context())), `apply at ${where}`);
  if (tried(() => dice.isWanted?.(deepCopy(state))) === true) assertCarried(dice, state, tried(() => dice.rolled?.(deepCopy(state), rollOf(move.eventContext()), move.eventContext())), `rolled at ${where}`);
}

function checkRolls(move: Move, dice: GameDice<unknown>): void {
  const { game, eventContext, where } = move;
  let { state } = move;
  const isWanted = (): boolean => {
    const [copy, once] = [deepCopy(state), dice.isWanted?.(deepCopy(state))];
    assert(dice.isWanted?.(copy) === once && typeof once === "boolean", `isWanted answers true or false, alike when asked twice, got ${String(once)} at ${where}`);
    assert(deepEqual(copy, state), `isWanted changes the state at ${where}`);
    return once;
  };
  for (let roll = 1; isWanted(); roll += 1) {
    assert(roll <= ROLLS_MAX, `after ${ROLLS_MAX} rolls in a row one more is wanted at ${where}`);
    // Every roll has other numbers; made anew each time, so that both runs of `rolled` draw the same.
    const context = (): EventContext => {
      const fresh = eventContext();
      for (let skipped = 1; skipped < roll; skipped += 1) fresh.random.uint32();
      return fresh;
    };
    state = answered(game, state, (each) => dice.rolled?.(each, { ...rollOf(context()), number: roll }, context()), `rolled at ${where}`);
  }
}

/** Part of `gameObligations`. */
export const eventObligations: readonly Obligation<GameHarness>[] = [
  {
    id: "GA95",
    says: "deadline answers a time or undefined for every state, the same when asked twice, and changes nothing",
    unless: noClock,
    check: async (harness) => {
      for (const { game: { clock }, state, where } of moves(harness)) {
        const copy = deepCopy(state);
        const at: unknown = clock?.deadline(copy);
        assert(at === undefined || at === null || (typeof at === "number" && !Number.isNaN(at)), `deadline answers ${String(at)} at ${where}`);
        assert(deepEqual(copy, state), `deadline changes the state at ${where}`);
        assert(clock?.deadline(deepCopy(state)) === at, `deadline answers differently when asked twice at ${where}`);
      }
    },
  },
  {
    id: "GA96",
    says: "timeout moves or lifts the deadline of every state that has one, alike when run twice, and changes nothing",
    unless: noClock,
    check: async (harness) => {
      for (const { move: { game, state, where }, clock, at, context } of dues(harness)) {
        const after = answered(game, state, (each) => clock.timeout(each, context()), `timeout at ${where}`);
        assert(tried(() => clock.deadline(deepCopy(after))) !== at, `timeout leaves the deadline standing at ${where}`);
      }
    },
  },
  {
    id: "GA115",
    says: "read finds the dice of the first state, and whatever write wrote; write changes nothing else",
    unless: noDice,
    check: async (harness) => {
      const { dice, setup } = defineGame(harness.game);
      if (dice === undefined) return;
      assert(deepEqual(dice.read(setup({ seats: harness.seats ?? 2 })), fairDice()), "the first state holds no dice of fairDice()");
      for (const { state, where } of moves(harness)) {
        const before = dice.read(state);
        const copy = deepCopy(state);
        const other: DiceState = { ...before, rolls: before.rolls + 1 };
        const written = dice.write(copy, other);
        assert(deepEqual(copy, state), `write changes the state it gets at ${where}`);
        assert(deepEqual(dice.read(written), other), `read does not find what write wrote at ${where}`);
        assert(deepEqual(dice.write(deepCopy(written), before), state), `write changes more than the dice at ${where}`);
      }
    },
  },
  {
    id: "GA116",
    says: "apply, timeout and rolled carry the dice along as they are",
    unless: noDice,
    check: async (harness) => {
      for (const move of moves(harness)) if (move.game.dice !== undefined) checkCarried(move, move.game.dice);
      for (const { move: { game: { dice }, state, where }, clock, context } of dues(harness)) {
        if (dice !== undefined) assertCarried(dice, state, tried(() => clock.timeout(deepCopy(state), context())), `timeout at ${where}`);
      }
    },
  },
  {
    id: "GA117",
    says: "what rolls are asked for is the same when asked twice, rolled is pure, and rolls come to an end",
    unless: noEventRolls,
    check: async (harness) => {
      for (const move of moves(harness)) if (move.game.dice !== undefined) checkRolls(move, move.game.dice);
    },
  },
];
