// Runs the engine's own tests with one fault planted: MUTANT=<id> npx vitest run --config sdk/testing/soak/mutant.vitest.config.ts
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { MUTANTS } from "../mutants/catalogue.ts";
import { planting } from "./bundle.ts";

const mutant = MUTANTS.find(({ id }) => id === process.env["MUTANT"]);
if (mutant === undefined) throw new Error(`MUTANT names no fault of the catalogue: ${String(process.env["MUTANT"])}`);

export default defineConfig({
  root: fileURLToPath(new URL("../../..", import.meta.url)),
  plugins: [planting([mutant])],
  test: { include: ["sdk/raft/**/*.test.ts", "sdk/replica/**/*.test.ts", "sdk/testing/scenarios/**/*.test.ts"], exclude: ["**/*.browser.test.ts"], testTimeout: 60_000 },
});
