// Two people who share nothing but what they hand each other: a string out, a string back, and a match, with no server between them.
import { expect, type Page } from "@playwright/test";
import { addressOf, ownContext, test, watched } from "./pages.ts";

const out = async (page: Page): Promise<string> => {
  await expect(page.locator("#out")).not.toHaveValue("");
  return page.locator("#out").inputValue();
};

async function takes(page: Page, text: string): Promise<void> {
  await page.locator("#in").fill(text);
  await page.locator("#take").click();
}

test("two people meet by a string out and a string back, and play", async ({ browser }) => {
  const open = async (): Promise<Page> => {
    const page = watched(await (await ownContext(browser)).newPage());
    await page.goto(`${addressOf("static-only")}/fixtures/by-hand.html`);
    return page;
  };
  const [ana, bo] = [await open(), await open()];
  await ana.locator("#invite").click();
  const invitation = await out(ana);
  await bo.locator("#join").click();
  // Half of it was copied.
  await takes(bo, invitation.slice(0, -20));
  await expect(bo.locator("#state")).toHaveText("string-damaged");
  await takes(bo, invitation);
  const reply = await out(bo);
  await takes(ana, invitation.split(" ")[1]!);
  await expect(ana.locator("#state")).toHaveText("string-misplaced");
  await takes(ana, reply);
  for (const page of [ana, bo]) await expect(page.locator("#state")).toHaveText("live: 0");
  for (const [turn, page] of [ana, bo, ana].entries()) {
    await page.locator("#add").click();
    for (const each of [ana, bo]) await expect(each.locator("#state")).toHaveText(`live: ${turn + 1}`);
  }
});
