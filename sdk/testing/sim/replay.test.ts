import { expect, test } from "vitest";
import { drawFaults, drawPlan } from "./plan.ts";
import { simulate } from "./simulate.ts";
import { describeFailure } from "./shrink.ts";

declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

const MINUTE = 60_000;

/** What the command line asks for: SEED=… and optionally KEEP=… (numbers of faults, or none) and LOG=1. */
function asked(): { readonly seed: number; readonly omit: ReadonlySet<number>; readonly log: boolean } {
  const { SEED, KEEP, LOG } = process.env as { SEED?: string; KEEP?: string; LOG?: string };
  const seed = Number(SEED ?? 1);
  const all = drawFaults(drawPlan(seed, MINUTE * 1_000)).map(({ number }) => number);
  const kept = KEEP === undefined ? new Set(all) : new Set(KEEP.split(",").map(Number));
  return { seed, omit: new Set(all.filter((number) => !kept.has(number))), log: LOG !== undefined };
}

test("the seed asked for breaks no rule (SEED=… KEEP=… LOG=1)", { timeout: 600_000 }, () => {
  const { seed, omit, log } = asked();
  const lines: string[] = [];
  const report = simulate(seed, { omit, log: log ? (atMs, line) => lines.push(`${atMs.toFixed(3)} ${line}`) : undefined });
  expect(report.violation, `${lines.slice(-400).join("\n")}\n${describeFailure(report)}`).toBeUndefined();
});
