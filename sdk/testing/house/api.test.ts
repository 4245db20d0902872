// What each door offers, written out: a change of the API is a change of a file in api/, so that a reviewer sees it.
// After a wanted change: npm run api
import { existsSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { exportsOf } from "./exports.ts";
import { programOf } from "./program.ts";
import { doors, ROOT } from "./project.ts";

// A door without its source is doors.test.ts's to report.
const listed = doors().filter(({ source }) => existsSync(join(ROOT, source))).map((door) => ({ ...door, exported: exportsOf(door.source) }));

describe("the API of", () => {
  test.each(listed)("$name is the one written down", async ({ name, exported }) => {
    const text = exported.map(({ declaration }) => declaration).sort((a, b) => (a < b ? -1 : 1)).join("\n\n");
    const file = name === "." ? "index" : name.slice(2).replaceAll("/", "-");
    await expect(`${text}\n`).toMatchFileSnapshot(`api/${file}.txt`);
  });

  test.each(listed)("$name names nothing that is not there", ({ exported }) => {
    expect(exported.map(({ declaration }) => declaration).filter((declaration) => declaration.includes(" is missing in "))).toEqual([]);
  });
});

test("no exported name is also a global of the language or of the browser", () => {
  const checker = programOf([], { lib: ["lib.es2022.d.ts", "lib.dom.d.ts"], types: [] }, new Map([["nothing.ts", ""]])).getTypeChecker();
  const nowhere = ts.createSourceFile("nowhere.ts", "", ts.ScriptTarget.Latest);
  const { Value, Type, Namespace } = ts.SymbolFlags;
  const globals = new Set(checker.getSymbolsInScope(nowhere, Value | Type | Namespace).map((symbol) => symbol.name));
  expect(globals.has("Storage") && globals.has("Map"), "the globals were not found").toBe(true);
  expect(listed.flatMap(({ name, exported }) => exported.filter((one) => globals.has(one.name)).map((one) => `${name}: ${one.name}`))).toEqual([]);
});

test("a name means one thing: two doors that export it export the same thing", () => {
  const seen = new Map<string, string>();
  const twice: string[] = [];
  for (const { name, exported } of listed) {
    for (const one of exported) {
      const before = seen.get(one.name);
      if (before !== undefined && before !== one.path) twice.push(`${name}: ${one.name} is in ${one.path} and in ${before}`);
      seen.set(one.name, one.path);
    }
  }
  expect(twice).toEqual([]);
});
