// What an invitation keeps from the server in the middle, and what a password keeps from somebody who has the invitation.
import { expect, type Page } from "@playwright/test";
import { drawnBy, readQr } from "./qr-reader.ts";
import { addressOf, ownContext, playOut, type Player, sitDown, strangers, tabs, test, watched } from "./pages.ts";

/** Everything this page ever sends to a server, and what comes back by WebSocket, as text in which every byte is a character. */
function tapped(page: Page): string[] {
  const seen: string[] = [];
  page.on("request", (request) => seen.push(request.url(), JSON.stringify(request.headers()), request.postDataBuffer()?.toString("latin1") ?? ""));
  page.on("websocket", (socket) => {
    seen.push(socket.url());
    const hear = ({ payload }: { readonly payload: string | Uint8Array }): void => void seen.push(typeof payload === "string" ? payload : new TextDecoder("latin1").decode(payload));
    socket.on("framesent", hear);
    socket.on("framereceived", hear);
  });
  return seen;
}

test("the server that brings two strangers together learns neither code nor secret, and reads nothing they say through it", async ({ browser }) => {
  const players = await strangers(browser, ["Ana", "Bo"]);
  const seen = players.map(({ page }) => tapped(page));
  const url = await sitDown(addressOf("with-server"), players);
  await playOut(players as [Player, Player], [4, 0]);

  const hash = new URLSearchParams(new URL(url).hash.slice(1));
  const [room, key] = [hash.get("room")!, hash.get("key")!];
  expect([room, key]).toEqual([expect.stringMatching(/^[0-9a-z]{8}$/u), expect.stringMatching(/^[0-9a-z]{26}$/u)]);
  const all = seen.flat().join("\n");
  expect(all).toContain("/signal?room=");
  // The frames are there: they name their senders, which is all the server has to know.
  expect(all.split("\n").filter((text) => text.charCodeAt(0) === 1).length).toBeGreaterThan(10);
  // What would be there in clear: descriptions and candidates are text.
  for (const word of [room, key, "fingerprint", "candidate", "ice-ufrag", "webrtc-datachannel"]) expect(all, word).not.toContain(word);
});

test("a stranger may type the code, which holds the secret", async ({ browser }) => {
  const [ana, bo] = await strangers(browser, ["Ana", "Bo"]);
  await ana!.creates(addressOf("with-server"));
  const code = await ana!.page.getByTestId("room-code").innerText();
  await bo!.page.goto(addressOf("with-server"));
  await bo!.page.getByTestId("code").fill(` ${code.toUpperCase()}`);
  await bo!.page.getByTestId("join").click();
  await playOut([ana!, bo!], [4, 0]);
  expect(new URL(bo!.page.url()).hash).toBe(new URL(ana!.page.url()).hash);
});

test("the QR code beside link and code is the whole link, and can be asked for while people play", async ({ browser }) => {
  const [ana, bo, cy] = await strangers(browser, ["Ana", "Bo", "Cy"]);
  const url = await ana!.creates(addressOf("with-server"));
  const scanned = async (player: Player): Promise<string> => {
    const code = player.page.getByRole("img", { name: "The invitation link as a QR code" });
    const side = Number((await code.getAttribute("viewBox"))!.split(" ")[2]) - 8;
    return readQr(drawnBy((await code.locator("path").getAttribute("d"))!, side));
  };
  expect(await scanned(ana!)).toBe(url);
  await expect(ana!.page.getByTestId("invite-code")).toHaveText(await ana!.page.getByTestId("room-code").innerText());
  await bo!.accepts(await scanned(ana!));
  await bo!.seesPhase("live");
  await expect(bo!.page.getByTestId("invite")).toBeHidden();
  await bo!.page.getByTestId("room-qr").click();
  await expect(bo!.page.getByTestId("invite")).toContainText("watches this match");
  await cy!.accepts(await scanned(bo!), "watch");
  await bo!.page.keyboard.press("Escape");
  await expect(bo!.page.getByTestId("invite")).toBeHidden();
  await expect(bo!.page.getByTestId("room-qr")).toBeFocused();
  await playOut([ana!, bo!], [4, 0], { watchers: [cy!] });
});

test("two who know only the name of a room meet in it, and not those who hold its secret", async ({ context }) => {
  const [ana, bo, cy] = await tabs(context, ["Ana", "Bo", "Cy"]);
  const url = await ana!.creates(addressOf("static-only"));
  const named = url.replace(/&key=.*$/u, "");
  await bo!.accepts(named);
  await cy!.accepts(named);
  await playOut([bo!, cy!], [4, 0]);
  expect(await ana!.draws()).toBe(".........");
});

const knock = async (page: Page, password: string): Promise<void> => {
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Come in" }).click();
};

for (const way of ["BroadcastChannel", "the server"] as const) {
  test(`a wrong password is told within seconds by ${way}, the right one opens, and nobody inside is disturbed`, async ({ browser }) => {
    const [first, second] = [await ownContext(browser), await ownContext(browser)];
    const [ana, bo] = [watched(await first.newPage()), watched(await (way === "BroadcastChannel" ? first : second).newPage())];
    const server = way === "BroadcastChannel" ? "" : `?signaling=${encodeURIComponent(addressOf("with-server").replace("http", "ws"))}`;
    const said = (page: Page): ReturnType<Page["getByRole"]> => page.getByRole("status");
    await ana.goto(`${addressOf("static-only")}/fixtures/password.html${server}`);
    await knock(ana, "high tide");
    await expect(said(ana)).toHaveText("waiting, 0 counted");
    const url = await ana.locator("#code").innerText();

    await bo.goto(url);
    for (const wrong of ["low tide", ""]) {
      await knock(bo, wrong);
      await expect(said(bo)).toHaveText("WrongPasswordError (wrong-password)");
      await expect(said(ana)).toHaveText("waiting, 0 counted");
    }
    await knock(bo, "high tide");
    for (const page of [ana, bo]) await expect(said(page)).toHaveText("live, 0 counted");
    await bo.evaluate(() => (window as unknown as { match: { play(action: object): Promise<unknown> } }).match.play({}));
    for (const page of [ana, bo]) await expect(said(page)).toHaveText("live, 1 counted");
  });
}
