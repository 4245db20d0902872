// Waiting for something to become true, with a deadline, an abort signal and nothing left behind.
import type { Clock } from "../base/index.ts";

/** What is waited for, how to hear of changes, and when to give up. */
export interface WaitOptions<T> {
  /** Asked at once and after every change; ends the wait with a value, or by throwing. */
  readonly check: () => T | undefined;
  /** Calls its argument after every change; returns the function that stops it. */
  readonly subscribe: (changed: () => void) => () => void;
  readonly clock: Clock;
  /** Infinity: no deadline. */
  readonly ms: number;
  /** What the wait ends with at the deadline: a value, or a throw. */
  readonly onTimeout: () => T;
  readonly signal?: AbortSignal | undefined;
}

/** Resolves with what `check` or `onTimeout` returns; rejects with what they throw, or with the signal's reason. */
export function waitFor<T>({ check, subscribe, clock, ms, onTimeout, signal }: WaitOptions<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cleanups: (() => void)[] = [];
    let isOver = false;
    const end = (outcome: () => T | undefined): void => {
      if (isOver) return;
      try {
        const value = outcome();
        if (value === undefined) return;
        resolve(value);
      } catch (error) {
        reject(error);
      }
      isOver = true;
      for (const cleanup of cleanups) cleanup();
    };
    const onAbort = (): void => end(() => throwReason(signal));
    if (signal?.aborted === true) return onAbort();
    end(check);
    if (isOver) return undefined;
    cleanups.push(subscribe(() => end(check)));
    if (ms !== Infinity) cleanups.push(clock.after(ms, () => end(onTimeout)));
    signal?.addEventListener("abort", onAbort, { once: true });
    cleanups.push(() => signal?.removeEventListener("abort", onAbort));
    return undefined;
  });
}

function throwReason(signal: AbortSignal | undefined): never {
  throw signal?.reason;
}
