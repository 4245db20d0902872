// The goodbye of a host whose data channels are dead by the time its page goes: it leaves over signaling too, sealed, and is believed for its seal alone.
import { expect } from "@playwright/test";
import { addressOf, playOut, type Player, sitDown, strangers, tabs, test } from "./pages.ts";

/** From now on nothing this page sends over a data channel arrives, and nothing says so. */
async function muteLinks(player: Player): Promise<void> {
  await player.page.evaluate(() => {
    RTCDataChannel.prototype.send = (): void => {};
    // What ends a link by itself is a goodbye too.
    RTCPeerConnection.prototype.close = (): void => {};
    RTCDataChannel.prototype.close = (): void => {};
  });
}

/** The seat's owner marks, having been told to lead by a vote that was given away: in the very next term, with no election of its own. */
async function leadsByGrant(player: Player, term: number): Promise<void> {
  await expect(player.status).toHaveAttribute("data-leads", "true", { timeout: 10_000 });
  expect(Number(await player.status.getAttribute("data-term"))).toBe(term + 1);
}

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
