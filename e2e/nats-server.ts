// Finds a nats-server for the tests, or installs one, and starts it for WebSockets on this machine alone. Where there is none the tests say so.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestProject } from "vitest/node";

const INSTALL_MS_MAX = 120_000;

/** Why the tests over NATS are left out, where they are. */
export const NO_NATS_SERVER = "no nats-server on this machine, and none could be installed (apt-get install nats-server)";

/** A server that was started. */
export interface RunningNats {
  /** Where it takes WebSockets. */
  readonly url: string;
  /** Ends it, and leaves nothing behind. */
  stop(): void;
}

declare module "vitest" {
  interface ProvidedContext {
    /** Where a nats-server takes WebSockets; empty: there is none. */
    readonly natsUrl: string;
  }
}

/** Where `nats-server` is: on PATH, else installed from the system's packages. */
function findServer(): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin"];
  const there = (): string | undefined => folders.map((folder) => join(folder, "nats-server")).find((path) => existsSync(path));
  if (there() === undefined && process.getuid?.() === 0 && existsSync("/etc/debian_version")) {
    try {
      const options = { stdio: "ignore", timeout: INSTALL_MS_MAX, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } } as const;
      execFileSync("apt-get", ["update", "-qq"], options);
      execFileSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", "nats-server"], options);
    } catch {
      return undefined;
    }
  }
  return there();
}

/** A server on free ports, that does not outlive this process; undefined where there is none. */
export async function startNats(): Promise<RunningNats | undefined> {
  const path = findServer();
  if (path === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "flotilla-nats-"));
  const config = join(folder, "nats.conf");
  writeFileSync(config, "host: 127.0.0.1\nport: -1\nwebsocket { host: \"127.0.0.1\", port: -1, no_tls: true }\n");
  const server = spawn(path, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  const stop = (): void => {
    server.kill();
    rmSync(folder, { recursive: true, force: true });
    process.off("exit", stop);
  };
  process.on("exit", stop);
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    server.once("error", reject);
    server.once("exit", () => reject(new Error(`nats-server ended: ${said}`)));
    server.stderr.on("data", (chunk: Buffer) => {
      said += String(chunk);
      const found = /websocket clients on (ws:\S+)/u.exec(said)?.[1];
      if (found !== undefined && said.includes("Server is ready")) resolve(found);
    });
  }).catch((error: unknown) => {
    stop();
    throw error;
  });
  return { url, stop };
}

/** What Vitest does before the tests in a browser, and what it does afterwards: they find the address as `natsUrl`. */
export async function setup(project: TestProject): Promise<() => void> {
  const running = await startNats();
  if (running === undefined) process.stderr.write(`the NATS transport is not tested in a browser: ${NO_NATS_SERVER}\n`);
  project.provide("natsUrl", running?.url ?? "");
  return () => running?.stop();
}
