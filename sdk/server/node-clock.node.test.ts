import { afterEach, expect, test, vi } from "vitest";
import { nodeClock } from "./node-clock.ts";

afterEach(() => {
  vi.useRealTimers();
});

test("a wait that is longer than a timer can be ends when it should, and not at once", () => {
  vi.useFakeTimers();
  const ms = 2 ** 31 * 2.5;
  let fired = 0;
  nodeClock.after(ms, () => void (fired += 1));
  vi.advanceTimersByTime(ms - 1);
  expect(fired).toBe(0);
  vi.advanceTimersByTime(1);
  expect([fired, vi.getTimerCount()]).toEqual([1, 0]);
});

test("one that never ends does not end, and can be taken back at any time", () => {
  vi.useFakeTimers();
  const cancel = nodeClock.after(Infinity, () => expect.unreachable());
  vi.advanceTimersByTime(2 ** 33);
  cancel();
  expect(vi.getTimerCount()).toBe(0);
});
