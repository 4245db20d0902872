// A judge for development: freezes what the game gets, runs it twice, and says when the game is one that can diverge. Slow on purpose.
import { bytesEqual } from "../base/index.ts";
import { deepCopy, deepEqual, deepFreeze } from "./deep.ts";
import { ImpureGameError } from "./errors.ts";
import type { DefinedGame } from "./game.ts";
import { textOf, type GameFault } from "./fault.ts";
import { createJudge, type Judge } from "./judge.ts";
import type { Turn } from "./turn.ts";
import type { Verdict } from "./verdict.ts";

/** The same verdicts as `createJudge`, with faults `impure` and `unserialisable` beside them. Several encodings per action. */
export function createDevelopmentJudge<State, Action>(game: DefinedGame<State, Action>, seats: number): Judge<State, Action> {
  const judge = createJudge(game, seats);
  const frozen = new WeakSet();
  return (state, turn, reads) => {
    // Before the run that counts: a game that fills a Map in place would have done it already.
    const trial = tryOnCopies(judge, state, turn);
    deepFreeze(turn.action, frozen);
    const verdict = judge(deepFreeze(state, frozen), turn, reads);
    deepFreeze(verdict.state, frozen);
    return { ...verdict, fault: faultOf({ game, judge, state, turn, verdict, trial }) ?? verdict.fault };
  };
}

interface Inspection<State, Action> {
  readonly game: DefinedGame<State, Action>;
  readonly judge: Judge<State, Action>;
  readonly state: State;
  readonly turn: Turn<Action>;
  readonly verdict: Verdict<State>;
  readonly trial: Trial<State>;
}

/** A run on copies that may be changed. */
interface Trial<State> {
  readonly verdict: Verdict<State>;
  readonly hasChanged: boolean;
}

function tryOnCopies<State, Action>(judge: Judge<State, Action>, state: State, turn: Turn<Action>): Trial<State> {
  const stateCopy = deepCopy(state);
  const action = deepCopy(turn.action);
  const verdict = judge(stateCopy, { ...turn, action });
  return { verdict, hasChanged: !deepEqual(stateCopy, state) || !deepEqual(action, turn.action) };
}

function faultOf<State, Action>(inspection: Inspection<State, Action>): GameFault | undefined {
  try {
    return mutation(inspection) ?? difference(inspection) ?? loss(inspection);
  } catch (cause) {
    return { kind: "unserialisable", message: `the state does not go through its codec: ${textOf(cause)}`, cause };
  }
}

/** A game that throws on frozen values and not on copies of them changes its arguments, too. */
function mutation<State, Action>({ verdict, trial }: Inspection<State, Action>): GameFault | undefined {
  const threwOnlyWhenFrozen = verdict.fault?.cause !== undefined && trial.verdict.fault?.cause === undefined;
  return trial.hasChanged || threwOnlyWhenFrozen ? impure("changes its arguments (return a new state instead)", verdict.fault?.cause) : undefined;
}

function difference<State, Action>({ game, judge, state, turn, verdict }: Inspection<State, Action>): GameFault | undefined {
  const again = judge(state, turn);
  if (again.reason !== verdict.reason) return impure(`answers differently when asked twice: ${show(verdict.reason)}, then ${show(again.reason)}`);
  const isSame = bytesEqual(game.states.encode(again.state), game.states.encode(verdict.state));
  return isSame ? undefined : impure("gives different states when run twice (a clock, Math.random or a variable outside?)");
}

function loss<State, Action>({ game, verdict }: Inspection<State, Action>): GameFault | undefined {
  const back = game.states.decode(game.states.encode(verdict.state));
  if (deepEqual(back, verdict.state)) return undefined;
  return { kind: "unserialisable", message: "the state does not survive encode and decode (a Map, a Date, undefined or NaN in JSON?); give the game a states codec" };
}

function impure(message: string, cause?: unknown): GameFault {
  return { kind: "impure", message: `the game ${message}`, cause: new ImpureGameError(`the game ${message}`, { cause }) };
}

function show(reason: string | undefined): string {
  return reason === undefined ? "legal" : JSON.stringify(reason);
}
