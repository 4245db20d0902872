// Keeps a number of proposals in flight at a group's leader and counts what commits.
import type { Group } from "./group.ts";
import { quantile, type Sample } from "./measure.ts";

/** How proposals are handed over. */
export interface Drive {
  readonly inFlight: number;
  /** `turn`: everything proposed in one turn may share a message. `entry`: the leader works after every proposal, so each travels in its own messages. */
  readonly flush: "turn" | "entry";
  readonly payload: Uint8Array;
}

/** Proposes at node `place` until `entries` of them committed. Latency is from the proposal to its commit there. */
export function drive(group: Group, place: number, entries: number, { inFlight, flush, payload }: Drive): Sample {
  const node = group.nodes[place]!;
  const began = new Float64Array(entries);
  const took = new Float64Array(entries);
  let proposed = 0;
  let committed = 0;
  let idle = 0;
  const count = (news: number): void => {
    if (news === 0) return;
    idle = 0;
    const now = performance.now();
    for (const end = Math.min(entries, committed + news); committed < end; committed += 1) took[committed] = now - began[committed]!;
  };
  const spent = process.cpuUsage();
  const start = performance.now();
  while (committed < entries) {
    while (proposed < entries && proposed - committed < inFlight) {
      began[proposed] = performance.now();
      node.propose(payload);
      proposed += 1;
      if (flush === "entry") count(group.turn(place));
    }
    count(group.turn(place));
    for (let other = 0; other < group.nodes.length; other += 1) if (other !== place) group.turn(other);
    idle += 1;
    if (idle > 100) throw new Error(`${committed} of ${entries} committed, then nothing`);
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(spent);
  took.sort();
  return { perSecond: entries / seconds, cpu: (user + system) / entries, p50: quantile(took, 0.5) * 1000, p99: quantile(took, 0.99) * 1000 };
}
