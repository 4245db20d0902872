// An owner that hangs, freezes or dies, and the next one: whatever the old tab still tries when it wakes changes nothing. In a real browser, through the script tag.
import { expect, type Page } from "@playwright/test";
import { dropProfile, newProfile, OwnBrowser, setLifecycle } from "./own-browser.ts";
import { addressOf, freshRoom, test } from "./pages.ts";

interface Seen {
  readonly epoch: number;
  readonly found: readonly string[];
  readonly acknowledged: readonly string[];
  readonly written: readonly string[];
  readonly refused: readonly string[];
  readonly others: readonly string[];
}

interface Stored {
  readonly raw: readonly string[];
  readonly fence: { readonly owner: string; readonly epoch: number };
  readonly isHeld: boolean;
}

/** One tab of the fixture. */
class Owner {
  readonly page: Page;
  readonly name: string;

  private constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
  }

  static async open(browser: OwnBrowser, place: string, name: string): Promise<Owner> {
    const page = await browser.tab();
    page.on("pageerror", (error) => expect.soft(error, "the page threw").toBeUndefined());
    await page.goto(`${addressOf("static-only")}/fixtures/fence.html#place=${place}&owner=${name}`);
    return new Owner(page, name);
  }

  owns(how: "hold" | "takeOver"): Promise<number> {
    return this.page.evaluate((way) => (globalThis as unknown as { own(how: string): Promise<number> }).own(way), how);
  }

  /** Writes from now on, until it was refused ten times. */
  async streams(): Promise<void> {
    await this.page.evaluate("void stream()");
  }

  /** Has nothing under way any more, and goes on when it wakes from being frozen. */
  async pauses(): Promise<void> {
    await this.page.evaluate("pauseUntilThawed()");
  }

  // A top-level `const` of a script is a name, not a property of the window.
  seen(): Promise<Seen> {
    return this.page.evaluate("({ ...seen })");
  }

  stored(): Promise<Stored> {
    return this.page.evaluate("stored()");
  }

  async hasWritten(atLeast: number): Promise<void> {
    await expect.poll(async () => (await this.seen()).written.length, { intervals: [5] }).toBeGreaterThanOrEqual(atLeast);
  }

  async isRefused(times: number): Promise<void> {
    await expect.poll(async () => (await this.seen()).refused.length).toBeGreaterThanOrEqual(times);
  }
}

async function inBrowser(run: (browser: OwnBrowser, place: string) => Promise<void>): Promise<void> {
  const profile = await newProfile();
  const browser = await OwnBrowser.launch(profile);
  try {
    await run(browser, freshRoom());
  } finally {
    await browser.close();
    await dropProfile(profile);
  }
}

const from = (owner: Owner, ids: readonly string[]): string[] => ids.filter((id) => id.startsWith(`${owner.name}-`));

/** What the older owner ever got into the store is what the next one found when it took over. */
async function judge(older: Owner, next: Owner, mayFail?: RegExp): Promise<void> {
  const [old, now] = [await older.seen(), await next.seen()];
  expect(new Set(old.refused)).toEqual(new Set([`${old.epoch} after ${now.epoch}`]));
  expect([...old.others.filter((error) => !mayFail?.test(error)), ...now.others]).toEqual([]);
  // One more than it heard of, when it was stopped between a write and its answer.
  const found = from(older, now.found);
  expect(found.slice(0, old.acknowledged.length)).toEqual(old.acknowledged);
  expect(found.length - old.acknowledged.length).toBeLessThanOrEqual(1);
  const raw = from(older, (await next.stored()).raw);
  expect(raw.length - old.written.length).toBeLessThanOrEqual(1);
  expect(new Set([...raw, ...old.written]).size).toBe(raw.length);
}

test("a tab that was frozen between two writes changes nothing after another one took over, and is told so", async () => {
  await inBrowser(async (browser, place) => {
    const owners = [await Owner.open(browser, place, "owner0")];
    expect(await owners[0]!.owns("hold")).toBe(1);
    await owners[0]!.streams();
    for (let round = 1; round <= 4; round += 1) {
      const older = owners[round - 1]!;
      const next = await Owner.open(browser, place, `owner${round}`);
      await older.hasWritten(10 + round * 7);
      await older.pauses();
      await setLifecycle(older.page, "frozen");
      expect(await next.owns("takeOver")).toBe(round + 1);
      await next.streams();
      await next.hasWritten(20);
      const before = from(older, (await next.stored()).raw);
      await setLifecycle(older.page, "active");
      await older.isRefused(10);
      expect(from(older, (await next.stored()).raw)).toEqual(before);
      await judge(older, next);
      owners.push(next);
    }
    // All of them try once more.
    const last = owners.at(-1)!;
    const { raw } = await last.stored();
    for (const owner of owners.slice(0, -1)) {
      await owner.streams();
      await owner.isRefused(20);
      expect(from(owner, (await last.stored()).raw)).toEqual(from(owner, raw));
    }
  });
});

test("a tab that was frozen in the middle of a transaction holds up the next owner until the browser ends that, and changes nothing when it wakes", async () => {
  await inBrowser(async (browser, place) => {
    const older = await Owner.open(browser, place, "older");
    await older.owns("hold");
    await older.streams();
    await older.hasWritten(30);
    const next = await Owner.open(browser, place, "next");
    await setLifecycle(older.page, "frozen");
    // Chromium gives up on a transaction that nobody went on with for about a minute.
    expect(await next.owns("takeOver")).toBe(2);
    await setLifecycle(older.page, "active");
    await older.isRefused(10);
    await judge(older, next, /^storage-unavailable: .*inactivity/);
  });
});

test("a tab that is taken over while it writes is refused from one write to the next", async () => {
  await inBrowser(async (browser, place) => {
    const older = await Owner.open(browser, place, "older");
    await older.owns("hold");
    await older.streams();
    await older.hasWritten(30);
    const next = await Owner.open(browser, place, "next");
    expect(await next.owns("takeOver")).toBe(2);
    await older.isRefused(10);
    await judge(older, next);
  });
});

test("who waits for a live owner is let in when its tab is closed, its frozen tab is closed, or its renderer dies", async () => {
  await inBrowser(async (browser, place) => {
    let owner = await Owner.open(browser, place, "owner0");
    expect(await owner.owns("hold")).toBe(1);
    const ends: readonly ((page: Page) => Promise<void>)[] = [
      (page) => page.close({ runBeforeUnload: false }),
      async (page) => {
        await setLifecycle(page, "frozen");
        await page.close({ runBeforeUnload: false });
      },
      crash,
    ];
    for (const [at, end] of ends.entries()) {
      await owner.streams();
      await owner.hasWritten(10);
      const next = await Owner.open(browser, place, `owner${at + 1}`);
      expect(await next.stored()).toMatchObject({ isHeld: true, fence: { epoch: at + 1 } });
      let isIn = false;
      const waiting = next.owns("hold").then((epoch) => {
        isIn = true;
        return epoch;
      });
      await owner.hasWritten((await owner.seen()).written.length + 10);
      expect(isIn).toBe(false);
      const { acknowledged } = await owner.seen();
      await end(owner.page);
      expect(await waiting).toBe(at + 2);
      expect((await next.seen()).found).toEqual(expect.arrayContaining([...acknowledged]));
      owner = next;
    }
  });
});

/** Ends the process behind a tab at once. */
async function crash(page: Page): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const crashed = new Promise<void>((resolve) => page.once("crash", () => resolve()));
  void session.send("Page.crash").catch(() => {});
  await crashed;
  await page.close().catch(() => {});
}
