// Simulates for as long as asked and says what was gone through: `npm run soak -- --seeds 20000` or `--minutes 60`, and `--from 1`.
import { parseArgs } from "node:util";
import { quantile, type Tally } from "../sim/many.ts";
import { describeFailure } from "../sim/shrink.ts";
import { bundleWorker } from "./bundle.ts";
import { runPool } from "./pool.ts";

const HOUR_MS = 3_600_000;

function percent(part: number, whole: number): string {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}

function counts(title: string, of: Readonly<Record<string, number>>, show: (count: number) => string): string {
  const rows = Object.entries(of).sort(([, a], [, b]) => b - a).map(([name, count]) => `  ${name.padEnd(34)} ${show(count)}`);
  return `${title}\n${rows.join("\n")}`;
}

function summary(tally: Tally, elapsedMs: number): string {
  const hours = tally.simulatedMs / HOUR_MS;
  const figures = [
    `${tally.seeds} seeds, ${hours.toFixed(1)} simulated hours in ${(elapsedMs / 1_000).toFixed(0)} s (${Math.round(tally.simulatedMs / elapsedMs)} times real time)`,
    `${tally.events} events, ${tally.commands} commands committed, ${tally.operations} client operations answered`,
    `${Object.values(tally.rules).reduce((sum, count) => sum + count, 0)} violations, ${percent(tally.vacuous, tally.seeds)} of seeds vacuous`,
    `leader after the healing of a core, in election timeouts: median ${quantile(tally.leaderAfter, 0.5).toFixed(2)}, 99 % ${quantile(tally.leaderAfter, 0.99).toFixed(2)}, most ${quantile(tally.leaderAfter, 1).toFixed(2)}`,
  ];
  return figures.join("\n");
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { seeds: { type: "string" }, minutes: { type: "string" }, from: { type: "string", default: "1" }, threads: { type: "string" } } });
  const first = Number(values.from);
  const started = performance.now();
  const until = values.minutes === undefined ? Number.POSITIVE_INFINITY : started + Number(values.minutes) * 60_000;
  const last = values.seeds === undefined ? (values.minutes === undefined ? first + 1_000 : Number.MAX_SAFE_INTEGER) : first + Number(values.seeds);
  let said = started;
  const tally = await runPool({
    code: await bundleWorker(),
    first,
    end: () => (performance.now() >= until ? 0 : last),
    threads: values.threads === undefined ? undefined : Number(values.threads),
    onProgress: (sum) => {
      if (performance.now() - said < 30_000) return;
      said = performance.now();
      console.log(summary(sum, said - started));
    },
  });
  console.log(summary(tally, performance.now() - started));
  console.log(counts("faults", tally.faults, String));
  console.log(counts("coverage marks, share of seeds", tally.marks, (count) => percent(count, tally.seeds)));
  console.log(counts("messages sent", tally.messages, String));
  console.log(counts("role transitions", tally.transitions, String));
  if (Object.keys(tally.rules).length === 0) return;
  console.log(counts("violations", tally.rules, String));
  for (const failure of tally.failures) console.log(describeFailure(failure));
  process.exitCode = 1;
}

await main();
