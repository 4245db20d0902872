// The journeys of people through the built demo, over real WebRTC in a real browser. Needs `npm run build` first.
import { fileURLToPath } from "node:url";
import { defineConfig } from "@playwright/test";
import { findBrowser } from "./find-browser.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const START_MS_MAX = 20_000;

export default defineConfig({
  testDir: at("."),
  outputDir: at("../test-results"),
  // A journey is several tabs with a consensus group between them: two at a time keep two cores busy.
  workers: 2,
  fullyParallel: true,
  retries: 0,
  forbidOnly: true,
  // Generous, because three tabs with WebRTC share two cores with whatever else runs; a journey takes 5 to 15 s by itself.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    headless: true,
    launchOptions: findBrowser(),
    actionTimeout: 30_000,
    // Without the screencast, which would cost more than the game.
    trace: { mode: "retain-on-failure", screenshots: false },
    locale: "en-GB",
  },
  // Both print where they listen; the named groups become WITH_SERVER_URL and STATIC_ONLY_URL (see pages.ts).
  webServer: [
    { name: "bundled server", command: "node dist/server-cli.js --port 0", cwd: at(".."), wait: { stdout: /(?<with_server_url>http:\/\/\S+?)\/?\s/ }, timeout: START_MS_MAX },
    { name: "static files", command: "node e2e/static-server.mjs dist/demo e2e/fixtures", cwd: at(".."), wait: { stdout: /(?<static_only_url>http:\/\/\S+?)\/?\s/ }, timeout: START_MS_MAX },
  ],
});
