// What people say to each other beside the game: lines and emotes from tab to tab, for players and watchers.
import { expect, type Locator, type Page } from "@playwright/test";
import { addressOf, type Player, playOut, sitDown, strangers, tabs, test } from "./pages.ts";

const lines = ({ page }: Player): Locator => page.getByTestId("chat-lines").getByRole("listitem");

async function says(player: Player, text: string): Promise<void> {
  await player.page.getByTestId("chat-text").fill(text);
  await player.page.getByTestId("chat-text").press("Enter");
}

/** From now on every emote that floats over this page's board is noted, however short it is there. */
async function watchFloats(page: Page): Promise<() => Promise<readonly string[]>> {
  await page.evaluate(() => {
    const seen: string[] = [];
    Object.assign(window, { seenFloats: seen });
    const note = (changes: MutationRecord[]): void => {
      for (const { addedNodes } of changes) for (const node of addedNodes) if (node instanceof HTMLElement) seen.push(`${node.textContent}: ${node.dataset["emote"]}`);
    };
    new MutationObserver(note).observe(document.querySelector("#floats")!, { childList: true });
  });
  return () => page.evaluate(() => (window as unknown as { seenFloats: string[] }).seenFloats);
}

test("two players and a watcher talk; what they write stays text, and emotes float over every board", async ({ browser }) => {
  const [ana, bo, cy] = (await strangers(browser, ["Ana", "Bo", "Cy"])) as [Player, Player, Player];
  const url = await sitDown(addressOf("with-server"), [ana, bo]);
  await cy.accepts(url, "watch");
  for (const player of [ana, bo, cy]) await expect(player.page.getByTestId("watchers")).toContainText("Cy");

  await says(ana, "Good luck, <img src=x onerror=alert(1)>!");
  for (const player of [bo, cy]) await expect(lines(player)).toHaveText(["Ana: Good luck, <img src=x onerror=alert(1)>!"]);
  await expect(lines(ana)).toHaveText(["You: Good luck, <img src=x onerror=alert(1)>!"]);
  expect(await bo.page.locator("#chat-lines img").count(), "nothing that was written became a part of the page").toBe(0);
  await expect(ana.page.getByTestId("chat-text")).toHaveValue("");

  const floats = await Promise.all([ana, bo, cy].map(({ page }) => watchFloats(page)));
  await cy.page.getByRole("button", { name: "Nice one" }).click();
  await bo.page.getByRole("button", { name: "Oops" }).click();
  for (const player of [ana, bo]) await expect(lines(player).filter({ hasText: "Cy: Nice one" })).toHaveCount(1);
  for (const player of [ana, cy]) await expect(lines(player).filter({ hasText: "Bo: Oops" })).toHaveCount(1);
  expect([...(await floats[0]!())].sort()).toEqual(["Bo: oops", "Cy: nice"]);
  expect([...(await floats[1]!())].sort()).toEqual(["Cy: nice", "You: oops"]);
  expect([...(await floats[2]!())].sort()).toEqual(["Bo: oops", "You: nice"]);

  // The game goes on beside it, and none of it is in the log.
  await playOut([ana, bo], [4, 0], { watchers: [cy] });
  await cy.page.reload();
  await cy.sees(4, "x");
  await expect(lines(cy)).toHaveCount(0);
});

/** Clicks one emote often, in a single task; a hurried clock makes this tab believe that a minute passes with each. */
async function floods({ page }: Player, times: number, hasHurriedClock = false): Promise<void> {
  await page.getByRole("button", { name: "Ha!" }).evaluate((button: HTMLButtonElement, [count, isHurried]) => {
    const { now } = performance;
    let minutes = 0;
    if (isHurried) performance.now = () => now.call(performance) + 60_000 * (minutes += 1);
    for (let click = 0; click < count; click += 1) button.click();
    performance.now = now;
  }, [times, hasHurriedClock] as const);
}

test("a flood is held back where it begins, and left out where it arrives all the same", async ({ context }) => {
  const [ana, bo] = (await tabs(context, ["Ana", "Bo"])) as [Player, Player];
  await sitDown(addressOf("static-only"), [ana, bo]);
  await floods(bo, 20);
  await expect(bo.page.getByTestId("chat-said")).toContainText("a lot at once");
  await expect(lines(bo)).toHaveCount(6);
  await expect(lines(ana)).toHaveCount(6);

  await floods(ana, 20, true);
  await expect(lines(ana)).toHaveCount(26);
  await expect(lines(bo)).toHaveCount(13);
  await expect(lines(bo).last()).toHaveText("Ana talks faster than this page shows.");
});
