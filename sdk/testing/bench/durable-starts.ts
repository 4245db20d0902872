// Start-up from a long log, beside reading the same bytes with bare IndexedDB.
import { ask, type DurableStage } from "./durable-stage.ts";
import { fixed, loadNow, median, table, whole } from "./measure.ts";
import { profile } from "./tab-profile.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 15);
const ENTRIES = Number(process.env["ENTRIES"] ?? 10_000);
const ENTRY_BYTES = 64;
const SNAPSHOT_EVERY = 1_000;

const AUTOMATIC = Array.from({ length: ENTRIES / SNAPSHOT_EVERY - 1 }, (_, at) => (at + 1) * SNAPSHOT_EVERY);
const LOGS = [
  { name: "a move at a time, snapshot as a match makes them", inFlight: 1, snapshots: AUTOMATIC },
  { name: "a move at a time, snapshot in the middle", inFlight: 1, snapshots: [ENTRIES / 2] },
  { name: "64 at a time, snapshot as a match makes them", inFlight: 64, snapshots: AUTOMATIC },
  { name: "64 at a time, snapshot in the middle", inFlight: 64, snapshots: [ENTRIES / 2] },
] as const;

/** Prints the table; with PROFILE=1 where the time of a start goes instead. */
export async function measureStarts(stage: DurableStage): Promise<void> {
  const tab = await stage.tab("durable-page");
  await tab.waitForFunction(() => "durableBench" in globalThis);
  for (const [at, { inFlight, snapshots }] of LOGS.entries()) await ask(tab, "writeLog", { database: `starts-${at}`, entries: ENTRIES, entryBytes: ENTRY_BYTES, inFlight, snapshots });
  if (process.env["PROFILE"] === "1") {
    for (const [at, { name }] of LOGS.entries()) await profile(name, tab, () => ask(tab, "timeStarts", `starts-${at}`, ROUNDS));
    return tab.close();
  }
  const rows: string[][] = [];
  for (const [at, { name }] of LOGS.entries()) {
    // The first start does not count.
    const [, ...times] = await ask(tab, "timeStarts", `starts-${at}`, ROUNDS + 1);
    const middle = (pick: (time: (typeof times)[number]) => number): number => median(times.map(pick));
    rows.push([
      name, whole(middle((t) => t.records)), whole(middle((t) => t.bytes)), fixed(middle((t) => t.bareMs)), fixed(middle((t) => t.storeMs / t.bareMs)), fixed(middle((t) => t.openMs)), fixed(middle((t) => t.openMs / t.bareMs)),
      fixed(middle((t) => t.appliedMs)), fixed(middle((t) => t.appliedMs / t.bareMs)), whole(middle((t) => t.applied)),
    ]);
  }
  console.log(`openReplica on a log of ${whole(ENTRIES)} entries of ${ENTRY_BYTES} bytes (${loadNow()}): wanted is less than 1.5 of bare. Medians of ${ROUNDS} starts, ratios of neighbours; bare: the same records by getAll and getAllKeys in one transaction; store: the same by the byte store.`);
  table(["", "records", "bytes", "bare ms", "store of bare", "open ms", "of bare", "all applied ms", "of bare", "applied"], rows);
  await tab.close();
}
