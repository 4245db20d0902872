// A match played in a browser is one file, and Node comes to the same state from it, entry by entry.
import { expect } from "@playwright/test";
import type * as gameDoor from "../sdk/game/index.ts";
import type * as frontDoor from "../sdk/index.ts";
import { freshRoom, tabs, test } from "./pages.ts";
import { Guest, isSet } from "./table.ts";

interface Table {
  readonly words: readonly string[];
  readonly luck: readonly number[];
}
type Recorded = Window & {
  readonly match: { readonly confirmed: { get(): Table }; export(): Promise<Uint8Array> };
};

/** The rules of fixtures/table.html. */
const game: gameDoor.Game<Table, { readonly word: string }> = {
  name: "table",
  setup: () => ({ words: [], luck: [] }),
  apply: (state, { word }, { player, time, random }) => ({ words: [...state.words, `${player}:${word}`], luck: [...state.luck, (random.uint32() % 1000) / (1 + (time % 1000))] }),
};

test("a match recorded in a browser replays to the same digest in Node", async ({ context }) => {
  const guests = (await tabs(context, ["Ana", "Bo"])).map(({ page, name }) => new Guest(page, name));
  const room = freshRoom();
  for (const guest of guests) await guest.comes(room, { seats: 2 });
  await isSet(guests);
  for (let round = 0; round < 10; round += 1) for (const guest of guests) await guest.says(`${guest.name}${round}`);
  const [file, state] = await guests[0]!.page.evaluate(async () => {
    const { match } = window as unknown as Recorded;
    return [[...(await match.export())], match.confirmed.get()] as const;
  });
  // As an application has it: the built package, not the sources.
  const { defineGame, stateDigest } = (await import(new URL("../dist/game.js", import.meta.url).href)) as typeof gameDoor;
  const { importMatch } = (await import(new URL("../dist/index.js", import.meta.url).href)) as typeof frontDoor;
  const played = importMatch(game, Uint8Array.from(file)).at();
  expect(state.words).toHaveLength(20);
  expect(stateDigest(defineGame(game), played.state)).toBe(stateDigest(defineGame(game), state));
  expect(played.state).toEqual(state);
});
