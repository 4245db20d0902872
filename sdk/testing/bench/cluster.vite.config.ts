// Bundles the bench of shards and calls: a script for Node, and the module its pages load.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at("../../.."),
  publicDir: false,
  build: {
    outDir: at("../../../dist/bench-cluster"),
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    target: "es2022",
    lib: { entry: { cluster: at("cluster.ts"), "cluster-page": at("cluster-page.ts") }, formats: ["es"] },
    rollupOptions: { external: [/^node:/, "playwright"] },
  },
});
