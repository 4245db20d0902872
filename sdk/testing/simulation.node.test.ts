import { expect, test } from "vitest";
import { quantile, type Tally } from "./sim/many.ts";
import { describeFailure, shrink } from "./sim/shrink.ts";
import { bundleWorker } from "./soak/bundle.ts";
import { runPool } from "./soak/pool.ts";

const SEEDS = 1_000;
/** Share of seeds that may prove too little. */
const VACUOUS_MAX = 0.05;
/** Election timeouts until a healed core has a leader, in all but one of a hundred runs. */
const LEADER_TIMEOUTS_P99_MAX = 3;

function failuresOf(tally: Tally): string[] {
  return tally.failures.map((report) => {
    const shrunk = shrink(report.seed);
    return shrunk === undefined ? describeFailure(report) : describeFailure(shrunk.report, shrunk.kept);
  });
}

test("a thousand seeds of a simulated minute each, with all faults, break no rule and prove something", { timeout: 900_000 }, async () => {
  const tally = await runPool({ code: await bundleWorker(), first: 1, end: () => SEEDS + 1 });
  expect(failuresOf(tally)).toEqual([]);
  expect(tally.rules).toEqual({});
  expect(tally.seeds).toBe(SEEDS);
  expect(tally.simulatedMs).toBeGreaterThanOrEqual(SEEDS * 50_000);
  expect(tally.vacuous / tally.seeds, "share of seeds that proved little").toBeLessThanOrEqual(VACUOUS_MAX);
  expect(quantile(tally.leaderAfter, 0.99), "election timeouts to a leader, 99 of 100").toBeLessThanOrEqual(LEADER_TIMEOUTS_P99_MAX);
  const missed = Object.entries(tally.marks).filter(([, seeds]) => seeds < tally.seeds / 100).map(([mark]) => mark);
  expect(missed, "marks met by less than one seed in a hundred").toEqual([]);
});
