// What every OrderedLog must keep, as data: OL1 to OL14 of SPEC.md.
import { expect } from "vitest";
import type { Obligation } from "../testing/contract.ts";
import { LANE_FENCE, LANE_GAME, LANE_SESSION, type CommittedCommand, type LogEvent, type OrderedLog } from "./ordered-log.ts";

/** A running group of logs. */
export interface LogGroup {
  readonly logs: readonly OrderedLog[];
  /** Lets time pass until the promise settles. */
  until<T>(promise: Promise<T>): Promise<T>;
  /** Lets time pass until everything proposed has reached every log. */
  quiet(): Promise<void>;
  close(): Promise<void>;
}

/** Makes groups, each on its own. `commandBytesMax` of the logs is 256 KiB or less. */
export interface OrderedLogHarness {
  group(): Promise<LogGroup>;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

function listenTo(log: OrderedLog, from?: number): { events: LogEvent[]; stop: () => void; commands(): CommittedCommand[] } {
  const events: LogEvent[] = [];
  const stop = log.follow((event) => events.push(event), from);
  return { events, stop, commands: () => events.filter((event) => event.type === "command") };
}

const facts = (events: readonly LogEvent[]): string[] =>
  events.map((event) => (event.type === "install" ? `${event.index} install` : `${event.index} ${event.lane} ${event.key.clientId}/${event.key.requestId} by ${event.proposer} [${event.payload.join()}] at ${event.time}${event.duplicate ? " again" : ""}`));

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => "no error", (error: unknown) => (error instanceof Error && "code" in error ? error.code : error));

function inGroup(check: (group: LogGroup, first: OrderedLog, last: OrderedLog) => Promise<void>): (harness: OrderedLogHarness) => Promise<void> {
  return async (harness) => {
    const group = await harness.group();
    try {
      await check(group, group.logs[0]!, group.logs[group.logs.length - 1]!);
    } finally {
      await group.close();
    }
  };
}

/** OL1 to OL14. */
export const orderedLogContract: readonly Obligation<OrderedLogHarness>[] = [
  {
    id: "OL1",
    says: "a proposal resolves with its index and key after it was delivered, once, with all it carries",
    check: inGroup(async (group, _, last) => {
      const heard = listenTo(last);
      let heardAtSettling = -1;
      const given = bytes(7, 8);
      const proposing = last.propose(given, { lane: LANE_FENCE }).then((at) => ((heardAtSettling = heard.commands().length), at));
      given.fill(0);
      const at = await group.until(proposing);
      expect(heardAtSettling).toBe(1);
      await group.quiet();
      expect(heard.commands()).toHaveLength(1);
      expect(heard.commands()[0]).toMatchObject({ index: at.index, lane: LANE_FENCE, key: at.key, proposer: last.id, payload: bytes(7, 8), duplicate: false });
      expect(at.key).toEqual({ clientId: last.clientId, requestId: 1 });
      expect(last.appliedIndex).toBeGreaterThanOrEqual(at.index);
    }),
  },
  {
    id: "OL2",
    says: "every log delivers the same commands in the same order, with rising indexes and times that never fall",
    check: inGroup(async (group) => {
      const heard = group.logs.map((log) => listenTo(log));
      const proposing = Array.from({ length: 40 }, (_, at) => group.logs[at % group.logs.length]!.propose(bytes(at)));
      await group.until(Promise.all(proposing));
      await group.quiet();
      const first = heard[0]!.commands();
      expect(first).toHaveLength(40);
      expect(new Set(first.map((command) => command.payload[0])).size).toBe(40);
      for (const other of heard) expect(facts(other.events)).toEqual(facts(heard[0]!.events));
      for (let at = 1; at < first.length; at += 1) {
        expect(first[at]!.index).toBeGreaterThan(first[at - 1]!.index);
        expect(first[at]!.time).toBeGreaterThanOrEqual(first[at - 1]!.time);
      }
    }),
  },
  {
    id: "OL3",
    says: "follow gives what is held from an index on at once, then what comes, and stops when told",
    check: inGroup(async (group, log) => {
      const whole = listenTo(log);
      for (let round = 0; round < 5; round += 1) await group.until(log.propose(bytes(round)));
      const all = whole.commands();
      for (const { index } of all) {
        const late = listenTo(log, index);
        expect(facts(late.events)).toEqual(facts(all.filter((command) => command.index >= index)));
        late.stop();
      }
      // One that joins from inside another's call: nothing twice, nothing left out.
      const nested: LogEvent[] = [];
      let joined = false;
      log.follow(() => {
        if (!joined) log.follow((event) => nested.push(event), all[2]!.index);
        joined = true;
      }, log.appliedIndex + 1);
      const proposing = [log.propose(bytes(10)), log.propose(bytes(11)), log.propose(bytes(12))];
      whole.stop();
      await group.until(Promise.all(proposing));
      expect(whole.commands()).toHaveLength(5);
      expect(nested.map((event) => (event.type === "command" ? event.payload[0] : -1))).toEqual([2, 3, 4, 10, 11, 12]);
      const ahead = listenTo(log, log.appliedIndex + 2);
      await group.until(log.propose(bytes(13)));
      await group.until(log.propose(bytes(14)));
      expect(ahead.commands().map((command) => command.payload[0])).toEqual([14]);
    }),
  },
  {
    id: "OL4",
    says: "committed gives the same as an iterable, also to a slow reader, and ends at close or return",
    check: inGroup(async (group, log) => {
      await group.until(log.propose(bytes(0)));
      const reader = log.committed()[Symbol.asyncIterator]();
      const slow = log.committed()[Symbol.asyncIterator]();
      const quitter = log.committed(log.appliedIndex + 1)[Symbol.asyncIterator]();
      const waiting = quitter.next();
      await quitter.return?.();
      expect((await group.until(waiting)).done).toBe(true);
      const early = [reader.next(), reader.next(), reader.next()];
      for (let round = 1; round < 600; round += 1) void log.propose(bytes(round % 250)).catch(() => {});
      await group.quiet();
      const first = await group.until(Promise.all(early));
      expect(first.map(({ value }) => value?.payload[0])).toEqual([0, 1, 2]);
      const seen: number[] = [];
      for (let round = 0; round < 600; round += 1) {
        const { value } = await group.until(slow.next());
        seen.push(value?.payload[0]);
      }
      expect(seen).toEqual(Array.from({ length: 600 }, (_, at) => (at === 0 ? 0 : at % 250)));
      const pending = slow.next();
      await log.close();
      expect((await group.until(pending)).done).toBe(true);
    }),
  },
  {
    id: "OL5",
    says: "proposing again under a key that was applied gives the first index and has no effect",
    check: inGroup(async (group, log) => {
      const first = await group.until(log.propose(bytes(1)));
      await group.until(log.propose(bytes(2)));
      const heard = listenTo(log, log.appliedIndex + 1);
      const again = await group.until(log.propose(bytes(1), { requestId: first.key.requestId }));
      expect(again).toEqual(first);
      const twice = await group.until(Promise.all([log.propose(bytes(3), { requestId: 3 }), log.propose(bytes(3), { requestId: 3 })]));
      expect(twice[0]).toEqual(twice[1]);
      await group.quiet();
      expect(heard.commands().filter((command) => !command.duplicate).map((command) => command.payload[0])).toEqual([3]);
    }),
  },
  {
    id: "OL6",
    says: "serials may be used out of order and each is applied exactly once",
    check: inGroup(async (group, log) => {
      const heard = listenTo(log);
      const order = [5, 2, 9, 1, 9, 3, 2];
      const settled = await group.until(Promise.all(order.map((requestId) => log.propose(bytes(requestId), { requestId }))));
      await group.quiet();
      const applied = heard.commands().filter((command) => !command.duplicate);
      expect(applied.map((command) => command.key.requestId).sort((a, b) => a - b)).toEqual([1, 2, 3, 5, 9]);
      settled.forEach((at, place) => expect(applied.find((command) => command.index === at.index)?.key.requestId).toBe(order[place]));
      expect(log.lastRequestId).toBe(9);
    }),
  },
  {
    id: "OL7",
    says: "readIndex is at or after everything committed before the call, and applied here",
    check: inGroup(async (group, first, last) => {
      for (let round = 0; round < 5; round += 1) {
        const at = await group.until(first.propose(bytes(round)));
        let applied = -1;
        const index = await group.until(last.readIndex().then((read) => ((applied = last.appliedIndex), read)));
        expect(index).toBeGreaterThanOrEqual(at.index);
        expect(applied).toBeGreaterThanOrEqual(index);
      }
    }),
  },
  {
    id: "OL8",
    says: "closing settles what is pending as closed, and afterwards nothing is taken or heard",
    check: inGroup(async (group, _, last) => {
      const heard = listenTo(last);
      const pending = codeOf(last.propose(bytes(1)));
      const closing = last.close();
      // What was pending may have committed in this very moment; it must not stay open.
      expect(["closed", "no error"]).toContain(await group.until(pending));
      await group.until(closing);
      await last.close();
      const count = heard.events.length;
      expect(await group.until(codeOf(last.propose(bytes(2))))).toBe("closed");
      expect(await group.until(codeOf(last.readIndex()))).toBe("closed");
      expect(await group.until(codeOf(last.snapshot(1, bytes())))).toBe("closed");
      await group.quiet();
      expect(heard.events.length).toBe(count);
    }),
  },
  {
    id: "OL9",
    says: "an aborted request rejects with the reason; one aborted before begins nothing",
    check: inGroup(async (group, log) => {
      const heard = listenTo(log);
      const before = new AbortController();
      before.abort("too late");
      expect(await group.until(codeOf(log.propose(bytes(1), { signal: before.signal })))).toBe("too late");
      expect(await group.until(codeOf(log.readIndex({ signal: before.signal })))).toBe("too late");
      expect(log.lastRequestId).toBe(0);
      const during = new AbortController();
      const proposing = codeOf(log.propose(bytes(2), { signal: during.signal }));
      during.abort("changed my mind");
      expect(await group.until(proposing)).toBe("changed my mind");
      await group.until(log.propose(bytes(3)));
      await group.quiet();
      expect(heard.commands().map((command) => command.payload[0])).not.toContain(1);
    }),
  },
  {
    id: "OL10",
    says: "the key is known before any await, and serials rise by one",
    check: inGroup(async (group, log) => {
      expect(log.lastRequestId).toBe(0);
      const one = log.propose(bytes(1));
      expect(log.lastRequestId).toBe(1);
      const two = log.propose(bytes(2));
      expect(log.lastRequestId).toBe(2);
      expect((await group.until(one)).key.requestId).toBe(1);
      expect((await group.until(two)).key.requestId).toBe(2);
    }),
  },
  {
    id: "OL11",
    says: "after a snapshot a reader from before it gets an install and what follows; one from after it notices nothing",
    check: inGroup(async (group, log) => {
      const follower = listenTo(log);
      const indexes: number[] = [];
      for (let round = 0; round < 6; round += 1) indexes.push((await group.until(log.propose(bytes(round), { lane: round === 5 ? LANE_SESSION : LANE_GAME }))).index);
      const before = follower.events.length;
      await group.until(log.snapshot(indexes[2]!, bytes(42)));
      expect(follower.events.length).toBe(before);
      const late = listenTo(log);
      expect(late.events[0]).toMatchObject({ type: "install", index: indexes[2] });
      const [install] = late.events;
      expect(install?.type === "install" && install.sections.get(LANE_GAME)).toEqual(bytes(42));
      expect(late.commands().map((command) => command.index)).toEqual(indexes.slice(3));
      const after = listenTo(log, indexes[3]);
      expect(after.events.map((event) => event.index)).toEqual(indexes.slice(3));
      const { value } = await group.until(log.committed()[Symbol.asyncIterator]().next());
      expect(value?.type).toBe("install");
      // A key applied before the snapshot is still known.
      expect((await group.until(log.propose(bytes(0), { requestId: 1 }))).index).toBe(indexes[0]);
      expect(late.commands().filter((command) => !command.duplicate)).toHaveLength(3);
      // An older one changes nothing.
      await group.until(log.snapshot(indexes[1]!, bytes(41)));
      expect(listenTo(log).events[0]).toMatchObject({ type: "install", index: indexes[2] });
      expect(await group.until(codeOf(log.snapshot(log.appliedIndex + 10, bytes())))).toBe("invalid-argument");
    }),
  },
  {
    id: "OL12",
    says: "a command that is too large is refused and changes nothing",
    check: inGroup(async (group, log) => {
      const heard = listenTo(log);
      expect(await group.until(codeOf(log.propose(new Uint8Array(300 * 1024))))).toBe("payload-too-large");
      expect((await group.until(log.propose(bytes(1)))).key.requestId).toBe(1);
      await group.quiet();
      expect(heard.commands()).toHaveLength(1);
    }),
  },
  {
    id: "OL13",
    says: "a follower that throws disturbs neither the log nor the others",
    check: inGroup(async (group, log) => {
      log.follow(() => {
        throw new Error("a faulty listener");
      });
      const heard = listenTo(log);
      await group.until(log.propose(bytes(1)));
      await group.until(log.propose(bytes(2)));
      expect(heard.commands()).toHaveLength(2);
    }),
  },
  {
    id: "OL14",
    says: "what was taken back never commits, what could not be does, and what has committed can not be",
    check: inGroup(async (group, log) => {
      const heard = listenTo(log);
      const proposing = codeOf(log.propose(bytes(1)));
      const isBack = log.withdraw(log.lastRequestId);
      expect(await group.until(proposing)).toBe(isBack ? "withdrawn" : "no error");
      await group.until(log.propose(bytes(2)));
      await group.quiet();
      expect(heard.commands().map(({ payload }) => payload[0])).toEqual(isBack ? [2] : [1, 2]);
      expect([log.withdraw(log.lastRequestId), log.withdraw(1), log.withdraw(77)]).toEqual([false, false, false]);
    }),
  },
];
