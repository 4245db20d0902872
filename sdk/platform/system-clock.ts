// The page's own time and timers as a Clock.
import type { Clock } from "../base/index.ts";

/** A {@link Clock} on `performance.now` and `setTimeout`. In a hidden page timers fire at most once a second; whoever ticks must allow for late ones. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/** The wall clock, ms since 1970. May jump either way: only for stamps that people read. */
export function wallClock(): number {
  return Date.now();
}
