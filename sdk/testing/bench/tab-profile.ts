// Where a tab's processor time goes, function by function.
import type { Page } from "playwright";
import { fixed, table } from "./measure.ts";

const ROWS = 28;

/** Profiles a tab while `run` goes on and prints the functions that took most by themselves, in shares of the time it was busy. */
export async function profile(title: string, tab: Page, run: () => Promise<unknown>): Promise<void> {
  const session = await tab.context().newCDPSession(tab);
  await session.send("Profiler.enable");
  await session.send("Profiler.setSamplingInterval", { interval: 200 });
  await session.send("Profiler.start");
  await run();
  const { profile: taken } = await session.send("Profiler.stop");
  await session.detach();
  const own = new Map<number, number>();
  for (const [at, id] of (taken.samples ?? []).entries()) own.set(id, (own.get(id) ?? 0) + (taken.timeDeltas?.[at] ?? 0));
  const byName = new Map<string, number>();
  let busy = 0;
  for (const { id, callFrame } of taken.nodes) {
    const micros = own.get(id) ?? 0;
    if (callFrame.functionName === "(idle)") continue;
    busy += micros;
    const name = `${callFrame.functionName || "(anonymous)"} :${callFrame.lineNumber + 1}`;
    byName.set(name, (byName.get(name) ?? 0) + micros);
  }
  const rows = [...byName].sort((a, b) => b[1] - a[1]).slice(0, ROWS);
  console.log(`${title}: busy ${fixed(busy / 1000, 0)} ms of ${fixed((taken.endTime - taken.startTime) / 1000, 0)} ms`);
  table(["function :line in the bundled page", "%"], rows.map(([name, micros]) => [name, fixed((100 * micros) / busy, 1)]));
}
