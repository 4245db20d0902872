// How crosses and noughts are drawn. Each stroke has length 1, so that the style sheet can draw it in.
import type { Seat } from "../sdk/index.ts";
import { drawing } from "./dom.ts";

const STROKES: readonly (readonly string[])[] = [
  ["M25 23C41 38 60 60 76 78", "M77 24C60 40 40 61 24 76"],
  ["M53 20C32 19 19 34 20 51C21 68 34 81 51 80C68 79 81 66 80 49C79 32 67 21 50 21"],
];

/** "x" for seat 0, "o" for seat 1, "" for an empty cell: also the value of `data-mark`. */
export function markOf(seat: Seat | null | undefined): "x" | "o" | "" {
  if (seat === 0) return "x";
  return seat === 1 ? "o" : "";
}

/** The drawing of one mark; empty for anything but the two seats. */
export function drawMark(seat: Seat): SVGSVGElement {
  const strokes = (STROKES[seat] ?? []).map((d) => drawing("path", { d, pathLength: "1" }));
  return drawing("svg", { viewBox: "0 0 100 100", class: `mark mark-${markOf(seat)}`, "aria-hidden": "true", children: strokes });
}
