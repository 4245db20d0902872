// Does an entry cost more when many came before it? And how much memory does a retained one take?
import { drive, type Drive } from "./drive.ts";
import { fixed, median, table, whole } from "./measure.ts";
import { CoreNode, coreGroup } from "./core-node.ts";
import { MachineNode, machineGroup } from "./machine-node.ts";
import type { Group } from "./group.ts";

const ROUNDS = Number(process.env["ROUNDS"] ?? 5);
const LENGTHS = [1_000, 10_000, 100_000, 1_000_000];
const STRETCH = 20_000;
const COMPACT_EVERY = 4_096;
const RETAINED = 100_000;
const how: Drive = { inFlight: 64, flush: "turn", payload: new Uint8Array(64).fill(7) };
const noState = new Uint8Array(0);

function compact(group: Group): void {
  for (const node of group.nodes) {
    if (node instanceof MachineNode) node.raft.compact(node.raft.commitIndex, noState);
    if (node instanceof CoreNode) node.core.snapshot(node.core.appliedIndex, noState);
  }
  group.settle();
}

/** Microseconds of processor time per entry over the stretch that ends at each length, compacting on the way. */
function stretches(make: () => Group, isCompacting: boolean, lengths: readonly number[]): number[] {
  const group = make();
  const leader = group.nodes.indexOf(group.elect());
  let done = 0;
  const advance = (to: number): number => {
    const start = process.cpuUsage();
    const from = done;
    while (done < to) {
      const step = Math.min(COMPACT_EVERY, to - done);
      drive(group, leader, step, how);
      done += step;
      if (isCompacting && done % COMPACT_EVERY === 0) compact(group);
    }
    const { user, system } = process.cpuUsage(start);
    return (user + system) / (to - from);
  };
  return lengths.map((length) => {
    advance(Math.max(done, length - STRETCH));
    return advance(length);
  });
}

function growth(title: string, make: () => Group, options: { readonly isCompacting: boolean; readonly lengths: readonly number[] }): string[] {
  // The first round warms the machine up and is not counted.
  stretches(make, options.isCompacting, options.lengths.slice(0, 2));
  const rounds = Array.from({ length: ROUNDS }, () => stretches(make, options.isCompacting, options.lengths));
  const medians = options.lengths.map((_, at) => median(rounds.map((round) => round[at] ?? Number.NaN)));
  return [title, ...LENGTHS.map((_, at) => (medians[at] === undefined ? "" : fixed(medians[at] ?? 0)))];
}

function memory(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function bytesPerEntry(make: () => Group): number {
  const group = make();
  const leader = group.nodes.indexOf(group.elect());
  drive(group, leader, 5_000, how);
  compact(group);
  const before = memory();
  for (let done = 0; done < RETAINED; done += COMPACT_EVERY) drive(group, leader, COMPACT_EVERY, how);
  group.settle();
  const after = memory();
  const held = Math.ceil(RETAINED / COMPACT_EVERY) * COMPACT_EVERY;
  // Read afterwards, so that the group is still held while it is measured.
  return (after - before) / held / group.nodes.length;
}

console.log(`Node ${process.version}, 3 nodes, 64-byte entries, 64 in flight, medians of ${ROUNDS} rounds.\n`);
console.log(`Microseconds of processor time per committed entry over the last ${whole(STRETCH)} entries before each log length`);
table(["", ...LENGTHS.map((length) => whole(length))], [
  growth("Raft machine, compacting", () => machineGroup(3), { isCompacting: true, lengths: LENGTHS }),
  growth("replica core, compacting", () => coreGroup(3), { isCompacting: true, lengths: LENGTHS }),
  growth("Raft machine, keeping all", () => machineGroup(3), { isCompacting: false, lengths: LENGTHS.slice(0, 3) }),
  growth("replica core, keeping all", () => coreGroup(3), { isCompacting: false, lengths: LENGTHS.slice(0, 3) }),
]);

if (globalThis.gc === undefined) console.log("Memory is measured with node --expose-gc.");
else {
  console.log(`Bytes per retained 64-byte entry and node, ${whole(RETAINED)} entries held`);
  table(["", "bytes"], [
    ["Raft machine", fixed(median(Array.from({ length: ROUNDS }, () => bytesPerEntry(() => machineGroup(3)))), 0)],
    ["replica core", fixed(median(Array.from({ length: ROUNDS }, () => bytesPerEntry(() => coreGroup(3)))), 0)],
  ]);
}
