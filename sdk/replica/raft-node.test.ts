// Real nodes over MemorySeam and a virtual clock.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "../base/index.ts";
import { LAN_CONFIG } from "../raft/index.ts";
import { MemoryHub, type LinkFaults } from "../seam/index.ts";
import { MemoryByteStore, MemoryDisk } from "../storage/index.ts";
import { describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { orderedLogContract, type LogGroup } from "./ordered-log.contract.ts";
import type { LogEvent } from "./ordered-log.ts";
import { openReplica, type Replica, type ReplicaOptions } from "./replica.ts";

interface World extends LogGroup {
  readonly clock: VirtualClock;
  readonly hub: MemoryHub;
  readonly logs: readonly Replica[];
  readonly disks: ReadonlyMap<PeerId, MemoryDisk>;
  leader(): Promise<Replica>;
  restart(id: PeerId): Promise<Replica>;
}

const ids = (count: number): PeerId[] => Array.from({ length: count }, (_, at) => peerId(`n${at + 1}`));

async function world(count: number, seed: number, faults: Partial<LinkFaults> = {}, extra: (id: PeerId) => Partial<ReplicaOptions> = () => ({})): Promise<World> {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, random: seededRandom(seed), faults: { delayMs: 2, jitterMs: 3, ...faults } });
  const voters = ids(count);
  const disks = new Map(voters.map((id) => [id, new MemoryDisk()]));
  const seams = new Map(voters.map((id) => [id, hub.seam(id)]));
  const open = (id: PeerId, at: number): Promise<Replica> =>
    openReplica({
      seam: seams.get(id)!, groupId: "world", clock, random: seededRandom(seed, at + 1), wallClock: () => 1_700_000_000_000 + clock.now(), voters,
      storage: new MemoryByteStore(disks.get(id)), config: { ...LAN_CONFIG }, ...extra(id),
    });
  const logs = await Promise.all(voters.map(open));
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    let isOpen = true;
    const settled = promise.finally(() => (isOpen = false));
    settled.catch(() => {});
    for (let step = 0; isOpen; step += 1) {
      if (step > 12_000) throw new Error(`nothing happened in 120 simulated seconds (seed ${seed})`);
      await clock.advance(10);
    }
    return settled;
  };
  return {
    clock, hub, logs, disks, until,
    leader: async () => {
      for (;;) {
        const found = logs.find((log) => log.role === "leader" && log.status.failure === undefined);
        if (found !== undefined) return found;
        await clock.advance(10);
      }
    },
    restart: async (id) => {
      const at = voters.indexOf(id);
      await logs[at]!.close();
      return (logs[at] = await open(id, at + 100));
    },
    quiet: async () => {
      for (let round = 0; round < 3_000; round += 1) {
        await clock.advance(10);
        const applied = logs.map((log) => log.appliedIndex);
        if (logs.every((log) => log.status.pendingCount === 0) && new Set(applied).size === 1 && round > 20) return;
      }
    },
    close: async () => {
      await Promise.all(logs.map((log) => log.close()));
      // What is still on its way arrives at nobody; then nothing is left that could fire.
      await clock.advance(1_000);
      expect(clock.pendingTimers).toBe(0);
    },
  };
}

for (const count of [1, 3]) describeContract(`${count} RaftNode${count > 1 ? "s" : ""} over MemorySeam`, orderedLogContract, { group: () => world(count, 7) });

const follow = (log: Replica): LogEvent[] => {
  const events: LogEvent[] = [];
  log.follow((event) => events.push(event));
  return events;
};
const story = (events: readonly LogEvent[]): string[] => events.map((event) => (event.type === "install" ? `${event.index} install` : `${event.index} ${event.proposer} ${event.key.requestId} [${event.payload.join()}]${event.duplicate ? " again" : ""}`));

describe("peers on a bad network", () => {
  for (const count of [3, 5]) {
    for (const seed of [1, 2, 3]) {
      test(`${count} peers whose frames are lost, doubled and reordered end with the same log and every proposal in it once (seed ${seed})`, async () => {
        const group = await world(count, seed, { drop: 0.1, duplicate: 0.1, reorder: 0.2, reorderMs: 60 });
        const heard = group.logs.map(follow);
        const proposed: Promise<unknown>[] = [];
        for (let round = 0; round < 60; round += 1) {
          for (const log of group.logs) proposed.push(log.propose(Uint8Array.of(round)));
          await group.clock.advance(15);
        }
        const settled = await group.until(Promise.allSettled(proposed));
        group.hub.setFaults({});
        await group.quiet();
        expect(settled.filter(({ status }) => status === "rejected")).toEqual([]);
        for (const events of heard) expect(story(events)).toEqual(story(heard[0]!));
        const applied = heard[0]!.filter((event) => event.type === "command" && !event.duplicate);
        expect(applied).toHaveLength(60 * count);
        const { counts } = group.hub;
        expect(counts.dropped).toBeGreaterThan(0);
        expect(counts.duplicated).toBeGreaterThan(0);
        expect(counts.reordered).toBeGreaterThan(0);
        await group.close();
      });
    }
  }
});
