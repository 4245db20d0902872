// Runs the engine's own tests, with a fault planted or without one, and says what failed first.
import { execFile } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";

/** The part of vitest's JSON report that is read here. */
interface TestReport {
  readonly testResults: readonly { readonly message: string; readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[] }[];
}

/** Longer than all of them take on a busy machine. */
const HANG_MS = 300_000;

/** Title of a failing test, or what else went wrong; undefined when all pass. `mutant`: id of a fault to plant. */
export async function firstFailingTest(mutant: string | undefined, threads: number): Promise<string | undefined> {
  const file = `dist/soak/tests-${mutant ?? "unchanged"}.json`;
  rmSync(file, { force: true });
  const args = ["vitest", "run", "--config", "sdk/testing/soak/mutant.vitest.config.ts", "--reporter", "json", "--outputFile", file, "--bail", "1"];
  const { MUTANT: _, ...rest } = process.env;
  const env = { ...rest, THREADS: String(threads), ...(mutant === undefined ? {} : { MUTANT: mutant }) };
  const ended = await new Promise<"passed" | "failed" | "hung">((resolve) => {
    execFile("npx", args, { env, maxBuffer: 64 * 1024 * 1024, timeout: HANG_MS }, (error) => resolve(error === null ? "passed" : error.killed === true ? "hung" : "failed"));
  });
  if (ended === "passed") return undefined;
  return ended === "hung" ? "the tests never end" : readFailure(file);
}

function readFailure(file: string): string {
  const { testResults } = JSON.parse(readFileSync(file, "utf8")) as TestReport;
  const failed = testResults.flatMap(({ assertionResults }) => assertionResults).find(({ status }) => status === "failed");
  if (failed !== undefined) return failed.fullName;
  throw new Error(`the tests could not run: ${testResults.map(({ message }) => message).find((message) => message !== "") ?? "no report"}`);
}
