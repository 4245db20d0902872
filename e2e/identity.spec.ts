// Somebody who changes the browser in the middle of a match: the seat goes along, the key does not.
import { expect, type Page } from "@playwright/test";
import { addressOf, ownContext, test, watched } from "./pages.ts";

interface Tally {
  play(action: object): Promise<{ readonly outcome: string }>;
  exportIdentity(passphrase: string): Promise<Uint8Array>;
  readonly status: { get(): { readonly seat: number | undefined; readonly selfId: string; readonly phase: string } };
}
type TallyWindow = Window & { readonly match: Tally; readonly returnAs?: object };

const said = (page: Page): ReturnType<Page["getByRole"]> => page.getByRole("status");
const statusOf = (page: Page): Promise<{ seat: number | undefined; selfId: string }> => page.evaluate(() => {
  const { seat, selfId } = (window as unknown as TallyWindow).match.status.get();
  return { seat, selfId };
});

async function comesIn(page: Page, url: string, returnAs?: { readonly file: number[]; readonly passphrase: string }): Promise<void> {
  await page.goto(url);
  await page.evaluate((given) => {
    if (given !== undefined) Object.assign(window, { returnAs: { file: Uint8Array.from(given.file), passphrase: given.passphrase } });
  }, returnAs);
  await page.getByRole("button", { name: "Come in" }).click();
}

test("a player goes on in another browser: the exported identity brings the seat, and only with its passphrase", async ({ browser }) => {
  const [ana, bo, later] = await Promise.all([1, 2, 3].map(async () => watched(await (await ownContext(browser)).newPage()))) as [Page, Page, Page];
  await comesIn(ana, `${addressOf("static-only")}/fixtures/password.html?signaling=${encodeURIComponent(addressOf("with-server").replace("http", "ws"))}`);
  await expect(said(ana)).toHaveText("waiting, 0 counted");
  const url = await ana.locator("#code").innerText();
  await comesIn(bo, url);
  for (const page of [ana, bo]) await expect(said(page)).toHaveText("live, 0 counted");
  await ana.evaluate(() => (window as unknown as TallyWindow).match.play({}));
  const before = await statusOf(ana);
  const file = await ana.evaluate(async () => [...(await (window as unknown as TallyWindow).match.exportIdentity("a long walk home"))]);
  await ana.close();

  await comesIn(later, url, { file, passphrase: "a short walk home" });
  await expect(said(later)).toHaveText("WrongPassphraseError (wrong-passphrase)");
  await comesIn(later, url, { file, passphrase: "a long walk home" });
  await expect(said(later)).toHaveText("live, 1 counted");
  await expect.poll(async () => (await statusOf(later)).seat, { timeout: 60_000 }).toBe(before.seat);
  expect((await statusOf(later)).selfId, "a peer of its own").not.toBe(before.selfId);
  expect(await later.evaluate(() => (window as unknown as TallyWindow).match.play({}))).toMatchObject({ outcome: "committed" });
  await expect(said(bo)).toHaveText("live, 2 counted");
});
