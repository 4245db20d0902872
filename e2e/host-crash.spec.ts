// The host of two crashes without a word: the other stops, goes on when it says so, and the host finds its seat in what went on.
import { expect } from "@playwright/test";
import { dropProfile, newProfile, OwnBrowser } from "./own-browser.ts";
import { addressOf, Player, playOut, sitDown, strangers, test, watched } from "./pages.ts";

test("a host that crashed is waited for, and the match goes on where it was when it is back", async () => {
  const profile = await newProfile();
  let browser = await OwnBrowser.launch(profile);
  const other = await newProfile();
  const second = await OwnBrowser.launch(other);
  try {
    const ana = new Player(watched(await browser.tab()), "Ana");
    const bo = new Player(watched(await second.tab()), "Bo");
    const url = await sitDown(addressOf("with-server"), [ana, bo]);
    await playOut([ana, bo], [4]);
    await expect(ana.status).toHaveAttribute("data-leads", "true");
    await browser.kill();
    await bo.seesPhase("no-quorum");
    browser = await OwnBrowser.launch(profile);
    const again = new Player(watched(await browser.tab()), "Ana");
    await again.accepts(url);
    await again.seesPhase("live");
    await again.sees(4, "x");
    await playOut([bo, again], [0, 8], { marks: ["o", "x"] });
  } finally {
    await Promise.all([browser.close(), second.close()]);
    await Promise.all([profile, other].map(dropProfile));
  }
});

test("who does not want to wait goes on alone, and the host that comes back sits in its seat of what went on", async ({ browser: players }) => {
  const profile = await newProfile();
  let browser = await OwnBrowser.launch(profile);
  try {
    const ana = new Player(watched(await browser.tab()), "Ana");
    const [bo] = await strangers(players, ["Bo"]);
    const url = await sitDown(addressOf("with-server"), [ana, bo!]);
    await playOut([ana, bo!], [4]);
    await expect(ana.status).toHaveAttribute("data-leads", "true");
    await browser.kill();
    await bo!.seesPhase("no-quorum");
    await bo!.page.getByTestId("go-on").click();
    await bo!.seesPhase("live");
    await expect(bo!.status).toHaveAttribute("data-epoch", "2");
    await bo!.sees(4, "x");
    await bo!.marks(0);
    await bo!.sees(0, "o");

    browser = await OwnBrowser.launch(profile);
    const again = new Player(watched(await browser.tab()), "Ana");
    await again.accepts(url);
    await again.seesPhase("live");
    await again.sees(0, "o");
    await expect(again.status).toHaveAttribute("data-seat", "0");
    await expect(again.status).toHaveAttribute("data-epoch", "2");
    await playOut([again, bo!], [8, 2]);
  } finally {
    await browser.close();
    await dropProfile(profile);
  }
});
