// Runs the engine's own tests with one fault planted: MUTANT=<id> npx vitest run --config sdk/testing/soak/mutant.vitest.config.ts
// Without MUTANT nothing is planted: what fails then proves nothing about any fault.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { MUTANTS } from "../mutants/catalogue.ts";
import { planting } from "./bundle.ts";

const wanted = process.env["MUTANT"];
const mutant = MUTANTS.find(({ id }) => id === wanted);
if (wanted !== undefined && mutant === undefined) throw new Error(`MUTANT names no fault of the catalogue: ${wanted}`);

export default defineConfig({
  root: fileURLToPath(new URL("../../..", import.meta.url)),
  plugins: mutant === undefined ? [] : [planting([mutant])],
  test: { include: ["sdk/raft/**/*.test.ts", "sdk/replica/**/*.test.ts"], exclude: ["**/*.browser.test.ts"], testTimeout: 60_000, maxWorkers: Number(process.env["THREADS"] ?? 2) },
});
