// Bundles the benchmarks into plain scripts for Node, so that nothing but the code under test runs.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at("../../.."),
  publicDir: false,
  build: {
    outDir: at("../../../dist/bench"),
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    target: "node20",
    lib: { entry: { consensus: at("consensus.ts"), growth: at("growth.ts"), failover: at("failover.ts") }, formats: ["es"] },
    rollupOptions: { external: [/^node:/] },
  },
});
