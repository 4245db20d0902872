// One list of doors, written in the four places that each need it.
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { doors, packageJson, ROOT, textOf } from "./project.ts";

/** `[name, source]` of the entries one build of vite.config.ts lists. Read as text: loading the configuration would start looking for a browser. */
function viteEntries(): Map<string, string> {
  return new Map([...textOf("vite.config.ts").matchAll(/^\s+"?([\w-]+)"?: at\("(sdk\/[^"]+)"\)/gm)].map((found) => [found[1] ?? "", found[2] ?? ""]));
}

const builtOnTheirOwn = ["./server", "./node"];
const listed = doors();

test("every door of package.json has its source", () => {
  expect(listed.filter(({ source }) => !existsSync(join(ROOT, source))).map(({ name, source }) => `${name}: ${source}`)).toEqual([]);
});

test("the library build makes exactly the files the doors point at", () => {
  const wanted = listed.filter(({ name }) => !builtOnTheirOwn.includes(name)).map(({ source, built }) => [basename(built, ".js"), source]);
  expect(Object.fromEntries(viteEntries())).toEqual(Object.fromEntries(wanted));
});

test("the documentation check reads every door", () => {
  const typedoc: { readonly entryPoints: readonly string[] } = JSON.parse(textOf("typedoc.json"));
  const wanted = listed.filter(({ name }) => !builtOnTheirOwn.includes(name)).map(({ source }) => source);
  expect([...typedoc.entryPoints].sort()).toEqual(wanted.sort());
});

test("every door has a size budget, and the script-tag build has one", () => {
  const budgets: readonly { readonly name: string }[] = JSON.parse(textOf(".size-limit.json"));
  const named = budgets.map(({ name }) => name);
  const inBrowsers = listed.map(({ name }) => name).filter((name) => !builtOnTheirOwn.includes(name) && name !== "./testing");
  expect([...inBrowsers.map((name) => name.replace(/^\./, "flotilla")), "flotilla.global.js"].filter((name) => !named.includes(name))).toEqual([]);
});

/** Everything following imports from a file leads to that is left when the code runs: our files, and the packages they name. */
function broughtBy(source: string): string[] {
  const files = new Set([source]);
  const packages = new Set<string>();
  for (const path of files) {
    for (const found of textOf(path).matchAll(/^(?:import|export) (?!type )(?:[^;"]*? from )?"([^"]+)";|\bimport\("([^"]+)"\)/gm)) {
      const specifier = found[1] ?? found[2] ?? "";
      if (specifier.startsWith(".")) files.add(join(dirname(path), specifier));
      else packages.add(specifier.startsWith("node:") ? specifier : specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/"));
    }
  }
  return [...packages];
}

test("what a door brings is found", () => {
  expect(broughtBy("sdk/index.ts")).toEqual(expect.arrayContaining(["yjs", "simple-peer", "nanostores", "@noble/hashes"]));
  expect(broughtBy("sdk/base/index.ts")).not.toContain("yjs");
});

test.each(listed)("$name needs no package that is not installed with it or named as a peer", ({ name, source }) => {
  const { dependencies, optionalDependencies, peerDependencies } = packageJson();
  const there = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
  const mayUseNode = [...builtOnTheirOwn, "./testing"].includes(name);
  expect(broughtBy(source).filter((one) => !(one.startsWith("node:") ? mayUseNode : there.includes(one)))).toEqual([]);
});

test("every script another script runs exists", () => {
  const { scripts } = packageJson();
  const called = Object.values(scripts).flatMap((line) => [...line.matchAll(/npm run ([\w:-]+)/g)].map((found) => found[1] ?? ""));
  expect(called.filter((name) => !(name in scripts))).toEqual([]);
});
