// Runs a recording again: to any index, step by step, in any engine, with the same states as the match had.
import type { LogIndex } from "../base/index.ts";
import { RulesMismatchError } from "./errors.ts";
import { decodeGameSection, type GameSection } from "./game-section.ts";
import type { DefinedGame } from "./game.ts";
import { createJudge } from "./judge.ts";
import { systemCommandOf } from "./system-command.ts";
import type { RecordedTurn, Recording } from "./recording.ts";

/** The game after one recorded turn, or at the start. */
export interface ReplayStep<State, Action> extends GameSection<State> {
  /** The entry taken in last; the recording's start before the first. */
  readonly index: LogIndex;
  /** The turn, undefined at the start. */
  readonly turn: RecordedTurn | undefined;
  /** What it decodes to; undefined at the start, for a command of the table itself, and for what is no action. */
  readonly action: Action | undefined;
  /** Why it did nothing, when it did nothing. `duplicate` for a repeated key. */
  readonly reason: string | undefined;
}

/**
 * The match step by step: first its start, then one step per turn. Lazy: stop whenever you have seen enough.
 * Throws `RulesMismatchError` when the recording was made under other rules, `MalformedError` when its start does not decode.
 */
export function* replaySteps<State, Action>(game: DefinedGame<State, Action>, recording: Recording): Generator<ReplayStep<State, Action>, void, void> {
  const judge = createJudge(game, recording.seats);
  const start = startOf(game, recording);
  let step: ReplayStep<State, Action> = { ...start, index: recording.start.index, turn: undefined, action: undefined, reason: undefined };
  yield step;
  for (const turn of recording.turns) {
    const { index, time, player, dedupKey, duplicate, payload, begins } = turn;
    const system = begins === true ? ({ type: "begin" } as const) : systemCommandOf(game.actions, payload);
    const action = system === undefined ? decodeSafely(game, payload) : undefined;
    // Written out: spreading every turn cost a quarter of a replay.
    const { state, reason } = duplicate ? { state: step.state, reason: "duplicate" } : judge(step.state, { index, time, player, dedupKey, action, system });
    step = { state, count: step.count + 1, time, index, turn, action, reason };
    yield step;
  }
}

/** The game after everything up to and including `toIndex` (default: the end). Throws as {@link replaySteps} does. */
export function replay<State, Action>(game: DefinedGame<State, Action>, recording: Recording, toIndex: LogIndex = Number.POSITIVE_INFINITY): ReplayStep<State, Action> {
  let last: ReplayStep<State, Action> | undefined;
  for (const step of replaySteps(game, recording)) {
    if (last !== undefined && step.index > toIndex) break;
    last = step;
  }
  // The start is always yielded; the compiler does not know.
  return last ?? { ...startOf(game, recording), index: recording.start.index, turn: undefined, action: undefined, reason: undefined };
}

function startOf<State, Action>(game: DefinedGame<State, Action>, { rules, seats, start }: Recording): GameSection<State> {
  if (rules !== game.rules) throw new RulesMismatchError(game.rules, rules);
  return start.section === undefined ? { state: game.setup({ seats }), count: 0, time: 0 } : decodeGameSection(game, start.section);
}

function decodeSafely<State, Action>(game: DefinedGame<State, Action>, payload: Uint8Array): Action | undefined {
  try {
    return game.actions.decode(payload);
  } catch {
    return undefined;
  }
}
