// What one seat draws of a state: the game's own view of it, asked once per state and seat.
import { textOf } from "./fault.ts";
import type { DefinedGame, Seat } from "./game.ts";
import type { GameReport } from "./report.ts";

/** The state as this seat draws it. */
export type Viewer<State> = (state: State, player: Seat | undefined) => State;

/**
 * Asks the game's `view`, or gives the state itself where it has none. The same state for the same seat keeps the identity of its view. A view that throws is
 * reported as `view-failed`, and what was drawn last stays: the state itself may say more than the seat is to see. Before anything was drawn the state the game begins with is.
 */
export function viewerOf<State, Action>(game: DefinedGame<State, Action>, beginning: State, onReport: (report: GameReport) => void): Viewer<State> {
  if (game.view === undefined) return (state) => state;
  let last: { readonly of: State; readonly player: Seat | undefined } | undefined;
  let shown = beginning;
  return (state, player) => {
    if (last?.of === state && last.player === player) return shown;
    last = { of: state, player };
    try {
      shown = game.view?.(state, player) ?? state;
    } catch (cause) {
      onReport({ kind: "view-failed", message: `the game's view threw: ${textOf(cause)}; what was drawn stays`, player, cause });
    }
    return shown;
  };
}
