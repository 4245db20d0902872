// One thread of a run of gatherings: takes ranges of seeds, answers with what they went through.
import { parentPort } from "node:worker_threads";
import { simulateGatherings } from "../sessions/many.ts";
import type { SeedRange } from "./worker.ts";

parentPort?.on("message", ({ from, to }: SeedRange) => {
  void simulateGatherings(from, to).then((tally) => parentPort?.postMessage(tally));
});
