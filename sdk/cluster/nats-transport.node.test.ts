// The transport contract against a real nats-server, over WebSocket as browsers speak to it. Starts the server itself; says why where there is none.
import { wsconnect, type NatsConnection } from "@nats-io/nats-core";
import { afterAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { NO_NATS_SERVER, startNats } from "../../e2e/nats-server.ts";
import { fromUtf8, utf8 } from "../base/index.ts";
import { describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { encodeCallFrame } from "./call-frames.ts";
import { NatsTransport } from "./nats-transport.ts";
import { natsPairs } from "./test-room.ts";
import { transportContract, type TransportHarness } from "./transport.contract.ts";

const running = await startNats();
const gap = running === undefined ? NO_NATS_SERVER : undefined;
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
  running?.stop();
});

const pair = natsPairs(connect);

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
