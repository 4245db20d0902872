// Envelopes, handlers, nodes and clients on the memory transport.
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromUtf8, jsonCodec, utf8 } from "../base/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { ClusterNode } from "./cluster-node.ts";
import { decodeEnvelope, encodeEnvelope, ENVELOPE_LIMITS, expired, getHeader, KEY_HEADER, ttl, validateEnvelope, withHeader, withTtl, type Envelope } from "./envelope.ts";
import { ShardMovedError } from "./errors.ts";
import { actorHandler, keyHandler, MAILBOX_MAX, scopedHandler } from "./handlers.ts";
import { MemoryTransport } from "./memory-transport.ts";
import { CLUSTER_METRICS, openTelemetryMetrics, promClientMetrics } from "./metrics.ts";
import { createRequest, messageTypeOf, ShardClient } from "./shard-client.ts";
import { createTestCluster } from "./test-cluster.ts";
import type { ShardHandler, Transport } from "./transport.ts";

const keyed = (key: string, text = ""): Envelope => ({ shard: 0, type: "t", data: utf8(text), headers: { [KEY_HEADER]: key } });
const never = new AbortController().signal;
const json = jsonCodec<unknown>();

test("[CL6] an envelope survives encoding, and other bytes are malformed", () => {
  fc.assert(fc.property(fc.record({ shard: fc.nat(), type: fc.string({ minLength: 1, maxLength: 20 }), data: fc.uint8Array({ maxLength: 40 }), headers: fc.dictionary(fc.string({ maxLength: 9 }), fc.string({ maxLength: 9 }), { maxKeys: 5 }), ttlMs: fc.nat(), createdAtMs: fc.nat(), replyTo: fc.string({ minLength: 1 }) }), (envelope) => {
    const back = decodeEnvelope(encodeEnvelope(envelope));
    expect({ ...back, headers: { ...back.headers } }).toEqual({ ...envelope, headers: { ...envelope.headers } });
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
    try {
      decodeEnvelope(bytes);
    } catch (error) {
      expect(error).toMatchObject({ code: "malformed" });
    }
  }), { numRuns: 500 });
});

test("[CL6] what is over the limits can not be sent", () => {
  const base: Envelope = { shard: 0, type: "t", data: utf8("") };
  const many = Object.fromEntries(Array.from({ length: ENVELOPE_LIMITS.headers + 1 }, (_, at) => [`h${at}`, ""]));
  const odd = [
    { shard: -1 }, { shard: 0.5 }, { type: "" }, { type: "x".repeat(257) }, { ttlMs: -1 }, { ttlMs: Number.NaN }, { ttlMs: Number.POSITIVE_INFINITY }, { createdAtMs: -5 },
    { createdAtMs: Number.NaN }, { headers: many }, { headers: { long: "x".repeat(5000) } }, { headers: { number: 5 as unknown as string } }, { data: "text" as unknown as Uint8Array },
  ];
  for (const bad of odd) expect(() => validateEnvelope({ ...base, ...bad })).toThrow(/,|header/);
  expect(() => validateEnvelope(base)).not.toThrow();
});

test("[CL7] reserved headers are refused and times to live end", () => {
  expect(() => withHeader("X-Clstr-Key", "v")).toThrow(/reserved/);
  const envelope = withTtl(100)(withHeader("a", "b")({ shard: 0, type: "t", data: utf8(""), createdAtMs: 1_000 }));
  expect(getHeader(envelope, "a")).toBe("b");
  expect(getHeader(envelope, "toString")).toBeUndefined();
  expect([ttl(envelope, 1_040), expired(envelope, 1_099), expired(envelope, 1_100)]).toEqual([60, false, true]);
  expect([ttl({ shard: 0, type: "t", data: utf8("") }, 9e9), expired({ ...envelope, ttlMs: 0 }, 9e9)]).toEqual([Number.POSITIVE_INFINITY, false]);
  for (const bad of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) expect(() => withTtl(bad)).toThrow(/time to live/);
});

test("[CL8] a keyed handler is made once per key and forgotten least recently used first", async () => {
  const made: string[] = [];
  const handler = keyHandler(async (key) => {
    made.push(key);
    return async () => utf8(key);
  }, 2);
  for (const key of ["a", "b", "a", "c", "a", "b"]) expect(fromUtf8((await handler(keyed(key), never)) ?? utf8(""))).toBe(key);
  expect(made).toEqual(["a", "b", "c", "b"]);
  await Promise.all(Array.from({ length: 10 }, () => handler(keyed("d"), never)));
  expect(made.filter((key) => key === "d")).toHaveLength(1);
  await expect(handler({ shard: 0, type: "t", data: utf8("") }, never)).rejects.toMatchObject({ code: "missing-key-header" });
});

test("[CL8] a handler whose making fails after it was forgotten takes no other along", async () => {
  let fail: (error: Error) => void = () => {};
  let made = 0;
  const handler = keyHandler((key) => {
    if (key !== "a") return async () => undefined;
    made += 1;
    return made === 1 ? new Promise<ShardHandler>((_, reject) => { fail = reject; }) : async () => utf8("ok");
  }, 1);
  const first = handler(keyed("a"), never);
  await handler(keyed("b"), never);
  expect(await handler(keyed("a"), never)).toEqual(utf8("ok"));
  fail(new Error("too late"));
  await expect(first).rejects.toThrow("too late");
  expect(await handler(keyed("a"), never)).toEqual(utf8("ok"));
  expect(made).toBe(2);
});

test("[CL8] ten thousand keys leave no more handlers than the cache holds, and a failed making is tried again", async () => {
  let alive = 0;
  const handler = scopedHandler({ extract: (envelope) => getHeader(envelope, KEY_HEADER) ?? "", create: () => { alive += 1; return async () => utf8("ok"); }, cacheSize: 100 });
  for (let key = 0; key < 10_000; key += 1) await handler(keyed(`k${key}`), never);
  expect(alive).toBe(10_000);
  for (let key = 9_900; key < 10_000; key += 1) await handler(keyed(`k${key}`), never);
  expect(alive).toBe(10_000);
  await handler(keyed("k9899"), never);
  expect(alive).toBe(10_001);
  let tries = 0;
  const flaky = keyHandler(async () => {
    tries += 1;
    if (tries === 1) throw new Error("not yet");
    return async () => utf8("ok");
  });
  await expect(flaky(keyed("a"), never)).rejects.toThrow("not yet");
  expect(await flaky(keyed("a"), never)).toEqual(utf8("ok"));
});

test("[CL9] an actor handles one message at a time, in order, also after one failed", async () => {
  const log: string[] = [];
  const handler = actorHandler((key) => async ({ data }) => {
    const text = fromUtf8(data);
    log.push(`${key}${text} in`);
    for (let turn = 0; turn < 5 - Number(text); turn += 1) await Promise.resolve();
    log.push(`${key}${text} out`);
    if (text === "1") throw new Error("one failed");
    return data;
  });
  const results = await Promise.allSettled(["1", "2", "3"].map((text) => handler(keyed("a", text), never)));
  expect(log).toEqual(["a1 in", "a1 out", "a2 in", "a2 out", "a3 in", "a3 out"]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
});

test("[CL9] an actor stays while messages wait for it, however many others come, and is made anew after a failed making", async () => {
  const made: string[] = [];
  const gates: (() => void)[] = [];
  const handler = actorHandler(async (key) => {
    made.push(key);
    if (made.length === 1) throw new Error("not yet");
    let count = 0;
    return async ({ data }) => {
      if (fromUtf8(data) === "slow") await new Promise<void>((resolve) => gates.push(resolve));
      return utf8(String((count += 1)));
    };
  }, 1);
  const failed = handler(keyed("a"), never);
  const [slow, quick] = [handler(keyed("a", "slow"), never), handler(keyed("a"), never)];
  await expect(failed).rejects.toThrow("not yet");
  for (const other of ["b", "c"]) expect(await handler(keyed(other), never)).toEqual(utf8("1"));
  gates[0]?.();
  expect([await slow, await quick]).toEqual([utf8("1"), utf8("2")]);
  expect(made).toEqual(["a", "a", "b", "c"]);
  await expect(handler({ shard: 0, type: "t", data: utf8("") }, never)).rejects.toMatchObject({ code: "missing-key-header" });
});

test("[CL9] a mailbox has a limit", async () => {
  const handler: ShardHandler = actorHandler(() => () => new Promise(() => {}));
  const waiting = Array.from({ length: MAILBOX_MAX }, () => handler(keyed("a"), never));
  await expect(handler(keyed("a"), never)).rejects.toMatchObject({ code: "overloaded" });
  expect(waiting).toHaveLength(MAILBOX_MAX);
});

test("[CL10] a node serves what it was told, says who it is, and stops with its signal", async () => {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock, wallClock: () => 0 });
  const client = new ShardClient({ transport, numShards: 8, clock, wallClock: () => 0, movedRetries: 0 });
  const node = new ClusterNode({ nodeId: "n1", transport, shards: [5, 1], handler: async ({ data }) => data, clock });
  const stop = new AbortController();
  const running = node.run(stop.signal);
  await node.setShards([1, 5, 6]);
  expect(await client.shard(6).getNodeInfo()).toEqual({ nodeId: "n1", shards: [1, 5, 6] });
  await node.setShards([6]);
  await expect(client.shard(1).getNodeInfo()).rejects.toMatchObject({ code: "no-shard-subscriber" });
  expect(await client.requestShard(6, { hello: 1 }, { type: "t" })).toEqual({ hello: 1 });
  await expect(node.run(stop.signal)).rejects.toThrow(/running already/);
  stop.abort();
  await running;
  await expect(client.shard(6).getNodeInfo()).rejects.toMatchObject({ code: "no-shard-subscriber" });
  expect(() => new ClusterNode({ nodeId: "", transport, shards: [], handler: async () => undefined, clock })).toThrow(/needs an id/);
  const made = [1, 2].map(() => new ClusterNode({ transport, shards: [], handler: async () => undefined }).nodeId);
  for (const id of made) expect(id).toMatch(/^node-[0-9a-z]{10}$/);
  expect(made[0]).not.toBe(made[1]);
  expect(new ClusterNode({ transport, shards: [], handler: async () => undefined, clock, makeId: () => "x" }).nodeId).toBe("node-x");
});

test("[CL10] shards are subscribed side by side, and one that fails is told and costs no other", async () => {
  const clock = new VirtualClock();
  const inner = new MemoryTransport({ clock, wallClock: () => 0 });
  let waiting = 0;
  const most: number[] = [];
  const transport: Transport = {
    request: (envelope, options) => inner.request(envelope, options),
    notify: (envelope, options) => inner.notify(envelope, options),
    close: () => inner.close(),
    subscribe: async (shard, handler) => {
      most.push((waiting += 1));
      await new Promise<void>((resolve) => void clock.after(50, resolve));
      waiting -= 1;
      if (shard === 7) throw new Error("no such subject");
      return inner.subscribe(shard, handler);
    },
  };
  const node = new ClusterNode({ nodeId: "n", transport, shards: [], handler: async ({ data }) => data, clock });
  const stop = new AbortController();
  const running = node.run(stop.signal);
  await clock.advance(0);
  const serving = node.setShards(Array.from({ length: 8 }, (_, shard) => shard));
  const failed = serving.then(() => "served", (error: Error) => error.message);
  for (let turn = 0; turn < 2; turn += 1) await clock.advance(50);
  expect(await failed).toBe("no such subject");
  expect([Math.max(...most), node.shards]).toEqual([8, [0, 1, 2, 3, 4, 5, 6]]);
  stop.abort();
  await running;
});

test("[CL11] an owner that has nothing to say answers nothing, and one that answers nonsense is not believed", async () => {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock, wallClock: () => 0 });
  const client = new ShardClient({ transport, numShards: 4, clock, wallClock: () => 0 });
  await transport.subscribe(0, async () => undefined);
  expect(await client.requestShard(0, {}, { type: "t" })).toBeUndefined();
  for (const nonsense of ["{", "5", "{}", '{"nodeId":1,"shards":[]}', '{"nodeId":"n","shards":["0"]}']) {
    await transport.subscribe(1, async () => utf8(nonsense));
    await expect(client.shard(1).getNodeInfo()).rejects.toMatchObject({ code: "malformed" });
  }
  for (const nowhere of [-1, 4, 0.5]) await expect(client.requestShard(nowhere, {}, { type: "t" })).rejects.toMatchObject({ code: "invalid-argument" });
});

test("[CL7] reserved headers are refused however they are set", async () => {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock, wallClock: () => 0 });
  const client = new ShardClient({ transport, numShards: 1, clock, wallClock: () => 0, envelopeOptions: [(envelope) => ({ ...envelope, headers: { "X-Clstr-Epoch": "9" } })] });
  await expect(client.requestShard(0, {}, { type: "t" })).rejects.toMatchObject({ code: "reserved-header" });
});

test("[CL12] what a handler's own calls met is its failure: nothing of that is taken for a refusal, and the call is not made again", async () => {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock, wallClock: () => 0 });
  const client = new ShardClient({ transport, numShards: 4, clock, wallClock: () => 0, movedRetries: 1 });
  let handled = 0;
  await transport.subscribe(0, async () => {
    handled += 1;
    await client.requestShard(1, {}, { type: "t" });
    return undefined;
  });
  await transport.subscribe(2, async () => {
    handled += 1;
    await transport.notify({ shard: 3, type: "t", data: utf8("") });
    return undefined;
  });
  for (const shard of [0, 2]) {
    const outer = client.requestShard(shard, {}, { type: "t" }).catch((error: unknown) => error);
    for (let turn = 0; turn < 3; turn += 1) await clock.advance(1_000);
    expect(await outer).toMatchObject({ code: "handler-failed", message: `nobody serves shard ${shard + 1}` });
  }
  expect(handled).toBe(2);
  await transport.subscribe(1, async () => { throw new ShardMovedError(1); });
  const moved = client.requestShard(0, {}, { type: "t" }).catch((error: unknown) => error);
  for (let turn = 0; turn < 3; turn += 1) await clock.advance(1_000);
  expect(await moved).toMatchObject({ code: "handler-failed" });
  expect(handled).toBe(3);
});

class Hello {
  readonly to: string = "you";
}

test("[CL11] message types come from messageType, the class or the option", async () => {
  expect([messageTypeOf(new Hello()), messageTypeOf({ messageType: "greet" }), messageTypeOf(new Date(0))]).toEqual(["Hello", "greet", "Date"]);
  for (const bare of [{}, [], "text", 1, null, undefined]) expect(() => messageTypeOf(bare)).toThrow(/message type/);
  const cluster = createTestCluster({ nodes: 3, shards: 16, seed: "s", handler: async (envelope) => json.encode({ type: envelope.type, key: getHeader(envelope, KEY_HEADER) }) });
  await cluster.start();
  const greet = createRequest<Hello, { type: string; key: string }>(cluster.client.key("ann"));
  expect(await greet(new Hello())).toEqual({ type: "Hello", key: "ann" });
  expect(await cluster.client.requestKey("bob", {}, { type: "bare" })).toEqual({ type: "bare", key: "bob" });
  await expect(cluster.client.requestKey("", {}, { type: "bare" })).rejects.toMatchObject({ code: "key-required" });
  const infos = await Promise.all(Array.from({ length: 16 }, (_, shard) => cluster.client.shard(shard).getNodeInfo()));
  expect(infos.every(({ shards }, shard) => shards.includes(shard))).toBe(true);
  await cluster.stop();
});

test("[CL12] a moved shard is asked again, a failed handler is not", async () => {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock, wallClock: () => 0 });
  const errors: string[] = [];
  const client = new ShardClient({ transport, numShards: 4, clock, wallClock: () => 0, metrics: { request: () => {}, notify: () => {}, handler: () => {}, handlersActive: () => {}, shardsOwned: () => {}, transportError: (code) => errors.push(code) } });
  let calls = 0;
  await transport.subscribe(2, async () => {
    calls += 1;
    if (calls < 3) throw new ShardMovedError(2);
    return json.encode("at last");
  });
  const call = client.requestShard(2, {}, { type: "t" });
  for (let turn = 0; turn < 4; turn += 1) await clock.advance(200);
  expect(await call).toBe("at last");
  expect(errors).toEqual(["shard-moved", "shard-moved"]);
  await transport.subscribe(1, async () => { calls += 100; throw new Error("no"); });
  await expect(client.requestShard(1, {}, { type: "t" })).rejects.toMatchObject({ code: "handler-failed" });
  expect(calls).toBe(103);
  const lonely = client.requestShard(3, {}, { type: "t" }).catch((error: { code: string }) => error.code);
  for (let turn = 0; turn < 4; turn += 1) await clock.advance(1_000);
  expect(await lonely).toBe("no-shard-subscriber");
  expect(clock.pendingTimers).toBe(0);
});

test("[CT6] a thousand requests at once against the limit are all answered", async () => {
  const cluster = createTestCluster({ nodes: 2, shards: 8, handler: async ({ data }) => { await Promise.resolve(); return data; } });
  await cluster.start();
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, at) => cluster.client.requestKey(`k${at}`, at, { type: "n" })));
  expect(answers).toEqual(Array.from({ length: 1_000 }, (_, at) => at));
  await cluster.stop();
});

test("[CL13] metrics go out under their written names", () => {
  const seen: string[] = [];
  class Instrument {
    readonly #name: string;
    constructor({ name }: { name: string }) { this.#name = name; }
    inc(...args: unknown[]): void { seen.push(`${this.#name} inc ${JSON.stringify(args)}`); }
    dec(): void { seen.push(`${this.#name} dec`); }
    set(value: number): void { seen.push(`${this.#name} set ${value}`); }
    observe(_labels: unknown, value: number): void { seen.push(`${this.#name} observe ${value}`); }
  }
  const report = (metrics: ReturnType<typeof promClientMetrics>): void => {
    metrics.request("t", true, 0.5);
    metrics.notify("t", false);
    metrics.transportError("shard-moved");
    metrics.handler("t", true, 0.25);
    metrics.handlersActive(1);
    metrics.handlersActive(-1);
    metrics.shardsOwned(7);
  };
  report(promClientMetrics({ Counter: Instrument, Gauge: Instrument, Histogram: Instrument }, {}));
  for (const name of Object.values(CLUSTER_METRICS)) expect(seen.some((line) => line.startsWith(`${name} `))).toBe(true);
  const otel = new Map<string, number>();
  const make = (name: string) => ({ add: (value: number) => void otel.set(name, (otel.get(name) ?? 0) + value), record: (value: number) => void otel.set(name, value) });
  const metrics = openTelemetryMetrics({ createCounter: make, createUpDownCounter: make, createHistogram: make });
  report(metrics);
  metrics.shardsOwned(3);
  expect(Object.fromEntries(otel)).toEqual({ clstr_cluster_requests_total: 1, clstr_cluster_request_duration_seconds: 0.5, clstr_cluster_notifies_total: 1, clstr_cluster_transport_errors_total: 1, clstr_cluster_handlers_total: 1, clstr_cluster_handler_duration_seconds: 0.25, clstr_cluster_handlers_active: 0, clstr_cluster_shards_owned: 3 });
});
