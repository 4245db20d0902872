// Simulates for as long as asked and says what was gone through: `npm run soak -- --seeds 20000` or `--minutes 60`, `--from 1`, `--threads 1`.
import { parseArgs } from "node:util";
import { quantile, type Tally } from "../sim/many.ts";
import { describeFailure, shrink } from "../sim/shrink.ts";
import { bundleWorker } from "./bundle.ts";
import { runPool } from "./pool.ts";

const HOUR_MS = 3_600_000;
/** Seeds simulated when neither a number nor a time is asked for. */
const SEEDS = 1_000;
/** Failing seeds that are made smaller; each takes up to some hundred runs. */
const SHRUNK_MAX = 3;

interface Wish {
  readonly first: number;
  /** Number of seeds; undefined: until the time is over. */
  readonly seeds: number | undefined;
  readonly minutes: number | undefined;
  readonly threads: number | undefined;
}

function readWish(): Wish {
  const { values } = parseArgs({ options: { seeds: { type: "string" }, minutes: { type: "string" }, from: { type: "string" }, threads: { type: "string" } } });
  const positive = (name: keyof typeof values): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = Number(text);
    if (value > 0 && (name === "minutes" || Number.isSafeInteger(value))) return value;
    throw new RangeError(`--${name} takes a positive number, not ${text}`);
  };
  const [seeds, minutes] = [positive("seeds"), positive("minutes")];
  return { first: positive("from") ?? 1, seeds: seeds ?? (minutes === undefined ? SEEDS : undefined), minutes, threads: positive("threads") };
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}

function counts(title: string, of: Readonly<Record<string, number>>, show: (count: number, name: string) => string): string {
  const rows = Object.entries(of).sort(([, a], [, b]) => b - a).map(([name, count]) => `  ${name.padEnd(34)} ${show(count, name)}`);
  return `${title}\n${rows.join("\n")}`;
}

function summary(tally: Tally, elapsedMs: number): string {
  const hours = tally.simulatedMs / HOUR_MS;
  const figures = [
    `${tally.seeds} seeds, ${hours.toFixed(1)} simulated hours in ${(elapsedMs / 1_000).toFixed(0)} s (${Math.round(tally.simulatedMs / elapsedMs)} times real time)`,
    `${tally.events} events, ${tally.commands} commands committed, ${tally.operations} client operations answered`,
    `${Object.values(tally.rules).reduce((sum, count) => sum + count, 0)} violations${tally.failures.map(({ seed, violation }) => `, seed ${seed}: ${violation?.rule ?? "?"}`).join("")}, ${percent(tally.vacuous, tally.seeds)} of seeds vacuous`,
    `leader after the healing of a core, in election timeouts: median ${quantile(tally.leaderAfter, 0.5).toFixed(2)}, 99 % ${quantile(tally.leaderAfter, 0.99).toFixed(2)}, most ${quantile(tally.leaderAfter, 1).toFixed(2)}`,
  ];
  return figures.join("\n");
}

/** Each failing seed with the command that runs it again; the first few with no more faults than it needs. */
function describeFailures({ failures }: Tally): string[] {
  return failures.map((report, nth) => {
    const shrunk = nth < SHRUNK_MAX ? shrink(report.seed) : undefined;
    return shrunk === undefined ? describeFailure(report) : describeFailure(shrunk.report, shrunk.kept);
  });
}

async function main(): Promise<void> {
  const { first, seeds, minutes, threads } = readWish();
  const started = performance.now();
  const until = minutes === undefined ? Number.POSITIVE_INFINITY : started + minutes * 60_000;
  const last = seeds === undefined ? Number.MAX_SAFE_INTEGER : first + seeds;
  let said = started;
  const tally = await runPool({
    code: await bundleWorker(),
    first,
    end: () => (performance.now() >= until ? 0 : last),
    threads,
    onProgress: (sum) => {
      if (performance.now() - said < 30_000) return;
      said = performance.now();
      console.log(summary(sum, said - started));
    },
  });
  console.log(summary(tally, performance.now() - started));
  console.log(counts("faults", tally.faults, String));
  console.log(counts("coverage marks: share of seeds, times in all", tally.marks, (count, name) => `${percent(count, tally.seeds).padStart(7)} ${String(tally.hits[name] ?? 0).padStart(10)}`));
  console.log(counts("messages sent", tally.messages, String));
  console.log(counts("role transitions", tally.transitions, String));
  if (Object.keys(tally.rules).length === 0) return;
  console.log(counts("violations", tally.rules, String));
  for (const failure of describeFailures(tally)) console.log(failure);
  process.exitCode = 1;
}

await main();
