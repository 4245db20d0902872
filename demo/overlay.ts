// A page for streams: follows the match of an invitation (overlay.html#room=…) as a spectator, and shows the board and who plays.
import { type Match, openMatch } from "../sdk/index.ts";
import { byId, element, say } from "./dom.ts";
import { drawMark, markOf } from "./marks.ts";
import { findServer } from "./signaling.ts";
import { type Action, isFull, ticTacToe, type TicTacToe } from "./tic-tac-toe.ts";

const cells = Array.from({ length: 9 }, (_, cell) => element("span", { "data-testid": `shown-${cell}`, "data-mark": "" }));

function headline({ winner, board, round }: TicTacToe, names: readonly string[]): string {
  if (winner !== null) return `${names[winner] ?? "Somebody"} wins round ${round}`;
  return isFull(board) ? `Round ${round} is a draw` : `Round ${round}`;
}

function draw(match: Match<TicTacToe, Action>): void {
  const state = match.confirmed.get();
  const players = match.players.get().filter(({ seat }) => seat !== undefined);
  cells.forEach((cell, at) => {
    const seat = state.board[at] ?? null;
    if (cell.dataset["mark"] === markOf(seat)) return;
    cell.dataset["mark"] = markOf(seat);
    cell.replaceChildren(...(seat === null ? [] : [drawMark(seat)]));
  });
  const names = [0, 1].map((seat) => players.find((player) => player.seat === seat)?.name ?? "…");
  byId("names", HTMLElement).replaceChildren(...names.map((name, seat) => element("span", { text: `${name} ${state.score[seat] ?? 0}`, ...(state.turn === seat ? { "data-turn": "" } : {}) })));
  say(byId("said", HTMLElement), match.status.get().phase === "closed" ? "The match is over" : headline(state, names));
}

async function follow(): Promise<void> {
  byId("board", HTMLElement).append(...cells);
  say(byId("said", HTMLElement), "Finding the match…");
  // Somebody new each time: what watches a stream has nothing to come back to.
  const match = await openMatch({ game: ticTacToe, name: "Overlay", spectate: true, storage: "memory", ...(await findServer()) });
  const redraw = (): void => draw(match);
  for (const atom of [match.confirmed, match.players, match.status]) atom.listen(redraw);
  redraw();
}

follow().catch((error: unknown) => say(byId("said", HTMLElement), error instanceof Error ? error.message : String(error)));
addEventListener("hashchange", () => location.reload());
