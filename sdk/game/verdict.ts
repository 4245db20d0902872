// Calls to a game's own check and apply: whatever they answer or throw becomes a verdict.
import type { ActionContext, DefinedGame } from "./game.ts";
import { isThenable, textOf, type GameFault } from "./fault.ts";

/** What became of an action. */
export interface Verdict<State> {
  /** Why it is illegal; undefined when it is legal. */
  readonly reason: string | undefined;
  /** The state after it: the very state before it when it is illegal (but for what was due by then, in a game with a clock or dice). */
  readonly state: State;
  readonly fault?: GameFault | undefined;
}

/** Why the action is illegal, by the game's own word; undefined when it is legal. */
export function checked<State, Action>(
  game: DefinedGame<State, Action>, state: State, action: Action, context: ActionContext,
): { readonly reason: string; readonly fault?: GameFault } | undefined {
  try {
    // An author's JavaScript may answer null, a boolean or a promise; only the absence of a reason is legal.
    const answer: unknown = game.check(state, action, context);
    if (answer === undefined || answer === null) return undefined;
    if (typeof answer === "string") return { reason: answer === "" ? "illegal" : answer };
    return { reason: "illegal", fault: { kind: "check-failed", message: `check answers a reason or undefined, got ${typeof answer}; taken as illegal` } };
  } catch (cause) {
    return { reason: "check-failed", fault: { kind: "check-failed", message: `check threw: ${textOf(cause)}; taken as illegal`, cause } };
  }
}

/** The state after an action that `checked` found legal. */
export function applied<State, Action>(
  game: DefinedGame<State, Action>, state: State, action: Action, context: ActionContext,
): Verdict<State> {
  const failed = (message: string, cause?: unknown): Verdict<State> => ({ reason: "apply-failed", state, fault: { kind: "apply-failed", message: `${message}; the action did nothing`, cause } });
  try {
    const after = game.apply(state, action, context);
    if (after === undefined) return failed("apply returned undefined (is a return missing?)");
    if (isThenable(after)) return failed("apply returned a promise, and it must not be async");
    return { reason: undefined, state: after };
  } catch (cause) {
    return failed(`apply threw: ${textOf(cause)}`, cause);
  }
}
