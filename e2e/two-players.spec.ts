// Two people, two browsers, one link: a whole game over WebRTC, and the next.
import { expect } from "@playwright/test";
import { addressOf, playOut, sitDown, strangers, tabs, test } from "./pages.ts";

test("two people play a round to a win and another one, over WebRTC through the bundled server", async ({ browser }) => {
  const [ana, bo] = await strangers(browser, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await expect(bo!.page.getByTestId("player-0")).toContainText("Ana");
  await expect(ana!.page.getByTestId("player-1")).toContainText("Bo");

  await playOut([ana!, bo!], [4, 0, 2, 8, 6]);
  for (const player of [ana!, bo!]) {
    await player.seesEnd("x");
    await expect(player.page.getByTestId("score-0")).toHaveText("1");
    await expect(player.page.locator("[data-wins]")).toHaveCount(3);
  }
  await expect(ana!.headline).toHaveText("You win this round");
  await expect(bo!.headline).toHaveText("Ana wins this round");

  await bo!.page.getByTestId("rematch").click();
  for (const player of [ana!, bo!]) {
    await player.seesRound(2);
    await player.seesTurn("o");
    expect(await player.draws()).toBe(".........");
  }
  await playOut([bo!, ana!], [0, 1, 2, 4, 3, 5, 7, 6, 8], { marks: ["o", "x"] });
  for (const player of [ana!, bo!]) {
    await player.seesEnd("draw");
    await expect(player.headline).toHaveText("A draw");
  }
});

test("two tabs of one browser play as well, and each shows who leads and what is agreed on", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([bo!, ana!], [4, 0], { marks: ["o", "x"] });
  for (const player of [ana!, bo!]) {
    await expect(player.status).toHaveAttribute("data-peers", "2");
    await expect(player.status).toHaveAttribute("data-pending", "0");
  }
  const leads = await Promise.all([ana!, bo!].map((player) => player.status.getAttribute("data-leads")));
  expect(new Set(leads), "one leads, the other does not").toEqual(new Set(["true", "false"]));
});

test("a mark out of turn is refused at once with a reason and never shown", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4]);
  await ana!.triesToMark(0);
  await expect(ana!.notice).toHaveText("It is not your turn");
  expect(await ana!.draws()).toBe("....x....");
});

test("the whole game is playable from the keyboard", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await ana!.cell(4).focus();
  await ana!.page.keyboard.press("ArrowUp");
  await ana!.page.keyboard.press("ArrowLeft");
  await expect(ana!.cell(0)).toBeFocused();
  await ana!.page.keyboard.press("Enter");
  await bo!.sees(0, "x");
  await expect(bo!.cell(0)).toHaveAccessibleName("top left, cross");
  await expect(bo!.headline).toHaveText("Your turn");
});
