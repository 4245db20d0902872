// The built demo as files on any static host: the tabs of one browser find each other without any server.
import { expect } from "@playwright/test";
import { addressOf, ownContext, Player, playOut, sitDown, tabs, test } from "./pages.ts";

test("tabs of one browser play with nothing behind them but static files", async ({ context }) => {
  const sockets: string[] = [];
  context.on("page", (page) => page.on("websocket", (socket) => sockets.push(socket.url())));
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await sitDown(addressOf("static-only"), [ana!, bo!]);
  await playOut([ana!, bo!], [0, 4, 1, 8, 2]);
  for (const player of [ana!, bo!]) await player.seesEnd("x");
  expect(sockets).toEqual([]);
});

test("a friend may type the code instead of opening the link", async ({ context }) => {
  const [ana, bo] = await tabs(context, ["Ana", "Bo"]);
  await ana!.creates(addressOf("static-only"));
  const code = await ana!.page.getByTestId("room-code").innerText();
  await bo!.page.goto(addressOf("static-only"));
  await bo!.page.getByTestId("join").click();
  await expect(bo!.page.getByTestId("lobby-trouble")).toHaveText("Enter the code or the link somebody sent you.");
  await bo!.page.getByTestId("code").fill(code);
  await bo!.page.getByTestId("join").click();
  await playOut([ana!, bo!], [4, 0]);
});

test("the link can be copied from the card and from the top of the page", async ({ browser }) => {
  const context = await ownContext(browser, { permissions: ["clipboard-read", "clipboard-write"] });
  const ana = new Player(await context.newPage(), "Ana");
  const url = await ana.creates(addressOf("static-only"));
  await ana.page.getByTestId("invite-copy").click();
  await expect(ana.page.getByText("Copied. Now send it.")).toBeVisible();
  expect(await ana.page.evaluate(() => navigator.clipboard.readText())).toBe(url);
});

test("leaving goes back to the first screen, and starting again makes another room", async ({ context }) => {
  const [ana] = await tabs(context, ["Ana"]);
  const first = await ana!.creates(addressOf("static-only"));
  await ana!.page.getByTestId("leave").click();
  await expect(ana!.page.getByTestId("create")).toBeVisible();
  expect(new URL(ana!.page.url()).hash).toBe("");
  await ana!.page.getByTestId("create").click();
  await expect(ana!.page.getByTestId("invite")).toBeVisible();
  expect(await ana!.page.getByTestId("invite-url").inputValue()).not.toBe(first);
});
