// Makes a failing run smaller: leaves out planned faults as long as the same rule still breaks, then shortens the time.
import { drawFaults, drawPlan } from "./plan.ts";
import { simulate, type SimOptions, type SimReport } from "./simulate.ts";

/** The smallest failing run found. */
export interface Shrunk {
  readonly seed: number;
  readonly rule: string;
  /** The faults that are still needed, by number. */
  readonly kept: readonly number[];
  readonly omit: ReadonlySet<number>;
  readonly report: SimReport;
  /** Runs it took. */
  readonly runs: number;
}

/** How often a run is repeated at most while it is made smaller. */
const RUNS_MAX = 200;

/**
 * Shrinks a failing seed by delta debugging over its fault plan: halves, then quarters, down to single faults. The duration stays, so that
 * the plan does; what comes after the violation is never run anyway. Undefined when the seed does not fail.
 */
export function shrink(seed: number, options: SimOptions = {}): Shrunk | undefined {
  const whole = simulate(seed, options);
  const rule = whole.violation?.rule;
  if (whole.violation === undefined || rule === undefined) return undefined;
  const until = whole.violation.atMs * 1_000;
  const all = drawFaults(drawPlan(seed, (options.durationMs ?? 60_000) * 1_000)).map((fault) => fault.number);
  const initial = drawFaults(drawPlan(seed, (options.durationMs ?? 60_000) * 1_000)).filter(({ at }) => at <= until).map(({ number }) => number);
  let runs = 1;
  let best: { kept: readonly number[]; report: SimReport } = { kept: initial, report: whole };
  const attempt = (kept: readonly number[]): boolean => {
    if (runs >= RUNS_MAX) return false;
    runs += 1;
    const report = simulate(seed, { ...options, omit: without(all, kept) });
    if (report.violation?.rule !== rule) return false;
    best = { kept, report };
    return true;
  };
  for (let parts = 2; best.kept.length > 0 && runs < RUNS_MAX; ) {
    const size = Math.ceil(best.kept.length / parts);
    const before = best.kept;
    let smaller = false;
    for (let from = 0; from < before.length && !smaller; from += size) smaller = attempt([...before.slice(0, from), ...before.slice(from + size)]);
    if (smaller) parts = Math.max(2, parts - 1);
    else if (size <= 1) break;
    else parts = Math.min(before.length, parts * 2);
  }
  return { seed, rule, kept: best.kept, omit: without(all, best.kept), report: best.report, runs };
}

function without(all: readonly number[], kept: readonly number[]): Set<number> {
  const stays = new Set(kept);
  return new Set(all.filter((number) => !stays.has(number)));
}

/** What to print when a seed fails: the rule, the seed, and the command that runs exactly it again. */
export function describeFailure(report: SimReport, kept?: readonly number[]): string {
  const { seed, violation } = report;
  if (violation === undefined) return `seed ${seed} holds`;
  const faults = kept === undefined ? "" : ` with only these of its faults: ${kept.join(",") || "none"}`;
  const keep = kept === undefined ? "" : ` KEEP=${kept.join(",") || "none"}`;
  return `seed ${seed} broke ${violation.detail} (at ${violation.atMs.toFixed(3)} ms${faults})\nrun it again: SEED=${seed}${keep} npx vitest run --project node sdk/testing/sim/replay.test.ts`;
}
