// The process's clock as base's port.
import { performance } from "node:perf_hooks";
import type { Clock } from "../base/index.ts";

/** Timers of this process; they keep it alive. */
export const nodeClock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};
