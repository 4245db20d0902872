// Bundles the bench of the game layer: one script for Node.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at("../../.."),
  publicDir: false,
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    outDir: at("../../../dist/bench-game"),
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    target: "node20",
    lib: { entry: { game: at("game.ts") }, formats: ["es"] },
    rollupOptions: { external: [/^node:/] },
  },
});
