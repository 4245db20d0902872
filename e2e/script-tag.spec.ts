// The page with nothing but a script tag plays the same game, also with the demo itself.
import { expect, type Page } from "@playwright/test";
import { addressOf, freshRoom, Player, test, watched } from "./pages.ts";

const cellOf = (page: Page, cell: number): ReturnType<Page["locator"]> => page.locator("#board button").nth(cell);

async function sees(page: Page, cell: number, mark: "✕" | "○"): Promise<void> {
  await expect(cellOf(page, cell)).toHaveText(mark);
  await expect(cellOf(page, cell)).toHaveAttribute("data-state", "committed");
}

test("two tabs of the script-tag page play a round to the end and start another", async ({ context }) => {
  const [one, two] = [watched(await context.newPage()), watched(await context.newPage())];
  const address = `${addressOf("static-only")}/script-tag.html#room=${freshRoom()}`;
  await one.goto(address);
  await expect(one.locator("#headline")).toHaveText("waiting");
  await two.goto(address);
  for (const page of [one, two]) await expect(page.locator("#headline")).toHaveText("Whoever marks first opens");

  for (const [turn, cell] of [0, 3, 1, 4, 2].entries()) {
    await cellOf(turn % 2 === 0 ? one : two, cell).click();
    for (const page of [one, two]) await sees(page, cell, turn % 2 === 0 ? "✕" : "○");
  }
  await expect(one.locator("#headline")).toHaveText("You win");
  await expect(two.locator("#headline")).toHaveText("They win");

  await cellOf(two, 8).click();
  await expect(two.locator("#notice")).toHaveText("the game is over");
  await two.locator("#rematch").click();
  await expect(two.locator("#headline")).toHaveText("Your turn");
});

test("a tab of the script-tag page and a tab of the demo play each other", async ({ context }) => {
  const [plain, ana] = [watched(await context.newPage()), new Player(watched(await context.newPage()), "Ana")];
  const room = freshRoom();
  await plain.goto(`${addressOf("static-only")}/script-tag.html#room=${room}`);
  await expect(plain.locator("#headline")).toHaveText("waiting");
  await ana.accepts(`${addressOf("static-only")}/#room=${room}`);
  await ana.seesTurn("open");

  await ana.marks(4);
  await sees(plain, 4, "○");
  await cellOf(plain, 0).click();
  await ana.sees(0, "x");
});
