// What the bot plays: a win where there is one, else what keeps the other from winning, else the middle, a corner, anything.
import type { Seat } from "../../sdk/index.ts";
import { isOver, winningLine, type Action, type TicTacToe } from "../tic-tac-toe.ts";

const LIKED: readonly number[] = [4, 0, 2, 6, 8, 1, 3, 5, 7];

/** What the player of this seat does now; undefined while it is not its turn. Whoever opens round 1 is left to the other, who is a person. */
export function moveFor(state: TicTacToe, seat: Seat): Action | undefined {
  if (isOver(state) || state.turn !== seat) return undefined;
  const free = LIKED.filter((cell) => state.board[cell] === null);
  const wins = (player: Seat): number | undefined => free.find((cell) => winningLine(state.board.map((was, at) => (at === cell ? player : was))).length > 0);
  const cell = wins(seat) ?? wins(1 - seat) ?? free[0];
  return cell === undefined ? undefined : { type: "mark", cell };
}
