// Tabs at the table of fixtures/table.html, where everybody may speak at any time.
import { expect, type Locator, type Page } from "@playwright/test";
import { addressOf } from "./pages.ts";

/** What `window.match` is to these journeys. */
interface TableMatch {
  play(action: { readonly word: string }): Promise<{ readonly outcome: string; readonly reason?: string }>;
  kick(peer: string, reason?: string): Promise<void>;
  rematch(): Promise<void>;
  leave(): Promise<void>;
}
type TableWindow = Window & { readonly match: TableMatch };

/** One person at the table. */
export class Guest {
  readonly page: Page;
  readonly name: string;

  constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
  }

  get body(): Locator {
    return this.page.locator("body");
  }

  /** Goes to the table of a room and waits for a seat, or for a place to watch from. */
  async comes(room: string, { seats, watch = false, signaling = false, relay }: { readonly seats: number; readonly watch?: boolean; readonly signaling?: boolean; readonly relay?: "always" }): Promise<void> {
    const server = signaling ? `&signaling=${encodeURIComponent(addressOf("with-server").replace("http", "ws"))}` : "";
    await this.page.goto(`${addressOf("static-only")}/fixtures/table.html#room=${room}&seats=${seats}&name=${this.name}${watch ? "&watch" : ""}${server}${relay === undefined ? "" : `&relay=${relay}`}`);
    await expect(this.body).toHaveAttribute("data-phase", /waiting|live/u, { timeout: 60_000 });
  }

  /** Says a word and waits until it is agreed on. */
  async says(word: string): Promise<void> {
    const answer = await this.page.evaluate((said) => (window as unknown as TableWindow).match.play({ word: said }), word);
    expect(answer).toMatchObject({ outcome: "committed" });
  }

  /** Asks for another game with the same people, and waits until it has begun. */
  async wantsAnother(): Promise<void> {
    await this.page.evaluate(() => (window as unknown as TableWindow).match.rematch());
  }

  /** Whether this tab leads. */
  async leads(): Promise<boolean> {
    return (await this.body.getAttribute("data-leads")) === "true";
  }

  async sees(attribute: string, value: string | RegExp): Promise<void> {
    await expect(this.body).toHaveAttribute(`data-${attribute}`, value, { timeout: 60_000 });
  }

  async attribute(name: string): Promise<string> {
    return (await this.body.getAttribute(`data-${name}`)) ?? "";
  }

  async kicks(other: Guest, reason: string): Promise<void> {
    const peer = await other.attribute("self");
    await this.page.evaluate(([id, why]) => (window as unknown as TableWindow).match.kick(id!, why), [peer, reason]);
  }
}

/** All sit and vote. */
export async function isSet(guests: readonly Guest[], voters = guests.length): Promise<void> {
  for (const guest of guests) {
    await guest.sees("phase", "live");
    await guest.sees("voters", String(voters));
  }
  expect(new Set(await Promise.all(guests.map((guest) => guest.attribute("seat")))).size, "everybody has a seat of their own").toBe(guests.length);
}

/** The one who leads, once exactly one does and all agree on the term. */
export async function leaderOf(guests: readonly Guest[]): Promise<Guest> {
  let leader: Guest | undefined;
  await expect.poll(async () => {
    const [leads, terms] = await Promise.all([Promise.all(guests.map((guest) => guest.leads())), Promise.all(guests.map((guest) => guest.attribute("term")))]);
    leader = guests[leads.indexOf(true)];
    return leads.filter(Boolean).length === 1 && new Set(terms).size === 1;
  }, { timeout: 60_000 }).toBe(true);
  return leader!;
}
