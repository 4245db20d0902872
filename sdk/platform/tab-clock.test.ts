import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { tabClock, type PageEvent, type TabClock } from "./index.ts";
import { WorkerAlarms, type AlarmWorker } from "./worker-alarms.ts";

/** A page whose own timers fire on whole seconds while it is hidden, as a browser's do. */
class FakePage {
  readonly time = new VirtualClock();
  readonly alarms = { set: (ms: number, fire: () => void): (() => void) => this.time.after(ms, fire) };
  readonly #listeners = new Set<() => void>();
  readonly lifecycle = {
    isHidden: false,
    on: (event: PageEvent, listener: () => void): (() => void) => {
      if (event === "visibility") this.#listeners.add(listener);
      return () => void this.#listeners.delete(listener);
    },
  };

  readonly main = {
    now: () => this.time.now(),
    after: (ms: number, then: () => void) => {
      let cancel = this.time.after(ms, () => {
        const late = this.lifecycle.isHidden ? (1000 - (this.time.now() % 1000)) % 1000 : 0;
        if (late === 0) then();
        else cancel = this.time.after(late, then);
      });
      return () => cancel();
    },
  };

  clock(alarms = this.alarms): TabClock {
    return tabClock({ main: this.main, lifecycle: this.lifecycle, alarms });
  }

  show(isShown: boolean): void {
    this.lifecycle.isHidden = !isShown;
    for (const heard of this.#listeners) heard();
  }

  get listeners(): number {
    return this.#listeners.size;
  }
}

describe("a tab's clock", () => {
  test("fires on time in a hidden page, timers set before and after it was hidden", async () => {
    const page = new FakePage();
    const clock = page.clock();
    const fired: number[] = [];
    clock.after(250, () => fired.push(clock.now()));
    await page.time.advance(100);
    page.show(false);
    clock.after(50, () => fired.push(clock.now()));
    await page.time.advance(400);
    expect(fired).toEqual([150, 250]);
  });

  test("goes on with the page's own timers where no worker may run", async () => {
    const page = new FakePage();
    const clock = page.clock({ set: () => () => {} });
    page.show(false);
    const fired: number[] = [];
    clock.after(250, () => fired.push(clock.now()));
    await page.time.advance(2_000);
    expect(fired).toEqual([1_000]);
  });

  test("leaves nothing behind when closed", async () => {
    const page = new FakePage();
    const clock = page.clock();
    let fired = 0;
    clock.after(100, () => { fired += 1; });
    page.show(false);
    clock.close();
    clock.after(100, () => { fired += 1; })();
    await page.time.advance(5_000);
    expect(fired).toBe(0);
    expect(page.time.pendingTimers).toBe(0);
    expect(page.listeners).toBe(0);
    clock.close();
  });

  test("fires every timer exactly once, never early, and on time while seen or with a worker, whatever is hidden, shown and cancelled", async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("set" as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
      fc.record({ do: fc.constant("cancel" as const), which: fc.nat(20) }),
      fc.record({ do: fc.constant("show" as const), isShown: fc.boolean() }),
      fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 2_000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const page = new FakePage();
        const clock = page.clock();
        const timers: { due: number; firedAt: number[]; cancelledAt?: number; cancel: () => void }[] = [];
        for (const one of steps) {
          if (one.do === "set") {
            const timer = { due: clock.now() + one.ms, firedAt: [] as number[], cancel: () => {} };
            timer.cancel = clock.after(one.ms, () => timer.firedAt.push(clock.now()));
            timers.push(timer);
          } else if (one.do === "cancel") {
            const timer = timers[one.which];
            if (timer !== undefined) timer.cancelledAt ??= clock.now();
            timer?.cancel();
          } else if (one.do === "show") page.show(one.isShown);
          else await page.time.advance(one.ms);
        }
        await page.time.advance(10_000);
        for (const { due, firedAt, cancelledAt } of timers) {
          // Cancelled in the very millisecond it is due: either is right.
          if (cancelledAt === due) expect([[], [due]]).toContainEqual(firedAt);
          else expect(firedAt).toEqual(cancelledAt !== undefined && cancelledAt < due ? [] : [due]);
        }
        expect(page.time.pendingTimers).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

class FakeWorker implements AlarmWorker {
  onmessage: AlarmWorker["onmessage"] = null;
  onerror: AlarmWorker["onerror"] = null;
  isTerminated = false;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  postMessage(message: unknown): void {
    const [id, ms] = message as [number, number];
    clearTimeout(this.#timers.get(id));
    if (ms >= 0) this.#timers.set(id, setTimeout(() => this.onmessage?.({ data: id }), ms));
  }

  terminate(): void {
    this.isTerminated = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}

describe("a worker's alarms", () => {
  const started: FakeWorker[] = [];
  const alarms = (): WorkerAlarms => new WorkerAlarms(() => {
    const worker = new FakeWorker();
    started.push(worker);
    return worker;
  });

  beforeEach(() => {
    started.length = 0;
    vi.useFakeTimers();
  });
  afterEach(() => vi.useRealTimers());

  test("start one worker when first needed and end it when nothing is set for a while", () => {
    const some = alarms();
    expect(started).toHaveLength(0);
    let fired = 0;
    const tick = (): void => {
      fired += 1;
      if (fired < 5) some.set(100, tick);
    };
    some.set(100, tick);
    vi.advanceTimersByTime(500);
    expect(fired).toBe(5);
    expect(started).toHaveLength(1);
    expect(some.isRunning).toBe(true);
    vi.advanceTimersByTime(1_100);
    expect(some.isRunning).toBe(false);
    expect(started[0]?.isTerminated).toBe(true);
    some.set(10, tick);
    vi.advanceTimersByTime(10);
    expect(fired).toBe(6);
    expect(started).toHaveLength(2);
  });

  test("an alarm taken back does not go off, and an unused worker ends", () => {
    const some = alarms();
    let fired = false;
    some.set(100, () => { fired = true; })();
    vi.advanceTimersByTime(2_000);
    expect(fired).toBe(false);
    expect(some.isRunning).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("a worker that is refused, at once or later, is not tried again", () => {
    const refusing = new WorkerAlarms(() => { throw new DOMException("no", "SecurityError"); });
    refusing.set(1, () => {});
    expect(refusing.isRunning).toBe(false);
    const some = alarms();
    let fired = false;
    some.set(100, () => { fired = true; });
    let isPrevented = false;
    started[0]?.onerror?.({ preventDefault: () => { isPrevented = true; } });
    some.set(100, () => { fired = true; })();
    vi.advanceTimersByTime(5_000);
    expect(isPrevented).toBe(true);
    expect(fired).toBe(false);
    expect(started).toHaveLength(1);
  });

  test("a worker that posts what it was not asked for is not listened to", () => {
    const some = alarms();
    some.set(100, () => {});
    for (const data of [99, "1", undefined, {}]) started[0]?.onmessage?.({ data });
    expect(some.isRunning).toBe(true);
  });
});
