// The arrows: one table, printed as it is enforced, and shown to be enforced.
import { describe, expect, test } from "vitest";
import { judged } from "./planted.ts";
import { filesUnder, layers, textOf } from "./project.ts";

const table = layers();

describe("the layer table", () => {
  test("is printed in ARCHITECTURE.md as it stands in .layers.cjs", () => {
    const printed = [...textOf("ARCHITECTURE.md").matchAll(/^\| `(\w+)` \| (.*?) \|$/gm)]
      .filter(([, folder]) => folder !== undefined && folder in table)
      .map(([, folder = "", allowed = ""]) => [folder, [...allowed.matchAll(/`(\w+)`/g)].map((name) => name[1] ?? "")]);
    expect(Object.fromEntries(printed)).toEqual(table);
  });

  test("has a row for every folder of the SDK but testing", () => {
    const folders = new Set(filesUnder("sdk").flatMap((path) => /^sdk\/([^/]+)\//.exec(path)?.[1] ?? []));
    folders.delete("testing");
    expect([...folders].filter((folder) => !(folder in table))).toEqual([]);
  });

  test("has no way round: following the arrows never returns to where one started", () => {
    const below = (folder: string): string[] => (table[folder] ?? []).flatMap((next) => [next, ...below(next)]);
    expect(Object.keys(table).filter((folder) => below(folder).includes(folder))).toEqual([]);
  });
});

const door = "export const value: number = 1;\n";
const importing = (...paths: string[]): string => `${paths.map((path, at) => `import * as it${at} from ${JSON.stringify(path)};`).join("\n")}\nexport const all: unknown[] = [${paths.map((_, at) => `it${at}`).join(", ")}];\n`;

/** Where it is planted, what it imports, and the rule that must object. */
const forbidden: readonly (readonly [file: string, imports: string, rule: string])[] = [
  ["sdk/base/a.ts", "../raft/index.ts", "layer-base"],
  ["sdk/raft/a.ts", "../seam/index.ts", "layer-raft"],
  ["sdk/seam/a.ts", "../raft/index.ts", "layer-seam"],
  ["sdk/storage/a.ts", "../durable/index.ts", "layer-storage"],
  ["sdk/game/a.ts", "../session/index.ts", "layer-game"],
  ["sdk/game/b.ts", "../replica/index.ts", "game-sees-only-types"],
  ["sdk/raft/b.ts", "nanoevents", "pure-core-has-no-dependencies"],
  ["sdk/session/a.ts", "../open-match.ts", "lower-layers-do-not-know-the-top"],
  ["sdk/replica/a.ts", "../seam/private.ts", "cross-folder-through-the-door"],
  ["sdk/session/b.ts", "simple-peer", "simple-peer-only-in-peer-link"],
  ["sdk/replica/b.ts", "idb-keyval", "idb-keyval-only-in-indexeddb-byte-store"],
  ["sdk/session/c.ts", "yjs", "yjs-only-in-presence"],
  ["sdk/seam/c.ts", "node:fs", "node-only-in-server-and-node"],
  ["sdk/seam/d.ts", "vitest", "no-dev-deps-in-sdk"],
  ["sdk/seam/e.ts", "./e.test.ts", "tests-are-leaves"],
  ["demo/a.ts", "../sdk/seam/index.ts", "demo-through-the-front-door"],
];

interface Cruise {
  readonly summary: { readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[] };
}

test("every arrow that is not in the table, planted, is refused by its rule", async () => {
  const folders = ["base", "raft", "seam", "storage", "durable", "replica", "session", "game"];
  const files: Record<string, string> = Object.fromEntries(folders.map((folder) => [`sdk/${folder}/index.ts`, door]));
  Object.assign(files, { "sdk/open-match.ts": door, "sdk/seam/private.ts": door, "sdk/seam/e.test.ts": door, "sdk/seam/round.ts": importing("./trip.ts"), "sdk/seam/trip.ts": importing("./round.ts") });
  for (const [file, imports] of forbidden) files[file] = importing(imports);
  const report: Cruise = JSON.parse(await judged("depcruise", ["sdk", "demo", "--config", ".dependency-cruiser.cjs", "--output-type", "json"], files));
  const objections = report.summary.violations.map(({ from, rule }) => `${from} ${rule.name}`);
  expect(forbidden.map(([file, , rule]) => `${file} ${rule}`).filter((wanted) => !objections.includes(wanted))).toEqual([]);
  expect(objections.some((objection) => objection.endsWith(" no-cycles"))).toBe(true);
}, 180_000);
