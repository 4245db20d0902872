// The board: nine buttons in a grid, drawn from a state and never the other way round.
import type { Seat } from "../sdk/index.ts";
import { drawing, element, put } from "./dom.ts";
import { drawMark, markOf } from "./marks.ts";
import { isOver, winningLine } from "./tic-tac-toe.ts";
import { notNow, placeOf, type Scene } from "./words.ts";

const SIDE = 3;
const CELLS = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
// Four lines as a hand would draw them, in the coordinates of a 300 by 300 board.
const RULES = ["M101 10C99 90 102 190 100 291", "M200 9C202 100 198 200 201 290", "M9 101C100 98 200 102 291 100", "M10 199C90 202 190 198 290 201"];

/** The board in the page. */
export interface Board {
  /** Draws this moment; touches only what changed. */
  render(scene: Scene): void;
  /** Lets a mark that did not make it leave the cell visibly. */
  dismiss(cell: number, seat: Seat): void;
  /** Puts the keyboard focus on the board. */
  focus(): void;
}

function step(from: number, key: string): number | undefined {
  const [row, column] = [Math.floor(from / SIDE), from % SIDE];
  switch (key) {
    case "ArrowLeft":
      return row * SIDE + Math.max(0, column - 1);
    case "ArrowRight":
      return row * SIDE + Math.min(SIDE - 1, column + 1);
    case "ArrowUp":
      return Math.max(0, row - 1) * SIDE + column;
    case "ArrowDown":
      return Math.min(SIDE - 1, row + 1) * SIDE + column;
    case "Home":
      return row * SIDE;
    case "End":
      return row * SIDE + SIDE - 1;
    default:
      return undefined;
  }
}

function spoken(scene: Scene, cell: number): string {
  const seat = scene.state.board[cell];
  if (seat === null || seat === undefined) return `${placeOf(cell)}, empty`;
  const pending = scene.confirmed.board[cell] !== seat;
  return `${placeOf(cell)}, ${seat === 0 ? "cross" : "nought"}${seat === scene.status.seat ? ", yours" : ""}${pending ? ", not confirmed yet" : ""}`;
}

// The stroke through the winning line, from the middle of its first cell a little past that of its last.
function strikeThrough(line: readonly number[]): string {
  const middle = (cell: number | undefined): [number, number] => [((cell ?? 0) % SIDE) * 100 + 50, Math.floor((cell ?? 0) / SIDE) * 100 + 50];
  const [fromX, fromY] = middle(line[0]);
  const [toX, toY] = middle(line.at(-1));
  const reach = 0.14;
  const [dx, dy] = [(toX - fromX) * reach, (toY - fromY) * reach];
  return `M${fromX - dx} ${fromY - dy}L${toX + dx} ${toY + dy}`;
}

class GridBoard implements Board {
  readonly #root: HTMLElement;
  readonly #cells: readonly HTMLButtonElement[];
  readonly #strike: SVGPathElement = drawing("path", { class: "strike", pathLength: "1" });
  #focused = 4;

  constructor(root: HTMLElement, onMark: (cell: number) => void) {
    this.#root = root;
    this.#cells = CELLS.map((cell) => element("button", { type: "button", class: "cell", "data-testid": `cell-${cell}`, "data-cell": String(cell), "data-mark": "", "data-state": "empty", tabindex: cell === this.#focused ? "0" : "-1" }));
    const lines = drawing("svg", { class: "rules", viewBox: "0 0 300 300", "aria-hidden": "true", children: [...RULES.map((d) => drawing("path", { d })), this.#strike] });
    const rows = [0, 1, 2].map((row) => {
      const cells = this.#cells.slice(row * SIDE, row * SIDE + SIDE).map((button) => element("div", { role: "gridcell", children: [button] }));
      return element("div", { role: "row", class: "board-row", children: cells });
    });
    root.append(lines, ...rows);
    this.#cells.forEach((button, cell) => button.addEventListener("click", () => onMark(cell)));
    root.addEventListener("keydown", (event) => this.#onKey(event));
    root.addEventListener("focusin", () => this.#rove(this.#cells.findIndex((button) => button === document.activeElement)));
  }

  render(scene: Scene): void {
    const { state, confirmed, status } = scene;
    const line = winningLine(confirmed.board);
    const open = notNow(scene) === undefined && !isOver(state) && (state.turn === null || state.turn === status.seat);
    put(this.#root, "data-turn", state.turn === null ? (isOver(state) ? "over" : "open") : markOf(state.turn));
    put(this.#root, "data-round", String(confirmed.round));
    put(this.#root, "data-winner", isOver(confirmed) ? markOf(confirmed.winner) || "draw" : "");
    put(this.#root, "data-mine", markOf(status.seat));
    this.#cells.forEach((button, cell) => this.#renderCell(button, cell, { scene, open, wins: line.includes(cell) }));
    if (line.length > 0) put(this.#strike, "d", strikeThrough(line));
    else this.#strike.removeAttribute("d");
  }

  dismiss(cell: number, seat: Seat): void {
    const ghost = drawMark(seat);
    ghost.classList.add("leaving");
    // Without animations (reduced motion) there is no end event: the ghost is then not shown at all.
    ghost.addEventListener("animationend", () => ghost.remove());
    this.#cells[cell]?.append(ghost);
    if (ghost.getAnimations({ subtree: true }).length === 0) ghost.remove();
  }

  focus(): void {
    this.#cells[this.#focused]?.focus();
  }

  #renderCell(button: HTMLButtonElement, cell: number, now: { readonly scene: Scene; readonly open: boolean; readonly wins: boolean }): void {
    const { state, confirmed } = now.scene;
    const seat = state.board[cell] ?? null;
    const mark = markOf(seat);
    if (button.dataset["mark"] !== mark) {
      button.querySelector(".mark:not(.leaving)")?.remove();
      if (seat !== null) button.append(drawMark(seat));
      put(button, "data-mark", mark);
    }
    put(button, "data-state", seat === null ? "empty" : confirmed.board[cell] === seat ? "committed" : "pending");
    button.toggleAttribute("data-wins", now.wins);
    put(button, "aria-disabled", String(!now.open || seat !== null));
    put(button, "aria-label", spoken(now.scene, cell));
  }

  #onKey(event: KeyboardEvent): void {
    const to = step(this.#focused, event.key);
    if (to === undefined) return;
    event.preventDefault();
    this.#cells[to]?.focus();
  }

  // One stop for the Tab key, the arrows do the rest (the ARIA grid pattern).
  #rove(to: number): void {
    if (to < 0) return;
    this.#focused = to;
    this.#cells.forEach((button, cell) => put(button, "tabindex", cell === to ? "0" : "-1"));
  }
}

/** Builds the board inside `root`; `onMark` is told every cell that is clicked or entered, legal or not. */
export function createBoard(root: HTMLElement, onMark: (cell: number) => void): Board {
  return new GridBoard(root, onMark);
}

/** True when the cell shows a mark that is not committed. */
export function isPending({ state, confirmed }: Pick<Scene, "state" | "confirmed">, cell: number): boolean {
  return state.board[cell] !== confirmed.board[cell];
}
