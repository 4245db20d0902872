// What every Transport must keep, as data: CT1 to CT15 of SPEC.md.
import { expect } from "vitest";
import { fromUtf8, utf8 } from "../base/index.ts";
import type { Obligation } from "../testing/contract.ts";
import { ttl, type Envelope } from "./envelope.ts";
import type { Transport, TransportLimits } from "./transport.ts";

/** Makes pairs of ends: calls go in at `caller`, subscriptions live at `server`. They may be the same transport. */
export interface TransportHarness {
  open(limits?: TransportLimits): Promise<{
    readonly caller: Transport;
    readonly server: Transport;
    /** Lets `ms` pass on the clock the transports use; what was sent before or falls due meanwhile has arrived when it resolves. */
    advance(ms: number): Promise<void>;
    /** The wall clock they use. */
    wallMs(): number;
  }>;
}

const SHARD = 3;

function envelope(text: string, more: Partial<Envelope> = {}): Envelope {
  return { shard: SHARD, type: "test", data: utf8(text), ...more };
}

async function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "ok",
    (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : String(error instanceof Error ? error.message : error)),
  );
}

/** A promise somebody else settles. */
function gate<T = void>(): { readonly opened: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => {};
  const opened = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { opened, open: (value) => open(value) };
}

const echo = async ({ data }: Envelope): Promise<Uint8Array> => utf8(`re:${fromUtf8(data)}`);

/** CT1 to CT15. */
export const transportContract: readonly Obligation<TransportHarness>[] = [
  {
    id: "CT1",
    says: "a request reaches one subscriber of its shard and resolves to its answer",
    check: async (harness) => {
      const { caller, server } = await harness.open();
      const seen: Envelope[] = [];
      await server.subscribe(SHARD, async (got) => {
        seen.push(got);
        return echo(got);
      });
      await server.subscribe(SHARD + 1, async () => utf8("the wrong shard"));
      const headers = { "x-clstr-key": "a key", other: "é" };
      expect(fromUtf8(await caller.request(envelope("hello", { headers, ttlMs: 60_000, createdAtMs: (await harness.open()).wallMs() })))).toBe("re:hello");
      expect(seen).toHaveLength(1);
      expect(seen[0]).toMatchObject({ shard: SHARD, type: "test", headers });
      expect(fromUtf8(seen[0]?.data ?? utf8(""))).toBe("hello");
      const many = await Promise.all(Array.from({ length: 50 }, (_, at) => caller.request(envelope(`${at}`))));
      expect(many.map(fromUtf8)).toEqual(Array.from({ length: 50 }, (_, at) => `re:${at}`));
      await server.subscribe(SHARD, async () => undefined);
      expect(await caller.request(envelope("nothing to say"))).toHaveLength(0);
    },
  },
  {
    id: "CT2",
    says: "a shard nobody serves is a named failure",
    check: async (harness) => {
      const { caller, server } = await harness.open();
      await server.subscribe(SHARD + 1, echo);
      expect(await outcome(caller.request(envelope("x")))).toBe("no-shard-subscriber");
      expect(await outcome(caller.notify(envelope("x")))).toBe("no-shard-subscriber");
    },
  },
  {
    id: "CT3",
    says: "a handler's error reaches the caller with its message",
    check: async (harness) => {
      const { caller, server } = await harness.open();
      await server.subscribe(SHARD, async () => {
        await Promise.resolve();
        throw new Error("the dragon is asleep");
      });
      await expect(caller.request(envelope("x"))).rejects.toMatchObject({ code: "handler-failed", message: "the dragon is asleep" });
      await server.subscribe(SHARD, () => {
        throw new TypeError("at once");
      });
      await expect(caller.request(envelope("x"))).rejects.toMatchObject({ code: "handler-failed", message: "at once" });
      await server.subscribe(SHARD, echo);
      expect(await outcome(caller.request(envelope("x")))).toBe("ok");
    },
  },
  {
    id: "CT4",
    says: "an expired envelope is not handled, and a handler that outlives its envelope is cut off",
    check: async (harness) => {
      const { caller, server, advance, wallMs } = await harness.open();
      let handled = 0;
      const entered = gate();
      const never = gate<Uint8Array>();
      await server.subscribe(SHARD, async () => {
        handled += 1;
        entered.open();
        return never.opened;
      });
      expect(await outcome(caller.request(envelope("x", { ttlMs: 10, createdAtMs: wallMs() - 11 })))).toBe("envelope-expired");
      expect(handled).toBe(0);
      const outlived = outcome(caller.request(envelope("x", { ttlMs: 100, createdAtMs: wallMs() })));
      await entered.opened;
      await advance(150);
      expect(await outlived).toBe("envelope-expired");
      // Without a time of creation it lives from when it is sent, and that may be for longer than timers run.
      const undated = outcome(caller.request(envelope("x", { ttlMs: 100 })));
      await advance(0);
      expect(handled).toBe(2);
      await advance(150);
      expect(await undated).toBe("envelope-expired");
      never.open(utf8(""));
      expect(await outcome(caller.request(envelope("x", { ttlMs: 1e12 })))).toBe("ok");
      for (const ttlMs of [-1, Number.NaN, Number.POSITIVE_INFINITY]) expect(await outcome(caller.request(envelope("x", { ttlMs })))).toBe("invalid-argument");
    },
  },
  {
    id: "CT5",
    says: "a handler that runs too long is cut off, and without a limit it is not",
    check: async (harness) => {
      const { caller, server, advance } = await harness.open({ handlerTimeoutMs: 1_000 });
      const entered = gate<AbortSignal>();
      const never = gate<Uint8Array>();
      await server.subscribe(SHARD, async (_, signal) => {
        entered.open(signal);
        return never.opened;
      });
      const late = outcome(caller.request(envelope("x")));
      const signal = await entered.opened;
      expect(signal.aborted).toBe(false);
      await advance(1_100);
      expect(await late).toBe("handler-timeout");
      expect(signal.aborted).toBe(true);
      never.open(utf8(""));
      const patient = await harness.open({ handlerTimeoutMs: -1 });
      const slow = gate<Uint8Array>();
      const began = gate();
      await patient.server.subscribe(SHARD, async () => {
        began.open();
        return slow.opened;
      });
      const answer = outcome(patient.caller.request(envelope("x")));
      await began.opened;
      await patient.advance(100_000);
      slow.open(utf8(""));
      expect(await answer).toBe("ok");
    },
  },
  {
    id: "CT6",
    says: "at most so many handlers run at once, and the others wait in order",
    check: async (harness) => {
      const { caller, server } = await harness.open({ maxConcurrentHandlers: 2 });
      const order: string[] = [];
      const gates = new Map<string, { open(value?: undefined): void }>();
      let running = 0;
      let most = 0;
      let started = gate<void>();
      await server.subscribe(SHARD, async ({ data }) => {
        running += 1;
        most = Math.max(most, running);
        const mine = gate();
        gates.set(fromUtf8(data), mine);
        order.push(fromUtf8(data));
        started.open();
        await mine.opened;
        running -= 1;
        return data;
      });
      const calls = Array.from({ length: 6 }, (_, at) => caller.request(envelope(`${at}`)));
      for (let at = 0; at < 6; at += 1) {
        while (!gates.has(`${at}`)) {
          await started.opened;
          started = gate<void>();
        }
        gates.get(`${at}`)?.open();
      }
      await Promise.all(calls);
      expect(order).toEqual(["0", "1", "2", "3", "4", "5"]);
      expect(most).toBe(2);
    },
  },
  {
    id: "CT7",
    says: "cancelling stops the wait and tells the handler",
    check: async (harness) => {
      const { caller, server } = await harness.open();
      const entered = gate<AbortSignal>();
      const told = gate();
      await server.subscribe(SHARD, async (_, signal) => {
        signal.addEventListener("abort", () => told.open());
        entered.open(signal);
        await told.opened;
        return undefined;
      });
      const abort = new AbortController();
      const call = outcome(caller.request(envelope("x"), { signal: abort.signal }));
      await entered.opened;
      abort.abort(new Error("changed my mind"));
      expect(await call).toBe("changed my mind");
      await told.opened;
      expect(await outcome(caller.request(envelope("x"), { signal: abort.signal }))).toBe("changed my mind");
    },
  },
  {
    id: "CT8",
    says: "a later subscription takes over, and unsubscribing gives back",
    check: async (harness) => {
      const { caller, server } = await harness.open();
      const offOne = await server.subscribe(SHARD, async () => utf8("one"));
      const offTwo = await server.subscribe(SHARD, async () => utf8("two"));
      expect(fromUtf8(await caller.request(envelope("x")))).toBe("two");
      await offTwo();
      expect(fromUtf8(await caller.request(envelope("x")))).toBe("one");
      await offOne();
      await offOne();
      expect(await outcome(caller.request(envelope("x")))).toBe("no-shard-subscriber");
    },
  },
  {
    id: "CT9",
    says: "closing refuses new calls and lets running handlers finish",
    check: async (harness) => {
      const { caller, server } = await harness.open();
      const entered = gate();
      const finish = gate();
      await server.subscribe(SHARD, async ({ data }) => {
        entered.open();
        await finish.opened;
        return data;
      });
      const call = caller.request(envelope("last words"));
      await entered.opened;
      const closing = server.close();
      finish.open();
      expect(fromUtf8(await call)).toBe("last words");
      await closing;
      await caller.close();
      await server.close();
      expect(await outcome(caller.request(envelope("x")))).toBe("transport-closed");
      expect(await outcome(caller.notify(envelope("x")))).toBe("transport-closed");
      expect(await outcome(server.subscribe(SHARD, echo))).toBe("transport-closed");
    },
  },
  {
    id: "CT10",
    says: "a notification is handed over, and its failure is not the sender's",
    check: async (harness) => {
      const { caller, server } = await harness.open();
      const got = gate<string>();
      await server.subscribe(SHARD, async ({ data }) => {
        got.open(fromUtf8(data));
        throw new Error("nobody hears this");
      });
      await caller.notify(envelope("psst"));
      expect(await got.opened).toBe("psst");
    },
  },
  {
    id: "CT11",
    says: "a slow shard costs only its own callers",
    check: async (harness) => {
      const { caller, server } = await harness.open();
      const slow = gate<Uint8Array>();
      await server.subscribe(SHARD, async () => slow.opened);
      await server.subscribe(SHARD + 1, echo);
      const waiting = caller.request(envelope("slow"));
      expect(fromUtf8(await caller.request(envelope("quick", { shard: SHARD + 1 })))).toBe("re:quick");
      slow.open(utf8("done"));
      expect(fromUtf8(await waiting)).toBe("done");
    },
  },
  {
    id: "CT12",
    says: "a call cancelled while it waits for its turn is never handled, and those behind it move up",
    check: async (harness) => {
      const { caller, server, advance } = await harness.open({ maxConcurrentHandlers: 1 });
      const handled: string[] = [];
      const entered = gate();
      const finish = gate();
      await server.subscribe(SHARD, async ({ data }) => {
        handled.push(fromUtf8(data));
        entered.open();
        if (fromUtf8(data) === "first") await finish.opened;
        return data;
      });
      const first = caller.request(envelope("first"));
      await entered.opened;
      const abort = new AbortController();
      const second = outcome(caller.request(envelope("second"), { signal: abort.signal }));
      const third = caller.request(envelope("third"));
      abort.abort(new Error("changed my mind"));
      expect(await second).toBe("changed my mind");
      const last = caller.request(envelope("last"));
      await advance(0);
      finish.open();
      expect(fromUtf8(await first)).toBe("first");
      expect(fromUtf8(await third)).toBe("third");
      expect(fromUtf8(await last)).toBe("last");
      expect(handled).toEqual(["first", "third", "last"]);
    },
  },
  {
    id: "CT13",
    says: "a deadline reaches the handler as what is left of it, and fires its signal",
    check: async (harness) => {
      const { caller, server, advance, wallMs } = await harness.open();
      const entered = gate<{ readonly got: Envelope; readonly signal: AbortSignal }>();
      const never = gate<Uint8Array>();
      await server.subscribe(SHARD, async (got, signal) => {
        entered.open({ got, signal });
        return never.opened;
      });
      const call = outcome(caller.request(envelope("x", { ttlMs: 1_000, createdAtMs: wallMs() - 400 })));
      const { got, signal } = await entered.opened;
      const left = ttl(got, wallMs());
      expect(left).toBeGreaterThan(500);
      expect(left).toBeLessThanOrEqual(600);
      await advance(400);
      expect(signal.aborted).toBe(false);
      await advance(250);
      expect(await call).toBe("envelope-expired");
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      never.open(utf8(""));
    },
  },
  {
    id: "CT14",
    says: "a call that waits for its turn longer than it lives is not handled",
    check: async (harness) => {
      const { caller, server, advance, wallMs } = await harness.open({ maxConcurrentHandlers: 1 });
      const handled: string[] = [];
      const entered = gate();
      const finish = gate();
      await server.subscribe(SHARD, async ({ data }) => {
        handled.push(fromUtf8(data));
        entered.open();
        if (fromUtf8(data) === "first") await finish.opened;
        return data;
      });
      const first = caller.request(envelope("first"));
      await entered.opened;
      const second = outcome(caller.request(envelope("second", { ttlMs: 100, createdAtMs: wallMs() })));
      const third = caller.request(envelope("third"));
      await advance(200);
      finish.open();
      expect(fromUtf8(await first)).toBe("first");
      expect(await second).toBe("envelope-expired");
      expect(fromUtf8(await third)).toBe("third");
      expect(handled).toEqual(["first", "third"]);
    },
  },
  {
    id: "CT15",
    says: "a thousand calls at once against the limit are all answered, each with its own answer",
    check: async (harness) => {
      const { caller, server } = await harness.open({ maxConcurrentHandlers: 50 });
      let running = 0;
      let most = 0;
      await server.subscribe(SHARD, async ({ data }) => {
        running += 1;
        most = Math.max(most, running);
        for (let turn = 0; turn < 3; turn += 1) await Promise.resolve();
        running -= 1;
        return data;
      });
      const answers = await Promise.all(Array.from({ length: 1_000 }, (_, at) => caller.request(envelope(`${at}`))));
      expect(answers.map(fromUtf8)).toEqual(Array.from({ length: 1_000 }, (_, at) => `${at}`));
      expect(most).toBeLessThanOrEqual(50);
    },
  },
];
