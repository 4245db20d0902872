// Every way in that fails, and every end: counted is what the session started and what is still there once the caller hears of it.
import { afterEach, describe, expect, test } from "vitest";
import type { PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";
import { MemoryByteStore, type ByteStore } from "../storage/index.ts";
import { TabClock } from "../testing/sessions/clock.ts";
import { CountingSeam } from "../testing/sessions/seam.ts";
import { gameResume } from "./enter.ts";
import type { SessionOptions } from "./session.ts";
import { ann, bob, cat, dan, eve, Room } from "./test-room.ts";

let room: Room;
const open = (): Room => (room = new Room());

afterEach(async () => {
  await room.end();
  await room.clock.advance(120_000);
  expect(room.clock.pendingTimers).toBe(0);
});

/** Counts what is under way on a store, and what was ever asked of it. */
function counting(store: ByteStore): ByteStore & { readonly counts: { asked: number; open: number; closes: number } } {
  const counts = { asked: 0, open: 0, closes: 0 };
  const counted = <T>(call: Promise<T>): Promise<T> => {
    counts.asked += 1;
    counts.open += 1;
    return call.finally(() => (counts.open -= 1));
  };
  return {
    counts,
    read: (key) => counted(store.read(key)),
    readRange: (from, to) => counted(store.readRange(from, to)),
    write: (ops) => counted(store.write(ops)),
    compareAndSet: (key, expected, next) => counted(store.compareAndSet(key, expected, next)),
    close: () => {
      counts.closes += 1;
      return store.close();
    },
  };
}

/** One tab whose timers, listeners, frames and records are counted. */
class CountedTab {
  readonly seam: CountingSeam;
  readonly options: SessionOptions & { readonly storage: ByteStore };
  readonly #clock: TabClock;
  readonly #store: ReturnType<typeof counting>;
  readonly #abort = new AbortController();
  #signalListeners = 0;
  #visibilityListeners = 0;
  #sent = 0;

  constructor(id: PeerId) {
    const seam = room.seam(id);
    this.seam = new CountingSeam(this.#countSent(seam));
    this.#clock = new TabClock(room.clock);
    this.#store = counting(new MemoryByteStore());
    const visibility: SessionOptions["visibility"] = {
      isHidden: false,
      on: () => {
        this.#visibilityListeners += 1;
        return () => (this.#visibilityListeners -= 1);
      },
    };
    this.options = { ...room.environment, clock: this.#clock, storage: this.#store, visibility, signal: this.#counted(this.#abort.signal) };
  }

  abort(): void {
    this.#abort.abort(new Error("enough"));
  }

  /** Nothing of it is there at this moment, and nothing of it moves later. */
  async expectNothing(): Promise<void> {
    const left = (): unknown => ({ timers: this.#clock.pendingTimers, listeners: this.seam.listeners, signal: this.#signalListeners, visibility: this.#visibilityListeners, storing: this.#store.counts.open });
    expect(left()).toEqual({ timers: 0, listeners: 0, signal: 0, visibility: 0, storing: 0 });
    const before = [this.#sent, this.#store.counts.asked];
    await room.clock.advance(30_000);
    expect([left(), this.#sent, this.#store.counts.asked]).toEqual([{ timers: 0, listeners: 0, signal: 0, visibility: 0, storing: 0 }, ...before]);
    // The store was handed in, as the seam was: neither is the session's to close.
    expect([this.#store.counts.closes, this.seam.state.phase]).toEqual([0, "woven"]);
  }

  #countSent(seam: Seam): Seam {
    const sent = (): void => void (this.#sent += 1);
    return new Proxy(seam, {
      get: (target, name) => {
        if (name === "broadcast" || name === "sendTo") sent();
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  #counted(signal: AbortSignal): AbortSignal {
    const on = signal.addEventListener.bind(signal);
    const off = signal.removeEventListener.bind(signal);
    const listening = new Set<unknown>();
    signal.addEventListener = (...args: Parameters<AbortSignal["addEventListener"]>): void => {
      listening.add(args[1]);
      this.#signalListeners = listening.size;
      on(...args);
    };
    signal.removeEventListener = (...args: Parameters<AbortSignal["removeEventListener"]>): void => {
      listening.delete(args[1]);
      this.#signalListeners = listening.size;
      off(...args);
    };
    return signal;
  }
}

describe("[SE24] nothing is left by a way in that ended with", () => {
  test("JoinTimeoutError, with nobody there, with a silent peer there, and by a leader that does not answer", async () => {
    open();
    const alone = new CountedTab(bob);
    expect(await room.failure(room.join(alone.seam, alone.options))).toMatchObject({ code: "join-timeout" });
    await alone.expectNothing();
    room.seam(cat);
    expect(await room.failure(room.join(alone.seam, alone.options))).toMatchObject({ code: "join-timeout" });
    await alone.expectNothing();
    const host = await room.get(room.host(room.seam(ann)));
    const deaf = new CountedTab(dan);
    // The newcomer hears of the match and opens its log; what it says of itself is lost.
    room.hub.block(dan, ann);
    expect(await room.failure(room.join(deaf.seam, deaf.options))).toMatchObject({ code: "join-timeout" });
    await deaf.expectNothing();
    expect(host.isClosed).toBe(false);
  });

  test("RosterFullError", async () => {
    open();
    await room.group([ann, bob]);
    const tab = new CountedTab(cat);
    expect(await room.failure(room.join(tab.seam, tab.options))).toMatchObject({ code: "roster-full" });
    await tab.expectNothing();
  });

  test("RosterFullError after its node was a learner: the last seat went to somebody else", async () => {
    open();
    await room.get(room.host(room.seam(ann)));
    const tabs = [new CountedTab(bob), new CountedTab(cat), new CountedTab(dan)];
    const outcomes = await room.get(Promise.allSettled(tabs.map((tab) => room.join(tab.seam, tab.options))));
    expect(outcomes.map((outcome) => (outcome.status === "fulfilled" ? "in" : (outcome.reason as { code: string }).code)).sort()).toEqual(["in", "roster-full", "roster-full"]);
    for (const [at, tab] of tabs.entries()) if (outcomes[at]?.status === "rejected") await tab.expectNothing();
  });

  test("AdmissionRefusedError, by a word and by a rule that throws", async () => {
    open();
    await room.get(room.host(room.seam(ann), { admit: ({ name }) => (name === "Boom" ? Promise.reject(new Error("bug")) : { refuse: "no" }) }));
    for (const [id, name] of [[bob, "Bob"], [cat, "Boom"]] as const) {
      for (const way of ["join", "spectate"] as const) {
        const tab = new CountedTab(id);
        expect(await room.failure(room[way](tab.seam, { ...tab.options, name }))).toMatchObject({ code: "admission-refused" });
        await tab.expectNothing();
        await tab.seam.close();
        await room.clock.advance(1_000);
      }
    }
  });

  test("KickedError, at the door and inside", async () => {
    open();
    const host = await room.get(room.host(room.seam(ann)));
    const tab = new CountedTab(bob);
    const inside = await room.get(room.join(tab.seam, tab.options));
    const channel = inside.appChannel("chat");
    await room.get(host.kick(bob, "rude"));
    expect(await room.until(() => inside.isClosed)).toBe(true);
    await room.get(inside.close());
    expect(inside.failure).toMatchObject({ code: "kicked" });
    expect(channel.state.phase).toBe("torn");
    await tab.expectNothing();
    expect(await room.failure(room.join(tab.seam, tab.options))).toMatchObject({ code: "kicked" });
    await tab.expectNothing();
    expect(await room.failure(room.spectate(tab.seam, tab.options))).toMatchObject({ code: "kicked" });
    await tab.expectNothing();
  });

  test("SpectatorsClosedError and SpectateTimeoutError", async () => {
    open();
    const alone = new CountedTab(bob);
    expect(await room.failure(room.spectate(alone.seam, alone.options))).toMatchObject({ code: "spectate-timeout" });
    await alone.expectNothing();
    await room.get(room.host(room.seam(ann), { spectators: false }));
    expect(await room.failure(room.spectate(alone.seam, alone.options))).toMatchObject({ code: "spectators-closed" });
    await alone.expectNothing();
  });

  test("DuplicateHostError, before and after a node was started", async () => {
    open();
    const tabs = [new CountedTab(ann), new CountedTab(bob)];
    const outcomes = await room.get(Promise.allSettled(tabs.map((tab) => room.host(tab.seam, tab.options))));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await tabs[1]!.expectNothing();
    // Two that opened matches out of each other's sight meet: the later one gives way.
    const late = new CountedTab(cat);
    room.hub.partition([cat]);
    const other = await room.get(room.host(late.seam, { ...late.options, hostDeclarationTimeoutMs: 100 }));
    room.hub.heal();
    expect(await room.until(() => other.isClosed)).toBe(true);
    await room.get(other.close());
    expect(other.failure).toMatchObject({ code: "duplicate-host" });
    await late.expectNothing();
  });

  test("an abort at any moment, by whatever way", async () => {
    for (const way of ["host", "join", "spectate"] as const) {
      for (let afterMs = 0; afterMs <= 480; afterMs += 40) {
        open();
        if (way !== "host") await room.get(room.host(room.seam(ann)));
        const tab = new CountedTab(bob);
        const entering = way === "host" ? room.host(tab.seam, { ...tab.options, returnAt: "full" }) : room[way](tab.seam, tab.options);
        const outcome = entering.then((session) => session, (error: unknown) => error);
        await room.clock.advance(afterMs);
        tab.abort();
        const ended = await room.get(outcome);
        if (ended instanceof Error) expect([way, afterMs, ended.message]).toEqual([way, afterMs, "enough"]);
        // Whoever is in already stays in, however late the signal comes.
        else await room.get((ended as Awaited<typeof entering>).close());
        await tab.expectNothing();
        await room.end();
      }
    }
  });

  test("a seam that tears at any moment on the way in", async () => {
    for (let afterMs = 0; afterMs <= 400; afterMs += 40) {
      open();
      await room.get(room.host(room.seam(ann)));
      const tab = new CountedTab(bob);
      const outcome = room.join(tab.seam, tab.options).then(async (session) => (await session.close(), undefined), (error: unknown) => error);
      await room.clock.advance(afterMs);
      room.hub.kill(bob, { noticedAfterMs: 100 });
      await room.get(outcome);
      await room.clock.advance(200);
      expect([afterMs, tab.seam.listeners]).toEqual([afterMs, 0]);
      await room.end();
    }
  });

  test("a disk that holds nothing to come back to", async () => {
    open();
    const blank = new CountedTab(eve);
    expect(await room.get(gameResume(blank.seam, blank.options))).toBeUndefined();
    await blank.expectNothing();
  });
});

test("[SE24] a session that ends by close or by leave leaves nothing either", async () => {
  open();
  await room.get(room.host(room.seam(ann), { peerCount: 4 }));
  for (const [id, end] of [[bob, "close"], [cat, "leave"]] as const) {
    const tab = new CountedTab(id);
    const session = await room.get(room.join(tab.seam, tab.options));
    const channel = session.appChannel("x");
    await room.get(session[end]());
    expect(channel.state.phase).toBe("torn");
    await tab.expectNothing();
  }
});
