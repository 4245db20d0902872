// Plants one fault at a time into the engine and looks for what notices: seeds first, then the engine's own tests.
// `npm run mutants`, or `npm run mutants -- --only figure-8 --seeds 1000 --threads 1`. Writes sdk/testing/mutants/RESULTS.md when all were tried.
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { MUTANTS, NOT_PLANTED, type Mutant } from "../mutants/catalogue.ts";
import { bundleWorker } from "./bundle.ts";
import { firstFailingTest } from "./engine-tests.ts";
import { runPool } from "./pool.ts";

/** npm runs scripts from the root of the project. */
const ROOT = process.cwd();
const RESULTS = `${ROOT}/sdk/testing/mutants/RESULTS.md`;
const SEEDS = 400;
const THREADS = 2;
/** Share of the faults that must be noticed. */
const CAUGHT_MIN = 0.9;
/** A thread that is silent for this long loops. */
const HANG_MS = 180_000;
const HOUR_MS = 3_600_000;

interface Result {
  readonly mutant: Mutant;
  /** What noticed, or undefined for a survivor. */
  readonly caughtBy: string | undefined;
  readonly detail: string;
  readonly effort: string;
}

async function bySeeds(mutant: Mutant, { seeds, threads }: { readonly seeds: number; readonly threads: number }): Promise<Result> {
  if (mutant.testsOnly === true) return { mutant, caughtBy: undefined, detail: "", effort: "not simulated" };
  const tally = await runPool({ code: await bundleWorker([mutant]), first: 1, end: () => seeds + 1, chunk: 4, untilFailure: true, threads, hangMs: HANG_MS });
  const effort = `${tally.seeds} seeds, ${(tally.simulatedMs / HOUR_MS).toFixed(2)} h`;
  if (tally.rules["hang"] !== undefined) return { mutant, caughtBy: "simulation, never ends", detail: "", effort };
  const failure = [...tally.failures].sort((a, b) => a.seed - b.seed)[0];
  if (failure?.violation === undefined) return { mutant, caughtBy: undefined, detail: "", effort };
  const { rule, detail } = failure.violation;
  return { mutant, caughtBy: `simulation, rule ${rule}, seed ${failure.seed}`, detail: firstLine(detail), effort };
}

function firstLine(text: string): string {
  return (text.split("\n")[0] ?? "").slice(0, 160);
}

/** The engine's own tests with the fault planted. */
async function byTests(mutant: Mutant, before: Result, threads: number): Promise<Result> {
  const failed = await firstFailingTest(mutant.id, threads);
  return failed === undefined ? before : { ...before, caughtBy: "test", detail: failed.slice(0, 160) };
}

function table(results: readonly Result[]): string {
  const caught = results.filter(({ caughtBy }) => caughtBy !== undefined).length;
  const rows = results.map(({ mutant, caughtBy, detail, effort }) =>
    `| ${mutant.id} | ${mutant.row} | ${mutant.what} | ${caughtBy ?? "**survived**"} | ${detail.replaceAll("|", "\\|")} | ${effort} |`);
  return [
    "# What notices a planted fault",
    "",
    "Written by `npm run mutants`: each fault of catalogue.ts is planted alone, then seeds are simulated until one breaks a rule; what no seed",
    "notices is run against the engine's own tests. Effort is what the simulation ran in all.",
    "",
    `${caught} of ${results.length} are noticed (${((100 * caught) / results.length).toFixed(0)} %).`,
    "",
    "| fault | row | what is wrong | noticed by | how it showed | effort |",
    "|---|---|---|---|---|---|",
    ...rows,
    "",
    "Not planted:",
    "",
    ...Object.entries(NOT_PLANTED).map(([row, why]) => `* ${row}: ${why}`),
    "",
  ].join("\n");
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string" }, seeds: { type: "string" }, threads: { type: "string" } } });
  const how = { seeds: Number(values.seeds ?? SEEDS), threads: Number(values.threads ?? THREADS) };
  const wanted = values.only === undefined ? MUTANTS : MUTANTS.filter(({ id }) => values.only?.split(",").includes(id));
  for (const mutant of wanted) {
    const matches = readFileSync(`${ROOT}/${mutant.file}`, "utf8").split(mutant.find).length - 1;
    if (matches !== 1) throw new Error(`${mutant.id}: ${mutant.file} holds what it replaces ${matches} times, not once`);
  }
  const failing = await firstFailingTest(undefined, how.threads);
  if (failing !== undefined) throw new Error(`without any fault planted this fails already: ${failing}`);
  const results: Result[] = [];
  for (const mutant of wanted) {
    const simulated = await bySeeds(mutant, how);
    const result = simulated.caughtBy === undefined ? await byTests(mutant, simulated, how.threads) : simulated;
    results.push(result);
    console.log(`${mutant.id.padEnd(30)} ${result.caughtBy ?? "SURVIVED"} (${result.effort}) ${result.detail}`);
  }
  if (values.only === undefined) writeFileSync(RESULTS, table(results));
  const caught = results.filter(({ caughtBy }) => caughtBy !== undefined).length;
  console.log(`${caught} of ${results.length} noticed`);
  if (caught < results.length * CAUGHT_MIN) process.exitCode = 1;
}

await main();
