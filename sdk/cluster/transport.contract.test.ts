// The transport contract on the memory transport, and on trial against broken ones.
import { describe, expect, test } from "vitest";
import { utf8 } from "../base/index.ts";
import { brokenObligations, describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { expired } from "./envelope.ts";
import { HandlerFailedError } from "./errors.ts";
import { MemoryTransport } from "./memory-transport.ts";
import { transportContract, type TransportHarness } from "./transport.contract.ts";
import type { ShardHandler, Transport } from "./transport.ts";

function harness(wrap: (transport: MemoryTransport) => Transport = (transport) => transport, change: (limits: object) => object = (limits) => limits): TransportHarness {
  return {
    open: async (limits = {}) => {
      const clock = new VirtualClock();
      const wallMs = (): number => 1_000_000 + clock.now();
      const transport = wrap(new MemoryTransport({ clock, wallClock: wallMs, ...change(limits) }));
      return { caller: transport, server: transport, advance: (ms) => clock.advance(ms), wallMs };
    },
  };
}

describeContract("MemoryTransport", transportContract, harness());

const broken = (wrap: (good: MemoryTransport) => Partial<Transport>, change?: (limits: object) => object): Promise<string[]> =>
  brokenObligations(transportContract, harness((good) => ({
    request: (envelope, options) => good.request(envelope, options),
    notify: (envelope, options) => good.notify(envelope, options),
    subscribe: (shard, handler) => good.subscribe(shard, handler),
    close: () => good.close(),
    ...wrap(good),
  }), change), 500);

describe("the transport contract catches", () => {
  test("nothing in a transport that keeps it", async () => {
    expect(await broken(() => ({}))).toEqual([]);
  });

  test("answers to the wrong request", async () => {
    let last = utf8("");
    expect(await broken((good) => ({ request: async (envelope, options) => { const before = last; last = await good.request(envelope, options); return before; } }))).toContain("CT1");
  });

  test("silence where nobody serves", async () => {
    expect(await broken((good) => ({ request: async (envelope, options) => good.request(envelope, options).catch((error: { code?: string }) => { if (error.code === "no-shard-subscriber") return utf8(""); throw error; }) }))).toContain("CT2");
  });

  test("a handler's message lost", async () => {
    expect(await broken((good) => ({ request: async (envelope, options) => good.request(envelope, options).catch((error: { code?: string }) => { throw error.code === "handler-failed" ? new HandlerFailedError("failed") : error; }) }))).toEqual(["CT3"]);
  });

  test("times to live ignored", async () => {
    expect(await broken((good) => ({ request: (envelope, options) => { const { ttlMs: _, ...rest } = envelope; return good.request(rest, options); } }), (limits) => ({ handlerTimeoutMs: 60_000, ...limits }))).toEqual(["CT4", "CT13", "CT14"]);
  });

  test("handlers without a limit of time", async () => {
    expect(await broken(() => ({}), (limits) => ({ ...limits, handlerTimeoutMs: -1 }))).toEqual(["CT5"]);
  });

  test("handlers without a limit of number", async () => {
    expect(await broken(() => ({}), (limits) => ({ ...limits, maxConcurrentHandlers: -1 }))).toEqual(["CT6", "CT12", "CT15"]);
  });

  test("the first subscription keeping the shard", async () => {
    const taken = new WeakMap<MemoryTransport, Map<number, ShardHandler>>();
    expect(await broken((good) => ({ subscribe: async (shard, handler) => {
      const mine = taken.get(good) ?? new Map<number, ShardHandler>();
      taken.set(good, mine);
      const first = mine.get(shard) ?? handler;
      mine.set(shard, first);
      return good.subscribe(shard, first);
    } }))).toContain("CT8");
  });

  test("a transport that goes on after close", async () => {
    expect(await broken(() => ({ close: async () => {} }))).toEqual(["CT9"]);
  });

  test("notifications that fail with their handler", async () => {
    expect(await broken((good) => ({ notify: async (envelope, options) => void (await good.request(envelope, options)) }))).toEqual(["CT10"]);
  });

  test("cancelling that stays with the caller", async () => {
    expect(await broken((good) => ({ request: (envelope, { signal } = {}) => new Promise((resolve, reject) => {
      if (signal?.aborted) reject(signal.reason);
      signal?.addEventListener("abort", () => reject(signal.reason));
      good.request(envelope).then(resolve, reject);
    }) }))).toEqual(["CT7", "CT12"]);
  });

  test("deadlines that start anew on the other side", async () => {
    expect(await broken((good) => ({ request: (envelope, options) => good.request(envelope.createdAtMs === undefined || expired(envelope, 1_000_000) ? envelope : { ...envelope, createdAtMs: 1_000_000 }, options) }))).toEqual(["CT13"]);
  });

  test("one request at a time", async () => {
    expect(await broken(() => ({}), (limits) => ({ maxConcurrentHandlers: 1, ...limits }))).toEqual(["CT11"]);
  });
});
