// Tabs and browsers killed at random points of a stream of moves: nothing that was promised is lost, nothing happens twice, no vote is forgotten.
import { expect, type Page } from "@playwright/test";
import { crashRenderer, dropProfile, newProfile, OwnBrowser } from "./own-browser.ts";
import { addressOf, freshRoom, test } from "./pages.ts";

/** Crashes of each kind; the full number is for `npm run crash`. */
const CRASHES = Number(process.env["CRASHES"] ?? 3);
const MOVES = Number(process.env["CRASH_MOVES"] ?? 500);
/** Where the random points come from; the same ones in every run unless asked otherwise. */
const SEED = Number(process.env["CRASH_SEED"] ?? 20261121);

/** A small generator (mulberry32), so that a seed names the run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** Everything the tabs of one room ever said, over all their lives. */
class Witness {
  readonly promised = new Set<string>();
  readonly leaders = new Map<number, Set<string>>();
  readonly failures: string[] = [];

  hear(page: Page): Page {
    page.on("console", (line) => {
      const [stream, word, first = "", second = ""] = line.text().split(" ");
      if (stream !== "stream") return;
      if (word === "promised") this.promised.add(first);
      if (word === "failed") this.failures.push(line.text());
      if (word !== "leads") return;
      const leaders = this.leaders.get(Number(first)) ?? new Set();
      this.leaders.set(Number(first), leaders.add(second));
    });
    page.on("pageerror", (error) => this.failures.push(String(error)));
    return page;
  }

  /** The words of one room, checked against what its tabs show now. */
  async judge(pages: readonly Page[]): Promise<void> {
    await expect.poll(async () => new Set(await Promise.all(pages.map((page) => movesOf(page).then((moves) => moves.join())))).size).toBe(1);
    const moves = await movesOf(pages[0]!);
    expect(this.failures).toEqual([]);
    expect(moves.length, "no move is applied twice").toBe(new Set(moves).size);
    expect([...this.promised].filter((id) => !moves.includes(id)), "no promised move is lost").toEqual([]);
    for (const [term, leaders] of this.leaders) expect([...leaders], `one leader in term ${term}`).toHaveLength(1);
    expect(this.promised.size).toBeGreaterThan(0);
  }
}

const movesOf = (page: Page): Promise<string[]> => page.evaluate(() => (window as unknown as { movesOf: () => string[] }).movesOf());
const countOf = async (page: Page): Promise<number> => Number(await page.locator("body").getAttribute("data-count", { timeout: 60_000 }));

class Room {
  readonly witness = new Witness();
  readonly url: string;

  constructor(more = "") {
    this.url = `${addressOf("static-only")}/fixtures/stream.html#room=${freshRoom()}&moves=${MOVES}${more}`;
  }

  async enter(browser: OwnBrowser): Promise<Page> {
    const page = this.witness.hear(await browser.context.newPage());
    await page.goto(this.url);
    return page;
  }

  /** Both play again, with their seats. */
  async isWhole(pages: readonly Page[], storage: "indexeddb" | "memory" = "indexeddb"): Promise<void> {
    for (const page of pages) {
      await expect(page.locator("body")).toHaveAttribute("data-phase", "live", { timeout: 60_000 });
      await expect(page.locator("body")).toHaveAttribute("data-storage", storage);
    }
    expect(new Set(await Promise.all(pages.map((page) => page.locator("body").getAttribute("data-seat")))).size).toBe(2);
  }

  /** Waits until the stream is `more` moves further. */
  async advances(page: Page, more: number): Promise<void> {
    const from = await countOf(page);
    await expect.poll(() => countOf(page), { timeout: 60_000, intervals: [5] }).toBeGreaterThanOrEqual(Math.min(MOVES, from + more));
  }
}

async function onProfile(run: (profile: string) => Promise<void>): Promise<void> {
  const profile = await newProfile();
  try {
    await run(profile);
  } finally {
    await dropProfile(profile);
  }
}

test.describe("crashes in a stream of moves", () => {
  test.setTimeout(120_000 + CRASHES * 60_000);

  test(`the renderer of one of two tabs dies ${CRASHES} times`, async () => {
    await onProfile(async (profile) => {
      const random = randomFrom(SEED);
      const room = new Room();
      const browser = await OwnBrowser.launch(profile);
      try {
        const pages = [await room.enter(browser), await room.enter(browser)];
        await room.isWhole(pages);
        for (let crash = 0; crash < CRASHES; crash += 1) {
          const victim = random() < 0.5 ? 0 : 1;
          await room.advances(pages[1 - victim]!, Math.floor((random() * MOVES) / CRASHES / 2));
          await crashRenderer(pages[victim]!);
          pages[victim] = await room.enter(browser);
          await room.isWhole(pages);
        }
        await room.advances(pages[0]!, MOVES);
        await room.witness.judge(pages);
      } finally {
        await browser.close();
      }
    });
  });

  test(`the whole browser is killed ${CRASHES} times and started again on its profile`, async () => {
    await onProfile(async (profile) => {
      const random = randomFrom(SEED + 1);
      const room = new Room();
      let browser = await OwnBrowser.launch(profile);
      try {
        let pages = [await room.enter(browser), await room.enter(browser)];
        await room.isWhole(pages);
        for (let crash = 0; crash < CRASHES; crash += 1) {
          await room.advances(pages[0]!, Math.floor((random() * MOVES) / CRASHES / 2));
          await browser.kill();
          browser = await OwnBrowser.launch(profile);
          pages = [await room.enter(browser), await room.enter(browser)];
          await room.isWhole(pages);
        }
        await room.advances(pages[0]!, MOVES);
        await room.witness.judge(pages);
      } finally {
        await browser.close();
      }
    });
  });

  test("what is kept in memory only is lost with the browser, and the witness says so", async () => {
    await onProfile(async (profile) => {
      const room = new Room("&storage=memory");
      let browser = await OwnBrowser.launch(profile);
      try {
        const pages = [await room.enter(browser), await room.enter(browser)];
        await room.isWhole(pages, "memory");
        await room.advances(pages[0]!, 20);
        await browser.kill();
        browser = await OwnBrowser.launch(profile);
        const later = [await room.enter(browser), await room.enter(browser)];
        await room.isWhole(later, "memory");
        await room.advances(later[0]!, MOVES);
        await expect(room.witness.judge(later)).rejects.toThrow(/no promised move is lost/);
      } finally {
        await browser.close();
      }
    });
  });
});
