// Both players open round 1 in the same cell at the same moment: one mark stays, the other leaves and says why.
import { expect, test } from "@playwright/test";
import { addressOf, type Player, sitDown, strangers } from "./pages.ts";

const CELL = 4;
// Long enough for both pages to be told, and for both to be waiting before it is time.
const AHEAD_MS = 1500;
const HOLD_MS = 400;

interface Click {
  /** The page stood still before the moment came, so nothing of the other's click can have reached it. */
  readonly heldInTime: boolean;
  /** What the cell showed right after the click, before anything else could reach the page. */
  readonly shown: string;
}

/**
 * Clicks at `moment` (ms since 1970). The page is held in one task from before the moment until after its own click:
 * it can not receive the other's mark first, however the machine schedules the two. The conflict is real, not likely.
 */
async function clicksAt(player: Player, moment: number): Promise<Click> {
  return player.cell(CELL).evaluate(
    async (cell, { moment, holdMs }) => {
      await new Promise((resolve) => setTimeout(resolve, moment - holdMs - Date.now()));
      const heldSince = Date.now();
      while (Date.now() < moment);
      (cell as HTMLElement).click();
      // The page draws in a microtask; no frame from outside can come in between.
      await Promise.resolve();
      return { heldInTime: heldSince < moment, shown: `${cell.getAttribute("data-mark")} ${cell.getAttribute("data-state")}` };
    },
    { moment, holdMs: HOLD_MS },
  );
}

test("when both click the same cell at once, exactly one mark stays and the other leaves with a reason", async ({ browser }) => {
  const [ana, bo] = await strangers(browser, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);

  const moment = Date.now() + AHEAD_MS;
  const clicks = await Promise.all([clicksAt(ana!, moment), clicksAt(bo!, moment)]);
  expect(clicks).toEqual([
    { heldInTime: true, shown: "x pending" },
    { heldInTime: true, shown: "o pending" },
  ]);

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
