// One thread of a soak: takes ranges of seeds, answers with what they went through.
import { parentPort } from "node:worker_threads";
import { simulateMany } from "../sim/many.ts";

/** Seeds `from` to `to - 1`. */
export interface SeedRange {
  readonly from: number;
  readonly to: number;
}

parentPort?.on("message", ({ from, to }: SeedRange) => parentPort?.postMessage(simulateMany(from, to)));
