// The verdict on one action in one state: the same on every peer, and never an exception, whatever game and payload do.
import type { Random } from "../base/index.ts";
import { entryContext, predictionContext, type ContextSource, type ProvisionalReads } from "./action-context.ts";
import type { ActionContext, DefinedGame } from "./game.ts";
import { happened, systemApplied } from "./happenings.ts";
import type { Turn } from "./turn.ts";
import { applied, checked, type Verdict } from "./verdict.ts";
import { judgedWithDice } from "./waiting-action.ts";

/** Judges a turn in a state. Never throws. With `reads` the turn is a prediction, and what it relied on is noted there. */
export type Judge<State, Action> = (state: State, turn: Turn<Action>, reads?: ProvisionalReads) => Verdict<State>;

/** The judge of a game with `seats` seats. */
export function createJudge<State, Action>(game: DefinedGame<State, Action>, seats: number): Judge<State, Action> {
  const judge = judgeOfActions(game, seats);
  const isPlain = game.clock === undefined && game.dice === undefined;
  return (before, turn, reads) => {
    const { system } = turn;
    if (system?.type === "begin") return { reason: undefined, state: game.setup({ seats }) };
    if (isPlain) return judge(before, turn, reads);
    // What is due by now comes first: a move that is late is judged in the state after the timeout.
    if (reads !== undefined) reads.time = true;
    const due = happened(game, before, turn, { seats, when: "before" });
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
    if (game.dice !== undefined) {
      const drawing = (random: Random): ActionContext => (reads === undefined ? entryContext({ ...source, random }) : predictionContext({ ...source, random }, reads));
      return judgedWithDice(game, game.dice, state, { action, player, index, context: drawing });
    }
    const context = (): ActionContext => (reads === undefined ? entryContext(source) : predictionContext(source, reads));
    // check and apply each get a fresh context, so that the numbers apply draws do not depend on how many check drew.
    const objection = checked(game, state, action, context());
    return objection === undefined ? applied(game, state, action, context()) : { ...objection, state };
  };
}
