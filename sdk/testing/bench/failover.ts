// Prints the failover matrix: what a crash around every write of a durable session costs, by backend and policy.
import { MemoryByteStore, MemoryDisk } from "../../storage/index.ts";
import { failoverMatrix, formatFailoverMatrix, type FailoverRow } from "../failover-matrix.ts";

const rows = await failoverMatrix(() => {
  const disk = new MemoryDisk();
  return { open: async () => new MemoryByteStore(disk) };
});

function summary(): string {
  const groups = new Map<string, FailoverRow[]>();
  for (const row of rows) groups.set(`${row.backend} ${row.policy}`, [...(groups.get(`${row.backend} ${row.policy}`) ?? []), row]);
  const lines = [...groups].map(([name, of]) => {
    const found = of.filter(({ continuity }) => continuity !== undefined);
    return `| ${name} | ${of.length} | ${Math.max(...of.map(({ lost }) => lost))} | ${found.filter(({ continuity }) => continuity?.met).length} of ${found.length} |`;
  });
  return ["| backend, policy | crash points | most lost | continuity met |", "| --- | --- | --- | --- |", ...lines].join("\n");
}

console.log(`${formatFailoverMatrix(rows)}\n\n${summary()}`);
