import { expect, test } from "vitest";
import { describeGathering } from "./describe.ts";
import { drawGathering } from "./plan.ts";
import { simulateGathering } from "./simulate-sessions.ts";

declare const process: { readonly env: Readonly<Record<string, string | undefined>> };

/** What the command line asks for: SEED=… and optionally KEEP=… (numbers of happenings) and LOG=1. */
function asked(): { readonly seed: number; readonly omit: ReadonlySet<number>; readonly isShrunk: boolean; readonly log: boolean } {
  const { SEED, KEEP, LOG } = process.env as { SEED?: string; KEEP?: string; LOG?: string };
  const seed = Number(SEED ?? 1);
  const all = drawGathering(seed).happenings.map(({ number }) => number);
  const kept = KEEP === undefined ? new Set(all) : new Set(KEEP.split(",").map(Number));
  return { seed, omit: new Set(all.filter((number) => !kept.has(number))), isShrunk: KEEP !== undefined, log: LOG !== undefined };
}

test("the gathering asked for keeps every promise (SEED=… KEEP=… LOG=1)", { timeout: 600_000 }, async () => {
  const { seed, omit, isShrunk, log } = asked();
  const lines: string[] = [];
  const report = await simulateGathering(seed, { omit, log: log ? (atMs, line) => lines.push(`${atMs} ${line}`) : undefined });
  const told = report.violation === undefined || isShrunk ? report.violation?.detail : await describeGathering(report);
  expect(report.violation, `${lines.join("\n")}\n${told}`).toBeUndefined();
});
