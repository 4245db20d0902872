// The README is read by people who copy: what it shows compiles, what it names exists, what it counts is enforced.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { complaints, optionsOf, programOf } from "./program.ts";
import { doors, packageJson, ROOT, textOf } from "./project.ts";

const readme = textOf("README.md");
const documents = ["README.md", "RECIPES.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
const fences = (path: string): string[] => [...textOf(path).matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((found) => found[1] ?? "");

describe("the code in the documents", () => {
  test("is there", () => {
    expect(fences("README.md").length).toBeGreaterThan(0);
  });

  test("compiles against the doors of the package", () => {
    const paths = Object.fromEntries(doors().map(({ name, source }) => [name.replace(/^\./, "flotilla"), [join(ROOT, source)]]));
    const planted = new Map(documents.flatMap((path) => fences(path).map((text, at) => [`fences/${path}-${at + 1}.ts`, `${text}\nexport {};\n`] as const)));
    const { options } = optionsOf("tsconfig.json");
    const program = programOf([], { ...options, paths, noUnusedLocals: false, noUnusedParameters: false }, planted);
    expect(complaints(program, planted.keys())).toEqual([]);
  }, 180_000);
});

describe("what the documents name", () => {
  test("scripts exist", () => {
    const { scripts } = packageJson();
    const named = documents.flatMap((path) => [...textOf(path).matchAll(/npm run ([\w:-]*[\w])/g)].map((found) => found[1] ?? ""));
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test("files and folders exist", () => {
    const linked = documents.flatMap((path) => [...textOf(path).matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((found) => found[1] ?? ""));
    const quoted = documents.flatMap((path) => [...textOf(path).matchAll(/`((?:sdk|demo|e2e|public)\/[\w./-]*)`/g)].map((found) => found[1] ?? ""));
    expect([...linked, ...quoted].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("sizes are the budgets", () => {
    const budgets: readonly { readonly name: string; readonly limit: string }[] = JSON.parse(textOf(".size-limit.json"));
    const told = [...readme.matchAll(/^\| `([\w./-]+)` \|.*?\| ([\d.]+ kB) \|$/gm)].map(([, name, limit]) => `${name} ${limit}`);
    expect(told.sort()).toEqual(budgets.map(({ name, limit }) => `${name} ${limit}`).sort());
  });
});
