// One file for every build and every test project, by --mode.
import { playwright } from "@vitest/browser-playwright";
import { fileURLToPath } from "node:url";
import { defineConfig, type ViteUserConfig } from "vitest/config";
import { findBrowser } from "./e2e/find-browser.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Every door of the package: name of the built file → its index. Must agree with package.json's exports. */
const entries = {
  index: at("sdk/index.ts"),
  base: at("sdk/base/index.ts"),
  raft: at("sdk/raft/index.ts"),
  seam: at("sdk/seam/index.ts"),
  "seam-webrtc": at("sdk/seam/webrtc/index.ts"),
  "seam-relay": at("sdk/seam/relay/index.ts"),
  storage: at("sdk/storage/index.ts"),
  "storage-indexeddb": at("sdk/storage/indexeddb/index.ts"),
  identity: at("sdk/identity/index.ts"),
  replica: at("sdk/replica/index.ts"),
  session: at("sdk/session/index.ts"),
  client: at("sdk/client/index.ts"),
  game: at("sdk/game/index.ts"),
  durable: at("sdk/durable/index.ts"),
  cluster: at("sdk/cluster/index.ts"),
  bindings: at("sdk/bindings/index.ts"),
  react: at("sdk/bindings/react/index.ts"),
  vue: at("sdk/bindings/vue/index.ts"),
  platform: at("sdk/platform/index.ts"),
  testing: at("sdk/testing/index.ts"),
};
const thirdParty = [/^yjs$/, /^y-protocols\//, /^lib0\//, /^idb-keyval$/, /^simple-peer/, /^nanoevents$/, /^nanostores$/, /^react$/, /^vue$/, /^@noble\//, /^ws$/, /^classic-level$/, /^vitest/, /^node:/];

const builds: Record<string, ViteUserConfig> = {
  demo: { root: at("demo"), publicDir: at("public"), base: "./", build: { outDir: at("dist/demo"), emptyOutDir: true, rollupOptions: { input: [at("demo/index.html"), at("demo/overlay.html")] } } },
  bot: { publicDir: false, build: { outDir: at("dist/examples"), emptyOutDir: true, minify: false, target: "node20", lib: { entry: { bot: at("demo/examples/bot.ts") }, formats: ["es"] }, rollupOptions: { external: thirdParty } } },
  lib: { publicDir: false, build: { outDir: at("dist"), emptyOutDir: false, minify: false, sourcemap: true, lib: { entry: entries, formats: ["es"] }, rollupOptions: { external: thirdParty } } },
  // A library build leaves process.env.NODE_ENV to the bundler; a script tag has none. The footer: what is loaded as a module declares no global by itself.
  iife: { publicDir: false, define: { "process.env.NODE_ENV": JSON.stringify("production") }, build: { outDir: at("dist"), emptyOutDir: false, lib: { entry: at("sdk/global.ts"), name: "Flotilla", formats: ["iife"], fileName: () => "flotilla.global.js" }, rollupOptions: { output: { footer: "globalThis.Flotilla=Flotilla;" } } } },
  server: { publicDir: false, build: { outDir: at("dist"), emptyOutDir: false, minify: false, sourcemap: true, target: "node20", lib: { entry: { server: at("sdk/server/index.ts"), node: at("sdk/node/index.ts"), "server-cli": at("sdk/server/cli.ts") }, formats: ["es"] }, rollupOptions: { external: thirdParty } } },
};

export default defineConfig(({ mode }) => ({
  ...builds[mode],
  test: {
    projects: [
      { test: { name: "node", include: ["sdk/**/*.test.ts", "demo/**/*.test.ts"], exclude: ["**/*.browser.test.ts"], testTimeout: 30_000, hookTimeout: 30_000 } },
      {
        // Named here, so that the first start does not discover them in the middle of a run and reload the page.
        optimizeDeps: { include: ["nanoevents", "nanostores", "idb-keyval", "yjs", "y-protocols/awareness", "y-protocols/sync", "lib0/encoding", "lib0/decoding", "@noble/hashes/blake2.js", "@noble/hashes/pbkdf2.js", "@noble/hashes/sha2.js", "@noble/curves/nist.js", "@noble/curves/ed25519.js", "@noble/ciphers/chacha.js", "simple-peer/simplepeer.min.js", "fast-check", "@nats-io/nats-core"] },
        test: {
          name: "browser",
          include: ["sdk/**/*.browser.test.ts"],
          // Starts what a page needs and can not start itself: a nats-server.
          globalSetup: [at("e2e/nats-server.ts")],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: mode === "test" ? findBrowser() : {} }),
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
}));
