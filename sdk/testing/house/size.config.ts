// Bundles every door alone, minified and with everything it pulls in, so that a budget says what a page pays for importing it.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type EnvironmentOptions } from "vite";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const { exports }: { readonly exports: Readonly<Record<string, string | { readonly types: string }>> } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
/** These run in Node or in tests, where nobody waits for a download. */
const notInPages = ["./server", "./node", "./testing"];

const doors = Object.entries(exports).flatMap(([name, target]) => {
  if (typeof target === "string" || notInPages.includes(name)) return [];
  return [{ file: name === "." ? "index" : name.slice(2).replaceAll("/", "-"), source: target.types.replace("./dist/", "sdk/").replace(/\.d\.ts$/, ".ts") }];
});

// An entry like a page's own, not a library: a library build keeps its white space.
const environment = (file: string, source: string): EnvironmentOptions => ({
  consumer: "client",
  build: {
    outDir: `${root}/dist/size`,
    emptyOutDir: false,
    minify: true,
    reportCompressedSize: false,
    rollupOptions: { external: ["react", "vue"], input: { [file]: `${root}/${source}` }, preserveEntrySignatures: "strict", output: { entryFileNames: "[name].js", codeSplitting: false } },
  },
});

export default defineConfig({
  root,
  publicDir: false,
  environments: Object.fromEntries(doors.map(({ file, source }) => [file.replaceAll("-", "_"), environment(file, source)])),
  builder: {
    buildApp: async (builder) => {
      for (const { file } of doors) {
        const one = builder.environments[file.replaceAll("-", "_")];
        if (one !== undefined) await builder.build(one);
      }
    },
  },
});
