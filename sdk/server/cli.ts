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
  console.log(`  signaling: ${server.url.replace(/^http/u, "ws")}/signal${options.staticDir === undefined ? " (no pages are served: --static DIR)" : ""}`);
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
async function openCore({ secretFile, dataDir, gameFile, ...named }: CoreArguments, onRecordsLost: () => void): Promise<CoreOptions> {
  const secret = new TextEncoder().encode((await readFile(secretFile, "utf8")).trim());
  const rules = gameFile === undefined ? {} : await loadRules(gameFile);
  return { ...named, ...rules, secret, storage: await FileByteStore.open(dataDir), onRecordsLost };
}

/** What a module says of a core: its game, and who may come in. */
async function loadRules(file: string): Promise<Pick<CoreOptions, "run" | "admit" | "admitRoom">> {
  const module: unknown = await import(pathToFileURL(resolve(file)).href).catch((cause: unknown) => {
    throw new InvalidArgumentError(`--game: ${file} can not be loaded as a module (name it .mjs, or have "type": "module" in its package.json): ${cause instanceof Error ? cause.message : String(cause)}`);
  });
  const { game, admit, admitRoom }: Readonly<Record<string, unknown>> = { ...(typeof module === "object" ? module : {}) };
  if (!isGame(game)) throw new InvalidArgumentError(`${file} does not export "game", made by defineGame`);
  if (!isRule<CoreOptions["admit"]>(admit)) throw new InvalidArgumentError(`${file} exports "admit", and it is no function`);
  if (!isRule<CoreOptions["admitRoom"]>(admitRoom)) throw new InvalidArgumentError(`${file} exports "admitRoom", and it is no function`);
  return { run: coreGame(game, { logger }), admit, admitRoom };
}

/** What a function of somebody's takes and gives can not be seen from outside: its answers are looked at. */
function isRule<Rule>(value: unknown): value is Rule | undefined {
  return value === undefined || typeof value === "function";
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
    if (options.staticDir !== undefined && !existsSync(options.staticDir)) throw new InvalidArgumentError(`--static: there is no folder ${options.staticDir}`);
    run(options).catch(fail);
  } catch (error) {
    fail(error);
    console.error("flotilla-server --help lists the options");
  }
}

function fail(error: unknown): void {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}

main();
