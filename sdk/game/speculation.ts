// Confirmed state plus this peer's pending actions on top, as values: every rule of speculation is a function here. Not for promises.
import { bytesEqual, type Codec, type LogIndex } from "../base/index.ts";
import type { DedupKey } from "../replica/index.ts";
import type { ProvisionalReads } from "./action-context.ts";
import type { Seat } from "./game.ts";
import type { GameFault } from "./fault.ts";
import type { Judge } from "./judge.ts";
import { sameKey, type CommittedTurn } from "./turn.ts";
import type { Verdict } from "./verdict.ts";

/** An action of this peer that the log has not decided yet. */
export interface OwnAction<Action> {
  readonly action: Action;
  readonly payload: Uint8Array;
  /** Undefined only for one of an earlier incarnation, when the seat it was proposed from is not this peer's any more: not predicted. */
  readonly player: Seat | undefined;
  readonly dedupKey: DedupKey;
}

/** An own action applied on trust. */
export interface Predicted<State, Action> {
  readonly own: OwnAction<Action>;
  /** The state after it. */
  readonly after: State;
  /** The entry it was predicted for, as far as the prediction looked at it: a different value would need a fresh look. */
  readonly basis: { readonly index: LogIndex | undefined; readonly time: number | undefined };
  /** A fault of the game that did not stop the action. */
  readonly fault?: GameFault | undefined;
}

/** What is committed, and what is predicted on top, oldest first. */
export interface Speculation<State, Action> {
  readonly confirmed: State;
  readonly predicted: readonly Predicted<State, Action>[];
}

/** Where the log stands: predictions guess that they come right after. */
export interface LogPoint {
  readonly index: LogIndex;
  readonly time: number;
}

/** An own action that is no longer shown, and why. */
export interface Departed<Action> {
  readonly own: OwnAction<Action>;
  readonly reason: string;
  readonly fault?: GameFault | undefined;
}

/** A speculation after a change, and the actions that left because they are illegal now. */
export interface Rebased<State, Action> {
  readonly speculation: Speculation<State, Action>;
  readonly departed: readonly Departed<Action>[];
}

/** A committed turn taken in. */
export interface Advanced<State, Action> extends Rebased<State, Action> {
  /** How the turn was judged; undefined for a duplicate, which is skipped. */
  readonly verdict: Pick<Verdict<State>, "reason" | "fault"> | undefined;
}

/** What the functions need to know of the game. */
export interface Rulebook<State, Action> {
  readonly judge: Judge<State, Action>;
  readonly states: Codec<State>;
  /** Nothing predicted is believed: every committed turn is judged anew on a state read back from its bytes, and everything pending is predicted again. For tests. */
  readonly rollsBack?: boolean | undefined;
}

/** The state to show: after the last prediction, or the confirmed one when nothing is pending. */
export function tipOf<State, Action>({ confirmed, predicted }: Speculation<State, Action>): State {
  const last = predicted.at(-1);
  return last === undefined ? confirmed : last.after;
}

/** Applies `own` after what is already predicted, or says why it is illegal. */
export function predict<State, Action>(
  { judge }: Rulebook<State, Action>, speculation: Speculation<State, Action>, own: OwnAction<Action>, point: LogPoint,
): Predicted<State, Action> | Departed<Action> {
  const index = point.index + speculation.predicted.length + 1;
  const reads: ProvisionalReads = { index: false, time: false };
  const { reason, state, fault } = judge(tipOf(speculation), { ...own, index, time: point.time }, reads);
  if (reason !== undefined) return { own, reason, fault };
  return { own, after: state, basis: { index: reads.index ? index : undefined, time: reads.time ? point.time : undefined }, fault };
}

/** Predicts `owns` again, in order, on a new confirmed state; those now illegal depart, the others do not notice them. */
export function rebase<State, Action>(
  rules: Rulebook<State, Action>, confirmed: State, owns: readonly OwnAction<Action>[], point: LogPoint,
): Rebased<State, Action> {
  return predictAll(rules, { confirmed, predicted: [] }, owns, point);
}

/** Takes exactly the action with this key out; what was predicted after it is predicted again without it. */
export function withdraw<State, Action>(
  rules: Rulebook<State, Action>, { confirmed, predicted }: Speculation<State, Action>, key: DedupKey, point: LogPoint,
): Rebased<State, Action> {
  const at = predicted.findIndex(({ own }) => sameKey(own.dedupKey, key));
  if (at < 0) return { speculation: { confirmed, predicted }, departed: [] };
  return predictAll(rules, { confirmed, predicted: predicted.slice(0, at) }, ownsOf(predicted.slice(at + 1)), point);
}

/** Takes a committed turn into the confirmed state and puts the pending actions on top of the result. */
export function advance<State, Action>(
  rules: Rulebook<State, Action>, speculation: Speculation<State, Action>, turn: CommittedTurn<Action>,
): Advanced<State, Action> {
  const { confirmed, predicted } = speculation;
  if (turn.duplicate) return { ...withdraw(rules, speculation, turn.dedupKey, turn), verdict: undefined };
  const oldest = predicted[0];
  const isOldest = oldest !== undefined && isSame(oldest.own, turn);
  if (rules.rollsBack === true) return rolledBack(rules, speculation, turn);
  if (isOldest && holds(oldest, turn)) {
    return { speculation: { confirmed: oldest.after, predicted: predicted.slice(1) }, departed: [], verdict: { reason: undefined } };
  }
  const verdict = rules.judge(confirmed, turn);
  if (isOldest && verdict.reason === undefined && sameState(rules.states, verdict.state, oldest.after)) {
    return { speculation: { confirmed: oldest.after, predicted: predicted.slice(1) }, departed: [], verdict };
  }
  const rest = predicted.filter(({ own }) => !sameKey(own.dedupKey, turn.dedupKey));
  if (verdict.state === confirmed && rest.length === predicted.length) return { speculation, departed: [], verdict };
  const rebased = rebase(rules, verdict.state, ownsOf(rest), turn);
  const speculationAfter = rest.length === predicted.length ? rebased.speculation : keepTip(rules.states, rebased.speculation, tipOf(speculation));
  return { speculation: speculationAfter, departed: rebased.departed, verdict };
}

/** Takes a turn in as somebody would who knows nothing but the committed bytes, and says so when that comes to something else than was predicted. */
function rolledBack<State, Action>(
  rules: Rulebook<State, Action>, { confirmed, predicted }: Speculation<State, Action>, turn: CommittedTurn<Action>,
): Advanced<State, Action> {
  const verdict = rules.judge(rules.states.decode(rules.states.encode(confirmed)), turn);
  const [oldest] = predicted;
  const isAsPredicted = oldest === undefined || !isSame(oldest.own, turn) || !holds(oldest, turn) || sameState(rules.states, verdict.state, oldest.after);
  const impure: GameFault = { kind: "impure", message: "the game comes to another state when an action is rolled back and replayed (a clock, Math.random, a variable outside, or a state that does not survive its codec?)" };
  const rebased = rebase(rules, verdict.state, ownsOf(predicted.filter(({ own }) => !sameKey(own.dedupKey, turn.dedupKey))), turn);
  return { ...rebased, verdict: { reason: verdict.reason, fault: isAsPredicted ? verdict.fault : impure } };
}

/** Starts over from a snapshot; everything whose fate is open stays pending, if it is still legal. A state with equal bytes keeps its identity. */
export function restart<State, Action>(
  rules: Rulebook<State, Action>, { confirmed, predicted }: Speculation<State, Action>, state: State, point: LogPoint,
): Rebased<State, Action> {
  if (sameState(rules.states, state, confirmed)) return { speculation: { confirmed, predicted }, departed: [] };
  return rebase(rules, state, ownsOf(predicted), point);
}

/** True when the turn is the very action that was predicted: same key, and the same bytes under it, by the same seat. */
function isSame<Action>(own: OwnAction<Action>, turn: CommittedTurn<Action>): boolean {
  return sameKey(own.dedupKey, turn.dedupKey) && own.player === turn.player && bytesEqual(own.payload, turn.payload);
}

/** True when the prediction is what judging again would give: nothing it looked at turned out otherwise. */
function holds<State, Action>({ basis }: Predicted<State, Action>, turn: CommittedTurn<Action>): boolean {
  return (basis.index === undefined || basis.index === turn.index) && (basis.time === undefined || basis.time === turn.time);
}

function ownsOf<State, Action>(predicted: readonly Predicted<State, Action>[]): readonly OwnAction<Action>[] {
  return predicted.map(({ own }) => own);
}

/** Predicts `owns` in order after `base`. Linear: the list grows in place and is handed out once. */
function predictAll<State, Action>(
  rules: Rulebook<State, Action>, base: Speculation<State, Action>, owns: readonly OwnAction<Action>[], point: LogPoint,
): Rebased<State, Action> {
  const predicted = [...base.predicted];
  const speculation = { confirmed: base.confirmed, predicted };
  const departed: Departed<Action>[] = [];
  for (const own of owns) {
    const result = predict(rules, speculation, own, point);
    if ("reason" in result) departed.push(result);
    else predicted.push(result);
  }
  return { speculation, departed };
}

/** When own actions were committed in another order and it came out the same, what is shown keeps its identity. */
function keepTip<State, Action>(states: Codec<State>, speculation: Speculation<State, Action>, shown: State): Speculation<State, Action> {
  if (!sameState(states, tipOf(speculation), shown)) return speculation;
  const last = speculation.predicted.at(-1);
  if (last === undefined) return { ...speculation, confirmed: shown };
  return { ...speculation, predicted: [...speculation.predicted.slice(0, -1), { ...last, after: shown }] };
}

/** True when both encode to the same bytes. A state that does not encode is the same as none. */
function sameState<State>(states: Codec<State>, a: State, b: State): boolean {
  if (a === b) return true;
  try {
    return bytesEqual(states.encode(a), states.encode(b));
  } catch {
    return false;
  }
}
