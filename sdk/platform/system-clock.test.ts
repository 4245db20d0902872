// Timers that are set for longer than a browser's or a process's own take.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock, tabClock } from "./index.ts";

const DAY_MS = 86_400_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a timer for weeks fires when they are over, one for ever never, and either can be taken back", async () => {
  const fired: string[] = [];
  const stops = [systemClock.after(60 * DAY_MS, () => fired.push("weeks")), systemClock.after(Infinity, () => fired.push("ever")), systemClock.after(60 * DAY_MS, () => fired.push("taken back"))];
  await vi.advanceTimersByTimeAsync(30 * DAY_MS);
  expect(fired).toEqual([]);
  stops[2]?.();
  await vi.advanceTimersByTimeAsync(29 * DAY_MS);
  expect(fired).toEqual([]);
  await vi.advanceTimersByTimeAsync(2 * DAY_MS);
  expect(fired).toEqual(["weeks"]);
  for (const stop of stops) stop();
  expect(vi.getTimerCount()).toBe(0);
});

test("in a hidden page they ask no worker, whose timers end where the page's do", () => {
  const asked: number[] = [];
  const alarms = {
    set: (ms: number): (() => void) => {
      asked.push(ms);
      return () => {};
    },
  };
  const clock = tabClock({ lifecycle: { isHidden: true, on: () => () => {} }, alarms });
  clock.after(Infinity, () => {});
  clock.after(5, () => {});
  expect(asked).toEqual([5]);
  clock.close();
});
