// The invitation as a QR code, for a phone to come in by. The link goes in whole, with its secret; it is made here, and nobody is asked for it.
import { encode } from "uqr";
import { drawing } from "./dom.ts";

/** Empty modules around the code, which readers need to find it. */
const QUIET = 4;

/** Which modules are dark, row by row, without the quiet zone. As much error correction as the size that the text needs has room for. */
export function modulesOf(text: string): readonly (readonly boolean[])[] {
  return encode(text, { ecc: "L", boostEcc: true, border: 0 }).data;
}

/** One path through all dark modules, run by run: a whole row of squares in one stroke of the pen. */
export function pathOf(modules: readonly (readonly boolean[])[]): string {
  const run = (row: readonly boolean[], from: number): number => {
    const end = row.indexOf(false, from);
    return (end < 0 ? row.length : end) - from;
  };
  const strokes = modules.flatMap((row, y) => row.flatMap((isDark, x) => (isDark && row[x - 1] !== true ? [`M${x} ${y}h${run(row, x)}v1h-${run(row, x)}z`] : [])));
  return strokes.join("");
}

/** Dark on light by day and by night: many readers know no other way. */
export function drawQr(text: string): SVGSVGElement {
  const modules = modulesOf(text);
  const side = modules.length + 2 * QUIET;
  return drawing("svg", {
    class: "qr",
    viewBox: `${-QUIET} ${-QUIET} ${side} ${side}`,
    role: "img",
    "aria-label": "The invitation link as a QR code",
    "shape-rendering": "crispEdges",
    children: [drawing("rect", { x: String(-QUIET), y: String(-QUIET), width: String(side), height: String(side), fill: "#ffffff" }), drawing("path", { d: pathOf(modules), fill: "#14293c" })],
  });
}
