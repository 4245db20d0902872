// Tabs that reload, close and come back: the same seats, the same marks, the same match.
import { expect } from "@playwright/test";
import { addressOf, playOut, type Player, sitDown, tabs, test } from "./pages.ts";

/** Reloads, and waits until this tab plays again. */
async function reload(player: Player): Promise<void> {
  await player.page.reload();
  await player.seesPhase("live");
}

test("the guest reloads in the middle of a game and has its seat and every mark again", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4, 0]);
  await reload(bo!);
  expect(await bo!.draws()).toBe("o...x....");
  await playOut([ana!, bo!], [8, 2, 5, 1]);
  await bo!.seesEnd("o");
  await ana!.seesEnd("o");
});

test("the host reloads in the middle of a game and has its seat and every mark again", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4]);
  await reload(ana!);
  await bo!.marks(0);
  await ana!.sees(0, "o");
  await playOut([ana!, bo!], [3, 8, 5]);
  for (const each of [ana!, bo!]) await each.seesEnd("x");
});

test("both reload at once and play on", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4, 0]);
  await Promise.all([reload(ana!), reload(bo!)]);
  for (const each of [ana!, bo!]) await each.sees(4, "x");
  await playOut([ana!, bo!], [3, 1, 5]);
  for (const each of [ana!, bo!]) await each.seesEnd("x");
});

test("everything is closed, comes back later, and the same match goes on", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  const url = await sitDown(addressOf("with-server"), [ana!, bo!]);
  await playOut([ana!, bo!], [4, 0]);
  await bo!.page.close({ runBeforeUnload: false });
  await ana!.marks(3);
  await ana!.sees(3, "x");
  await ana!.page.close({ runBeforeUnload: false });

  const [first, second] = await tabs(context, ["Later", "Latest"]);
  await first!.accepts(url);
  await second!.accepts(url);
  for (const each of [first!, second!]) {
    await each.seesPhase("live");
    await each.sees(3, "x");
    expect(await each.draws()).toBe("o..xx....");
  }
});

test("with three tabs the host reloads and comes back as one of them, while the others never stop", async ({ context }) => {
  const [ana, bo, cy] = await tabs(context, ["Ana", "Bo", "Cy"]);
  const url = await sitDown(addressOf("with-server"), [ana!, bo!]);
  await cy!.accepts(url, "watch");
  await playOut([ana!, bo!], [4], { watchers: [cy!] });
  const reloading = reload(ana!);
  await bo!.marks(0);
  for (const each of [bo!, cy!]) await each.sees(0, "o");
  await reloading;
  await playOut([ana!, bo!], [3, 8, 5], { watchers: [cy!] });
  await reload(cy!);
  for (const each of [ana!, bo!, cy!]) await each.seesEnd("x");
});
