// The world's edges: where the page's own clock, randomness and life come in.
export { pageLifecycle, type PageEvent, type PageLifecycle, type PageTarget } from "./page-lifecycle.ts";
export { systemClock, wallClock } from "./system-clock.ts";
export { randomId, systemRandom } from "./system-random.ts";
export { tabClock, type TabClock, type TabClockOptions } from "./tab-clock.ts";
export type { Alarms } from "./worker-alarms.ts";
