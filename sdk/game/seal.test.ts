// Sealed values: what opens them, and what does not.
import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom } from "../base/index.ts";
import { isOpening, seal } from "./seal.ts";

const mine = { player: 0, about: "round 1" };

test("[GA110] a sealed value opens with its own opening alone, for its own player and purpose", () => {
  const { commitment, open } = seal({ card: "queen", suit: 2 }, mine, seededRandom(1));
  expect(commitment).toMatch(/^[0-9a-f]{64}$/);
  expect(open.salt).toMatch(/^[0-9a-f]{32}$/);
  expect(isOpening(commitment, JSON.parse(JSON.stringify(open)), mine)).toBe(true);
  expect(isOpening(commitment, { salt: open.salt, value: { suit: 2, card: "queen" } }, mine)).toBe(true);
  for (const other of [{ ...open, value: { card: "king", suit: 2 } }, { ...open, salt: "0".repeat(32) }, { ...open, value: { ...open.value, more: 1 } }]) expect(isOpening(commitment, other, mine)).toBe(false);
  expect(isOpening(commitment, open, { player: 1, about: "round 1" })).toBe(false);
  expect(isOpening(commitment, open, { player: 0, about: "round 2" })).toBe(false);
});

test("[GA110] every JSON value opens after its way through the log", () => {
  let opened = 0;
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(), (value, seed) => {
    const { commitment, open } = seal(value, mine, seededRandom(seed));
    opened += 1;
    return isOpening(commitment, JSON.parse(JSON.stringify(open)), mine);
  }));
  expect(opened).toBeGreaterThan(50);
});

test("[GA111] the same value sealed twice looks different", () => {
  const random = seededRandom(2);
  expect(seal("rock", mine, random).commitment).not.toBe(seal("rock", mine, random).commitment);
});

test("[GA112] whatever is sent as an opening is answered, and what is no JSON can not be sealed", () => {
  const { commitment, open } = seal("rock", mine, seededRandom(3));
  for (const nonsense of [undefined, null, 7, "rock", [], {}, { value: "rock" }, { value: "rock", salt: 7 }, { value: "rock", salt: "zz".repeat(16) }, { value: () => 1, salt: open.salt }]) expect(isOpening(commitment, nonsense, mine)).toBe(false);
  expect(isOpening(undefined, open, mine)).toBe(false);
  expect(() => seal(undefined, mine, seededRandom(4))).toThrow(expect.objectContaining({ code: "malformed" }));
  let deep: unknown = 1;
  for (let depth = 0; depth < 10_000; depth += 1) deep = [deep];
  expect(() => seal(deep, mine, seededRandom(4))).toThrow(expect.objectContaining({ code: "malformed" }));
  expect(isOpening(commitment, { ...open, value: deep }, mine)).toBe(false);
});
