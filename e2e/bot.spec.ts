// A program plays with a tab, over the relay of the server, and a page for streams follows. The program is a process of its own, and is killed as one.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, type Page, test } from "@playwright/test";
import { addressOf, Player } from "./pages.ts";

const BOT = fileURLToPath(new URL("../dist/examples/bot.js", import.meta.url));

/** A bot that runs, and what it said so far. */
class Bot {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(link: string, args: readonly string[] = []) {
    this.#process = spawn(process.execPath, [BOT, link, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        for (const look of this.#waiting) look();
      });
    }
  }

  /** The first line that matches, said already or to come. */
  async says(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.#lines.find((one) => pattern.test(one));
      if (line !== undefined) return line;
      if (this.#process.exitCode !== null) throw new Error(`the bot ended: ${this.#lines.join(" | ")}`);
      await new Promise<void>((done) => {
        const look = (): void => {
          this.#waiting.delete(look);
          done();
        };
        this.#waiting.add(look);
        this.#process.once("exit", look);
      });
    }
  }

  /** Ends it without a word, as a crash does. */
  async dies(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await gone;
  }
}

let bots: Bot[] = [];
let folder = "";

function start(link: string, args: readonly string[] = []): Bot {
  const bot = new Bot(link, args);
  bots.push(bot);
  return bot;
}

test.beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flotilla-bot-"));
});

test.afterEach(async () => {
  await Promise.all(bots.map((bot) => bot.dies()));
  bots = [];
  await rm(folder, { recursive: true, force: true });
});

const boardOf = (page: Page): Promise<string> => page.locator("[data-cell]").evaluateAll((cells) => cells.map((cell) => (cell instanceof HTMLElement ? cell.dataset["mark"] || "." : "?")).join(""));
const shownOn = (page: Page): Promise<string> => page.locator("[data-testid^='shown-']").evaluateAll((cells) => cells.map((cell) => (cell instanceof HTMLElement ? cell.dataset["mark"] || "." : "?")).join(""));
const count = (board: string, mark: "x" | "o"): number => board.split(mark).length - 1;

/** The person marks the first free cell; the bot answers, unless the round ended. */
async function marksNext(ana: Player): Promise<string> {
  const before = await boardOf(ana.page);
  await ana.marks(before.indexOf("."));
  await expect.poll(async () => {
    const board = await boardOf(ana.page);
    return count(board, "x") > count(before, "x") && (count(board, "o") > count(before, "o") || (await ana.page.getByTestId("rematch").isVisible()));
  }, { timeout: 60_000 }).toBe(true);
  return boardOf(ana.page);
}

test("a program sits down at the table of a tab and plays a whole game; killed in the middle, it comes back as the same player; a stream follows", async ({ browser }) => {
  const context = await browser.newContext();
  const ana = new Player(await context.newPage(), "Ana");
  const link = await ana.creates(addressOf("with-server"));
  const bot = start(link, ["--folder", join(folder, "bot")]);
  await bot.says(/somebody new/u);
  const seated = await bot.says(/^I sit at 1, as /u);
  await expect(ana.status).toHaveAttribute("data-relayed", "1");
  const stream = await (await browser.newContext()).newPage();
  await stream.goto(`${addressOf("with-server")}/overlay.html${new URL(link).hash}`);
  await expect(stream.getByTestId("names")).toContainText("Ana");
  await expect(stream.getByTestId("names")).toContainText("Bot");

  const first = await marksNext(ana);
  await expect.poll(() => shownOn(stream)).toBe(first);

  await bot.dies();
  const again = start(link, ["--folder", join(folder, "bot")]);
  await again.says(/^I was here before/u);
  expect(await again.says(/^I sit at 1, as /u)).toBe(seated);
  for (let board = first; !(await ana.page.getByTestId("rematch").isVisible()); ) {
    board = await marksNext(ana);
    await expect.poll(() => shownOn(stream)).toBe(board);
  }
  await expect(stream.getByTestId("said")).toContainText(/wins round 1|is a draw/u);
  await context.close();
});

test("a program that keeps nothing says that it comes as somebody new, each time", async ({ page }) => {
  const ana = new Player(page, "Ana");
  const link = await ana.creates(addressOf("with-server"));
  const bot = start(link);
  await bot.says(/nothing is kept: I come as somebody new/u);
  const seated = await bot.says(/^I sit at 1, as /u);
  await bot.dies();
  const again = start(link);
  const comes = await again.says(/^I (sit|watch)/u);
  expect(comes.split(" as ")[1]).not.toBe(seated.split(" as ")[1]);
});
