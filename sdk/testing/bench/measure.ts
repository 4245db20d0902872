// How the benches count: medians of several rounds, rounds of all subjects taken in turn so that a slow moment of the machine falls on each alike.
import { loadavg } from "node:os";

/** One thing to be measured: runs for about `ms` and says what it did. */
export interface Subject {
  readonly name: string;
  round(): Sample;
}

/** What one round gave. */
export interface Sample {
  readonly perSecond: number;
  /** Of single operations, microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Processor time per operation, microseconds, the collector's threads included: what a busy machine can not spoil. */
  readonly cpu: number;
}

/** A subject with its median over the rounds, and the spread of its rate. */
export interface Figure extends Sample {
  readonly name: string;
  readonly lowest: number;
  readonly highest: number;
}

/** The middle of some numbers; the upper one of two. */
export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/** The value a share of `sorted` is below. */
export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Takes `rounds` rounds of every subject in turn, after one that does not count, and gives the medians in the order of the subjects. */
export function compare(subjects: readonly Subject[], rounds: number): Figure[] {
  for (const subject of subjects) subject.round();
  const samples = subjects.map((): Sample[] => []);
  for (let round = 0; round < rounds; round += 1) {
    subjects.forEach((subject, at) => samples[at]?.push(subject.round()));
  }
  return subjects.map(({ name }, at) => {
    const taken = samples[at] ?? [];
    const rates = taken.map((sample) => sample.perSecond);
    return { name, perSecond: median(rates), p50: median(taken.map((sample) => sample.p50)), p99: median(taken.map((sample) => sample.p99)), cpu: median(taken.map((sample) => sample.cpu)), lowest: Math.min(...rates), highest: Math.max(...rates) };
  });
}

/** Prints rows under headings, columns aligned; numbers to the right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = headings.map((heading, column) => Math.max(heading.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]): string => cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ");
  console.log(line(headings));
  console.log(widths.map((width) => "-".repeat(width)).join("  "));
  for (const row of rows) console.log(line(row));
  console.log("");
}

/** A whole number with thousands apart. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** A number with a fixed count of decimals. */
export function fixed(value: number, decimals = 2): string {
  return value.toFixed(decimals);
}

/** How busy the machine is besides, for people. */
export function loadNow(): string {
  return `load average ${fixed(loadavg()[0] ?? 0, 1)}`;
}
