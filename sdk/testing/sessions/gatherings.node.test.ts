// Many gatherings at once. GATHERINGS=3000 runs more of them, FIRST=501 others.
import process from "node:process";
import { expect, test } from "vitest";
import { bundleWorker } from "../soak/bundle.ts";
import { runGatherings } from "../soak/gathering-pool.ts";
import { describeGathering } from "./describe.ts";
import { HAPPENING_KINDS } from "./plan.ts";
import { simulateGathering } from "./simulate-sessions.ts";

const SEEDS = Number(process.env["GATHERINGS"] ?? 500);
const FIRST = Number(process.env["FIRST"] ?? 1);
/** Share of gatherings that may end without anybody who can decide, because too many left for ever: they prove little. */
const STRANDED_MAX = 0.05;

test("[SE47] five hundred gatherings keep every promise and meet every kind of happening", { timeout: 3_600_000 }, async () => {
  const tally = await runGatherings(await bundleWorker([], "gathering-worker"), FIRST, FIRST + SEEDS);
  const told: string[] = [];
  for (const { seed } of tally.failures.slice(0, 3)) told.push(await describeGathering(await simulateGathering(seed)));
  expect(told, tally.failures.map(({ seed, rule }) => `${seed} ${rule}`).join()).toEqual([]);
  expect(tally.seeds).toBe(SEEDS);
  expect(tally.stranded / tally.seeds, "share of gatherings nobody could decide in any more").toBeLessThanOrEqual(STRANDED_MAX);
  const missed = HAPPENING_KINDS.filter((kind) => (tally.marks[kind] ?? 0) < tally.seeds / 100);
  expect(missed, "happenings met by less than one gathering in a hundred").toEqual([]);
  for (const way of ["fed", "fed-no-more"]) expect(tally.marks[way] ?? 0, `spectators that were ${way}`).toBeGreaterThan(tally.seeds / 20);
});

test("one seed is one gathering, event for event", async () => {
  for (const seed of [3, 14, 16]) expect(await simulateGathering(seed)).toEqual(await simulateGathering(seed));
});
