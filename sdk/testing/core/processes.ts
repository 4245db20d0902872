// The processes of a core as they really run: built, started from the command line with records on disk, and ended by force.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "vite";
import type { CoreRoomStatus } from "../../server/index.ts";

/** What `/core.json` says. */
export interface CoreHealth {
  readonly core: string;
  readonly linked: readonly string[];
  readonly rooms: readonly CoreRoomStatus[];
}

/** How one is run otherwise than the others. */
export interface RunOptions {
  /** The folder of its records. Default: named as it is. */
  readonly data?: string | undefined;
  /** Names that others took the place of: the place keeps its port. */
  readonly replaced?: Readonly<Record<string, string>> | undefined;
  readonly joins?: boolean | undefined;
}

const BUILT = resolve("dist/core-test");

/** Builds the server and the game it is given, once per run. */
export async function buildServer(): Promise<void> {
  const lib = { publicDir: false, configFile: false, logLevel: "warn" } as const;
  const external = [/^ws$/, /^classic-level$/, /^node:/];
  await build({ ...lib, build: { outDir: BUILT, emptyOutDir: true, minify: false, target: "node20", lib: { entry: { "server-cli": resolve("sdk/server/cli.ts"), rules: resolve("sdk/testing/core/rules.ts") }, formats: ["es"] }, rollupOptions: { external } } });
}

/** A core of processes. */
export class CoreProcesses {
  readonly names: readonly string[];
  readonly endpoints: readonly string[];
  readonly #home: string;
  readonly #running = new Map<string, ChildProcess>();
  readonly #ports: readonly number[];

  private constructor(home: string, ports: readonly number[]) {
    this.#home = home;
    this.#ports = ports;
    this.names = ports.map((_, at) => String.fromCharCode(97 + at));
    this.endpoints = ports.map((port) => `ws://127.0.0.1:${port}/core`);
  }

  /** Starts `size` of them, and waits until they serve. */
  static async start(size = 3): Promise<CoreProcesses> {
    const home = await mkdtemp(join(tmpdir(), "flotilla-core-"));
    await writeFile(join(home, "secret"), "a secret of this test alone\n");
    const core = new CoreProcesses(home, await freePorts(size));
    await Promise.all(core.names.map((name) => core.run(name)));
    return core;
  }

  /** Runs one; resolves when it serves. Rejects with what it said when it ends instead. */
  async run(name: string, { data = name, replaced = {}, joins = false }: RunOptions = {}): Promise<void> {
    const list = this.names.map((other, at) => `${replaced[other] ?? other}=ws://127.0.0.1:${this.#ports[at]}`).join();
    const args = ["--port", String(this.#portOf(name)), "--core-id", replaced[name] ?? name, "--core", list, "--core-secret-file", join(this.#home, "secret"), "--data", join(this.#home, data), "--game", join(BUILT, "rules.js"), ...(joins ? ["--core-joins"] : [])];
    const child = spawn(process.execPath, [join(BUILT, "server-cli.js"), ...args], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    await new Promise<void>((done, fail) => {
      const hear = (text: Buffer): void => {
        said += text.toString();
        if (said.includes("Flotilla is running")) done();
      };
      child.stdout.on("data", hear);
      child.stderr.on("data", hear);
      child.once("close", () => fail(new Error(said)));
    });
    this.#running.set(name, child);
  }

  /** Ends one: `SIGKILL` in the middle of whatever it does, `SIGTERM` in an orderly way. Resolves with its exit code once it is gone. */
  async end(name: string, signal: "SIGKILL" | "SIGTERM"): Promise<number | null> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    if (child === undefined) return null;
    if (child.exitCode !== null) return child.exitCode;
    const ended = new Promise<number | null>((done) => child.once("close", done));
    child.kill(signal);
    return ended;
  }

  /** The exit code of one that is to end by itself. */
  async exitOf(name: string): Promise<number | null> {
    const child = this.#running.get(name);
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    return new Promise((done) => child.once("close", done));
  }

  /** What one says of itself; undefined when it does not run. */
  async health(name: string): Promise<CoreHealth | undefined> {
    if (!this.#running.has(name)) return undefined;
    const answer = await fetch(`http://127.0.0.1:${this.#portOf(name)}/core.json`);
    return (await answer.json()) as CoreHealth;
  }

  /** Who leads the only room. */
  async leader(): Promise<string> {
    for (;;) {
      for (const name of this.names) if ((await this.health(name))?.rooms[0]?.role === "leader") return name;
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  /** Ends all of them by force, and removes their records. */
  async close(): Promise<void> {
    await Promise.all(this.names.map((name) => this.end(name, "SIGKILL")));
    await rm(this.#home, { recursive: true, force: true });
  }

  #portOf(name: string): number {
    return this.#ports[this.names.indexOf(name)] ?? 0;
  }
}

/** Held all at once, so that no two are the same; let go before they are used. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
    const address = server.address();
    ports.push(typeof address === "object" && address !== null ? address.port : 0);
  }
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
