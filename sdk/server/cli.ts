#!/usr/bin/env node
// Starts the server from the command line.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readArguments, USAGE } from "./cli-options.ts";
import { startServer, type ServerOptions } from "./server.ts";

async function run(options: ServerOptions): Promise<void> {
  const server = await startServer({ ...options, logger: { error: console.error, info: () => {}, debug: () => {} } });
  console.log(`Flotilla is running: ${server.url}`);
  const stop = (): void => {
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
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
