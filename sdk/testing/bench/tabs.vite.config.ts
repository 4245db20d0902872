// Bundles the bench of three tabs: a script for Node, and the module its pages load.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at("../../.."),
  publicDir: false,
  build: {
    outDir: at("../../../dist/bench-tabs"),
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    target: "es2022",
    lib: { entry: { tabs: at("tabs.ts"), page: at("tab-page.ts") }, formats: ["es"] },
    rollupOptions: { external: [/^node:/, "playwright"] },
  },
});
