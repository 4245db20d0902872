// The transport contract against a real nats-server, over WebSocket as browsers speak to it. Starts the server itself; says why where there is none.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { wsconnect, type NatsConnection } from "@nats-io/nats-core";
import { afterAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { fromUtf8, utf8 } from "../base/index.ts";
import { describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { encodeCallFrame } from "./call-frames.ts";
import { NatsTransport } from "./nats-transport.ts";
import { transportContract, type TransportHarness } from "./transport.contract.ts";
import type { TransportLimits } from "./transport.ts";

const INSTALL_MS_MAX = 120_000;

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

interface Running {
  readonly url: string;
  readonly process: ChildProcess;
}

/** A server on free ports, without anything that outlives it. */
async function startServer(path: string, folder: string): Promise<Running> {
  const config = join(folder, "nats.conf");
  writeFileSync(config, "host: 127.0.0.1\nport: -1\nwebsocket { host: \"127.0.0.1\", port: -1, no_tls: true }\n");
  const started = spawn(path, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  const url = await new Promise<string>((resolve, reject) => {
    started.once("error", reject);
    started.once("exit", () => reject(new Error(said)));
    started.stderr.on("data", (chunk: Buffer) => {
      said += String(chunk);
      const found = /websocket clients on (ws:\S+)/u.exec(said)?.[1];
      if (found !== undefined && said.includes("Server is ready")) resolve(found);
    });
  });
  return { url, process: started };
}

const path = findServer();
const folder = mkdtempSync(join(tmpdir(), "flotilla-nats-"));
const running = path === undefined ? undefined : await startServer(path, folder);
const gap = running === undefined ? "no nats-server on this machine, and none could be installed (apt-get install nats-server)" : undefined;
if (gap !== undefined) process.stderr.write(`the NATS transport is not tested: ${gap}\n`);

const connections: NatsConnection[] = [];

async function connect(): Promise<NatsConnection> {
  const connection = await wsconnect({
    servers: running?.url ?? "",
    reconnect: false,
    wsFactory: async (url) => ({ socket: new WebSocket(url) as unknown as globalThis.WebSocket, encrypted: false }),
  });
  connections.push(connection);
  return connection;
}

afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  running?.process.kill();
  rmSync(folder, { recursive: true, force: true });
});

let opened = 0;

async function pair(limits: TransportLimits = {}) {
  const [near, far] = await Promise.all([connect(), connect()]);
  const clock = new VirtualClock();
  const prefix = `test-${(opened += 1)}`;
  const common = { clock, wallClock: () => 1_000_000 + clock.now(), prefix, ...limits };
  const caller = new NatsTransport({ ...common, connection: near, id: "caller" });
  const server = new NatsTransport({ ...common, connection: far, id: "server" });
  // There and back again on both: whatever was on its way has arrived.
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 2; round += 1) for (const connection of [near, far]) if (!connection.isClosed()) await connection.flush();
  };
  const advance = async (ms: number): Promise<void> => {
    await settle();
    await clock.advance(ms);
    await settle();
  };
  await settle();
  return { caller, server, near, far, prefix, clock, advance, wallMs: common.wallClock };
}

const harness: TransportHarness = { open: (limits) => pair(limits) };
describeContract("NatsTransport", transportContract.map((obligation) => ({ ...obligation, unless: () => gap })), harness);

describe.skipIf(gap !== undefined)(`[CL26] over a NATS server${gap === undefined ? "" : ` — not here: ${gap}`}`, () => {
  const hello = { shard: 1, type: "t", data: utf8("hello") };

  test("an owner whose connection breaks costs its callers the handler's limit and five seconds, and nobody can be reached afterwards", async () => {
    const { caller, server, far, advance } = await pair({ handlerTimeoutMs: 1_000 });
    let isEntered = (): void => {};
    const entered = new Promise<void>((resolve) => { isEntered = resolve; });
    await server.subscribe(1, () => new Promise(() => isEntered()));
    const call = caller.request(hello).catch((error: { readonly code: string }) => error.code);
    await entered;
    await far.close();
    await advance(6_100);
    expect(await call).toBe("handler-timeout");
    await expect(caller.request(hello)).rejects.toMatchObject({ code: "no-shard-subscriber" });
  });

  test("a call reaches one of several owners of a shard", async () => {
    const { caller, server, far, prefix, clock } = await pair();
    const other = new NatsTransport({ connection: far, id: "other", prefix, clock, wallClock: () => 1_000_000 });
    let handled = 0;
    for (const transport of [server, other]) await transport.subscribe(1, async ({ data }) => { handled += 1; return data; });
    for (let call = 0; call < 20; call += 1) expect(fromUtf8(await caller.request(hello))).toBe("hello");
    expect(handled).toBe(20);
  });

  test("what is no answer is dropped and counted, and what is larger than the server takes is refused", async () => {
    const { caller, server, far, prefix, advance } = await pair();
    await server.subscribe(1, async ({ data }) => (data.length > 10 ? new Uint8Array(2_000_000) : data));
    far.publish(`${prefix}.caller.caller.7`, Uint8Array.of(99));
    far.publish(`${prefix}.caller.caller.8`, encodeCallFrame({ type: "answer", id: 8, outcome: { bytes: utf8("to nothing") } }));
    far.publish(`${prefix}.shard.1`, Uint8Array.of(1, 2, 3));
    await advance(0);
    expect([caller.messagesDropped, server.messagesDropped]).toEqual([2, 1]);
    await expect(caller.request({ ...hello, data: new Uint8Array(2_000_000) })).rejects.toMatchObject({ code: "payload-too-large" });
    await expect(caller.request({ ...hello, data: new Uint8Array(100) })).rejects.toMatchObject({ code: "handler-failed", message: expect.stringContaining("larger than") });
    expect(fromUtf8(await caller.request(hello))).toBe("hello");
  });

  test("an id that is no part of a subject is refused", async () => {
    const connection = await connect();
    const clock = new VirtualClock();
    for (const bad of ["", "a.b", "a b", "*", "x".repeat(65)]) expect(() => new NatsTransport({ connection, id: bad, clock, wallClock: () => 0 })).toThrow(/part of a subject/u);
  });
});
