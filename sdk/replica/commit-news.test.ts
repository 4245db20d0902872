// When the others hear of a commit: with the next append where there is one, and never later than the task that saw it.
import { expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "../base/index.ts";
import { LAN_CONFIG } from "../raft/index.ts";
import { MemoryHub } from "../seam/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { openReplica, type Replica } from "./replica.ts";

const DELAY_MS = 2;
/** As few heartbeats as the machine takes. */
const CONFIG = { ...LAN_CONFIG, heartbeatMs: 140 };
const VOTERS: readonly PeerId[] = ["n1", "n2", "n3"].map((id) => peerId(id));

interface Group {
  readonly clock: VirtualClock;
  readonly hub: MemoryHub;
  readonly leader: Replica;
  readonly followers: readonly Replica[];
  close(): Promise<void>;
}

/** Three nodes, one of them just elected, nothing under way: no heartbeat falls due for some 100 ms, in which the tests are over. */
async function led(): Promise<Group> {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, random: seededRandom(5), faults: { delayMs: DELAY_MS } });
  const open = (id: PeerId, at: number): Promise<Replica> =>
    openReplica({ seam: hub.seam(id), groupId: "news", clock, random: seededRandom(at + 1), wallClock: () => 1, voters: VOTERS, storage: new MemoryByteStore(), config: CONFIG });
  const logs = await Promise.all(VOTERS.map(open));
  while (!logs.some(({ role }) => role === "leader")) await clock.advance(1);
  await clock.advance(10 * DELAY_MS);
  return {
    clock, hub,
    leader: logs.find(({ role }) => role === "leader")!,
    followers: logs.filter(({ role }) => role !== "leader"),
    close: async () => {
      await Promise.all(logs.map((log) => log.close()));
      await clock.advance(1_000);
    },
  };
}

/** How long a promise took, in virtual milliseconds. */
async function took(clock: VirtualClock, promise: Promise<unknown>): Promise<number> {
  let isOpen = true;
  void promise.then(() => (isOpen = false));
  // What was just asked leaves at the end of this task.
  await clock.advance(0);
  const start = clock.now();
  while (isOpen) await clock.advance(1);
  await promise;
  return clock.now() - start;
}

/** A caller with some layers of its own between its loop and the node. */
async function layered(log: Replica, layers: number): Promise<void> {
  if (layers === 0) await log.propose(new Uint8Array(1));
  else await layered(log, layers - 1);
}

test("[RN9] of commits in a row each costs two messages per follower, whatever layers lie between the caller and the node; only the last is told alone", async () => {
  const { clock, hub, leader, followers, close } = await led();
  const before = hub.counts.sent;
  const inARow = async (): Promise<void> => {
    for (let at = 0; at < 10; at += 1) await layered(leader, at);
  };
  expect(await took(clock, inARow())).toBe(10 * 2 * DELAY_MS);
  await clock.advance(DELAY_MS);
  expect(hub.counts.sent - before).toBe(10 * 4 + 2);
  expect(followers.map(({ appliedIndex }) => appliedIndex)).toEqual([leader.appliedIndex, leader.appliedIndex]);
  await close();
});

test("[RN9] who proposes on a follower learns of the commit as soon as the leader does, plus one way", async () => {
  const { clock, followers, close } = await led();
  // To the leader, to the others, back, and the news.
  expect(await took(clock, followers[0]!.propose(new Uint8Array(1)))).toBe(4 * DELAY_MS);
  await close();
});
