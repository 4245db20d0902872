// The transport contract over seams, and what only a wire can do: lose the other side, answer twice, say nonsense.
import { describe, expect, test } from "vitest";
import { fromUtf8, peerId, seededRandom, utf8, type PeerId } from "../base/index.ts";
import { MemoryHub, type Seam } from "../seam/index.ts";
import { describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { decodeCallFrame, encodeCallFrame } from "./call-frames.ts";
import type { Envelope } from "./envelope.ts";
import { SeamTransport } from "./seam-transport.ts";
import { transportContract, type TransportHarness } from "./transport.contract.ts";
import type { TransportLimits } from "./transport.ts";

const [ann, bob, cat] = ["ann", "bob", "cat"].map((name) => peerId(name)) as [PeerId, PeerId, PeerId];

class Mesh {
  readonly clock = new VirtualClock();
  readonly hub: MemoryHub;
  readonly wallClock = (): number => 1_000_000 + this.clock.now();

  constructor(payloadBytesMax?: number) {
    this.hub = new MemoryHub({ clock: this.clock, random: seededRandom(5), payloadBytesMax });
  }

  /** A transport of `id` on a seam of its own; everything is served by `owner`. */
  open(id: PeerId, owner: () => PeerId | undefined, limits: TransportLimits = {}): { readonly transport: SeamTransport; readonly seam: Seam } {
    const seam = this.hub.seam(id);
    return { seam, transport: new SeamTransport({ seam, ownerOf: owner, clock: this.clock, wallClock: this.wallClock, ...limits }) };
  }
}

function harness(how: "between two peers" | "within one"): TransportHarness {
  return {
    open: async (limits) => {
      const mesh = new Mesh();
      const server = mesh.open(bob, () => bob, limits).transport;
      const caller = how === "within one" ? server : mesh.open(ann, () => bob, limits).transport;
      await mesh.clock.advance(0);
      return { caller, server, advance: (ms) => mesh.clock.advance(ms), wallMs: mesh.wallClock };
    },
  };
}

describeContract("SeamTransport between two peers", transportContract, harness("between two peers"));
describeContract("SeamTransport within one", transportContract, harness("within one"));

const hello = (text = "hello", more: Partial<Envelope> = {}): Envelope => ({ shard: 1, type: "t", data: utf8(text), ...more });
const codeOf = (call: Promise<unknown>): Promise<unknown> => call.then(() => "ok", (error: { readonly code?: string }) => error.code);
const never = (): Promise<undefined> => new Promise(() => {});

async function pair(limits: TransportLimits = {}, payloadBytesMax?: number) {
  const mesh = new Mesh(payloadBytesMax);
  const caller = mesh.open(ann, () => bob, limits);
  const server = mesh.open(bob, () => bob, limits);
  await mesh.clock.advance(0);
  return { mesh, caller, server };
}

describe("[CL14] who leaves", () => {
  test("fails the calls it was asked, with an outcome that is unknown, and nobody else's", async () => {
    const mesh = new Mesh();
    const owners: PeerId[] = [bob, cat];
    const caller = new SeamTransport({ seam: mesh.hub.seam(ann), ownerOf: (shard) => owners[shard], clock: mesh.clock, wallClock: mesh.wallClock });
    const { transport: dying } = mesh.open(bob, () => bob);
    const { transport: living } = mesh.open(cat, () => cat);
    await mesh.clock.advance(0);
    await dying.subscribe(0, never);
    let answer: (bytes: Uint8Array) => void = () => {};
    await living.subscribe(1, () => new Promise((resolve) => { answer = resolve; }));
    const lost = codeOf(caller.request(hello("x", { shard: 0 })));
    const kept = caller.request(hello("x", { shard: 1 }));
    await mesh.clock.advance(10);
    mesh.hub.kill(bob, { noticedAfterMs: 0 });
    await mesh.clock.advance(10);
    expect(await lost).toBe("owner-gone");
    answer(utf8("still here"));
    expect(fromUtf8(await kept)).toBe("still here");
    expect(await codeOf(caller.request(hello("x", { shard: 0 })))).toBe("no-shard-subscriber");
  });

  test("stops the handlers it waited for", async () => {
    const { mesh, caller, server } = await pair();
    let signal: AbortSignal | undefined;
    await server.transport.subscribe(1, async (_, given) => { signal = given; return never(); });
    void codeOf(caller.transport.request(hello()));
    await mesh.clock.advance(10);
    mesh.hub.kill(ann, { noticedAfterMs: 0 });
    await mesh.clock.advance(10);
    expect(signal?.reason).toMatchObject({ code: "owner-gone" });
  });
});

describe("[CL12] an owner that closes", () => {
  test("refuses what it did not begin as served by nobody, so that it may be asked of the next one", async () => {
    const { mesh, caller, server } = await pair({ maxConcurrentHandlers: 1 });
    let finish: () => void = () => {};
    let handled = 0;
    await server.transport.subscribe(1, () => new Promise((resolve) => { handled += 1; finish = () => resolve(undefined); }));
    const begun = codeOf(caller.transport.request(hello()));
    const waiting = codeOf(caller.transport.request(hello()));
    await mesh.clock.advance(10);
    const closing = server.transport.close();
    const late = codeOf(caller.transport.request(hello()));
    await mesh.clock.advance(10);
    expect([await waiting, await late]).toEqual(["no-shard-subscriber", "no-shard-subscriber"]);
    finish();
    await mesh.clock.advance(10);
    expect(await begun).toBe("ok");
    await closing;
    expect(handled).toBe(1);
  });
});

describe("[CL15] an owner that says nothing", () => {
  test("costs its callers the handler's limit and five seconds, and nobody else anything", async () => {
    const mesh = new Mesh();
    const caller = new SeamTransport({ seam: mesh.hub.seam(ann), ownerOf: (shard) => (shard === 0 ? bob : cat), clock: mesh.clock, wallClock: mesh.wallClock, handlerTimeoutMs: 1_000 });
    mesh.hub.seam(bob);
    const { transport: living } = mesh.open(cat, () => cat);
    await mesh.clock.advance(0);
    await living.subscribe(1, async ({ data }) => data);
    let ended: unknown;
    void codeOf(caller.request(hello("x", { shard: 0 }))).then((code) => { ended = code; });
    expect(fromUtf8(await caller.request(hello("quick")))).toBe("quick");
    await mesh.clock.advance(5_900);
    expect(ended).toBeUndefined();
    await mesh.clock.advance(200);
    expect(ended).toBe("handler-timeout");
    expect(mesh.clock.pendingTimers).toBe(0);
  });

  test("costs a caller with a deadline no more than that", async () => {
    const mesh = new Mesh();
    const { transport } = mesh.open(ann, () => bob);
    mesh.hub.seam(bob);
    await mesh.clock.advance(0);
    const call = codeOf(transport.request(hello("x", { ttlMs: 300, createdAtMs: mesh.wallClock() })));
    await mesh.clock.advance(301);
    expect(await call).toBe("envelope-expired");
  });
});

describe("[CL16] what is not an answer", () => {
  test("twice the same, late, from somebody who was not asked, or nonsense: dropped and counted", async () => {
    const mesh = new Mesh();
    const { transport } = mesh.open(ann, () => bob);
    const [server, other] = [mesh.hub.seam(bob), mesh.hub.seam(cat)];
    await mesh.clock.advance(0);
    server.on("frame", (from, bytes) => {
      const frame = decodeCallFrame(bytes);
      if (frame.type !== "request") return;
      other.sendTo(from, encodeCallFrame({ type: "answer", id: frame.id, outcome: { bytes: utf8("forged") } }));
      for (const text of ["first", "second"]) server.sendTo(from, encodeCallFrame({ type: "answer", id: frame.id, outcome: { bytes: utf8(text) } }));
      server.sendTo(from, encodeCallFrame({ type: "answer", id: frame.id + 100, outcome: { bytes: utf8("to nothing") } }));
      server.sendTo(from, Uint8Array.of(99, 1));
      server.sendTo(from, new Uint8Array(0));
    });
    expect(fromUtf8(await transport.request(hello()))).toMatch(/^(first|forged)$/);
    await mesh.clock.advance(10);
    expect(transport.framesDropped).toBe(5);
  });

  test("an answer of somebody else is not believed", async () => {
    const mesh = new Mesh();
    const { transport } = mesh.open(ann, () => bob);
    const [server, other] = [mesh.hub.seam(bob), mesh.hub.seam(cat)];
    await mesh.clock.advance(0);
    server.on("frame", (from, bytes) => {
      const { id } = decodeCallFrame(bytes);
      other.sendTo(from, encodeCallFrame({ type: "answer", id, outcome: { bytes: utf8("forged") } }));
      mesh.clock.after(50, () => server.sendTo(from, encodeCallFrame({ type: "answer", id, outcome: { bytes: utf8("true") } })));
    });
    const call = transport.request(hello());
    await mesh.clock.advance(0);
    await mesh.clock.advance(100);
    expect(fromUtf8(await call)).toBe("true");
  });
});

describe("[CL17] limits of a wire", () => {
  test("what is larger than a frame is refused before it is sent, and an answer larger than a frame is the handler's failure", async () => {
    const { mesh, caller, server } = await pair({}, 1_000);
    await server.transport.subscribe(1, async () => new Uint8Array(2_000));
    await expect(caller.transport.request(hello("x".repeat(2_000)))).rejects.toMatchObject({ code: "payload-too-large" });
    await expect(caller.transport.request(hello())).rejects.toMatchObject({ code: "handler-failed", message: expect.stringContaining("2") });
    expect(mesh.clock.pendingTimers).toBe(0);
  });

  test("a caller that floods is refused, and others are answered", async () => {
    const mesh = new Mesh();
    const { transport: flooding } = mesh.open(ann, () => bob);
    const { transport: modest } = mesh.open(cat, () => bob);
    const { transport: server } = mesh.open(bob, () => bob, { maxConcurrentHandlers: -1 });
    await mesh.clock.advance(0);
    await server.subscribe(1, never);
    await server.subscribe(2, async ({ data }) => data);
    const flood = Array.from({ length: 2_001 }, () => codeOf(flooding.request(hello())));
    expect(await Promise.race(flood)).toBe("overloaded");
    expect(fromUtf8(await modest.request(hello("me too", { shard: 2 })))).toBe("me too");
    void server.close();
  });

  test("so is one that floods with notifications, or says the same call again and again", async () => {
    const mesh = new Mesh();
    const { transport: flooding, seam } = mesh.open(ann, () => bob);
    const { transport: modest } = mesh.open(cat, () => bob);
    const { transport: server } = mesh.open(bob, () => bob, { maxConcurrentHandlers: 5 });
    await mesh.clock.advance(0);
    await server.subscribe(1, never);
    const flood = Array.from({ length: 2_001 }, () => codeOf(flooding.notify(hello())));
    expect(await Promise.race(flood.slice(2_000))).toBe("overloaded");
    expect(await flood[0]).toBe("ok");
    const again = encodeCallFrame({ type: "request", id: 7, isNotice: false, envelope: hello() });
    for (let time = 0; time < 10_000; time += 1) seam.sendTo(bob, again);
    await mesh.clock.advance(0);
    // What a modest caller asks waits for its turn, and is not refused.
    const call = codeOf(modest.request(hello("me too")));
    await mesh.clock.advance(0);
    expect(await Promise.race([call, Promise.resolve("waiting")])).toBe("waiting");
    void server.close();
    await mesh.clock.advance(0);
    expect(await call).toBe("no-shard-subscriber");
  });

  test("limits that are none are refused", () => {
    const mesh = new Mesh();
    for (const bad of [{ maxConcurrentHandlers: 0 }, { maxConcurrentHandlers: -2 }, { handlerTimeoutMs: 0 }, { handlerTimeoutMs: Number.NaN }]) {
      expect(() => mesh.open(ann, () => bob, bad)).toThrow(/no limit/u);
    }
  });

  test("a handler's message of any length arrives cut, and one with the library's code as it is", async () => {
    const { caller, server } = await pair();
    await server.transport.subscribe(1, async () => { throw new Error("é".repeat(10_000)); });
    await expect(caller.transport.request(hello())).rejects.toMatchObject({ code: "handler-failed", message: "é".repeat(2_048) });
    await server.transport.subscribe(1, (async () => "text") as never);
    await expect(caller.transport.request(hello())).rejects.toMatchObject({ code: "handler-failed" });
  });
});
