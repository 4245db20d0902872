// A match whose voters are three server processes: killed in the middle of everybody's moves, started again, another killed. Nothing lost, nothing twice.
import { expect, type Page } from "@playwright/test";
import { CoreProcesses } from "./core-processes.ts";
import { addressOf, freshRoom, test } from "./pages.ts";

const TABS = 4;
const MOVES = 500;
const ALL = TABS * MOVES;

const attribute = async (page: Page, name: string): Promise<string> => (await page.locator("body").getAttribute(`data-${name}`)) ?? "";
const sees = (page: Page, name: string, value: string | RegExp): Promise<void> => expect(page.locator("body")).toHaveAttribute(`data-${name}`, value, { timeout: 60_000 });
const counts = (page: Page, atLeast: number): Promise<unknown> => page.waitForFunction((least) => Number(document.body.dataset["count"]) >= least, atLeast, { timeout: 60_000, polling: 20 });

test("four tabs play 2000 moves while the leading server is killed and started again and another one is killed: each move is agreed on once, in one order", async ({ browser }) => {
  const core = await CoreProcesses.start();
  const context = await browser.newContext();
  try {
    const room = freshRoom();
    const tabs = await Promise.all(Array.from({ length: TABS }, () => context.newPage()));
    // Each knocks at another one first.
    const addressAt = (tab: number): string => [0, 1, 2].map((at) => core.endpoints[(tab + at) % 3]).join();
    const goTo = (page: Page, tab: number, moves = MOVES): Promise<unknown> => page.goto(`${addressOf("static-only")}/fixtures/core.html#room=${room}&seats=${TABS}&name=t${tab}&moves=${moves}&core=${addressAt(tab)}`);
    for (const [tab, page] of tabs.entries()) await goTo(page, tab);
    const [first] = tabs as [Page, ...Page[]];
    for (const page of tabs) await sees(page, "phase", "live");

    const leader = async (): Promise<string> => {
      // While they elect there is none.
      await expect(first.locator("body")).toHaveAttribute("data-leader", /^core:/u);
      return (await attribute(first, "leader")).replace("core:", "");
    };
    const isUnderWay = async (until: number): Promise<void> => expect(Number(await attribute(first, "count")), "the moves were still going on").toBeLessThan(until);
    await counts(first, 200);
    const leading = await leader();
    await isUnderWay(ALL / 2);
    await core.kill(leading);
    await counts(first, ALL / 2);
    await core.start(leading);
    await expect.poll(async () => (await core.view(leading)).linked.length).toBe(2);
    for (const page of tabs) await page.evaluate(() => (document.body.dataset["half"] = "over"));
    await counts(first, ALL / 2 + 200);
    const now = await leader();
    const second = now === leading ? core.names.find((name) => name !== leading)! : now;
    await isUnderWay(ALL);
    await core.kill(second);

    for (const page of tabs) {
      await sees(page, "done", "yes");
      await sees(page, "count", String(ALL));
      expect(await attribute(page, "committed")).toBe(String(MOVES));
      expect(await attribute(page, "failed")).toBe("");
      expect(await attribute(page, "twice")).toBe("0");
      expect(await attribute(page, "role")).toBe("learner");
    }
    const digest = await attribute(first, "digest");
    expect(await Promise.all(tabs.map((page) => attribute(page, "digest")))).toEqual(tabs.map(() => digest));
    await core.start(second);
    // Their count holds what was asked for again, too; the state does not.
    const digests = (): Promise<unknown[]> => Promise.all(core.names.map(async (name) => (await core.view(name)).rooms[0]?.game?.digest));
    await expect.poll(digests, { timeout: 60_000 }).toEqual(core.names.map(() => digest));

    // A reload comes back to its seat and to every move, by what its browser kept.
    const seat = await attribute(first, "seat");
    await first.goto("about:blank");
    await goTo(first, 0, 0);
    await sees(first, "count", String(ALL));
    await sees(first, "seat", seat);
    expect(await attribute(first, "digest")).toBe(digest);
  } finally {
    await context.close();
    await core.close();
  }
});
