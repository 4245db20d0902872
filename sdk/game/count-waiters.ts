// Callers waiting for a count to be reached.
import { SdkError } from "../base/index.ts";

/** At most this many wait at once; one more is refused. More than any view needs, few enough to show a leak. */
export const COUNT_WAITERS_MAX = 1024;

interface Waiter {
  readonly count: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** A set of promises, each resolved when the count it waits for is reached. */
export class CountWaiters {
  readonly #waiters = new Set<Waiter>();

  /** Resolves when `reached` is called with `count` or more; rejects with the signal's reason, or `SdkError` `busy` when too many wait. */
  wait(count: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#waiters.size >= COUNT_WAITERS_MAX) return Promise.reject(new SdkError("busy", `${COUNT_WAITERS_MAX} callers wait for a count already`));
    return new Promise((resolve, reject) => {
      const finish = (then: () => void): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener("abort", onAbort);
        then();
      };
      const waiter: Waiter = { count, resolve: () => finish(resolve), reject: (error) => finish(() => reject(error)) };
      const onAbort = (): void => waiter.reject(signal?.reason);
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiters.add(waiter);
    });
  }

  /** Resolves everybody who waits for `count` or less. */
  reached(count: number): void {
    if (this.#waiters.size === 0) return;
    for (const waiter of this.#waiters) if (waiter.count <= count) waiter.resolve();
  }

  /** Rejects everybody. */
  close(error: unknown): void {
    for (const waiter of this.#waiters) waiter.reject(error);
  }
}
