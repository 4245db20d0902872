// Runs many gatherings and adds up what they went through.
import { simulateGathering, type GatheringReport } from "./simulate-sessions.ts";

/** The sum of many gatherings. */
export interface GatheringTally {
  seeds: number;
  simulatedMs: number;
  events: number;
  commands: number;
  people: number;
  /** Gatherings in which too many voters of a group were gone for ever: their end proves nothing. */
  stranded: number;
  /** Gatherings in which more than one group was opened. */
  several: number;
  readonly failures: { readonly seed: number; readonly rule: string; readonly detail: string }[];
  /** How many gatherings a mark was met in. */
  readonly marks: Record<string, number>;
}

/** Nothing yet. */
export function emptyGatherings(): GatheringTally {
  return { seeds: 0, simulatedMs: 0, events: 0, commands: 0, people: 0, stranded: 0, several: 0, failures: [], marks: {} };
}

/** Adds one run. */
export function addGathering(tally: GatheringTally, report: GatheringReport): void {
  tally.seeds += 1;
  for (const name of ["simulatedMs", "events", "commands", "people"] as const) tally[name] += report[name];
  if (report.violation !== undefined) tally.failures.push({ seed: report.seed, rule: report.violation.rule, detail: report.violation.detail });
  else if (report.healedAfterMs === undefined) tally.stranded += 1;
  if (report.groups > 1) tally.several += 1;
  for (const mark of report.marks.keys()) tally.marks[mark] = (tally.marks[mark] ?? 0) + 1;
}

/** Adds another tally, of another worker say. */
export function addGatherings(into: GatheringTally, from: GatheringTally): void {
  for (const name of ["seeds", "simulatedMs", "events", "commands", "people", "stranded", "several"] as const) into[name] += from[name];
  into.failures.push(...from.failures);
  for (const [mark, seeds] of Object.entries(from.marks)) into.marks[mark] = (into.marks[mark] ?? 0) + seeds;
}

/** Runs the seeds `from` to `to - 1`. */
export async function simulateGatherings(from: number, to: number): Promise<GatheringTally> {
  const tally = emptyGatherings();
  for (let seed = from; seed < to; seed += 1) addGathering(tally, await simulateGathering(seed));
  return tally;
}
