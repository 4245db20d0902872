// The host's tab is closed: how long until a move of the other tab is committed, and by what.
import type { Page } from "playwright";
import type { DurableStage } from "./durable-stage.ts";
import type { HandoverMode } from "./handover-page.ts";
import { loadNow, median, table, whole } from "./measure.ts";

const TIMES = Number(process.env["HANDOVERS"] ?? 10);

/** Prints the table. */
export async function measureHandovers(stage: DurableStage): Promise<void> {
  const rows: string[][] = [];
  let stays = await enter(stage);
  for (const mode of ["one move", "move after move"] as const) {
    const taken: Awaited<ReturnType<typeof handOver>>[] = [];
    for (let time = 0; time < TIMES; time += 1) {
      const other = await enter(stage);
      await isLive([stays, other]);
      // The one that led is closed: the other one stays, and leads the next time.
      const isHost = await stays.evaluate(() => globalThis.handoverBench.status.leads);
      const [host, heir] = isHost ? [stays, other] : [other, stays];
      taken.push(await handOver(host, heir, mode));
      stays = heir;
    }
    const middle = (pick: (one: (typeof taken)[number]) => number): string => whole(median(taken.map(pick)));
    const all = taken.map((one) => whole(one.committedAt - one.closedAt)).join(" ");
    const isGranted = taken.filter(({ termsAdvanced, became }) => termsAdvanced === 1 && !became.includes("PreCandidate") && became.includes("Leader")).length;
    rows.push([mode, middle((t) => t.hiddenAt - t.closedAt), middle((t) => t.leadsAt - t.hiddenAt), middle((t) => t.committedAt - t.hiddenAt), middle((t) => t.committedAt - t.closedAt), `${isGranted} of ${TIMES}`, all]);
  }
  console.log(`A match of two tabs on disk, strict; the host's tab is closed ${TIMES} times (${loadNow()}): wanted are at most 300 ms until a move of the other one is committed. Medians, ms.`);
  console.log("by grant: one term further, led without asking for votes first, that is without any election timeout.\n");
  table(["the other tab makes", "close to pagehide", "pagehide to lead", "pagehide to move", "close to move", "by grant", "close to move, each"], rows);
  await stays.close();
}

async function enter(stage: DurableStage): Promise<Page> {
  const tab = await stage.tab("handover-page");
  await tab.waitForFunction(() => "handoverBench" in globalThis);
  await tab.evaluate(() => globalThis.handoverBench.open("strict"));
  return tab;
}

/** Both are in the match, with their disks, and a move of each passes. */
async function isLive(tabs: readonly Page[]): Promise<void> {
  for (const tab of tabs) {
    await tab.waitForFunction(() => {
      const { phase, storage } = globalThis.handoverBench.status;
      return phase === "live" && storage === "indexeddb";
    });
  }
  for (const tab of tabs) await tab.waitForFunction(() => globalThis.handoverBench.play());
}

async function handOver(host: Page, heir: Page, mode: HandoverMode): Promise<{ readonly closedAt: number; readonly hiddenAt: number; readonly leadsAt: number; readonly committedAt: number; readonly termsAdvanced: number; readonly became: readonly string[] }> {
  await heir.evaluate((how) => globalThis.handoverBench.arm(how), mode);
  // Long enough for whatever the moves before set off, and for a stream of moves to be one.
  await new Promise((rest) => setTimeout(rest, 500));
  const closedAt = Date.now();
  await host.close();
  return { closedAt, ...(await heir.evaluate(() => globalThis.handoverBench.handover())) };
}
