#!/usr/bin/env node
// Starts the server from the command line.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { InvalidArgumentError } from "../base/index.ts";
import type { DefinedGame } from "../game/index.ts";
import { FileByteStore } from "../node/index.ts";
import { readArguments, USAGE, type CliOptions, type CoreArguments } from "./cli-options.ts";
import { coreGame } from "./core-game.ts";
import type { CoreOptions } from "./core.ts";
import { startServer } from "./server.ts";

const logger = { error: console.error, info: () => {}, debug: () => {} };

async function run({ core, ...options }: CliOptions): Promise<void> {
  let stop = (_code: number): void => {};
  const opened = core === undefined ? undefined : await openCore(core, () => stop(1));
  const server = await startServer({ ...options, core: opened, logger }).catch(async (error: unknown) => {
    await opened?.storage.close();
    throw error;
  });
  console.log(`Flotilla is running: ${server.url}`);
  stop = (code) => {
    stop = () => {};
    server.close().then(() => opened?.storage.close()).then(
      () => process.exit(code),
      () => process.exit(1),
    );
  };
  process.once("SIGINT", () => stop(0));
  process.once("SIGTERM", () => stop(0));
}

/** Opens the records last, so that nothing that is wrong before leaves them open. */
async function openCore({ id, processes, secretFile, dataDir, gameFile, joins }: CoreArguments, onRecordsLost: () => void): Promise<CoreOptions> {
  const secret = new TextEncoder().encode((await readFile(secretFile, "utf8")).trim());
  const runGame = gameFile === undefined ? undefined : coreGame(await loadGame(gameFile), { logger });
  return { id, processes, secret, joins, run: runGame, storage: await FileByteStore.open(dataDir), onRecordsLost };
}

async function loadGame(file: string): Promise<DefinedGame<unknown, unknown>> {
  const module: unknown = await import(pathToFileURL(resolve(file)).href);
  const game = typeof module === "object" && module !== null && "game" in module ? module.game : undefined;
  if (!isGame(game)) throw new InvalidArgumentError(`${file} does not export "game", made by defineGame`);
  return game;
}

function isGame(value: unknown): value is DefinedGame<unknown, unknown> {
  return typeof value === "object" && value !== null && "rules" in value && "actions" in value && "states" in value;
}

function main(): void {
  const demo = join(dirname(fileURLToPath(import.meta.url)), "demo");
  try {
    const options = readArguments(process.argv.slice(2), existsSync(demo) ? demo : undefined);
    if (options === "help") {
      console.log(USAGE);
      return;
    }
    run(options).catch(fail);
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

main();
