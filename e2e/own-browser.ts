// A browser as a person has it: a process of its own on a profile on disk, whose tabs are really hidden and frozen, and which can be killed.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "@playwright/test";
import { findBrowser } from "./find-browser.ts";

const START_MS_MAX = 30_000;

/** One running browser on a profile. Its tabs share one window: the one in front is visible, the others are hidden. */
export class OwnBrowser {
  readonly context: BrowserContext;
  readonly #browser: Browser;
  readonly #process: ChildProcess;

  private constructor(browser: Browser, process: ChildProcess) {
    const [context] = browser.contexts();
    if (context === undefined) throw new Error("the browser has no window");
    this.context = context;
    this.#browser = browser;
    this.#process = process;
  }

  /** Starts one on this profile, or on the one a killed browser left behind. */
  static async launch(profile: string): Promise<OwnBrowser> {
    const { executablePath = chromium.executablePath(), args } = findBrowser();
    const portFile = join(profile, "DevToolsActivePort");
    await rm(portFile, { force: true });
    // Without the switches that automation adds, so that hidden tabs are slowed down as everybody's are. A group of its own, to be killed as a whole.
    const process = spawn(executablePath, [...args, "--headless=new", "--remote-debugging-port=0", `--user-data-dir=${profile}`, "--no-default-browser-check", "about:blank"], { stdio: "ignore", detached: true });
    leavesWithUs(process);
    const endpoint = await endpointFrom(portFile, process);
    return new OwnBrowser(await chromium.connectOverCDP(endpoint, { noDefaults: true }), process);
  }

  /** A new tab in front of the others. */
  async tab(): Promise<Page> {
    const page = await this.context.newPage();
    await page.bringToFront();
    return page;
  }

  /** SIGKILL for every process of it, as by a power-hungry phone or a crash: nothing is said, nothing is flushed. */
  async kill(): Promise<void> {
    const ended = this.#ended();
    if (this.#process.pid !== undefined) process.kill(-this.#process.pid, "SIGKILL");
    await ended;
    await this.#browser.close().catch(() => {});
  }

  async close(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
  }

  #ended(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => this.#process.once("exit", () => resolve()));
  }
}

/** A group of its own outlives whoever started it, unless it is told: a journey that was broken off leaves no browser behind. */
function leavesWithUs(browser: ChildProcess): void {
  const { pid } = browser;
  if (pid === undefined) return;
  const end = (): void => {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It is gone.
    }
  };
  process.once("exit", end);
  browser.once("exit", () => process.off("exit", end));
}

/** A fresh profile on disk; delete it with {@link dropProfile}. */
export function newProfile(): Promise<string> {
  return mkdtemp(join(tmpdir(), "flotilla-profile-"));
}

/** Deletes a profile. The killed browser's last helper processes may still be writing. */
export function dropProfile(profile: string): Promise<void> {
  return rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

/** Freezes or thaws a hidden tab. */
export async function setLifecycle(page: Page, state: "frozen" | "active"): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state });
  await session.detach();
}

/** Ends the process behind a tab at once, with everything that was on its way. */
export async function crashRenderer(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const crashed = new Promise<void>((resolve) => page.once("crash", () => resolve()));
  void session.send("Page.crash").catch(() => {});
  await crashed;
  await page.close().catch(() => {});
}

/** The browser writes where it listens into its profile. */
async function endpointFrom(portFile: string, process: ChildProcess): Promise<string> {
  const deadline = Date.now() + START_MS_MAX;
  for (;;) {
    const [port] = (await readFile(portFile, "utf8").catch(() => "")).split("\n");
    if (port !== undefined && port !== "") return `http://127.0.0.1:${port}`;
    if (process.exitCode !== null || Date.now() > deadline) throw new Error("the browser did not start");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
