// The example bot as a process of its own: it outlives its host and its own end by force, and says what it needs and what it is told.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ticTacToe, type Action, type TicTacToe } from "../../demo/tic-tac-toe.ts";
import { openMatch, type Match } from "../index.ts";
import { startServer } from "../server/index.ts";
import { nodeOptions } from "./node-options.ts";

let built = "";
beforeAll(async () => {
  built = resolve("dist", `bot-test-${process.pid}`);
  const lib = { entry: { bot: resolve("demo/examples/bot.ts") }, formats: ["es" as const] };
  await build({ publicDir: false, configFile: false, logLevel: "warn", build: { outDir: built, emptyOutDir: true, minify: false, target: "node20", lib, rollupOptions: { external: /^[^./]/u } } });
}, 60_000);
afterAll(() => rm(built, { recursive: true, force: true }));

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A bot that runs. */
class Bot {
  readonly #process: ChildProcess;
  readonly #said: string[] = [];
  #heard = (): void => {};
  readonly ended: Promise<number | null>;

  constructor(link: string, args: readonly string[]) {
    this.#process = spawn(process.execPath, [join(built, "bot.js"), link, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => {
        this.#said.push(line);
        this.#heard();
      });
    }
    this.ended = once(this.#process, "close").then(([code]: (number | null)[]) => code ?? null);
    void this.ended.then(() => this.#heard());
    ends.push(() => this.dies());
  }

  /** The first line that matches, said already or to come. */
  async says(pattern: RegExp): Promise<string> {
    for (;;) {
      const line = this.#said.find((one) => pattern.test(one));
      if (line !== undefined) return line;
      if (this.#process.exitCode !== null) throw new Error(`the bot ended: ${this.#said.join(" | ")}`);
      await new Promise<void>((done) => (this.#heard = done));
    }
  }

  async dies(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.ended;
  }
}

type Table = Match<TicTacToe, Action>;

/** Resolves once it holds of the match. */
const until = (match: Table, holds: () => boolean): Promise<void> =>
  new Promise((done) => {
    let offs: (() => void)[] = [];
    const look = (): void => {
      if (!holds()) return;
      for (const off of offs) off();
      done();
    };
    offs = [match.confirmed.listen(look), match.status.listen(look), match.players.listen(look)];
    look();
  });

const marksOf = (match: Table, seat: number): number => match.confirmed.get().board.filter((cell) => cell === seat).length;

/** Marks the first free cell, and waits for the answer of whoever sits at 1. */
async function exchange(match: Table): Promise<void> {
  const before = marksOf(match, 1);
  await until(match, () => match.status.get().phase === "live");
  expect(await match.play({ type: "mark", cell: match.confirmed.get().board.indexOf(null) })).toMatchObject({ outcome: "committed" });
  await until(match, () => marksOf(match, 1) > before || match.confirmed.get().turn === null);
}

async function room(): Promise<{ readonly link: string; readonly folder: string; readonly sits: (name: string) => Promise<Table> }> {
  const server = await startServer({ port: 0 });
  ends.push(() => server.close());
  const folder = await mkdtemp(join(tmpdir(), "flotilla-bot-"));
  ends.push(() => rm(folder, { recursive: true, force: true }));
  const link = `${server.url}/#room=bots&key=abcdefghijklmnopqrstuvwxyz`;
  const sits = async (name: string): Promise<Table> => {
    const match = await openMatch({ game: ticTacToe, name, room: link, signaling: server.url, ...(await nodeOptions()) });
    ends.push(() => match.leave());
    return match;
  };
  return { link, folder: join(folder, "bot"), sits };
}

test("a bot whose host leaves keeps the match for the next who comes, and killed in the middle comes back to its own seat", async () => {
  const { link, folder, sits } = await room();
  const host = await sits("host");
  const bot = new Bot(link, ["--folder", folder]);
  await bot.says(/somebody new/u);
  const seated = await bot.says(/^I sit at 1, as /u);
  await exchange(host);
  const { board } = host.confirmed.get();
  await host.leave();
  const next = await sits("next");
  await until(next, () => next.status.get().seat === 0);
  expect(next.confirmed.get().board).toEqual(board);
  await exchange(next);
  await bot.dies();
  const again = new Bot(link, ["--folder", folder]);
  await again.says(/^I was here before/u);
  expect(await again.says(/^I sit at 1, as /u)).toBe(seated);
  await exchange(next);
}, 120_000);

test("a bot that is put out says why and ends; one without an invitation or a server says what is missing", async () => {
  const { link, folder, sits } = await room();
  const host = await sits("host");
  const bot = new Bot(link, ["--folder", folder]);
  const peer = (await bot.says(/^I sit at 1, as /u)).split(" as ")[1]!;
  await until(host, () => host.status.get().phase === "live");
  await host.kick(host.players.get().find((player) => player.peer === peer)!.peer, "no bots");
  await bot.says(/^it is over: .*no bots/u);
  expect(await bot.ended).toBe(0);
  const lost = new Bot("http://127.0.0.1:9/#room=bots", []);
  await lost.says(/names no server/u);
  expect(await lost.ended).toBe(1);
}, 120_000);
