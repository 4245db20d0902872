// Disks as crashes, dishonest stores and rot leave them, taken from a match that was really played.
import { describe, expect, test } from "vitest";
import { seededRandom } from "../base/index.ts";
import { LAN_CONFIG, type RestoredState } from "../raft/index.ts";
import { MemoryByteStore, MemoryDisk, type ByteStoreOp } from "../storage/index.ts";
import { RAFT_RECORDS, restoreFrom } from "./raft-log-store.ts";
import { openReplica, type Replica } from "./replica.ts";
import { TestGroup, type TestPeer } from "./test-room.ts";

type Records = ReadonlyMap<string, Uint8Array>;

interface Step {
  readonly before: Records;
  readonly ops: readonly ByteStoreOp[];
}

function diskOf(records: Records): MemoryDisk {
  const disk = new MemoryDisk();
  for (const [key, value] of records) disk.records.set(key, value.slice());
  return disk;
}

async function applied(records: Records, ops: readonly ByteStoreOp[]): Promise<Records> {
  const disk = diskOf(records);
  await new MemoryByteStore(disk).write(ops);
  return disk.records;
}

async function stateIn(records: Records): Promise<RestoredState> {
  return restoreFrom(await new MemoryByteStore(diskOf(records)).readRange(RAFT_RECORDS.from, RAFT_RECORDS.to)).restored;
}

interface Played {
  readonly group: TestGroup;
  /** First leader, then cut off with a tail that was truncated, then follower with a snapshot; durable writer with commands open at the end. */
  readonly victim: TestPeer;
  readonly steps: readonly Step[];
  readonly last: Records;
}

/** A match with everything in it that a log can live through. */
async function played(): Promise<Played> {
  const group = await TestGroup.open(3, 21, () => ({ identity: "durable" }));
  const victim = await group.leader();
  const others = group.peers.filter((peer) => peer !== victim);
  const steps: Step[] = [];
  victim.store.plan = (_, ops) => {
    steps.push({ before: diskOf(victim.disk.records).records, ops });
    return undefined;
  };
  const say = (peer: TestPeer, byte: number): Promise<unknown> => group.until(peer.node.propose(Uint8Array.of(byte, byte, byte)));
  for (let move = 1; move <= 6; move += 1) await say(group.peers[move % 3]!, move);
  for (const other of others) group.hub.cut(victim.id, other.id);
  for (let move = 0; move < 4; move += 1) {
    victim.node.propose(Uint8Array.of(90 + move)).catch(() => {});
    await group.clock.advance(5);
  }
  await group.when(() => others.some(({ node }) => node.role === "leader"));
  await say(others[0]!, 7);
  group.hub.heal();
  for (let move = 8; move <= 10; move += 1) await say(victim, move);
  await group.until(victim.node.snapshot(victim.node.appliedIndex - 2, Uint8Array.of(1, 2, 3)));
  for (let move = 11; move <= 13; move += 1) await say(victim, move);
  await group.clock.advance(500);
  for (const other of others) group.hub.cut(victim.id, other.id);
  for (const byte of [70, 71]) victim.node.propose(Uint8Array.of(byte)).catch(() => {});
  await group.clock.advance(5);
  const last = diskOf(victim.disk.records).records;
  group.crash(victim);
  group.hub.heal();
  return { group, victim, steps, last };
}

const open = (group: TestGroup, victim: TestPeer, records: Records): Promise<Replica> =>
  openReplica({ seam: group.hub.seam(victim.id), groupId: "group", clock: group.clock, random: seededRandom(5), wallClock: () => 1, config: { ...LAN_CONFIG }, identity: "durable", storage: new MemoryByteStore(diskOf(records)), autoTick: false });

describe("a disk after a crash", () => {
  test("[RN15] between any two writes of a match the disk holds a legal state, from which the node starts", async () => {
    const { group, victim, steps, last } = await played();
    const other = group.peers.find((peer) => peer !== victim)!;
    const truth = (await stateIn(other.disk.records)).entries;
    expect(steps.length).toBeGreaterThan(25);
    expect(steps.some(({ ops }) => ops.some((op) => op.type === "delete-range"))).toBe(true);
    let before: RestoredState | undefined;
    for (const records of [...steps.map((step) => step.before), last]) {
      const state = await stateIn(records);
      const { hardState, snapshot, entries } = state;
      if (before !== undefined) {
        expect(hardState.term).toBeGreaterThanOrEqual(before.hardState.term);
        expect(hardState.commit).toBeGreaterThanOrEqual(before.hardState.commit);
        // A vote once given stays what it is for its term.
        if (hardState.term === before.hardState.term && before.hardState.vote !== undefined) expect(hardState.vote).toBe(before.hardState.vote);
        expect(snapshot?.index ?? 0).toBeGreaterThanOrEqual(before.snapshot?.index ?? 0);
      }
      // Whatever was committed is what the group has there.
      for (const entry of entries) if (entry.index <= hardState.commit) expect(entry).toEqual(truth.find(({ index }) => index === entry.index));
      const node = await open(group, victim, records);
      expect([node.status.term, node.status.failure]).toEqual([hardState.term, undefined]);
      await node.close();
      before = state;
    }
    await group.close();
  });

  test("[LS6] of every batch of a match cut off at any point, the node refuses to start, or starts from before or after it", async () => {
    const { group, victim, steps } = await played();
    let [refused, believed] = [0, 0];
    for (const { before, ops } of steps) {
      const legal = [await stateIn(before), await stateIn(await applied(before, ops))];
      for (let kept = 1; kept < ops.length; kept += 1) {
        const cut = await applied(before, ops.slice(0, kept));
        const state = await stateIn(cut).catch((error: unknown) => error as { code: string; record: string });
        if ("code" in state) {
          refused += 1;
          expect(state).toMatchObject({ code: "corrupt-state", record: expect.stringMatching(/^raft\//) });
          await expect(open(group, victim, cut)).rejects.toMatchObject({ code: "corrupt-state", record: state.record });
        } else {
          believed += 1;
          expect(legal).toContainEqual(state);
          await (await open(group, victim, cut)).close();
        }
      }
    }
    expect(refused).toBeGreaterThan(15);
    expect(believed).toBeGreaterThan(5);
    await group.close();
  });
});

describe("rot", () => {
  test("[LS2] every flipped byte of every record is named when the node starts; only an outbox record does not keep it from starting", async () => {
    const { group, victim, last } = await played();
    const kinds = new Map<string, number>();
    for (const [key, value] of last) {
      for (let at = 0; at < value.length; at += 1) {
        const records = new Map(last).set(key, value.map((byte, where) => (where === at ? byte ^ (1 << at % 8) : byte)));
        const kind = key.split("/").slice(0, 2).join("/").replace(/\d+/, "N");
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        if (key.startsWith("outbox/")) {
          const node = await open(group, victim, records);
          expect(node.outboxDamage).toMatchObject([{ code: "corrupt-state", record: key }]);
          await node.close();
        } else {
          await expect(open(group, victim, records)).rejects.toMatchObject({ code: "corrupt-state", record: key });
        }
      }
    }
    expect([...kinds.keys()].sort()).toEqual(["outbox/N", "raft/hard", "raft/log", "raft/snapshot", "replica/client", "replica/node", "replica/writer"]);
    await group.close();
  });

  test("[LS7] every record that is gone is missed when the node starts, but for the writer's own, without which it is another writer", async () => {
    const { group, victim, last } = await played();
    for (const key of last.keys()) {
      const records = new Map(last);
      records.delete(key);
      if (key === "replica/writer" || key.startsWith("outbox/")) {
        const node = await open(group, victim, records);
        if (key === "replica/writer") expect(node.clientId).not.toBe(victim.node.clientId);
        await node.close();
      } else if (key.startsWith("replica/client/")) {
        await expect(open(group, victim, records)).rejects.toMatchObject({ code: "corrupt-state", record: key });
      } else {
        await expect(open(group, victim, records)).rejects.toMatchObject({ code: "corrupt-state" });
      }
    }
    await group.close();
  });
});
