// Runs many seeds and adds up what they went through.
import { MARKS } from "./coverage.ts";
import { simulate, type SimOptions, type SimReport } from "./simulate.ts";

/** The sum of many runs. */
export interface Tally {
  seeds: number;
  simulatedMs: number;
  events: number;
  operations: number;
  commands: number;
  vacuous: number;
  readonly failures: SimReport[];
  /** Seeds that hit a mark at least once. */
  readonly marks: Record<string, number>;
  /** How often each mark was hit in all. */
  readonly hits: Record<string, number>;
  readonly messages: Record<string, number>;
  readonly transitions: Record<string, number>;
  readonly faults: Record<string, number>;
  readonly rules: Record<string, number>;
  /** Election timeouts from the healing of a core to its leader, one per seed that had a core. */
  readonly leaderAfter: number[];
}

/** Nothing yet. */
export function emptyTally(): Tally {
  const marks = Object.fromEntries(MARKS.map((mark) => [mark, 0]));
  return { seeds: 0, simulatedMs: 0, events: 0, operations: 0, commands: 0, vacuous: 0, failures: [], marks, hits: {}, messages: {}, transitions: {}, faults: {}, rules: {}, leaderAfter: [] };
}

/** Failures kept with their reports; of more only the count per rule. */
const FAILURES_MAX = 20;

/** Adds one run. */
export function addReport(tally: Tally, report: SimReport): void {
  tally.seeds += 1;
  tally.simulatedMs += report.simulatedMs;
  tally.events += report.events;
  tally.operations += report.operations;
  tally.commands += report.commands;
  if (report.vacuous !== undefined) tally.vacuous += 1;
  if (report.violation !== undefined) {
    tally.rules[report.violation.rule] = (tally.rules[report.violation.rule] ?? 0) + 1;
    if (tally.failures.length < FAILURES_MAX) tally.failures.push(report);
  }
  if (report.healing?.hadCore === true) tally.leaderAfter.push(report.healing.leaderAfter);
  for (const mark of report.marks.keys()) tally.marks[mark] = (tally.marks[mark] ?? 0) + 1;
  addCounts(tally.hits, report.marks);
  addCounts(tally.messages, report.messages);
  addCounts(tally.transitions, report.transitions);
  addCounts(tally.faults, report.faults);
}

function addCounts(into: Record<string, number>, counts: ReadonlyMap<string, number>): void {
  for (const [name, count] of counts) into[name] = (into[name] ?? 0) + count;
}

/** Adds another tally, of another worker say. */
export function addTally(into: Tally, from: Tally): void {
  for (const name of ["seeds", "simulatedMs", "events", "operations", "commands", "vacuous"] as const) into[name] += from[name];
  into.failures.push(...from.failures.slice(0, FAILURES_MAX - into.failures.length));
  for (const value of from.leaderAfter) into.leaderAfter.push(value);
  for (const name of ["marks", "hits", "messages", "transitions", "faults", "rules"] as const) addCounts(into[name], new Map(Object.entries(from[name])));
}

/** Runs the seeds `from` to `to - 1`. */
export function simulateMany(from: number, to: number, options: SimOptions = {}): Tally {
  const tally = emptyTally();
  for (let seed = from; seed < to; seed += 1) addReport(tally, simulate(seed, options));
  return tally;
}

/** Share of the values at or below which `share` of them lie; 0 of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
