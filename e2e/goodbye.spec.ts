// The goodbye of a host whose data channels are dead by the time its page goes: it leaves over signaling too, sealed, and is believed for its seal alone.
import { expect } from "@playwright/test";
import { addressOf, leadsByGrant, muteLinks, playOut, sitDown, strangers, tabs, test } from "./pages.ts";

for (const way of ["BroadcastChannel", "the server"] as const) {
  test(`a host whose links are dead hands over by ${way}`, async ({ context, browser }) => {
    const [ana, bo] = way === "BroadcastChannel" ? await tabs(context, ["Ana", "Bo"]) : await strangers(browser, ["Ana", "Bo"]);
    await sitDown(addressOf("with-server"), [ana!, bo!]);
    await playOut([ana!, bo!], [4]);
    await expect(ana!.status).toHaveAttribute("data-leads", "true");
    const term = Number(await bo!.status.getAttribute("data-term"));
    await muteLinks(ana!);
    await ana!.page.goto("about:blank");
    await leadsByGrant(bo!, term);
  });
}
