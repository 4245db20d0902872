// The verdict on one action in one state: the same on every peer, and never an exception, whatever game and payload do.
import { entryContext, predictionContext, type ContextSource, type ProvisionalReads } from "./action-context.ts";
import type { ActionContext, DefinedGame } from "./game.ts";
import { isThenable, textOf, type GameFault } from "./fault.ts";
import { happened, systemApplied } from "./happenings.ts";
import type { Turn } from "./turn.ts";

/** What became of an action. */
export interface Verdict<State> {
  /** Why it is illegal; undefined when it is legal. */
  readonly reason: string | undefined;
  /** The state after it: the very state before it when it is illegal (but for what was due by then, in a game with a clock or dice). */
  readonly state: State;
  readonly fault?: GameFault | undefined;
}

/** Judges a turn in a state. Never throws. With `reads` the turn is a prediction, and what it relied on is noted there. */
export type Judge<State, Action> = (state: State, turn: Turn<Action>, reads?: ProvisionalReads) => Verdict<State>;

/** The judge of a game with `seats` seats. */
export function createJudge<State, Action>(game: DefinedGame<State, Action>, seats: number): Judge<State, Action> {
  const judge = judgeOfActions(game, seats);
  if (game.clock === undefined && game.dice === undefined) return judge;
  return (before, turn, reads) => {
    // What is due by now comes first: a move that is late is judged in the state after the timeout.
    if (reads !== undefined) reads.time = true;
    const due = happened(game, before, turn, { seats, when: "before" });
    const { system } = turn;
    const verdict = system === undefined ? judge(due.state, turn, reads) : systemApplied(game, due.state, turn, system);
    const after = happened(game, verdict.state, turn, { seats, when: "after" });
    // Random numbers of an event hang on the index, which is only guessed.
    if (reads !== undefined && (due.state !== before || after.state !== verdict.state)) reads.index = true;
    return { reason: verdict.reason, state: after.state, fault: due.fault ?? verdict.fault ?? after.fault };
  };
}

function judgeOfActions<State, Action>(game: DefinedGame<State, Action>, seats: number): Judge<State, Action> {
  return (state, turn, reads) => {
    const { action, player, index, time, dedupKey } = turn;
    if (action === undefined) return { reason: "invalid-action", state };
    if (player === undefined) return { reason: "not-seated", state };
    const source: ContextSource = { player, seats, index, time, dedupKey };
    const context = (): ActionContext => (reads === undefined ? entryContext(source) : predictionContext(source, reads));
    // check and apply each get a fresh context, so that the numbers apply draws do not depend on how many check drew.
    const objection = checked(game, state, action, context());
    return objection === undefined ? applied(game, state, action, context()) : { ...objection, state };
  };
}

function checked<State, Action>(
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

function applied<State, Action>(
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
