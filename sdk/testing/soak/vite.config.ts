// Bundles the soak and the mutation check into plain scripts for Node.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at("../../.."),
  publicDir: false,
  build: {
    outDir: at("../../../dist/soak"),
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    target: "node20",
    lib: { entry: { soak: at("soak.ts"), mutants: at("mutants.ts") }, formats: ["es"] },
    rollupOptions: { external: [/^node:/, "vite"] },
  },
});
