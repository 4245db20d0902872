// Three servers as three processes of this machine, to be killed and started again.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** What `/core.json` says of the one room of a journey. */
export interface CoreView {
  readonly linked: readonly string[];
  readonly rooms: readonly { readonly role: string; readonly leader?: string; readonly commitIndex: number; readonly game?: { readonly count: number; readonly digest: string } }[];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** The processes of one core; `a`, `b` and `c`. */
export class CoreProcesses {
  readonly names = ["a", "b", "c"] as const;
  readonly #folder: string;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #running = new Map<string, ChildProcess>();

  private constructor(folder: string, ports: ReadonlyMap<string, number>) {
    this.#folder = folder;
    this.#ports = ports;
  }

  static async start(): Promise<CoreProcesses> {
    const folder = await mkdtemp(join(tmpdir(), "flotilla-core-"));
    await writeFile(join(folder, "secret"), "the secret of three processes");
    const core = new CoreProcesses(folder, new Map([["a", await freePort()], ["b", await freePort()], ["c", await freePort()]]));
    await Promise.all(core.names.map((name) => core.start(name)));
    return core;
  }

  /** What a tab is given. */
  get endpoints(): readonly string[] {
    return [...this.#ports.values()].map((port) => `ws://127.0.0.1:${port}`);
  }

  async start(name: string): Promise<void> {
    const processes = [...this.#ports].map(([other, port]) => `${other}=ws://127.0.0.1:${port}`).join();
    const args = ["--port", String(this.#ports.get(name)), "--core-id", name, "--core", processes, "--core-secret-file", join(this.#folder, "secret"), "--data", join(this.#folder, name), "--game", join(ROOT, "e2e/fixtures/core-game.mjs")];
    const child = spawn(process.execPath, [join(ROOT, "dist/server-cli.js"), ...args], { stdio: ["ignore", "pipe", "inherit"] });
    this.#running.set(name, child);
    const ended = once(child, "exit").then(() => Promise.reject(new Error(`the process ${name} ended instead of starting`)));
    await Promise.race([once(child.stdout!, "data"), ended]);
    ended.catch(() => {});
  }

  /** As `kill -9`: nothing is flushed, nobody is told. */
  async kill(name: string): Promise<void> {
    const child = this.#running.get(name);
    this.#running.delete(name);
    if (child === undefined) throw new Error(`no process of the name ${JSON.stringify(name)} runs`);
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  async view(name: string): Promise<CoreView> {
    const answer = await fetch(`http://127.0.0.1:${this.#ports.get(name)}/core.json`);
    return (await answer.json()) as CoreView;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.kill(name)));
    await rm(this.#folder, { recursive: true, force: true });
  }
}
