// The world's edges: where the page's own clock and randomness come in.
export { systemClock, wallClock } from "./system-clock.ts";
export { randomId, systemRandom } from "./system-random.ts";
