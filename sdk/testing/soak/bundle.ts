// Bundles the worker in memory, with a fault planted where one is asked for: plain code runs faster than under a test runner's module graph.
import { build, type Plugin, type Rollup } from "vite";

/** One textual change of one source file. */
export interface Patch {
  /** From the root of the project. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** npm runs scripts from the root of the project. */
const ROOT = process.cwd();

/** Applies patches on the way through the bundler. A patch that does not match exactly once fails the build: a mutant that is not planted proves nothing. */
export function planting(patches: readonly Patch[]): Plugin & { readonly planted: Set<Patch> } {
  const planted = new Set<Patch>();
  return {
    name: "planting",
    enforce: "pre",
    planted,
    transform(code, id) {
      let changed = code;
      for (const patch of patches) {
        if (!id.split("?")[0]?.endsWith(`/${patch.file}`)) continue;
        const matches = changed.split(patch.find).length - 1;
        if (matches !== 1) throw new Error(`${patch.file} holds ${matches} times, not once: ${patch.find}`);
        changed = changed.replace(patch.find, () => patch.replace);
        planted.add(patch);
      }
      return changed === code ? undefined : { code: changed, map: null };
    },
  };
}

/** The code of a worker of this folder as one CommonJS script, for `new Worker(code, { eval: true })`. */
export async function bundleWorker(patches: readonly Patch[] = [], entry = "worker"): Promise<string> {
  const plant = planting(patches);
  const output = await build({
    root: ROOT,
    configFile: false,
    logLevel: "silent",
    publicDir: false,
    plugins: [plant],
    build: {
      write: false,
      minify: false,
      target: "node20",
      lib: { entry: `${ROOT}/sdk/testing/soak/${entry}.ts`, formats: ["cjs"], fileName: "worker" },
      rollupOptions: { external: [/^node:/] },
    },
  });
  const missing = patches.find((patch) => !plant.planted.has(patch));
  if (missing !== undefined) throw new Error(`${missing.file} is not part of what is simulated`);
  const [first] = Array.isArray(output) ? output : [output as Rollup.RollupOutput];
  const chunk = first?.output[0];
  if (chunk === undefined) throw new Error("the bundler gave nothing");
  return chunk.code;
}
