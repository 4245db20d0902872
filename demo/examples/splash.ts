// Splash, a fast game: everybody paints cells as quickly as they can, twenty a second; where the others point at travels beside the log.
import { defineGame, type DefinedGame, type Seat } from "../../sdk/index.ts";

/** The board: who painted a cell last, row by row; null: nobody. */
export interface Splash {
  readonly cells: readonly (Seat | null)[];
  /** Strokes so far, by seat. */
  readonly strokes: readonly number[];
}

/** Paints one cell. */
export interface Stroke {
  readonly cell: number;
}

/** Cells of a row, and rows. */
export const SIDE = 12;

/** Splash for any number of seats: every stroke on another's cell, or an empty one, is legal. */
export const splash: DefinedGame<Splash, Stroke> = defineGame<Splash, Stroke>({
  name: "splash",
  setup: ({ seats }) => ({ cells: Array.from({ length: SIDE * SIDE }, () => null), strokes: Array.from({ length: seats }, () => 0) }),
  check: (state, action, { player }) => {
    const cell: unknown = typeof action === "object" && action !== null ? action.cell : undefined;
    if (typeof cell !== "number" || state.cells[cell] === undefined) return "no such cell";
    return state.cells[cell] === player ? "yours already" : undefined;
  },
  apply: (state, { cell }, { player }) => ({ cells: state.cells.map((painted, at) => (at === cell ? player : painted)), strokes: state.strokes.map((count, seat) => (seat === player ? count + 1 : count)) }),
});

/** Where a player points at, in cells. Not part of the game: the newest is all anybody wants. */
export interface Cursor {
  readonly x: number;
  readonly y: number;
}

/** A cursor as two bytes. */
export function encodeCursor({ x, y }: Cursor): Uint8Array {
  return Uint8Array.of(x, y);
}

/** The cursor in these bytes; undefined for anything else: peers can send what they like. */
export function decodeCursor(bytes: Uint8Array): Cursor | undefined {
  const [x, y] = bytes;
  return bytes.length === 2 && x !== undefined && y !== undefined && x < SIDE && y < SIDE ? { x, y } : undefined;
}
