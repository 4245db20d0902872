// Tabs of a browser whose profile lies on disk. A context without a profile keeps everything in memory and measures no disk.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type Page } from "playwright";
import { findBrowser } from "../../../e2e/find-browser.ts";
import type { DurableBench, DiskKind, GroupKind } from "./durable-page.ts";
import { servePages, type PageServer } from "./page-server.ts";

const IDS = ["tab-1", "tab-2", "tab-3"];

/** The methods of a tab. */
export type DurableMethod = { [K in keyof DurableBench]: DurableBench[K] extends (...args: never[]) => unknown ? K : never }[keyof DurableBench];

/** Calls a method of a tab's bench. */
export function ask<K extends DurableMethod>(tab: Page, method: K, ...args: Parameters<DurableBench[K]>): Promise<Awaited<ReturnType<DurableBench[K]>>> {
  return tab.evaluate(([name, given]) => (globalThis.durableBench[name as DurableMethod] as (...all: unknown[]) => unknown)(...(given as unknown[])), [method, args] as const) as Promise<Awaited<ReturnType<DurableBench[K]>>>;
}

/** A browser on a fresh profile. */
export interface DurableStage {
  readonly context: BrowserContext;
  readonly version: string;
  /** A new tab with the page of this name. */
  tab(page: string): Promise<Page>;
  close(): Promise<void>;
}

/** Starts the browser; `folder` holds the bundled pages. */
export async function openDurableStage(folder: URL): Promise<DurableStage> {
  const server: PageServer = await servePages(folder);
  const profile = await mkdtemp(join(tmpdir(), "flotilla-bench-"));
  const context = await chromium.launchPersistentContext(profile, findBrowser());
  const [blank] = context.pages();
  const version = await (blank ?? (await context.newPage())).evaluate(() => /Chrome\/([\d.]+)/.exec(navigator.userAgent)?.[1] ?? "of unknown version");
  return {
    context,
    version,
    tab: async (page) => {
      const tab = await context.newPage();
      tab.on("pageerror", (error) => console.error(error));
      await tab.goto(`${server.address}/${page}`);
      return tab;
    },
    close: async () => {
      await context.close();
      server.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
}

/** Three linked tabs with a group of every kind, all led by the first one. */
export async function openDurableTabs(stage: DurableStage, kinds: readonly GroupKind[], disks: readonly DiskKind[]): Promise<readonly [leader: Page, ...followers: Page[]]> {
  const leader = await openTab(stage);
  const followers = [await openTab(stage), await openTab(stage)];
  const tabs = [leader, ...followers] as const;
  await Promise.all(tabs.map((tab, at) => ask(tab, "link", IDS[at] ?? "", IDS, kinds, disks)));
  for (const kind of kinds.keys()) await lead(tabs, kind);
  return tabs;
}

async function openTab(stage: DurableStage): Promise<Page> {
  const tab = await stage.tab("durable-page");
  await tab.waitForFunction(() => "durableBench" in globalThis);
  return tab;
}

/** Waits until the first tab leads the group, handing it the lead where another one was elected. */
async function lead(tabs: readonly Page[], kind: number): Promise<void> {
  const [first] = tabs;
  for (;;) {
    const seen = first === undefined ? undefined : await ask(first, "leader", kind);
    if (seen === IDS[0]) return;
    const leader = tabs[IDS.indexOf(seen ?? "")];
    if (leader !== undefined) await ask(leader, "transfer", kind, IDS[0] ?? "").catch(() => {});
    await new Promise((again) => setTimeout(again, 50));
  }
}
