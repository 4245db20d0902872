// The tab that started the game is closed: the others go on, and nothing that was agreed on is lost.
import { expect } from "@playwright/test";
import { addressOf, playOut, sitDown, strangers, tabs, test } from "./pages.ts";

test("with two players, closing the host's tab lets the other go on", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4]);
  await ana!.page.close({ runBeforeUnload: false });

  await expect(bo!.status).toHaveAttribute("data-leads", "true");
  expect(await bo!.draws()).toBe("....x....");
  await bo!.marks(0);
  await bo!.sees(0, "o");
  await expect(bo!.story).toContainText("Ana left");
});

test("with a watcher, the game goes on under another leader and both see it", async ({ browser }) => {
  const [ana, bo, cy] = await strangers(browser, ["Ana", "Bo", "Cy"]);
  const url = await sitDown(addressOf("with-server"), [ana!, bo!]);
  await cy!.accepts(url, "watch");
  await playOut([ana!, bo!], [4], { watchers: [cy!] });
  await ana!.page.close({ runBeforeUnload: false });

  await bo!.marks(0);
  for (const each of [bo!, cy!]) {
    await each.sees(4, "x");
    await each.sees(0, "o");
  }
});

test("a player who leaves by the button frees the tab, and the other sees it", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4]);
  await ana!.page.getByTestId("leave").click();
  await expect(bo!.story).toContainText("Ana left");
  await bo!.marks(0);
  await bo!.sees(0, "o");
});
