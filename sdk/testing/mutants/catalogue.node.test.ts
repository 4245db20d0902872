import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { MUTANTS, NOT_PLANTED } from "./catalogue.ts";

const source = (file: string): string => readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");

/** Rows B1 to B32 named by a fault, or said to be impossible to plant. */
function rowsNamed(): Set<string> {
  return new Set([...MUTANTS.flatMap(({ row }) => row.split(", ")), ...Object.keys(NOT_PLANTED)]);
}

describe("the catalogue of faults", () => {
  test("names each once, and at least 30", () => {
    expect(new Set(MUTANTS.map(({ id }) => id)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThanOrEqual(30);
  });

  test("plants into the engine only, and every fault still finds what it replaces, exactly once", () => {
    const lost = MUTANTS.filter(({ file, find }) => !/^sdk\/(raft|replica)\//.test(file) || !existsSync(new URL(`../../../${file}`, import.meta.url)) || source(file).split(find).length !== 2);
    expect(lost.map(({ id, file }) => `${id} in ${file}`)).toEqual([]);
  });

  test("changes something with every fault", () => {
    expect(MUTANTS.filter(({ find, replace }) => find === replace)).toEqual([]);
  });

  test("has a fault for every row of the list of real bugs, or says why there is none", () => {
    const rows = rowsNamed();
    const missing = Array.from({ length: 32 }, (_, i) => `B${i + 1}`).filter((row) => !rows.has(row));
    expect(missing).toEqual([]);
  });
});
