// The suite itself on trial: each broken log must be caught on the rule it breaks.
import { describe, expect, test } from "vitest";
import { ClosedError } from "../base/index.ts";
import { systemClock } from "../platform/index.ts";
import { brokenObligations } from "../testing/contract.ts";
import { LocalLog } from "./local-log.ts";
import { orderedLogContract } from "./ordered-log.contract.ts";
import type { LogEvent, OrderedLog } from "./ordered-log.ts";

/** Every method of the log, to be replaced one by one. */
function plain(log: LocalLog): OrderedLog {
  return {
    id: log.id, clientId: log.clientId,
    get lastRequestId() { return log.lastRequestId; },
    get appliedIndex() { return log.appliedIndex; },
    propose: (payload, options) => log.propose(payload, options),
    withdraw: () => log.withdraw(),
    readIndex: (options) => log.readIndex(options),
    follow: (listener, from) => log.follow(listener, from),
    committed: (from) => log.committed(from),
    snapshot: (through, section) => log.snapshot(through, section),
    close: () => log.close(),
  };
}

type Break = (good: LocalLog) => Partial<OrderedLog>;

async function judged(how: Break): Promise<string[]> {
  return brokenObligations(orderedLogContract, {
    group: async () => {
      const good = new LocalLog();
      const log: OrderedLog = Object.defineProperties(plain(good), Object.getOwnPropertyDescriptors(how(good))) as OrderedLog;
      const { propose } = log;
      // A check that gives up early leaves promises behind that nobody looks at.
      log.propose = (payload, options) => {
        const proposing = propose(payload, options);
        proposing.catch(() => {});
        return proposing;
      };
      return {
        logs: [log],
        // A promise that a broken log never settles must not hold the judge up.
        until: (promise) => Promise.race([promise, new Promise<never>((_, reject) => { systemClock.after(100, () => reject(new Error("never settled"))); })]),
        quiet: async () => { for (let turn = 0; turn < 10; turn += 1) await Promise.resolve(); },
        close: () => good.close(),
      };
    },
  });
}

/** A follow whose events pass through `change`. */
const through = (good: LocalLog, change: (event: LogEvent, give: (event: LogEvent) => void) => void): Partial<OrderedLog> => ({ follow: (listener, from) => good.follow((event) => change(event, listener), from) });

describe("the ordered log contract catches", () => {
  test("nothing in a log that keeps it", async () => {
    expect(await judged(() => ({}))).toEqual([]);
  });

  test("dropped events", async () => {
    expect(await judged((good) => { let count = 0; return through(good, (event, give) => { count += 1; if (count % 3 !== 0) give(event); }); })).toEqual(expect.arrayContaining(["OL2", "OL3"]));
  });

  test("events delivered twice", async () => {
    expect(await judged((good) => through(good, (event, give) => { give(event); give(event); }))).toEqual(expect.arrayContaining(["OL1", "OL2", "OL3", "OL5"]));
  });

  test("events out of order", async () => {
    expect(await judged((good) => { let held: LogEvent | undefined; return through(good, (event, give) => { if (held === undefined) { held = event; return; } give(event); give(held); held = undefined; }); })).toEqual(expect.arrayContaining(["OL2", "OL3"]));
  });

  test("a proposal that settles before it was delivered", async () => {
    expect(await judged((good) => through(good, (event, give) => void Promise.resolve().then(() => Promise.resolve()).then(() => Promise.resolve()).then(() => give(event)).catch(() => {})))).toContain("OL1");
  });

  test("a log that keeps the proposer's own bytes", async () => {
    expect(await judged((good) => ({ propose: async (payload, options) => { await Promise.resolve(); return good.propose(payload, options); } }))).toContain("OL1");
  });

  test("a replay that leaves out where it was asked to begin", async () => {
    expect(await judged((good) => ({ follow: (listener, from = 1) => good.follow(listener, from + 1) }))).toContain("OL3");
  });

  test("a follower that can not be stopped", async () => {
    expect(await judged((good) => ({ follow: (listener, from) => { good.follow(listener, from); return () => {}; } }))).toEqual(["OL3"]);
  });

  test("an iterable that only replays", async () => {
    expect(await judged((good) => ({ committed: (from) => ({ async *[Symbol.asyncIterator]() { const events: LogEvent[] = []; good.follow((event) => events.push(event), from)(); yield* events; } }) }))).toEqual(["OL4"]);
  });

  test("a retried key applied again", async () => {
    expect(await judged((good) => ({ propose: (payload, options) => good.propose(payload, { ...options, requestId: undefined }) }))).toEqual(expect.arrayContaining(["OL5", "OL6"]));
  });

  test("a floor that forgets open serials", async () => {
    expect(await judged((good) => { let highest = 0; return { propose: async (payload, options) => { const serial = options?.requestId; if (serial !== undefined && serial < highest) return { index: good.appliedIndex, key: { clientId: good.clientId, requestId: serial } }; highest = Math.max(highest, serial ?? good.lastRequestId + 1); return good.propose(payload, options); } }; })).toContain("OL6");
  });

  test("a read that answers from before", async () => {
    expect(await judged(() => ({ readIndex: async () => 0 }))).toEqual(expect.arrayContaining(["OL7"]));
  });

  test("a close that leaves what is pending open", async () => {
    expect(await judged((good) => { let closed = false; return { propose: (payload, options) => (closed ? Promise.reject(new ClosedError("it")) : good.propose(payload, options).catch(() => new Promise<never>(() => {}))), close: async () => { closed = true; await good.close(); } }; })).toContain("OL8");
  });

  test("a log that goes on after close", async () => {
    expect(await judged(() => ({ close: async () => {} }))).toEqual(expect.arrayContaining(["OL8"]));
  });

  test("a log deaf to abort signals", async () => {
    expect(await judged((good) => ({ propose: (payload, options) => good.propose(payload, { ...options, signal: undefined }) }))).toEqual(["OL9"]);
  });

  test("a key known only later", async () => {
    let last = 0;
    expect(await judged((good) => ({ get lastRequestId() { void Promise.resolve().then(() => (last = good.lastRequestId)); return last; } }))).toContain("OL10");
  });

  test("a snapshot that loses the section, and one that gives followers what they had", async () => {
    expect(await judged((good) => ({ snapshot: (index) => good.snapshot(index, new Uint8Array(0)) }))).toEqual(["OL11"]);
    expect(await judged(() => ({ snapshot: async () => {} }))).toEqual(expect.arrayContaining(["OL11"]));
  });

  test("a log that takes commands of any size", async () => {
    expect(await judged((good) => ({ propose: (payload, options) => good.propose(payload.subarray(0, 1000), options) }))).toEqual(["OL12"]);
  });

  test("a follower whose error reaches the others", async () => {
    expect(await judged((good) => { const listeners: ((event: LogEvent) => void)[] = []; good.follow((event) => { for (const listener of listeners) listener(event); }); return { follow: (listener, from) => { const before: LogEvent[] = []; good.follow((event) => before.push(event), from)(); before.forEach(listener); listeners.push(listener); return () => void listeners.splice(listeners.indexOf(listener), 1); } }; })).toContain("OL13");
  });

  test("a withdrawal that is only said", async () => {
    expect(await judged(() => ({ withdraw: () => true }))).toContain("OL14");
  });
});
