// Logged time goes on, whoever's clock it is measured by.
import { expect, test } from "vitest";
import { LoggedClock } from "./logged-clock.ts";

test("it is the wall clock's time, until somebody logged a later one; from there it goes on at the pace of the clock", () => {
  let [wall, passed] = [1_000, 50.5];
  const time = new LoggedClock({ wallClock: () => wall, clock: { now: () => passed } });
  time.heard(900);
  expect(time.now()).toBe(1_000);
  time.heard(5_000);
  expect(time.now()).toBe(5_000);
  [wall, passed] = [1_200, 250.75];
  expect(time.now()).toBe(5_200);
  // What is no later says nothing new.
  time.heard(5_100);
  expect(time.now()).toBe(5_200);
  // A wall clock that was set right, or is set back again.
  wall = 9_000;
  expect(time.now()).toBe(9_000);
  [wall, passed] = [10, 350];
  expect(time.now()).toBe(5_299);
});
