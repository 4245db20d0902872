// The test body that both halves of the simulation share: no violation, little of it vacuous, every mark met.
import { expect } from "vitest";
import { quantile, simulateMany } from "./many.ts";
import { describeFailure, shrink } from "./shrink.ts";

/** Seeds that may prove too little, and election timeouts until a healed core has a leader in all but one of a hundred runs. */
const VACUOUS_MAX = 0.05;
const LEADER_TIMEOUTS_P99_MAX = 3;

/** Runs seeds `from` to `to - 1` of the replica engine for a simulated minute each, and judges all of them. */
export function judgeSeeds(from: number, to: number): void {
  const tally = simulateMany(from, to);
  const failures = tally.failures.map((report) => {
    const shrunk = shrink(report.seed);
    return shrunk === undefined ? describeFailure(report) : describeFailure(shrunk.report, shrunk.kept);
  });
  expect(failures).toEqual([]);
  expect(tally.seeds).toBe(to - from);
  expect(tally.vacuous / tally.seeds, "share of seeds that proved little").toBeLessThanOrEqual(VACUOUS_MAX);
  expect(quantile(tally.leaderAfter, 0.99), "election timeouts to a leader, 99 of 100").toBeLessThanOrEqual(LEADER_TIMEOUTS_P99_MAX);
  const missed = Object.entries(tally.marks).filter(([, seeds]) => seeds < tally.seeds / 100).map(([mark]) => mark);
  expect(missed, "marks met by less than one seed in a hundred").toEqual([]);
}
