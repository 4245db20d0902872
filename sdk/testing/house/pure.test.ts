// The pure folders are pure because something objects: what the compiler can not know, the linter must.
import { expect, test } from "vitest";
import { judged } from "./planted.ts";
import { complaints, optionsOf, programOf } from "./program.ts";
import { isTest, shippedSources } from "./project.ts";

const PURE = ["base", "raft", "game", "replica"];
const { options, files } = optionsOf("tsconfig.pure.json");

/** Not in the language: the pure compile does not know the name. */
const notThere = ["setTimeout(() => {}, 1)", "setInterval(() => {}, 1)", "performance.now()", "document.title", "window.name", "crypto.randomUUID()", "console.log(1)", "queueMicrotask(() => {})", "structuredClone(1)", "fetch('/')", "indexedDB.open('x')", "new RTCPeerConnection()", "process.env", "new Event('x')"];

/** In the language, so only the linter can object. */
const forbidden = ["Date.now()", "new Date()", "Math.random()", "performance.now()", "setTimeout(() => {}, 1)", "crypto.randomUUID()", "console.log(1)"];

const statements = (uses: readonly string[]): string => `${uses.map((use, at) => `export const used${at}: unknown = ${use};`).join("\n")}\n`;

test("the pure compile covers every file that ships in the pure folders", () => {
  const shipped = shippedSources().filter((path) => PURE.includes(path.split("/")[1] ?? ""));
  expect(shipped.filter((path) => !files.includes(path))).toEqual([]);
  expect(files.filter((path) => isTest(path))).toEqual([]);
});

test.each(PURE)("a clock, a timer, the page or the network in %s does not compile", (folder) => {
  const planted = `sdk/${folder}/planted.ts`;
  const program = programOf(["sdk/deterministic-globals.d.ts"], options, new Map([[planted, statements(notThere)]]));
  const refused = new Set(complaints(program, [planted]).map((said) => said.split(":")[1]));
  expect(notThere.filter((_, at) => !refused.has(String(at + 1)))).toEqual([]);
});

test("what a pure folder needs does compile", () => {
  const planted = "sdk/raft/planted.ts";
  const harmless = ["new TextEncoder().encode('x')", "new Map([[1, 2]])", "Math.floor(1.5)", "new Uint8Array(4)"];
  expect(complaints(programOf(["sdk/deterministic-globals.d.ts"], options, new Map([[planted, statements(harmless)]])), [planted])).toEqual([]);
});

test("the linter refuses clocks and randomness in the pure folders, and only there", async () => {
  const outside = "sdk/platform/planted.ts";
  const planted = Object.fromEntries([...PURE.map((folder) => `sdk/${folder}/planted.ts`), outside].map((path) => [path, statements(forbidden)]));
  const report: { readonly diagnostics: readonly { readonly code: string; readonly filename: string; readonly labels: readonly { readonly span: { readonly line: number } }[] }[] } = JSON.parse(await judged("oxlint", ["sdk", "--format", "json"], planted));
  const refused = report.diagnostics.filter(({ code }) => /no-restricted-(globals|properties)/.test(code)).map(({ filename, labels }) => `${filename}:${labels[0]?.span.line ?? 0}`);
  const wanted = PURE.flatMap((folder) => forbidden.map((_, at) => `sdk/${folder}/planted.ts:${at + 1}`));
  expect(wanted.filter((place) => !refused.includes(place))).toEqual([]);
  expect(refused.filter((place) => place.startsWith(outside))).toEqual([]);
}, 180_000);
