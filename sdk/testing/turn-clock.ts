// Waiting in virtual time: the clock is turned by hand until something has happened, and not for ever.
import type { VirtualClock } from "./virtual-clock.ts";

/** How far the clock is turned between two looks, ms: about one way over the wires of most tests. */
const STEP_MS = 20;

/** Turns the clock until the promise settles, and gives what it settled with. One that needs more than three minutes has failed. */
export async function settled<T>(clock: VirtualClock, promise: Promise<T>): Promise<T> {
  let isSettled = false;
  const settle = (): void => void (isSettled = true);
  promise.then(settle, settle);
  for (let ms = 0; ms < 180_000 && !isSettled; ms += STEP_MS) await clock.advance(STEP_MS);
  if (!isSettled) throw new Error("still waiting after three minutes");
  return promise;
}

/** Turns the clock until the condition holds, at most `ms`; returns whether it does. */
export async function until(clock: VirtualClock, condition: () => boolean, ms = 30_000): Promise<boolean> {
  for (let at = 0; at < ms && !condition(); at += STEP_MS) await clock.advance(STEP_MS);
  return condition();
}
