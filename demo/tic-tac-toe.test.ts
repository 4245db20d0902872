// The rules: what is legal, who wins, who opens next, and that no input however odd breaks them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { below, seededRandom } from "../sdk/base/index.ts";
import { type GameHarness, gameObligations } from "../sdk/game/game.contract.ts";
import type { Seat } from "../sdk/index.ts";
import { describeContract } from "../sdk/testing/contract.ts";
import { type Action, isFull, isOver, ticTacToe, type TicTacToe, winningLine } from "./tic-tac-toe.ts";

const at = (player: Seat, index = 1): Parameters<typeof ticTacToe.apply>[2] => ({ player, seats: 2, index, time: 0, random: seededRandom(index) });
const start = (): TicTacToe => ticTacToe.setup({ seats: 2 });
const mark = (cell: number): Action => ({ type: "mark", cell });
const check = (state: TicTacToe, action: Action, player: Seat): string | undefined => ticTacToe.check(state, action, at(player));

function act(state: TicTacToe, action: Action, player: Seat): TicTacToe {
  expect(check(state, action, player)).toBeUndefined();
  return ticTacToe.apply(state, action, at(player));
}

/** Marks the cells in order, the opener first. */
function round(state: TicTacToe, opener: Seat, cells: readonly number[]): TicTacToe {
  return cells.reduce((so, cell, turn) => act(so, mark(cell), turn % 2 === 0 ? opener : 1 - opener), state);
}

const CROSS_WINS = [0, 3, 1, 4, 2];
const DRAW = [0, 1, 2, 4, 3, 5, 7, 6, 8];

const harness: GameHarness<TicTacToe, Action> = {
  game: ticTacToe,
  sample: (state, _player, random) => (isOver(state) ? { type: "rematch" } : mark(below(random, 9))),
};

describeContract("tic-tac-toe", gameObligations, harness);

describe("opening", () => {
  test("either player may make the first mark of round 1, and the other is next", () => {
    for (const seat of [0, 1]) {
      const opened = act(start(), mark(4), seat);
      expect(opened.board[4]).toBe(seat);
      expect(opened.turn).toBe(1 - seat);
      expect(opened.opener).toBe(seat);
    }
  });

  test("when both mark the same cell, the second to be committed is refused with a reason", () => {
    const opened = act(start(), mark(4), 1);
    expect(check(opened, mark(4), 0)).toBe("the cell is taken");
  });

  test("the players open in turns from round 2 on, whoever won", () => {
    const second = act(round(start(), 1, CROSS_WINS), { type: "rematch" }, 0);
    expect(second.turn).toBe(0);
    const third = act(round(second, 0, CROSS_WINS), { type: "rematch" }, 0);
    expect(third.turn).toBe(1);
    expect(third.round).toBe(3);
    expect(check(third, mark(0), 0)).toBe("it is not your turn");
  });
});

describe("refusals", () => {
  test("a mark out of turn, on a taken cell or after the end is refused with a short reason", () => {
    const opened = act(start(), mark(4), 0);
    expect(check(opened, mark(0), 0)).toBe("it is not your turn");
    expect(check(opened, mark(4), 1)).toBe("the cell is taken");
    expect(check(round(start(), 0, CROSS_WINS), mark(8), 1)).toBe("the game is over");
  });

  test("a rematch is refused while the round is on, so two requests at once start one round", () => {
    expect(check(start(), { type: "rematch" }, 0)).toBe("the round is not over");
    const second = act(round(start(), 0, CROSS_WINS), { type: "rematch" }, 1);
    expect(check(second, { type: "rematch" }, 0)).toBe("the round is not over");
  });

  test("a third seat can not play", () => {
    expect(check(start(), mark(0), 2)).toBe("only two can play");
  });

  test("anything that is not a move is refused and nothing is thrown", () => {
    const odd = fc.oneof(fc.anything(), fc.record({ type: fc.constantFrom("mark", "Mark", "rematch ", 0) }), fc.record({ type: fc.constant("mark"), cell: fc.oneof(fc.double(), fc.constantFrom(-1, 9, 0.5, "0", null)) }));
    fc.assert(fc.property(odd, (action) => {
      const reason = check(start(), action as Action, 0);
      const legal = typeof action === "object" && action !== null && "cell" in action && Number.isInteger(action.cell) && Number(action.cell) >= 0 && Number(action.cell) < 9;
      expect(reason === undefined).toBe(legal);
    }));
  });
});

describe("ending", () => {
  test("a completed line wins the round and is named", () => {
    const won = round(start(), 0, CROSS_WINS);
    expect(won.winner).toBe(0);
    expect(won.turn).toBeNull();
    expect(won.score).toEqual([1, 0]);
    expect(winningLine(won.board)).toEqual([0, 1, 2]);
  });

  test("each of the eight lines wins", () => {
    const lines = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];
    for (const line of lines) {
      expect(winningLine(start().board.map((_, cell) => (line.includes(cell) ? 1 : null)))).toEqual(line);
    }
  });

  test("a full board without a line is a draw", () => {
    const drawn = round(start(), 0, DRAW);
    expect(drawn.winner).toBeNull();
    expect(isFull(drawn.board)).toBe(true);
    expect([drawn.draws, drawn.score]).toEqual([1, [0, 0]]);
  });

  test("a line completed by the ninth mark is a win and not a draw", () => {
    const won = round(start(), 0, [0, 1, 2, 3, 4, 5, 7, 6, 8]);
    expect([won.winner, won.draws, won.score]).toEqual([0, 0, [1, 0]]);
  });
});

test("whatever is played, the state stays sound, is never mutated and survives JSON", () => {
  const anyAction = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0, max: 8 }).map(mark) }, { weight: 1, arbitrary: fc.constant<Action>({ type: "rematch" }) });
  const script = fc.array(fc.tuple(anyAction, fc.integer({ min: 0, max: 1 })), { maxLength: 120 });
  fc.assert(fc.property(script, (steps) => {
    let state = start();
    for (const [action, player] of steps) {
      if (check(state, action, player) !== undefined) continue;
      const before = JSON.stringify(state);
      const next = ticTacToe.apply(state, action, at(player));
      expect(JSON.stringify(state)).toBe(before);
      expect(JSON.parse(JSON.stringify(next))).toEqual(next);
      state = next;
      const [crosses, noughts] = [0, 1].map((seat) => state.board.filter((cell) => cell === seat).length);
      expect(Math.abs(crosses! - noughts!)).toBeLessThanOrEqual(1);
      expect(state.score[0] + state.score[1] + state.draws).toBe(state.round - (isOver(state) ? 0 : 1));
    }
  }));
});
