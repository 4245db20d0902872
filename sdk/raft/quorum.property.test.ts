// Majority arithmetic against brute force.
import fc from "fast-check";
import { expect, test } from "vitest";
import { jointIndex, jointVote, majority, majorityIndex, majorityVote, type VoteResult } from "./quorum.ts";

const values = fc.array(fc.nat(20), { maxLength: 7 });

/** The definition: the largest value that more than half have reached. */
function byDefinition(of: readonly number[]): number {
  if (of.length === 0) return Number.POSITIVE_INFINITY;
  const reached = of.filter((candidate) => of.filter((value) => value >= candidate).length * 2 > of.length);
  return Math.max(...reached);
}

/** The definition: won if enough said yes, lost if enough can not say yes any more. */
function voteByDefinition(size: number, granted: number, refused: number): VoteResult {
  if (size === 0) return "won";
  if (granted * 2 > size) return "won";
  return (size - refused) * 2 > size ? "pending" : "lost";
}

test("[RF2] a majority is more than half, and two majorities of one set always meet", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 1000 }), (size) => {
    expect(majority(size) * 2).toBeGreaterThan(size);
    expect((majority(size) - 1) * 2).toBeLessThanOrEqual(size);
  }));
});

test("[RF2] the index of a majority equals the one found by trying all", () => {
  fc.assert(fc.property(values, (of) => {
    expect(majorityIndex([...of])).toBe(byDefinition(of));
  }));
});

test("[RF2] a joint index needs both majorities", () => {
  fc.assert(fc.property(values, values, (incoming, outgoing) => {
    expect(jointIndex([...incoming], [...outgoing])).toBe(Math.min(byDefinition(incoming), byDefinition(outgoing)));
  }));
});

test("[RF2] votes are won, lost or pending as counting by hand says", () => {
  fc.assert(fc.property(fc.nat(7), fc.nat(7), fc.nat(7), (size, granted, refused) => {
    fc.pre(granted + refused <= size);
    expect(majorityVote(size, granted, refused)).toBe(voteByDefinition(size, granted, refused));
  }));
});

test("[RF2] a joint vote is won only by both and lost by either", () => {
  const results: readonly VoteResult[] = ["won", "lost", "pending"];
  for (const a of results) {
    for (const b of results) {
      const expected = a === "lost" || b === "lost" ? "lost" : a === "won" && b === "won" ? "won" : "pending";
      expect(jointVote(a, b)).toBe(expected);
    }
  }
});
