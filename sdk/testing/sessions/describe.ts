// A failing gathering in words, made smaller first: the happenings without which it fails in the same way are left out.
import { drawGathering } from "./plan.ts";
import { simulateGathering, type GatheringReport } from "./simulate-sessions.ts";

/** Runs a shrinking may take. */
const TRIES_MAX = 60;

/** What broke, the happenings that are needed for it, and the command that runs it again. */
export async function describeGathering(report: GatheringReport): Promise<string> {
  if (report.violation === undefined) return `seed ${report.seed}: nothing was broken`;
  const { happenings } = drawGathering(report.seed);
  const omit = new Set<number>();
  for (const { number } of happenings.slice(-TRIES_MAX).reverse()) {
    omit.add(number);
    const again = await simulateGathering(report.seed, { omit });
    if (again.violation?.rule !== report.violation.rule) omit.delete(number);
  }
  const kept = happenings.filter(({ number }) => !omit.has(number));
  const list = kept.map(({ number, atMs, kind, ms }) => `  ${number}: ${kind} at ${atMs}${ms > 0 ? ` (${ms} ms)` : ""}`).join("\n");
  const command = `SEED=${report.seed} KEEP=${kept.map(({ number }) => number).join()} LOG=1 npx vitest run --project node sdk/testing/sessions/replay`;
  return `seed ${report.seed} at ${report.violation.atMs} ms: ${report.violation.detail}\n${list}\n${command}`;
}
