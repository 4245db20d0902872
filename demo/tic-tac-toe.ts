// The rules of tic-tac-toe as a Game: pure functions over plain state. Not for drawing, names or connections.
import { defineGame, type DefinedGame, type Seat } from "../sdk/index.ts";

/** Who marked a cell: seat 0 plays crosses, seat 1 noughts; null is an empty cell. */
export type Cell = Seat | null;

/** Everything both players agree on. Plain JSON, so that snapshots and digests need no codec of their own. */
export interface TicTacToe {
  /** Nine cells, row by row. */
  readonly board: readonly Cell[];
  /** Who marks next. null: the round is over, or it is round 1 and nobody has opened, so either may. */
  readonly turn: Seat | null;
  /** Who opens, or opened, this round; null until the first mark of round 1. */
  readonly opener: Seat | null;
  /** Who completed a line; null while nobody has. */
  readonly winner: Seat | null;
  /** Counted from 1. */
  readonly round: number;
  /** Rounds won, by seat. */
  readonly score: readonly [number, number];
  readonly draws: number;
}

/** What a player can do: mark one of the cells 0 to 8, or ask for the next round once this one is over. */
export type Action = { readonly type: "mark"; readonly cell: number } | { readonly type: "rematch" };

const CELLS = 9;
const LINES: readonly (readonly [number, number, number])[] = [
  [0, 1, 2], [3, 4, 5], [6, 7, 8],
  [0, 3, 6], [1, 4, 7], [2, 5, 8],
  [0, 4, 8], [2, 4, 6],
];
const EMPTY: readonly Cell[] = Array.from({ length: CELLS }, () => null);

const other = (seat: Seat): Seat => 1 - seat;

/** The cells of the completed line, else an empty list. Two lines can be completed by one mark: then the first is named. */
export function winningLine(board: readonly Cell[]): readonly number[] {
  return LINES.find(([a, b, c]) => board[a] !== null && board[a] === board[b] && board[b] === board[c]) ?? [];
}

/** True when every cell is marked. */
export function isFull(board: readonly Cell[]): boolean {
  return board.every((cell) => cell !== null);
}

/** True when nobody can mark any more until the rematch. */
export function isOver(state: TicTacToe): boolean {
  return state.winner !== null || isFull(state.board);
}

// A modified client can commit anything that is JSON, so the shape is checked before it is believed.
function refusesShape(action: unknown): boolean {
  if (typeof action !== "object" || action === null || !("type" in action)) return true;
  if (action.type === "rematch") return false;
  return action.type !== "mark" || !("cell" in action) || typeof action.cell !== "number" || EMPTY[action.cell] === undefined;
}

function refusesMark(state: TicTacToe, cell: number, player: Seat): string | undefined {
  if (isOver(state)) return "the game is over";
  if (state.board[cell] !== null) return "the cell is taken";
  if (state.turn !== null && state.turn !== player) return "it is not your turn";
  return undefined;
}

function mark(state: TicTacToe, cell: number, player: Seat): TicTacToe {
  const board = state.board.map((was, at) => (at === cell ? player : was));
  const won = winningLine(board).length > 0;
  const ends = won || isFull(board);
  const [crosses, noughts] = state.score;
  return {
    board,
    turn: ends ? null : other(player),
    opener: state.opener ?? player,
    winner: won ? player : null,
    round: state.round,
    score: won ? (player === 0 ? [crosses + 1, noughts] : [crosses, noughts + 1]) : state.score,
    draws: state.draws + (ends && !won ? 1 : 0),
  };
}

// Round 1 is opened by whoever marks first; after that the players open in turns.
function rematch(state: TicTacToe): TicTacToe {
  const opener = state.opener === null ? null : other(state.opener);
  return { ...state, board: EMPTY, turn: opener, opener, winner: null, round: state.round + 1 };
}

/** Tic-tac-toe for two seats: the first mark of round 1 is anybody's, then strictly in turns. */
export const ticTacToe: DefinedGame<TicTacToe, Action> = defineGame<TicTacToe, Action>({
  name: "tic-tac-toe",
  setup: () => ({ board: EMPTY, turn: null, opener: null, winner: null, round: 1, score: [0, 0], draws: 0 }),
  check: (state, action, { player }) => {
    if (player !== 0 && player !== 1) return "only two can play";
    if (refusesShape(action)) return "that is not a move";
    if (action.type === "mark") return refusesMark(state, action.cell, player);
    return isOver(state) ? undefined : "the round is not over";
  },
  apply: (state, action, { player }) => (action.type === "mark" ? mark(state, action.cell, player) : rematch(state)),
});
