// The demo on a phone and at night: everything fits, is large enough to touch and stays readable. Attaches pictures to look at.
import { type BrowserContextOptions, devices, expect } from "@playwright/test";
import { addressOf, type Player, playOut, strangers, test } from "./pages.ts";

const TOUCH_PX_MIN = 44;
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true, userAgent: devices["Pixel 7"].userAgent };
const LOOKS: readonly (readonly [name: string, options: BrowserContextOptions])[] = [
  ["on a desktop", { viewport: { width: 1200, height: 860 } }],
  ["at night", { viewport: { width: 1200, height: 860 }, colorScheme: "dark" }],
  ["on a phone", PHONE],
  ["on a phone at night with reduced motion", { ...PHONE, colorScheme: "dark", reducedMotion: "reduce" }],
  ["on a very narrow phone", { ...PHONE, viewport: { width: 320, height: 568 } }],
];

async function picture(player: Player, name: string): Promise<void> {
  await test.info().attach(`${player.name} ${name}`, { body: await player.page.screenshot({ fullPage: true }), contentType: "image/png" });
}

async function fits(player: Player): Promise<void> {
  const { wide, view, small } = await player.page.evaluate((least) => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const seen = [...document.querySelectorAll<HTMLElement>("button, a, input:not([type='checkbox']), label.check")].filter((button) => button.checkVisibility());
    return { wide: scrollWidth, view: clientWidth, small: seen.filter((button) => Math.round(button.getBoundingClientRect().height) < least).map((button) => button.outerHTML) };
  }, TOUCH_PX_MIN);
  expect(wide, "nothing sticks out sideways").toBeLessThanOrEqual(view);
  expect(small, "everything to touch is large enough").toEqual([]);
}

/** Contrast of the computed text colour against the page, by the WCAG formula. */
async function contrast(player: Player, selector: string): Promise<number> {
  return player.page.locator(selector).first().evaluate((element) => {
    const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
    const luminance = (colour: string): number => {
      paint.fillStyle = colour;
      paint.fillRect(0, 0, 1, 1);
      const [red, green, blue] = [...paint.getImageData(0, 0, 1, 1).data].map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
    };
    const [one, two] = [luminance(getComputedStyle(element).color), luminance(getComputedStyle(document.documentElement).backgroundColor)];
    return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  });
}

for (const [name, options] of LOOKS) {
  test(`${name}, everything fits, can be touched and can be read`, async ({ browser }) => {
    const [ana, bo] = await strangers(browser, ["Ana", "Bartholomew of the Long Name"], options);
    await ana!.page.goto(addressOf("with-server"));
    await fits(ana!);
    await picture(ana!, "in the lobby");
    const url = await ana!.creates(addressOf("with-server"));
    await fits(ana!);
    for (const readable of [".invite-code", ".invite .hint"]) expect(await contrast(ana!, readable), readable).toBeGreaterThanOrEqual(4.5);
    await picture(ana!, "waiting for somebody");
    await bo!.accepts(url);
    for (const player of [ana!, bo!]) await player.seesTurn("open");
    await playOut([ana!, bo!], [4, 0, 2, 8]);
    await ana!.triesToMark(4);
    await expect(ana!.notice).not.toHaveText("");
    await ana!.page.getByTestId("chat-text").fill(`Good luck${"!".repeat(150)}`);
    await ana!.page.getByTestId("chat-text").press("Enter");
    await bo!.page.getByRole("button", { name: "Ahoy!" }).click();
    await expect(ana!.page.getByTestId("chat-lines")).toContainText("Ahoy!");
    await ana!.page.getByTestId("inspect").click();
    await expect(ana!.page.getByTestId("peer")).toHaveCount(2);
    for (const readable of [".chat-lines [data-mark=x] .chat-name", ".chat-lines [data-mark=o] .chat-name", "#chat-hint", ".peer-role", ".entry-term", ".inspector-facts dt", "#kill"]) expect(await contrast(ana!, readable), readable).toBeGreaterThanOrEqual(4.5);
    await fits(ana!);
    await picture(ana!, "below deck");
    await ana!.page.getByTestId("freeze").click();
    await expect(ana!.page.getByTestId("still-end")).toBeFocused();
    await fits(ana!);
    await ana!.page.keyboard.press("Enter");
    await expect(ana!.page.getByTestId("still")).toBeHidden();
    for (const readable of ["#headline", "#notice", ".player-about", ".fact dt", "#story li"]) expect(await contrast(ana!, readable), readable).toBeGreaterThanOrEqual(4.5);
    await playOut([ana!, bo!], [6]);
    for (const player of [ana!, bo!]) {
      await fits(player);
      await picture(player, "at the end of a round");
    }
  });
}
