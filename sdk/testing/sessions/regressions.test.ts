// Seeds that found something, and what: they stay found.
import { expect, test } from "vitest";
import { simulateGathering } from "./simulate-sessions.ts";

const FOUND: readonly (readonly [seed: number, what: string])[] = [
  [3, "a kicked member was taken out before it heard of the kick, and stayed for ever"],
  [11, "two peers that had heard each other answered each other's greetings without end"],
  [14, "a spare voter that crashed came back as a stranger, and nobody could lead without its vote"],
  [16, "after the last player stood up nobody could manage the match"],
  [30, "a voter made one in the moment it was cut off did not open its log when it came back"],
  [55, "who stood up and sat down again before either was agreed on had no seat"],
  [92, "a leader that had stood up could neither manage nor hand over"],
  [99, "who came back to a match of its own stayed alone beside the one the room played"],
  [443, "a leader counted members that had gone over to another match"],
  [572, "the only one who may manage could not sit down at an empty table"],
  [743, "a log of before, read again on the way in, took back what the newcomer asked for"],
  [1890, "a wish to sit was taken for granted by an old view of the roster"],
  [2613, "a wish to stand up that was not agreed on in time was forgotten, and the lobby went on telling of it"],
  [2730, "a newcomer went on asking for the seat it had, and had it again after it stood up"],
  [20344, "an audience that its leader did not count stayed behind when that one gave way to another match"],
  [32044, "two that came back at once gave way to each other, again and again, since a match not read yet looked older than any"],
  [22885, "whoever came back to an old view of its seat did not ask for one when it found that it had none"],
];

test.each(FOUND)("seed %i: %s", { timeout: 60_000 }, async (seed) => {
  expect((await simulateGathering(seed)).violation).toBeUndefined();
});
