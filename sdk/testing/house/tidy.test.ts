// Small things a reader should never meet, each of which has to be looked for only once.
import ts from "typescript";
import { describe, expect, test, vi } from "vitest";
import { treeOf, walk } from "./program.ts";
import { allSources, filesUnder, shippedSources, textOf } from "./project.ts";

// Parsing every file is most of the work, and the machine may be busy.
vi.setConfig({ testTimeout: 180_000 });

const HERE = "sdk/testing/house/";
const written = allSources().filter((path) => !path.startsWith(HERE));
const documents = ["README.md", "RECIPES.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", ...filesUnder("sdk").filter((path) => path.endsWith(".md"))];

function linesWith(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) => textOf(path).split("\n").flatMap((line, at) => (pattern.test(line) ? [`${path}:${at + 1}: ${line.trim()}`] : [])));
}

function statementsWhere(paths: readonly string[], matches: (node: ts.Node) => boolean): string[] {
  return paths.flatMap((path) => {
    const tree = treeOf(path, textOf(path));
    const found: string[] = [];
    walk(tree, (node) => {
      if (matches(node)) found.push(`${path}:${tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`);
    });
    return found;
  });
}

describe("exports", () => {
  // But in the script-tag build's global, which is by definition the whole front door and more.
  test("nothing is exported by star", () => {
    expect(statementsWhere(written.filter((path) => path !== "sdk/global.ts"), (node) => ts.isExportDeclaration(node) && (node.exportClause === undefined || ts.isNamespaceExport(node.exportClause)))).toEqual([]);
  });

  test("nothing that ships is a default export", () => {
    const isDefault = (node: ts.Node): boolean => ts.isExportAssignment(node) || (ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((word) => word.kind === ts.SyntaxKind.DefaultKeyword) ?? false));
    expect(statementsWhere(shippedSources(), isDefault)).toEqual([]);
  });

  test("an index.ts only lists names", () => {
    const indexes = shippedSources().filter((path) => path.endsWith("/index.ts"));
    const more = indexes.flatMap((path) => treeOf(path, textOf(path)).statements.filter((statement) => !ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined).map((statement) => `${path}: ${statement.getText().split("\n")[0] ?? ""}`));
    expect(indexes.length).toBeGreaterThan(0);
    expect(more).toEqual([]);
  });
});

describe("channels", () => {
  test("no two of a mesh go by one tag", () => {
    const tags = shippedSources().flatMap((path) => [...textOf(path).matchAll(/const (\w+_TAG)(?:: number)? = (\d+);/g)].map(([, name, tag]) => `${tag} ${name}`));
    const numbers = tags.map((tag) => tag.split(" ")[0]);
    expect(tags.length).toBeGreaterThan(8);
    expect(tags.filter((_, at) => numbers.indexOf(numbers[at]) !== at)).toEqual([]);
  });
});

describe("text", () => {
  test("a file opens with a sentence saying what it is for", () => {
    const silent = written.filter((path) => !/\.(test|d)\.ts$/.test(path) && !/^(#!.*\n)?(\/\/ \S|\/\*\* ?\S|\/\*\*\n \* \S)/.test(textOf(path)));
    expect(silent).toEqual([]);
  });

  test("no note to self is left behind", () => {
    expect(linesWith([...written, ...documents], /\b(TODO|FIXME|XXX|HACK)\b/)).toEqual([]);
  });

  test("no path of somebody's machine stands in the project", () => {
    const everywhere = ["sdk", "demo", "e2e", "public"].flatMap(filesUnder).filter((path) => !path.startsWith(HERE) && /\.(ts|md|json|html|css|txt|cjs|mjs)$/.test(path));
    expect(linesWith([...everywhere, ...documents], /(^|[\s"'`(=])(\/home\/\w|\/Users\/\w|\/root\/|\/work\/|\/tmp\/\w|[A-Z]:\\\\?\w)/)).toEqual([]);
  });

  test("no test is focused or skipped by hand", () => {
    expect(linesWith(written.filter((path) => /\.(test|spec)\.ts$/.test(path)), /\b(test|it|describe)\.(only|skip|todo|fixme|fails)\b/)).toEqual([]);
  });
});

test("only the server, the benches and the soak print", () => {
  const quiet = shippedSources().filter((path) => !path.startsWith("sdk/server/"));
  expect(statementsWhere(quiet, (node) => ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === "console")).toEqual([]);
});

test("ARCHITECTURE.md has at most 250 lines and CONTRIBUTING.md at most 150", () => {
  expect(textOf("ARCHITECTURE.md").split("\n").length).toBeLessThanOrEqual(251);
  expect(textOf("CONTRIBUTING.md").split("\n").length).toBeLessThanOrEqual(151);
});
