// "Try it from your phone": a page over plain http from another machine has no WebCrypto and no Web Locks, and plays with one that has.
import { type Browser, chromium, expect, type Page } from "@playwright/test";
import { findBrowser } from "./find-browser.ts";
import { addressOf, leadsByGrant, muteLinks, ownContext, playOut, type Player, strangers, test, watched } from "./pages.ts";

const PHONE = "phone.test";
const at = (host: string) => (url: string): string => url.replaceAll(/localhost|127\.0\.0\.1|phone\.test/gu, host);
/** An address by a name that is not this machine's own, as a phone has it. */
const fromPhone = at(PHONE);
const fromHere = at("127.0.0.1");

/** Journeys in a browser that finds this machine under a name which it does not take for its own. */
const onPhone = test.extend<object, { network: Browser }>({
  network: [
    // oxlint-disable-next-line no-empty-pattern -- Playwright reads the names in the pattern
    async ({}, use) => {
      const { args, ...launch } = findBrowser();
      const browser = await chromium.launch({ ...launch, args: [...args, `--host-resolver-rules=MAP ${PHONE} 127.0.0.1`] });
      await use(browser);
      await browser.close();
    },
    { scope: "worker" },
  ],
});

const hasCryptography = (page: Page): Promise<readonly boolean[]> => page.evaluate(() => [isSecureContext, "subtle" in crypto, "locks" in navigator]);

/** Each opens the page from where it is, and all see an open board. */
async function sitDownAt(host: readonly [Player, place: string], guest: readonly [Player, from: (url: string) => string]): Promise<void> {
  const url = await host[0].creates(host[1]);
  await guest[0].accepts(guest[1](url));
  for (const player of [host[0], guest[0]]) {
    await player.seesPhase("live");
    await player.seesTurn("open");
  }
}

onPhone("a phone on the local network plays a round with the tab on localhost that invited it, and is told that nothing is kept", async ({ network }) => {
  const [ana, bo] = (await strangers(network, ["Ana", "Bo"])) as [Player, Player];
  await sitDownAt([ana, fromHere(addressOf("with-server"))], [bo, fromPhone]);
  expect(await hasCryptography(ana.page)).toEqual([true, true, true]);
  expect(await hasCryptography(bo.page)).toEqual([false, false, false]);
  await playOut([ana, bo], [4, 0, 2, 8, 6]);
  for (const player of [ana, bo]) {
    await player.seesEnd("x");
    await expect(player.status).toHaveAttribute("data-peers", "2");
  }
  await expect(ana.status).toHaveAttribute("data-storage", "indexeddb");
  await expect(bo.status).toHaveAttribute("data-storage", "memory");
});

onPhone("a phone hosts, and when its links are dead and it goes away, its goodbye beside them is believed", async ({ network }) => {
  const [ana, bo] = (await strangers(network, ["Ana", "Bo"])) as [Player, Player];
  await sitDownAt([ana, fromPhone(addressOf("with-server"))], [bo, fromHere]);
  expect(await hasCryptography(ana.page)).toEqual([false, false, false]);
  await playOut([ana, bo], [4]);
  await expect(ana.status).toHaveAttribute("data-leads", "true");
  const term = Number(await bo.status.getAttribute("data-term"));
  await muteLinks(ana);
  await ana.page.goto("about:blank");
  await leadsByGrant(bo, term);
});

/** What an application's own page does, on the demo's start page, which opens nothing by itself. Answers with what came of it. */
async function knocks(page: Page, password: string, room?: string): Promise<string> {
  return page.evaluate(async (asked) => {
    const { Flotilla } = window as unknown as { Flotilla: { openMatch(options: object): Promise<{ readonly invite: { readonly code: string } }> } };
    const game = { name: "tally", setup: () => ({ count: 0 }), apply: ({ count }: { count: number }) => ({ count: count + 1 }) };
    try {
      const match = await Flotilla.openMatch({ ...asked, game, signaling: location.origin.replace("http", "ws") });
      Object.assign(window, { match });
      return match.invite.code;
    } catch (error) {
      return String((error as Error).name);
    }
  }, { password, room });
}

onPhone("a room with a password opens to a phone that has it, and to no other", async ({ network }) => {
  const [ana, bo] = (await Promise.all([1, 2].map(async () => watched(await (await ownContext(network)).newPage())))) as [Page, Page];
  await ana.goto(fromHere(addressOf("with-server")));
  await bo.goto(fromPhone(addressOf("with-server")));
  for (const page of [ana, bo]) await page.addScriptTag({ url: "/flotilla.global.js" });
  expect(await hasCryptography(bo)).toEqual([false, false, false]);
  const code = await knocks(ana, "high tide");
  expect(await knocks(bo, "low tide", code)).toBe("WrongPasswordError");
  expect(await knocks(bo, "high tide", code)).toBe(code);
  type TallyWindow = Window & { readonly match: { play(action: object): Promise<{ readonly outcome: string }> } };
  expect(await bo.evaluate(() => (window as unknown as TallyWindow).match.play({}))).toMatchObject({ outcome: "committed" });
});
