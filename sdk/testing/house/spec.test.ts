// SPEC.md and the tests name the same rules.
import { expect, test } from "vitest";
import { filesUnder, textOf } from "./project.ts";

const RULE = /^- \*\*([A-Z]{2,3}\d+[a-z]?)\*\*/gm;
const USE = /\[([A-Z]{2,3}\d+[a-z]?)\]|\bid: ?"([A-Z]{2,3}\d+[a-z]?)"/g;

function idsIn(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) => [...textOf(path).matchAll(pattern)].map((found) => found[1] ?? found[2] ?? ""));
}

const specs = filesUnder("sdk").filter((path) => path.endsWith("SPEC.md"));
const judges = filesUnder("sdk").filter((path) => /\.(test|contract)\.ts$/.test(path) && !path.startsWith("sdk/testing/house/"));
const rules = idsIn(specs, RULE);
const used = new Set(idsIn(judges, USE));

test("every rule of a SPEC.md is named by a test or an obligation", () => {
  expect(specs.length).toBeGreaterThan(0);
  expect(rules.filter((rule) => !used.has(rule))).toEqual([]);
});

test("every rule a test or an obligation names stands in a SPEC.md", () => {
  expect([...used].filter((rule) => !rules.includes(rule))).toEqual([]);
});

test("no two rules share an id", () => {
  expect(rules.filter((rule, at) => rules.indexOf(rule) !== at)).toEqual([]);
});
