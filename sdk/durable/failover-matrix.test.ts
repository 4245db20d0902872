// What a crash around every write of a session costs: the table, and what every row of it must keep whatever it says.
import { expect, test } from "vitest";
import { MemoryByteStore, MemoryDisk } from "../storage/index.ts";
import { failoverMatrix, formatFailoverMatrix, type FailoverPlace, type FailoverRow } from "../testing/failover-matrix.ts";

const CHECKPOINT_EVERY = 4;

function place(): FailoverPlace {
  const disk = new MemoryDisk();
  return { open: async () => new MemoryByteStore(disk) };
}

function isKept({ backend, policy, crashPoint, acknowledged, recovered, lost, route, continuity }: FailoverRow): boolean {
  if (continuity === undefined) return acknowledged === 0 && recovered === 0 && route === "route-2";
  if (lost > continuity.estimatedLostEvents || continuity.met !== (continuity.estimatedLostEvents === 0)) return false;
  if (policy === "remount") return recovered === 0 && route === "route-2";
  if (route !== "route-1") return false;
  // One delta more than was acknowledged: its write happened, and nobody heard of it.
  const unheard = crashPoint === "during" ? 1 : 0;
  if (backend.startsWith("snapshot-only")) return lost < CHECKPOINT_EVERY && recovered <= acknowledged + unheard;
  return lost === 0 && recovered <= acknowledged + unheard;
}

test("[DU20] a crash before, during or after any write costs what the table says", async () => {
  const rows = await failoverMatrix(place);
  expect(rows.length).toBe(9 * (4 + 12 + 16));
  expect(rows.filter((row) => !isKept(row))).toEqual([]);
  expect(new Set(rows.map(({ kind }) => kind))).toEqual(new Set(["claim", "journal", "checkpoint", "trim"]));
  await expect(`# What a crash around each write costs\n\nPrinted by \`npm run report:failover\`; \`sdk/testing/failover-matrix.ts\` says how.\n\n${formatFailoverMatrix(rows)}\n`).toMatchFileSnapshot("FAILOVER.md");
});
