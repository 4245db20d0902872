// What browsers do to tabs besides closing them: duplicated, hidden, frozen, left and come back to.
import { type BrowserContext, expect, type Page } from "@playwright/test";
import { dropProfile, newProfile, OwnBrowser, setLifecycle } from "./own-browser.ts";
import { addressOf, playOut, Player, sitDown, tabs, test, watched } from "./pages.ts";

const selfOf = (player: Player): Promise<string | null> => player.status.getAttribute("data-self");

/** A second tab that starts with a copy of the first one's sessionStorage, as "Duplicate tab" does. */
async function duplicate(context: BrowserContext, page: Page): Promise<Page> {
  const copied = await page.evaluate(() => JSON.stringify(Object.entries(sessionStorage)));
  const twin = await context.newPage();
  await twin.addInitScript((entries) => {
    if (sessionStorage.length > 0) return;
    for (const [key, value] of JSON.parse(entries) as [string, string][]) sessionStorage.setItem(key, value);
  }, copied);
  await twin.goto(page.url());
  return watched(twin);
}

/** Two players in tabs of one window of a real browser; the second is in front. */
async function inOneWindow(run: (ana: Player, bo: Player) => Promise<void>): Promise<void> {
  const profile = await newProfile();
  const browser = await OwnBrowser.launch(profile);
  try {
    const ana = new Player(watched(await browser.tab()), "Ana");
    const url = await ana.creates(addressOf("with-server"));
    const bo = new Player(watched(await browser.tab()), "Bo");
    await bo.accepts(url);
    for (const player of [ana, bo]) await player.seesPhase("live");
    await run(ana, bo);
  } finally {
    await browser.close();
    await dropProfile(profile);
  }
}

test("a duplicated tab is somebody else at once, and has the seat only when the first is gone", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4, 0]);
  const twin = new Player(await duplicate(context, bo!.page), "Twin");
  await expect(twin.status).toHaveAttribute("data-spectating", "true");
  await twin.sees(4, "x");
  expect(await selfOf(twin)).not.toBe(await selfOf(bo!));
  await playOut([ana!, bo!], [8, 2], { watchers: [twin] });

  await bo!.page.close({ runBeforeUnload: false });
  await expect(twin.status).toHaveAttribute("data-seat", "1");
  await playOut([ana!, twin], [5]);
  await twin.marks(1);
  await ana!.seesEnd("o");
});

test("a host that is hidden leaves leading to the tab in front, and whichever is in front plays on", async () => {
  await inOneWindow(async (ana, bo) => {
    await expect(bo.status).toHaveAttribute("data-leads", "true");
    await ana.page.bringToFront();
    await expect(ana.status).toHaveAttribute("data-leads", "true");
    await ana.marks(4);
    await ana.sees(4, "x");
    await bo.page.bringToFront();
    await bo.sees(4, "x");
    await bo.marks(0);
    await bo.sees(0, "o");
    await ana.page.bringToFront();
    await ana.sees(0, "o");
  });
});

test("a tab hidden for 90 seconds is still in its seat, while the other keeps playing with the room", async () => {
  await inOneWindow(async (ana, bo) => {
    const term = await bo.status.getAttribute("data-term");
    await bo.marks(4);
    await bo.sees(4, "o");
    // The time itself is what is tested here: after a minute a hidden page without open channels would be let run once a minute only.
    await bo.page.waitForTimeout(90_000);
    expect(await ana.page.evaluate(() => document.visibilityState)).toBe("hidden");
    await ana.sees(4, "o");
    expect(await bo.status.getAttribute("data-term")).toBe(term);
    await bo.seesPhase("live");
    await ana.page.bringToFront();
    await ana.marks(0);
    await ana.sees(0, "x");
  });
});

test("a frozen tab is missed without harm, and plays on when it is thawed", async () => {
  await inOneWindow(async (ana, bo) => {
    await setLifecycle(ana.page, "frozen");
    // The group goes on without the frozen one once it has been silent for the eviction window.
    await bo.marks(4);
    await bo.sees(4, "o");
    await setLifecycle(ana.page, "active");
    await ana.page.bringToFront();
    await ana.sees(4, "o");
    await ana.marks(0);
    await bo.sees(0, "x");
  });
});

test("a host that is frozen hands over before it sleeps", async () => {
  await inOneWindow(async (ana, bo) => {
    await expect(bo.status).toHaveAttribute("data-leads", "true");
    const blank = await bo.page.context().newPage();
    await blank.bringToFront();
    await setLifecycle(bo.page, "frozen");
    await expect(ana.status).toHaveAttribute("data-leads", "true");
    await setLifecycle(bo.page, "active");
    await bo.page.bringToFront();
    await bo.seesPhase("live");
    await bo.marks(4);
    await bo.sees(4, "o");
    await ana.sees(4, "o");
  });
});

test("a tab that goes to another page and back is in its seat again", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4]);
  await ana!.page.goto(`${addressOf("with-server")}/script-tag.html#room=ELSEWHERE`);
  await bo!.marks(0);
  await bo!.sees(0, "o");
  await ana!.page.goBack();
  await ana!.seesPhase("live");
  await ana!.sees(0, "o");
  await playOut([ana!, bo!], [8]);
});

test("when the host is closed the other moves again without an election timeout", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4]);
  const term = Number(await bo!.status.getAttribute("data-term"));
  // The cause, not the clock: the goodbye makes Bo lead in the very next term, by one vote that was given away, before any timeout of its own.
  await bo!.page.evaluate(() => {
    const status = document.querySelector("[data-testid=status]");
    const seen: string[] = [];
    Object.assign(window, { phasesSeen: seen });
    new MutationObserver(() => seen.push(`${status?.getAttribute("data-role")}`)).observe(status ?? document.body, { attributeFilter: ["data-role"] });
  });
  await ana!.page.close({ runBeforeUnload: false });
  await bo!.marks(0);
  await bo!.sees(0, "o");
  expect(Number(await bo!.status.getAttribute("data-term"))).toBe(term + 1);
  expect(await bo!.page.evaluate(() => (window as unknown as { phasesSeen: string[] }).phasesSeen)).not.toContain("pre-candidate");
});
