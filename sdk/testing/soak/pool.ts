// Spreads ranges of seeds over threads and adds up the answers.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { addTally, emptyTally, type Tally } from "../sim/many.ts";

/** How to run. */
export interface PoolOptions {
  /** From `bundleWorker`. */
  readonly code: string;
  readonly first: number;
  /** Asked before every range: the seed after the last one wanted. */
  readonly end: () => number;
  /** Seeds given to a thread at a time. */
  readonly chunk?: number | undefined;
  readonly threads?: number | undefined;
  /** Stops at the first failure. */
  readonly untilFailure?: boolean | undefined;
  /** A thread that answers nothing for this long hangs, ms: what it was given counts as a failure of rule `hang`. */
  readonly hangMs?: number | undefined;
  readonly onProgress?: ((tally: Tally) => void) | undefined;
}

/** Runs seeds until there are no more, or one failed where that is enough. */
export async function runPool(options: PoolOptions): Promise<Tally> {
  const { code, chunk = 10, threads = availableParallelism(), hangMs = 600_000 } = options;
  const total = emptyTally();
  let next = options.first;
  const isDone = (): boolean => next >= options.end() || (options.untilFailure === true && Object.keys(total.rules).length > 0);
  const runThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(code, { eval: true });
      let watch: NodeJS.Timeout | undefined;
      const finish = (): void => {
        clearTimeout(watch);
        worker.terminate().then(() => resolve(), reject);
      };
      const give = (): void => {
        if (isDone()) return finish();
        const from = next;
        next = Math.min(next + chunk, options.end());
        watch = setTimeout(() => {
          total.rules["hang"] = (total.rules["hang"] ?? 0) + 1;
          finish();
        }, hangMs);
        worker.postMessage({ from, to: next });
      };
      worker.on("message", (tally: Tally) => {
        clearTimeout(watch);
        addTally(total, tally);
        options.onProgress?.(total);
        give();
      });
      worker.on("error", (error) => {
        clearTimeout(watch);
        reject(error);
      });
      give();
    });
  await Promise.all(Array.from({ length: threads }, runThread));
  return total;
}
