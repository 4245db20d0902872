// Spreads seeds of gatherings over threads and adds up the answers.
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { addGatherings, emptyGatherings, type GatheringTally } from "../sessions/many.ts";

/** Seeds given to a thread at a time. */
const CHUNK = 10;

/** Runs the seeds `from` to `to - 1`; `code` is from `bundleWorker([], "gathering-worker")`. */
export async function runGatherings(code: string, from: number, to: number): Promise<GatheringTally> {
  const total = emptyGatherings();
  let next = from;
  const runThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(code, { eval: true });
      const give = (): void => {
        if (next >= to) return void worker.terminate().then(() => resolve(), reject);
        const range = { from: next, to: Math.min(next + CHUNK, to) };
        next = range.to;
        worker.postMessage(range);
      };
      worker.on("message", (tally: GatheringTally) => {
        addGatherings(total, tally);
        give();
      });
      worker.on("error", reject);
      give();
    });
  await Promise.all(Array.from({ length: availableParallelism() }, runThread));
  return total;
}
