// A command an earlier incarnation left in flight, as an own action of the game. Pure; what becomes of it is the sequencer's.
import type { DedupKey, LANE_GAME, ResumedCommand } from "../replica/index.ts";
import type { DefinedGame } from "./game.ts";
import { textOf } from "./fault.ts";
import type { GameReport } from "./report.ts";
import { systemCommandOf } from "./system-command.ts";
import type { EncodedAction } from "./turn-sequencer.ts";

// The value is written here because the game layer imports replica's types and nothing it runs; the type keeps the two equal.
const GAME_LANE: typeof LANE_GAME = 1;

/** The action, what to report when its bytes are none of this game (any more), or undefined for another lane's command. */
export function decodeResumed<State, Action>(game: DefinedGame<State, Action>, { lane, payload, key: dedupKey }: ResumedCommand): (EncodedAction<Action> & { readonly dedupKey: DedupKey }) | GameReport | undefined {
  if (lane !== GAME_LANE || systemCommandOf(game.actions, payload) !== undefined) return undefined;
  try {
    const action = game.actions.decode(payload);
    if (action !== undefined) return { action, payload, dedupKey };
  } catch (cause) {
    return unreadable(dedupKey, cause);
  }
  return unreadable(dedupKey, "it decodes to undefined");
}

function unreadable(dedupKey: DedupKey, cause: unknown): GameReport {
  return { kind: "resumed-unreadable", message: `an action left in flight is not one of this game, and is not shown: ${textOf(cause)}`, dedupKey, cause };
}
