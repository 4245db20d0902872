// Every port with a contract is kept by every class that implements it, and every contract is itself shown to fail.
import { dirname, join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { treeOf, walk } from "./program.ts";
import { filesUnder, shippedSources, textOf } from "./project.ts";

interface Class {
  readonly name: string;
  readonly path: string;
  readonly isAbstract: boolean;
  readonly parents: readonly string[];
}

interface Run {
  readonly title: string;
  readonly contract: string;
}

const contracts = filesUnder("sdk").filter((path) => path.endsWith(".contract.ts"));
const testFiles = filesUnder("sdk").filter((path) => path.endsWith(".test.ts") && !path.startsWith("sdk/testing/house/"));

function classesOf(path: string): Class[] {
  const found: Class[] = [];
  walk(treeOf(path, textOf(path)), (node) => {
    if (!ts.isClassDeclaration(node) || node.name === undefined) return;
    const parents = (node.heritageClauses ?? []).flatMap((clause) => clause.types.map((type) => type.expression.getText()));
    found.push({ name: node.name.text, path, isAbstract: node.modifiers?.some((word) => word.kind === ts.SyntaxKind.AbstractKeyword) ?? false, parents });
  });
  return found;
}

function runsOf(path: string): Run[] {
  const found: Run[] = [];
  walk(treeOf(path, textOf(path)), (node) => {
    if (!ts.isCallExpression(node) || node.expression.getText() !== "describeContract") return;
    const [title, contract] = node.arguments;
    found.push({ title: title?.getText() ?? "", contract: contract?.getText() ?? "" });
  });
  return found;
}

/** Every file that following imports from the doors leads to. What is not among them is a test's own: a double may break promises on purpose. */
function reachable(): string[] {
  const seen = new Set(shippedSources().filter((path) => path.endsWith("/index.ts")));
  for (const path of seen) {
    for (const found of textOf(path).matchAll(/from "(\.[^"]+)"/g)) seen.add(join(dirname(path), found[1] ?? ""));
  }
  return [...seen];
}

const classes = reachable().flatMap(classesOf);
const runs = testFiles.flatMap(runsOf);

function keeps(one: Class, port: string): boolean {
  return one.parents.some((parent) => parent === port || classes.some((other) => other.name === parent && keeps(other, port)));
}

/** A class of its own file's making (a view, a link) may be judged through the class people hold. */
function isNamed(one: Class, titles: readonly string[]): boolean {
  const names = classes.filter((other) => other.path === one.path).map((other) => other.name);
  return titles.some((title) => names.some((name) => new RegExp(`\\b${name}\\b`).test(title)));
}

/** The lists of obligations a contract file offers. */
function listsIn(contract: string): string[] {
  return [...textOf(contract).matchAll(/^export (?:const|function) (\w+)/gm)].map((found) => found[1] ?? "");
}

/** The ports a contract is about: what it imports from its own folder and a class implements. */
function portsIn(contract: string): string[] {
  const imported = [...textOf(contract).matchAll(/^import (?:type )?\{([^}]*)\} from "\.\/(?!index)/gm)].flatMap((found) => (found[1] ?? "").split(",").map((name) => name.replace("type ", "").trim()));
  return imported.filter((name) => classes.some((one) => one.parents.includes(name)) && !classes.some((one) => one.name === name));
}

test.each(contracts)("every class that implements the port of %s is named in a run of it", (contract) => {
  const lists = listsIn(contract);
  const titles = runs.filter((run) => lists.some((list) => new RegExp(`^${list}\\b`).test(run.contract))).map((run) => run.title);
  expect(titles, `describeContract is never called with ${lists.join(" or ")}`).not.toEqual([]);
  const implementing = classes.filter((one) => !one.isAbstract && portsIn(contract).some((port) => keeps(one, port)));
  expect(implementing.filter((one) => !isNamed(one, titles)).map((one) => `${one.path}: ${one.name}`)).toEqual([]);
});

test.each(contracts)("%s is shown to fail on broken implementations", (contract) => {
  const trial = contract.replace(/\.ts$/, ".test.ts");
  expect(testFiles).toContain(trial);
  expect(textOf(trial)).toContain("brokenObligations");
});
