// The page's own time and timers as a Clock.
import type { Clock } from "../base/index.ts";

/** The longest time `setTimeout` takes, ms: beyond it (24.8 days, or `Infinity`) it would fire at once. */
export const TIMER_MS_MAX: number = 2 ** 31 - 1;

/** A {@link Clock} on `performance.now` and `setTimeout`. In a hidden page timers fire at most once a second; whoever ticks must allow for late ones. */
export const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    if (ms > TIMER_MS_MAX) {
      let stop = systemClock.after(TIMER_MS_MAX, () => (stop = systemClock.after(ms - TIMER_MS_MAX, then)));
      return () => stop();
    }
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/** The wall clock, ms since 1970. May jump either way: only for stamps that people read. */
export function wallClock(): number {
  return Date.now();
}
