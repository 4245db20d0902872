// Finds a Chromium for the browser tests, or installs one; in the worst case says in one line what to install.
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright";

/** Launch options for Playwright. `executablePath` is absent when Playwright's own browser is there. */
export interface BrowserLaunch {
  readonly executablePath?: string;
  readonly args: string[];
}

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
// mDNS names do not resolve on hosts without multicast, and the update traffic is noise on closed networks.
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-features=WebRtcHideLocalIpsWithMdns", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const INSTALL_MS_MAX = 5 * 60_000;

function runnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(runnable);
}

function attempt(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: ["ignore", "ignore", "ignore"], timeout: INSTALL_MS_MAX, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
    return true;
  } catch {
    return false;
  }
}

function found(): BrowserLaunch | undefined {
  if (existsSync(chromium.executablePath())) return { args: ARGS };
  const executablePath = onPath();
  return executablePath === undefined ? undefined : { executablePath, args: ARGS };
}

/** Playwright's own browser, else a Chromium or Chrome on PATH, else an installation of one. Throws a one-line error when nothing works. */
export function findBrowser(): BrowserLaunch {
  const there = found();
  if (there !== undefined) return there;
  attempt("npx", ["--no-install", "playwright", "install", "chromium"]);
  const downloaded = found();
  if (downloaded !== undefined) return downloaded;
  if (process.getuid?.() === 0 && existsSync("/etc/debian_version")) {
    attempt("apt-get", ["update", "-qq"]);
    attempt("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "chromium"]);
  }
  const installed = found();
  if (installed !== undefined) return installed;
  throw new Error("No browser for the tests: install Chromium or Google Chrome so that `chromium` or `google-chrome` is on PATH (or run `npx playwright install --with-deps chromium`).");
}
