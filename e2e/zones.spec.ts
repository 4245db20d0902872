// A world of 64 zones simulated by four tabs: everybody walks and plants, one tab is closed, and nothing that was confirmed is lost.
import { expect, type Page } from "@playwright/test";
import { addressOf, freshRoom, tabs, test } from "./pages.ts";

const ZONES = 64;

/** What `window` of public/zones.html has. */
interface ZonesWindow {
  ask(zone: number, type: string, word?: object): Promise<{ readonly flowers: number; readonly epoch: number; readonly by: string; readonly walkers: Readonly<Record<string, number>> }>;
  walk(to: number): Promise<void>;
  readonly cluster: { ownerOf(zone: number): { readonly peer: string; readonly epoch: number } | undefined };
}

/** One line of the book all tabs write in: what happened to a zone, when by the clock of this machine. */
interface Line {
  readonly word: "owned" | "lost";
  readonly zone: number;
  readonly owner: string;
  readonly epoch: number;
  readonly at: number;
}

/** Every tab writes down, in storage they share and in the very task it happens, when it begins and ceases to own a zone. */
function keepBook(): void {
  const tab = Math.random();
  let line = 0;
  addEventListener("zone", (event) => {
    const { detail } = event as CustomEvent<object>;
    localStorage.setItem(`zone ${tab} ${String((line += 1)).padStart(6, "0")}`, JSON.stringify({ ...detail, at: Date.now() }));
  });
}

const readBook = (page: Page): Promise<Line[]> => page.evaluate(() => Object.keys(localStorage).filter((key) => key.startsWith("zone ")).sort().map((key): Line => JSON.parse(localStorage.getItem(key)!)));

const askAll = (page: Page, type: string): Promise<{ readonly flowers: number; readonly epoch: number; readonly by: string }[]> =>
  page.evaluate(([kind, count]) => Promise.all(Array.from({ length: count }, (_, zone) => (window as unknown as ZonesWindow).ask(zone, kind))), [type, ZONES] as const);

async function share(pages: readonly Page[]): Promise<void> {
  for (const page of pages) {
    await expect(page.locator("body")).toHaveAttribute("data-owners", String(pages.length), { timeout: 60_000 });
    await expect(page.locator("body")).not.toHaveAttribute("data-owned", "0");
  }
  await expect.poll(async () => {
    const owned = await Promise.all(pages.map((page) => page.locator("body").getAttribute("data-owned")));
    return owned.reduce((sum, count) => sum + Number(count), 0);
  }, { timeout: 60_000 }).toBe(ZONES);
}

/** No zone had two owners at any moment, and no epoch of a zone two owners ever. Returns how often zones had an owner. */
function checkBook(lines: readonly Line[]): number {
  let tenures = 0;
  for (let zone = 0; zone < ZONES; zone += 1) {
    const here = lines.filter((line) => line.zone === zone);
    const owned = here.filter(({ word }) => word === "owned").sort((a, b) => a.epoch - b.epoch || a.at - b.at);
    tenures += owned.length;
    for (const [at, { owner, epoch, at: from }] of owned.entries()) {
      const lost = here.find((line) => line.word === "lost" && line.owner === owner && line.epoch === epoch && line.at >= from);
      const next = owned[at + 1];
      if (next === undefined) continue;
      if (next.epoch === epoch) expect(next.owner, `zone ${zone} under epoch ${epoch}`).toBe(owner);
      expect(lost?.at, `zone ${zone}: ${owner} let go of it (epoch ${epoch}) before ${next.owner} had it (epoch ${next.epoch})`).toBeLessThanOrEqual(next.at);
    }
  }
  return tenures;
}

test("four tabs simulate 64 zones; one is closed, and every zone answers again with everything that was confirmed", async ({ context }) => {
  const room = freshRoom();
  await context.addInitScript(keepBook);
  const people = await tabs(context, ["Ana", "Bo", "Cy", "Di"]);
  const pages = people.map(({ page }) => page);
  for (const { page, name } of people) {
    await page.goto(`${addressOf("static-only")}/zones.html#room=${room}&name=${name}`);
    await expect(page.locator("body")).toHaveAttribute("data-phase", /waiting|live/u, { timeout: 60_000 });
  }
  await share(pages);
  // Everybody plants one flower in every zone, and walks.
  for (const page of pages) await askAll(page, "plant");
  const [ana, bo] = pages as [Page, Page];
  const start = Number(await bo.locator("body").getAttribute("data-here"));
  const next = start % 8 === 7 ? start - 1 : start + 1;
  await bo.evaluate((to) => (window as unknown as ZonesWindow).walk(to), next);
  const where = await ana.evaluate(([from, to]) => Promise.all([from, to].map((zone) => (window as unknown as ZonesWindow).ask(zone!, "look"))), [start, next]);
  expect(where.map(({ walkers }) => Object.keys(walkers).includes("Bo"))).toEqual([false, true]);

  const before = await askAll(bo, "look");
  expect(before.map(({ flowers }) => flowers)).toEqual(Array.from({ length: ZONES }, () => 4));
  await ana.close({ runBeforeUnload: true });
  // Asked while the zones are on their way.
  const after = await askAll(bo, "look");
  expect(after.map(({ flowers }) => flowers)).toEqual(Array.from({ length: ZONES }, () => 4));
  for (const [zone, { by, epoch }] of after.entries()) {
    const was = before[zone]!;
    expect(by).not.toBe("Ana");
    if (was.by === "Ana") expect(epoch).toBeGreaterThan(was.epoch);
    else expect([by, epoch]).toEqual([was.by, was.epoch]);
  }
  await share(pages.slice(1));
  for (const page of pages.slice(2)) await askAll(page, "plant");
  expect((await askAll(bo, "look")).map(({ flowers }) => flowers)).toEqual(Array.from({ length: ZONES }, () => 6));
  const lines = await readBook(bo);
  expect(checkBook(lines)).toBeGreaterThan(ZONES);
});
