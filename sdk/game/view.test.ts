// What a seat draws of a state.
import { expect, test } from "vitest";
import { openTable } from "../testing/table/table.ts";
import { defineGame } from "./define-game.ts";
import type { Game, Seat } from "./game.ts";
import type { GameReport } from "./report.ts";
import { viewerOf } from "./view.ts";

interface Hands {
  readonly hands: readonly (readonly number[])[];
}
type Take = { readonly card: number };

/** Everybody sees its own cards, and of the others' how many. */
const hands: Game<Hands, Take> = {
  name: "hands",
  setup: ({ seats }) => ({ hands: Array.from({ length: seats }, () => []) }),
  apply: (state, { card }, { player }) => ({ hands: state.hands.map((hand, seat) => (seat === player ? [...hand, card] : hand)) }),
  view: (state, player) => ({ hands: state.hands.map((hand, seat) => (seat === player ? hand : hand.map(() => 0))) }),
};

test("[GA61] a view is asked once per state and seat, and keeps what was drawn when it throws", () => {
  let calls = 0;
  const reports: GameReport[] = [];
  const game = defineGame({ ...hands, view: (state: Hands, player: Seat | undefined) => {
    calls += 1;
    if (player === 7) throw new Error("no such seat");
    return hands.view!(state, player);
  } });
  const begin = game.setup({ seats: 2 });
  const view = viewerOf(game, begin, (report) => reports.push(report));
  expect(view(begin, 7)).toBe(begin);
  const state: Hands = { hands: [[3], [4, 5]] };
  const drawn = view(state, 1);
  expect(drawn).toEqual({ hands: [[0], [4, 5]] });
  expect(view(state, 1)).toBe(drawn);
  expect(calls).toBe(2);
  expect(view({ hands: [[3, 6], [4, 5]] }, 7)).toBe(drawn);
  expect(view(state, undefined)).toEqual({ hands: [[0], [0, 0]] });
  expect(reports.map(({ kind, message }) => [kind, message])).toEqual(Array.from({ length: 2 }, () => ["view-failed", "the game's view threw: no such seat; what was drawn stays"]));
  const plain = defineGame<Hands, Take>({ ...hands, view: undefined as never });
  expect(viewerOf(plain, begin, () => {})(state, 0)).toBe(state);
});

test("[GA61] in a match every tab draws its own seat's view, who watches nobody's, and all of them agree on what is committed", async () => {
  const table = await openTable(hands, { players: 3, seats: 2 });
  await table.player(0).play({ card: 8 });
  await table.player(1).play({ card: 9 });
  await table.settled();
  expect(table.players.map(({ state }) => state.hands)).toEqual([[[8], [0]], [[0], [9]], [[0], [0]]]);
  expect(table.players.map(({ confirmed }) => confirmed.hands)).toEqual(Array.from({ length: 3 }, () => [[8], [9]]));
  const drawn = table.player(2).state;
  await table.advance(1_000);
  expect(table.player(2).state).toBe(drawn);
  await table.close();
});

test("[GA10] a view of the wrong shape is refused", () => {
  expect(() => defineGame({ ...hands, view: 7 as never })).toThrow("a game's view is a function or left out, got 7");
});
