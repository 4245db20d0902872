// The bot's moves: legal at every board there can be, and never a missed win.
import { expect, test } from "vitest";
import { ticTacToe, type TicTacToe } from "../tic-tac-toe.ts";
import { moveFor } from "./bot-moves.ts";

const opened: TicTacToe = { board: [null, null, null, null, null, null, null, null, null], turn: 0, opener: 0, winner: null, round: 1, score: [0, 0], draws: 0 };
const at = (marks: string, turn: 0 | 1): TicTacToe => ({ ...opened, turn, board: marks.split("").map((mark) => (mark === "x" ? 0 : mark === "o" ? 1 : null)) });

test("wins where it can, and else stops the other", () => {
  expect(moveFor(at("oo.xx....", 1), 1)).toEqual({ type: "mark", cell: 2 });
  expect(moveFor(at("o..xx....", 1), 1)).toEqual({ type: "mark", cell: 5 });
});

test("waits for its turn, for somebody to open, and after the end", () => {
  expect(moveFor(at(".........", 0), 1)).toBeUndefined();
  expect(moveFor({ ...opened, turn: null, opener: null }, 1)).toBeUndefined();
  expect(moveFor({ ...at("ooo.xx.x.", 1), winner: 1 }, 1)).toBeUndefined();
});

test("plays to the end against any other, and never loses a win it has", () => {
  const seen = new Set<string>();
  const play = (state: TicTacToe): void => {
    if (seen.has(state.board.join())) return;
    seen.add(state.board.join());
    if (state.winner !== null || state.turn === null) return;
    const context = { player: state.turn, index: 1, time: 0, random: { uint32: () => 0 } };
    const own = state.turn === 1 ? moveFor(state, 1) : undefined;
    expect(state.turn === 1 && own === undefined).toBe(false);
    const actions = own === undefined ? state.board.flatMap((mark, cell) => (mark === null ? [{ type: "mark", cell } as const] : [])) : [own];
    for (const action of actions) {
      expect(ticTacToe.check?.(state, action, context as never)).toBeUndefined();
      play(ticTacToe.apply(state, action, context as never));
    }
  };
  play(opened);
  expect(seen.size).toBeGreaterThan(20);
});
