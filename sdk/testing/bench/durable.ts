// The bench of durable tabs: commits, start-up and handover in a real browser on a profile on disk. PARTS=commits,starts,handovers chooses.
import { measureCommits } from "./durable-commits.ts";
import { measureHandovers } from "./durable-handovers.ts";
import { openDurableStage } from "./durable-stage.ts";
import { measureStarts } from "./durable-starts.ts";

const PARTS = { commits: measureCommits, starts: measureStarts, handovers: measureHandovers };

async function main(): Promise<void> {
  const wanted = (process.env["PARTS"] ?? Object.keys(PARTS).join()).split(",");
  for (const [name, measure] of Object.entries(PARTS)) {
    if (!wanted.includes(name)) continue;
    const stage = await openDurableStage(new URL("./", import.meta.url));
    try {
      console.log(`Chromium ${stage.version}`);
      await measure(stage);
    } finally {
      await stage.close();
    }
  }
}

await main();
