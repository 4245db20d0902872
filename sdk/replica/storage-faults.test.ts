// A scripted match on disks of which every single write fails once, in turn, in every way a write can fail.
import { describe, expect, test } from "vitest";
import { hasCode } from "../base/index.ts";
import { MemoryByteStore, StorageQuotaError, StorageUnavailableError, type ByteStore } from "../storage/index.ts";
import type { WriteFault } from "../testing/faulty-byte-store.ts";
import type { LaneReducer } from "./lane.ts";
import { LANE_SESSION } from "./ordered-log.ts";
import { RAFT_RECORDS, restoreFrom } from "./raft-log-store.ts";
import type { ReplicaOptions } from "./replica.ts";
import { journal, TestGroup, type TestPeer } from "./test-room.ts";


const lost = (): Error => new StorageUnavailableError("the test took it away");

/** How the chosen write fails, and whether the node gets its storage back by itself. */
const WAYS: { readonly [way: string]: { readonly fault: () => WriteFault; readonly reopens: boolean } } = {
  "finds no room": { fault: () => ({ type: "refuse", error: new StorageQuotaError() }), reopens: false },
  "loses the connection": { fault: () => ({ type: "refuse", error: lost() }), reopens: true },
  "happens and loses the connection": { fault: () => ({ type: "happen-and-fail", error: lost() }), reopens: true },
  "is the last of its tab and does not happen": { fault: () => ({ type: "refuse", error: lost() }), reopens: false },
  "is the last of its tab and happens": { fault: () => ({ type: "happen-and-fail", error: lost() }), reopens: false },
};

interface Run {
  /** The chosen write came. */
  readonly wasHit: boolean;
  readonly healths: ReadonlySet<string>;
}

async function restored(peer: TestPeer): Promise<ReturnType<typeof restoreFrom>["restored"]> {
  return restoreFrom(await new MemoryByteStore(peer.disk).readRange(RAFT_RECORDS.from, RAFT_RECORDS.to)).restored;
}

/** Eight moves of two players with snapshots and a change of leaders in between, on three disks. Write `nth` of one player's disk fails. */
async function play(way: string, nth: number, who: "leader" | "follower"): Promise<Run> {
  const { fault, reopens } = WAYS[way]!;
  const options = (group: () => TestGroup) => (id: TestPeer["id"]): Partial<ReplicaOptions> => ({
    identity: "durable", lanes: [journal as LaneReducer<unknown>],
    reopenStorage: reopens ? async (): Promise<ByteStore> => new MemoryByteStore(group().peer(id).disk) : undefined,
  });
  let group: TestGroup | undefined;
  group = await TestGroup.open(3, 5, options(() => group!));
  const room = group;
  const leader = await room.leader();
  const other = room.peers.find((peer) => peer !== leader)!;
  const victim = who === "leader" ? leader : other;
  const healths = new Set<string>();
  const begun = victim.store.writes;
  let wasHit = false;
  victim.store.plan = (write) => {
    // One fault per run: a store opened later has none.
    if (wasHit || write !== begun + nth) return undefined;
    wasHit = true;
    return fault();
  };
  const revive = async (): Promise<void> => {
    healths.add(victim.node.status.storage);
    if (victim.node.status.storage !== "failed") return;
    await victim.node.close();
    await room.reopen(victim, options(() => room)(victim.id));
  };
  /** Proposes until the fate is known: what a game does, in short. */
  const say = async (peer: TestPeer, byte: number): Promise<void> => {
    let requestId: number | undefined;
    for (;;) {
      try {
        const before = peer.node.lastRequestId;
        const proposing = peer.node.propose(Uint8Array.of(byte), { lane: LANE_SESSION, requestId });
        if (requestId === undefined && peer.node.lastRequestId > before) requestId = peer.node.lastRequestId;
        const { index } = await room.until(proposing);
        const durable = await Promise.all(room.peers.map(restored));
        const holders = durable.filter(({ snapshot, entries }) => (snapshot?.index ?? 0) + entries.length >= index);
        if (holders.length < 2) throw new Error(`move ${byte} was acknowledged at ${index}, and ${holders.length} of 3 disks hold it`);
        return;
      } catch (error) {
        if (!["storage-quota", "storage-unavailable", "proposal-timeout", "busy", "closed"].some((code) => hasCode(error, code))) throw error;
        // Refused for want of room: nothing happened, so nothing needs the same key. Anything else is asked again under it.
        if (hasCode(error, "storage-quota")) requestId = undefined;
        await room.clock.advance(50);
        await revive();
      }
    }
  };
  for (let move = 1; move <= 8; move += 1) {
    await say(move % 2 === 0 ? leader : other, move);
    healths.add(victim.node.status.storage);
    await revive();
    if (move % 3 === 0) for (const { node } of room.peers) await room.until(node.snapshot(node.appliedIndex, Uint8Array.of(move)).catch((error: unknown) => void error));
    if (move === 5) {
      const leads = (await room.leader()).node;
      await room.until(leads.transferLeadership(room.peers.find(({ node }) => node !== leads)!.id).catch((error: unknown) => void error));
    }
  }
  await room.clock.advance(300);
  await revive();
  await room.when(() => room.peers.every(({ node }) => node.status.storage === "ok"));
  for (const { node } of room.peers) await room.until(node.readIndex());
  const states = room.peers.map(({ node }) => node.laneState(journal));
  for (const state of states) expect([...state].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  for (const state of states) expect(state).toEqual(states[0]);
  for (const { store } of room.peers) expect(store.underWayMost).toBeLessThanOrEqual(1);
  await room.close();
  return { wasHit, healths };
}

describe("a disk whose every write fails once, in turn", () => {
  for (const way of Object.keys(WAYS)) {
    for (const who of ["leader", "follower"] as const) {
      test(`[RN10] whichever write of a ${who} ${way}: no move is lost or applied twice, and what was acknowledged is on two disks of three`, async () => {
        const healths = new Set<string>();
        let runs = 0;
        for (let nth = 1; ; nth += 1) {
          const run = await play(way, nth, who).catch((cause: unknown) => {
            throw new Error(`write ${nth} of the ${who} ${way}`, { cause });
          });
          for (const health of run.healths) healths.add(health);
          if (!run.wasHit) break;
          runs += 1;
        }
        expect(runs).toBeGreaterThan(12);
        if (way === "finds no room") expect(healths).toEqual(new Set(["ok", "full"]));
      });
    }
  }
});
