// What the checks about the code itself read: the project's files and its settings. Not shipped.
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const ROOT: string = fileURLToPath(new URL("../../../", import.meta.url));

const SKIPPED = new Set(["node_modules", "dist", ".git", "test-results", "playwright-report", "__screenshots__", "coverage"]);

/** Every file under a folder of the project, as paths from the project's folder, sorted. */
export function filesUnder(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => !SKIPPED.has(entry.name))
    .flatMap((entry) => (entry.isDirectory() ? filesUnder(join(folder, entry.name)) : [join(folder, entry.name)]))
    .sort();
}

/** The text of one file of the project. */
export function textOf(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The path of an absolute file name as seen from the project's folder. */
export function fromRoot(path: string): string {
  return relative(ROOT, path);
}

export function isTest(path: string): boolean {
  return /(\.(test|contract|spec|test-d)|\/test-room)\.ts$/.test(path);
}

/** TypeScript under `sdk`: what ships, with the tests and the checks about the code left out. */
export function shippedSources(): string[] {
  return filesUnder("sdk").filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts") && !isTest(path) && !/^sdk\/testing\/(house|bench|soak)\//.test(path));
}

/** Every TypeScript file people wrote: `sdk`, `demo` and `e2e`. */
export function allSources(): string[] {
  return ["sdk", "demo", "e2e"].flatMap(filesUnder).filter((path) => path.endsWith(".ts"));
}

interface PackageJson {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}

export function packageJson(): PackageJson {
  const parsed: PackageJson = JSON.parse(textOf("package.json"));
  return parsed;
}

/** A way into the package: what people import, where it is written, what is built from it. */
export interface Door {
  readonly name: string;
  readonly source: string;
  readonly built: string;
}

/** The doors package.json opens to TypeScript, in its order. */
export function doors(): Door[] {
  return Object.entries(packageJson().exports).flatMap(([name, target]) =>
    typeof target === "string" ? [] : [{ name, source: target.types.replace(/^\.\/dist\//, "sdk/").replace(/\.d\.ts$/, ".ts"), built: target.default }],
  );
}

/** The layer table: folder → folders it may import. */
export function layers(): Readonly<Record<string, readonly string[]>> {
  const table: Record<string, readonly string[]> = createRequire(import.meta.url)(join(ROOT, ".layers.cjs"));
  return table;
}
