// Both players open round 1 in the same cell at the same moment: one mark stays, the other leaves and says why.
import { expect, type Page, type Route } from "@playwright/test";
import { addressOf, type Player, sitDown, strangers, test } from "./pages.ts";

const CELL = 4;

/** Lets the pages' requests for `./both-ready` wait for each other: the last one releases them all. */
async function barrier(pages: readonly Page[]): Promise<void> {
  let release = (): void => {};
  const everybody = new Promise<void>((resolve) => (release = resolve));
  let waiting = 0;
  const arrive = async (route: Route): Promise<void> => {
    waiting += 1;
    if (waiting === pages.length) release();
    await everybody;
    await route.fulfill({ body: "go" });
  };
  for (const page of pages) await page.route("**/both-ready", arrive);
}

/**
 * Clicks the cell once the other page is about to do the same, and returns what the cell showed then. The page stands still in one
 * task from before that moment until after its own click (a synchronous request does that), so neither can hear of the other's
 * mark before making its own, however the machine schedules the two. The conflict is certain, not likely.
 */
async function clicksTogether(player: Player): Promise<string> {
  return player.cell(CELL).evaluate(async (cell) => {
    const request = new XMLHttpRequest();
    request.open("GET", "./both-ready", false);
    request.send();
    (cell as HTMLElement).click();
    // The page draws in a microtask; nothing from outside can come in between.
    await Promise.resolve();
    return `${cell.getAttribute("data-mark")} ${cell.getAttribute("data-state")}`;
  });
}

test("when both click the same cell at once, exactly one mark stays and the other leaves with a reason", async ({ browser }) => {
  const [ana, bo] = await strangers(browser, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);

  await barrier([ana!.page, bo!.page]);
  const shown = await Promise.all([clicksTogether(ana!), clicksTogether(bo!)]);
  expect(shown, "each tab shows its own mark at once").toEqual(["x pending", "o pending"]);

  await expect(ana!.cell(CELL)).toHaveAttribute("data-state", "committed");
  await expect(bo!.cell(CELL)).toHaveAttribute("data-state", "committed");
  const stays = await ana!.cell(CELL).getAttribute("data-mark");
  expect(["x", "o"]).toContain(stays);
  await expect(bo!.cell(CELL)).toHaveAttribute("data-mark", stays!);

  const [winner, loser] = stays === "x" ? [ana!, bo!] : [bo!, ana!];
  await expect(loser.notice).toHaveText("Your mark came second: the cell is taken");
  await expect(winner.notice).toHaveText("");
  for (const player of [ana!, bo!]) {
    expect((await player.draws()).replaceAll(".", "")).toBe(stays);
    await expect(player.status).toHaveAttribute("data-pending", "0");
  }
  await expect(loser.headline).toHaveText("Your turn");
  await loser.marks(0);
  await winner.sees(0, stays === "x" ? "o" : "x");
});
