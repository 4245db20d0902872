// Three real tabs of one browser on a tiny page, and the browser's own account of what they spend.
import { chromium, type Browser, type Page } from "playwright";
import { findBrowser } from "../../../e2e/find-browser.ts";
import { servePages } from "./page-server.ts";
import type { TabBench } from "./tab-page.ts";

const IDS = ["tab-1", "tab-2", "tab-3"];

/** The methods of a tab. */
export type TabMethod = { [K in keyof TabBench]: TabBench[K] extends (...args: never[]) => unknown ? K : never }[keyof TabBench];

/** Calls a method of a tab's bench. */
export function call<K extends TabMethod>(tab: Page, method: K, ...args: Parameters<TabBench[K]>): Promise<Awaited<ReturnType<TabBench[K]>>> {
  return tab.evaluate(([name, given]) => (globalThis.tabBench[name as TabMethod] as (...all: unknown[]) => unknown)(...(given as unknown[])), [method, args] as const) as Promise<Awaited<ReturnType<TabBench[K]>>>;
}

/** The tabs, linked and led. */
export interface Stage {
  readonly browser: Browser;
  readonly tabs: readonly Page[];
  leader(): Promise<Page>;
  /** Seconds of processor time all pages together have used. */
  cpuSeconds(): Promise<number>;
  close(): Promise<void>;
}

/** Opens the tabs, links them over this browser's own signaling, and waits until one of them leads. `folder` holds the bundled page. */
export async function openStage(folder: URL): Promise<Stage> {
  const server = await servePages(folder);
  const browser = await chromium.launch(findBrowser());
  const context = await browser.newContext();
  const tabs: Page[] = [];
  for (const _ of IDS) {
    const tab = await context.newPage();
    tab.on("pageerror", (error) => console.error(error));
    await tab.goto(`${server.address}/page`);
    await tab.waitForFunction(() => "tabBench" in globalThis);
    tabs.push(tab);
  }
  await Promise.all(tabs.map((tab, at) => call(tab, "link", IDS[at] ?? "", IDS, "bench")));
  const accounts = await browser.newBrowserCDPSession();
  return {
    browser,
    tabs,
    leader: async () => {
      for (;;) {
        for (const tab of tabs) if (await tab.evaluate(() => globalThis.tabBench.isLeader)) return tab;
        await new Promise((again) => setTimeout(again, 50));
      }
    },
    cpuSeconds: async () => {
      const { processInfo } = await accounts.send("SystemInfo.getProcessInfo");
      return processInfo.filter(({ type }) => type === "renderer").reduce((sum, { cpuTime }) => sum + cpuTime, 0);
    },
    close: async () => {
      await browser.close();
      server.close();
    },
  };
}
