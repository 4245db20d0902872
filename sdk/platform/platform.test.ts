import { expect, test } from "vitest";
import { seededRandom } from "../base/index.ts";
import { randomId, systemClock, systemRandom } from "./index.ts";

test("the system clock never goes backwards and fires a timer once, after its time", async () => {
  const start = systemClock.now();
  let fired = 0;
  await new Promise<void>((resolve) => systemClock.after(5, () => { fired += 1; resolve(); }));
  expect(fired).toBe(1);
  expect(systemClock.now()).toBeGreaterThan(start);
});

test("a cancelled timer does not fire, and cancelling late is harmless", async () => {
  let fired = false;
  const cancel = systemClock.after(1, () => { fired = true; });
  cancel();
  await new Promise<void>((resolve) => systemClock.after(10, resolve));
  expect(fired).toBe(false);
  cancel();
});

test("the system's random numbers are 32-bit whole numbers that do not repeat across blocks", () => {
  const random = systemRandom();
  const drawn = Array.from({ length: 300 }, () => random.uint32());
  expect(drawn.every((value) => Number.isInteger(value) && value >= 0 && value < 2 ** 32)).toBe(true);
  expect(new Set(drawn).size).toBeGreaterThan(295);
});

test("ids are as long as asked, from the unmistakable alphabet, and differ", () => {
  expect(randomId()).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
  expect(randomId(8)).toHaveLength(8);
  expect(randomId()).not.toBe(randomId());
  expect(randomId(6, seededRandom(1))).toBe(randomId(6, seededRandom(1)));
});
