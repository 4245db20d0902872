// What a person does on the demo's pages and what they see there, in the words of the journeys. Waits on the page's state, never on time.
import { type Browser, type BrowserContext, type BrowserContextOptions, expect, type Locator, type Page, test as base } from "@playwright/test";

/** The two places the built demo is served from: by the bundled server, which also does the signaling, and as files alone. */
export function addressOf(place: "with-server" | "static-only"): string {
  const url = process.env[place === "with-server" ? "WITH_SERVER_URL" : "STATIC_ONLY_URL"];
  if (url === undefined) throw new Error("the servers of playwright.config.ts are not running");
  return url.replace("0.0.0.0", "127.0.0.1");
}

export type Mark = "x" | "o";

/** A room code that no other journey uses. */
export function freshRoom(): string {
  return `E2E${base.info().testId.replaceAll(/[^a-z0-9]/gi, "").slice(-8)}${Date.now().toString(36)}`.toUpperCase();
}

/** One tab of the demo in which somebody plays or watches. */
export class Player {
  readonly page: Page;
  readonly name: string;

  constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
  }

  get board(): Locator {
    return this.page.getByTestId("board");
  }

  get headline(): Locator {
    return this.page.getByTestId("headline");
  }

  get notice(): Locator {
    return this.page.getByTestId("notice");
  }

  get status(): Locator {
    return this.page.getByTestId("status");
  }

  get story(): Locator {
    return this.page.getByTestId("story");
  }

  cell(cell: number): Locator {
    return this.page.getByTestId(`cell-${cell}`);
  }

  /** Starts a game and returns the link to pass on. */
  async creates(address: string): Promise<string> {
    await this.page.goto(address);
    await this.page.getByTestId("name").fill(this.name);
    await this.page.getByTestId("create").click();
    await expect(this.page.getByTestId("invite")).toBeVisible();
    return this.page.getByTestId("invite-url").inputValue();
  }

  /** Opens an invitation and sits down, or only watches. */
  async accepts(url: string, how: "play" | "watch" = "play"): Promise<void> {
    await this.page.goto(url);
    await this.page.getByTestId("name").fill(this.name);
    if (how === "watch") await this.page.getByTestId("watch").check();
    await this.page.getByTestId("join").click();
    await expect(this.headline).toBeVisible();
  }

  async marks(cell: number): Promise<void> {
    await this.cell(cell).click();
  }

  /** Clicks a cell that the page shows as not playable, as an impatient person does. */
  async triesToMark(cell: number): Promise<void> {
    await this.cell(cell).click({ force: true });
  }

  async sees(cell: number, mark: Mark): Promise<void> {
    await this.page.locator(`[data-cell="${cell}"][data-mark="${mark}"][data-state="committed"]`).waitFor();
  }

  async seesTurn(turn: Mark | "open" | "over"): Promise<void> {
    await expect(this.board).toHaveAttribute("data-turn", turn);
  }

  async seesRound(round: number): Promise<void> {
    await expect(this.board).toHaveAttribute("data-round", String(round));
  }

  async seesEnd(winner: Mark | "draw"): Promise<void> {
    await expect(this.board).toHaveAttribute("data-winner", winner);
  }

  async seesPhase(phase: string | RegExp): Promise<void> {
    await expect(this.status).toHaveAttribute("data-phase", phase);
  }

  /** The board as nine characters: `x`, `o` and `.`. */
  async draws(): Promise<string> {
    const marks = await this.page.locator("[data-cell]").evaluateAll((cells) => cells.map((cell) => cell.getAttribute("data-mark") || "."));
    return marks.join("");
  }
}

/** Contexts made in the running journey; a worker runs one at a time. Playwright closes only its own. */
const opened: BrowserContext[] = [];

/** A journey. Afterwards every browser it made is closed, so that its tabs do not play on beside the next ones. */
export const test = base.extend<{ tidy: string }>({
  tidy: [
    async ({ browserName }, use) => {
      await use(browserName);
      await Promise.all(opened.splice(0).map((context) => context.close()));
    },
    { auto: true },
  ],
});

/** A context of its own, closed with the journey. */
export async function ownContext(browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  opened.push(context);
  return context;
}

/** A browser of its own, as of another person: shares nothing with the others but the network. */
export async function strangers(browser: Browser, names: readonly string[], options: BrowserContextOptions = {}): Promise<Player[]> {
  return Promise.all(names.map(async (name) => new Player(watched(await (await ownContext(browser, options)).newPage()), name)));
}

/** Tabs of one browser: they hear each other's BroadcastChannel. */
export async function tabs(context: BrowserContext, names: readonly string[]): Promise<Player[]> {
  return Promise.all(names.map(async (name) => new Player(watched(await context.newPage()), name)));
}

/** The same page; from now on an error nobody caught in it fails the journey, with its message. */
export function watched(page: Page): Page {
  page.on("pageerror", (error) => expect.soft(error, "the page threw").toBeUndefined());
  page.on("console", (line) => {
    if (/content security policy/i.test(line.text())) expect.soft(line.text(), "the page broke its own policy").toBe("");
  });
  return page;
}

/** The first creates a room, the others take a seat in turn; returns once all of them see an open board. */
export async function sitDown(address: string, players: readonly Player[]): Promise<string> {
  const [host, ...guests] = players;
  const url = await host!.creates(address);
  for (const guest of guests) await guest.accepts(url);
  for (const player of players) {
    await player.seesPhase("live");
    await player.seesTurn("open");
  }
  return url;
}

/** Plays the cells in order, the first by `players[0]`, and waits until everybody (watchers too) sees each mark committed. */
export async function playOut(players: readonly [Player, Player], cells: readonly number[], { marks = ["x", "o"], watchers = [] }: { readonly marks?: readonly [Mark, Mark]; readonly watchers?: readonly Player[] } = {}): Promise<void> {
  for (const [turn, cell] of cells.entries()) {
    await players[turn % 2]!.marks(cell);
    await Promise.all([...players, ...watchers].map((player) => player.sees(cell, marks[turn % 2]!)));
  }
}

/** From now on nothing this page sends over a data channel arrives, and nothing says so. */
export async function muteLinks(player: Player): Promise<void> {
  await player.page.evaluate(() => {
    RTCDataChannel.prototype.send = (): void => {};
    // What ends a link by itself is a goodbye too.
    RTCPeerConnection.prototype.close = (): void => {};
    RTCDataChannel.prototype.close = (): void => {};
  });
}

/** The seat's owner marks, having been told to lead by a vote that was given away: in the very next term, with no election of its own. */
export async function leadsByGrant(player: Player, term: number): Promise<void> {
  await expect(player.status).toHaveAttribute("data-leads", "true", { timeout: 10_000 });
  expect(Number(await player.status.getAttribute("data-term"))).toBe(term + 1);
}
