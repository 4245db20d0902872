// Bundles the bench of durable tabs: a script for Node, the modules its pages load, and idb-keyval by itself to measure against.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at("../../.."),
  publicDir: false,
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    outDir: at("../../../dist/bench-durable"),
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    target: "es2022",
    lib: { entry: { durable: at("durable.ts"), "durable-page": at("durable-page.ts"), "handover-page": at("handover-page.ts"), keyval: at("../../../node_modules/idb-keyval/dist/index.js") }, formats: ["es"] },
    rollupOptions: { external: [/^node:/, "playwright"] },
  },
});
