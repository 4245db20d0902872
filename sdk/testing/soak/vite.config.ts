// Bundles the soak and the mutation check into plain scripts for Node.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at("../../.."),
  publicDir: false,
  build: {
    // Three levels below the root, like the sources: they find the root by where they stand.
    outDir: at("../../../dist/testing/soak"),
    emptyOutDir: true,
    minify: false,
    sourcemap: true,
    target: "node20",
    lib: { entry: { soak: at("soak.ts"), mutants: at("mutants.ts") }, formats: ["es"] },
    rollupOptions: { external: [/^node:/, "vite"] },
  },
});
