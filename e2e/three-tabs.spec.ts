// A third tab watches: it sees every mark and can not make one.
import { expect } from "@playwright/test";
import { addressOf, type Player, playOut, sitDown, strangers, tabs, test } from "./pages.ts";

async function watchesAGame(ana: Player, bo: Player, cy: Player): Promise<void> {
  const url = await sitDown(addressOf("with-server"), [ana, bo]);
  await playOut([ana, bo], [4]);
  await cy.accepts(url, "watch");
  await cy.sees(4, "x");
  await expect(cy.status).toHaveAttribute("data-spectating", "true");
  await expect(ana.page.getByTestId("watchers")).toContainText("Cy");

  await cy.triesToMark(8);
  await expect(cy.notice).toHaveText("You are watching this match");
  await playOut([bo, ana], [0, 2, 8, 6], { marks: ["o", "x"], watchers: [cy] });
  for (const each of [ana, bo, cy]) {
    await each.seesEnd("x");
    expect(await each.draws()).toBe("o.x.x.x.o");
  }
  await expect(cy.page.getByTestId("rematch")).toBeHidden();
}

test("a watcher from another browser sees the whole game and can not play", async ({ browser }) => {
  const [ana, bo, cy] = await strangers(browser, ["Ana", "Bo", "Cy"]);
  await watchesAGame(ana!, bo!, cy!);
});

test("a third tab of the same browser watches as well", async ({ context }) => {
  const [ana, bo, cy] = await tabs(context, ["Ana", "Bo", "Cy"]);
  await watchesAGame(ana!, bo!, cy!);
});

test("whoever comes to a full table finds a place to watch", async ({ context }) => {
  const [ana, bo, cy] = await tabs(context, ["Ana", "Bo", "Cy"]);
  const url = await sitDown(addressOf("with-server"), [ana!, bo!]);
  await cy!.accepts(url);
  await expect(cy!.status).toHaveAttribute("data-spectating", "true");
  await playOut([ana!, bo!], [0, 4], { watchers: [cy!] });
});
