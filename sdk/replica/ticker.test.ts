import { describe, expect, test } from "vitest";
import type { Clock } from "../base/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Ticker } from "./ticker.ts";

/** A clock whose timers come as late as told. */
class LateClock implements Clock {
  readonly due: (() => void)[] = [];
  time = 0;
  now(): number { return this.time; }
  after(_: number, then: () => void): () => void {
    this.due.push(then);
    return () => void this.due.splice(this.due.indexOf(then), 1);
  }
  fire(): void { this.due.shift()?.(); }
}

describe("the ticker", () => {
  test("ticks once per interval and leaves no timer when stopped", async () => {
    const clock = new VirtualClock();
    let ticks = 0;
    const ticker = new Ticker({ clock, tickMs: 10, awayMs: 100, tick: () => (ticks += 1) });
    await clock.advance(1_000);
    expect(ticks).toBe(100);
    ticker.stop();
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(1_000);
    expect(ticks).toBe(100);
  });

  test("[RN7] a late timer lets what is queued behind it go first, then makes up the ticks", () => {
    const clock = new LateClock();
    const order: string[] = [];
    const ticker = new Ticker({ clock, tickMs: 10, awayMs: 1_500, tick: () => order.push("tick") });
    clock.time = 1_000;
    clock.fire();
    order.push("frame");
    clock.fire();
    expect(order[0]).toBe("frame");
    expect(order.filter((what) => what === "tick")).toHaveLength(100);
    ticker.stop();
    expect(clock.due).toHaveLength(0);
  });

  test("[RN7] a gap longer than any silence allowed counts as one tick", () => {
    const clock = new LateClock();
    let ticks = 0;
    const ticker = new Ticker({ clock, tickMs: 10, awayMs: 1_500, tick: () => (ticks += 1) });
    clock.time = 3_600_000;
    clock.fire();
    clock.fire();
    expect(ticks).toBe(1);
    clock.time += 10;
    clock.fire();
    expect(ticks).toBe(2);
    ticker.stop();
  });
});
