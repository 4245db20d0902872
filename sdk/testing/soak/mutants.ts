// Plants one fault at a time into the engine and looks for what notices: seeds first, then the engine's own tests.
// `npm run mutants`, or `npm run mutants -- --only figure-8 --seeds 1000`. Writes sdk/testing/mutants/RESULTS.md when all were tried.
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs, promisify } from "node:util";
import { MUTANTS, type Mutant } from "../mutants/catalogue.ts";
import { bundleWorker } from "./bundle.ts";
import { runPool } from "./pool.ts";

/** npm runs scripts from the root of the project. */
const ROOT = process.cwd();
const RESULTS = `${ROOT}/sdk/testing/mutants/RESULTS.md`;
const SEEDS = 400;
/** A thread that is silent for this long loops. */
const HANG_MS = 180_000;
const HOUR_MS = 3_600_000;
const run = promisify(execFile);

interface Result {
  readonly mutant: Mutant;
  /** What noticed, or undefined for a survivor. */
  readonly caughtBy: string | undefined;
  readonly detail: string;
  readonly effort: string;
}

async function bySeeds(mutant: Mutant, seeds: number): Promise<Result> {
  const tally = await runPool({ code: await bundleWorker([mutant]), first: 1, end: () => seeds + 1, chunk: 4, untilFailure: true, hangMs: HANG_MS });
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

/** The engine's own tests with the fault planted: the title of the first that fails. */
async function byTests(mutant: Mutant, before: Result): Promise<Result> {
  const args = ["vitest", "run", "--config", "sdk/testing/soak/mutant.vitest.config.ts", "--reporter", "json", "--bail", "1"];
  const output = await run("npx", args, { cwd: ROOT, env: { ...process.env, MUTANT: mutant.id }, maxBuffer: 64 * 1024 * 1024, timeout: 900_000 }).then(
    ({ stdout }) => stdout,
    (error: unknown) => (error instanceof Error && "stdout" in error ? String(error.stdout) : ""),
  );
  const failed = /"status":"failed","title":"((?:[^"\\]|\\.)*)"/.exec(output)?.[1];
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
  ].join("\n");
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: "string" }, seeds: { type: "string" } } });
  const wanted = values.only === undefined ? MUTANTS : MUTANTS.filter(({ id }) => values.only?.split(",").includes(id));
  const results: Result[] = [];
  for (const mutant of wanted) {
    const matches = readFileSync(`${ROOT}/${mutant.file}`, "utf8").split(mutant.find).length - 1;
    if (matches !== 1) throw new Error(`${mutant.id}: ${mutant.file} holds what it replaces ${matches} times, not once`);
  }
  for (const mutant of wanted) {
    const simulated = await bySeeds(mutant, Number(values.seeds ?? SEEDS));
    const result = simulated.caughtBy === undefined ? await byTests(mutant, simulated) : simulated;
    results.push(result);
    console.log(`${mutant.id.padEnd(30)} ${result.caughtBy ?? "SURVIVED"} (${result.effort}) ${result.detail}`);
  }
  if (values.only === undefined) writeFileSync(RESULTS, table(results));
  const caught = results.filter(({ caughtBy }) => caughtBy !== undefined).length;
  console.log(`${caught} of ${results.length} noticed`);
  if (caught < results.length * 0.9) process.exitCode = 1;
}

await main();
