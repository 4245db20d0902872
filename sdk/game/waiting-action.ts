// Actions that draw from the fair dice: they are judged at their entry, wait there for their roll, and take effect when it is known.
import { fromHex, toHex, type LogIndex, type Random } from "../base/index.ts";
import { AskedRandom, noRandom } from "./action-context.ts";
import type { Settled, WaitingAction } from "./fair-dice.ts";
import { textOf } from "./fault.ts";
import type { ActionContext, DefinedGame, EventContext, GameDice, Seat } from "./game.ts";
import { applied, checked, type Verdict } from "./verdict.ts";

/** What is judged. */
export interface TurnWithDice<Action> {
  readonly action: Action;
  readonly player: Seat;
  readonly index: LogIndex;
  /** A fresh context with this source of numbers. */
  readonly context: (random: Random) => ActionContext;
}

/** An action waits for its roll in this state. */
export function isWaiting<State>(dice: GameDice<State> | undefined, state: State): boolean {
  try {
    return dice !== undefined && dice.read(state).waiting !== null;
  } catch {
    return false; // Dice that can not be read are reported where a roll would be made.
  }
}

/** In a game with dice an action that draws waits for its roll, and every other one is refused meanwhile: nothing comes between an action and its numbers. */
export function judgedWithDice<State, Action>(game: DefinedGame<State, Action>, dice: GameDice<State>, state: State, { action, player, index, context }: TurnWithDice<Action>): Verdict<State> {
  if (isWaiting(dice, state)) return { reason: "dice-rolling", state };
  const objection = checked(game, state, action, context(noRandom));
  if (objection !== undefined) return { ...objection, state };
  const random = new AskedRandom();
  const verdict = applied(game, state, action, context(random));
  if (!random.isAsked) return verdict;
  try {
    const before = dice.read(state);
    // One roll at a time: the one that is open is for something else.
    if (before.open !== null) return { reason: "dice-rolling", state };
    return { reason: undefined, state: dice.write(state, { ...before, waiting: { player, index, payload: toHex(game.actions.encode(action)) } }) };
  } catch (cause) {
    return { reason: "apply-failed", state, fault: { kind: "dice-failed", message: `the game's dice could not be read or written: ${textOf(cause)}; the action did nothing`, cause } };
  }
}

/** The state after the action that waited, now that its roll is known. It was checked at its entry, and nothing has come in between. */
export function appliedWithRoll<State, Action>(game: DefinedGame<State, Action>, state: State, known: { readonly waiting: WaitingAction; readonly step: Settled; readonly context: EventContext }): Verdict<State> {
  const { waiting: { player, index, payload }, step: { roll, random }, context: { seats, time } } = known;
  try {
    return applied(game, state, game.actions.decode(fromHex(payload)), { player, seats, index, time, random, roll });
  } catch (cause) {
    return { reason: "apply-failed", state, fault: { kind: "apply-failed", message: `an action that waited for the dice does not decode: ${textOf(cause)}; it did nothing`, cause } };
  }
}
