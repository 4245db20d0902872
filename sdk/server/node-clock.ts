// The process's clock as base's port.
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/index.ts";

/** The longest time a timer of this process takes, ms: 24.8 days. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Timers of this process; they keep it alive. */
export const nodeClock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    // A longer one would fire at once.
    const wait = (left: number): NodeJS.Timeout => (left <= TIMER_MS_MAX ? setTimeout(then, left) : setTimeout(() => (timer = wait(left - TIMER_MS_MAX)), TIMER_MS_MAX));
    let timer = wait(ms);
    return () => clearTimeout(timer);
  },
};
