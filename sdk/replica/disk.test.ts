// What a node does while its storage is full, lost, slow or another one than before.
import { describe, expect, test } from "vitest";
import { MemoryByteStore, type MemoryDisk, StorageQuotaError, StorageUnavailableError, type ByteStore, type ByteStoreOp } from "../storage/index.ts";
import { FaultyByteStore, type FaultPlan } from "../testing/faulty-byte-store.ts";
import type { ReplicaOptions } from "./replica.ts";
import { appliedBytes, TestGroup, type TestPeer } from "./test-room.ts";

const noRoom: FaultPlan = () => ({ type: "refuse", error: new StorageQuotaError() });
const noConnection: FaultPlan = () => ({ type: "refuse", error: new StorageUnavailableError("test") });
const hang: FaultPlan = () => ({ type: "hang" });
const fine: FaultPlan = () => undefined;

async function led(seed: number, count = 3, options: (group: () => TestGroup) => (id: TestPeer["id"]) => Partial<ReplicaOptions> = () => () => ({})): Promise<{ group: TestGroup; leader: TestPeer; others: TestPeer[] }> {
  let made: TestGroup | undefined;
  const group = (made = await TestGroup.open(count, seed, options(() => made!)));
  const leader = await group.leader();
  await group.until(leader.node.propose(Uint8Array.of(1)));
  return { group, leader, others: group.peers.filter((peer) => peer !== leader) };
}

/** How many log entries a batch puts, and whether it has anything to do with the log. */
const touchesLog = (ops: readonly ByteStoreOp[]): boolean => ops.some((op) => op.type === "put" && op.key.startsWith("raft/log/"));

describe("a full disk", () => {
  test("[RN11] a node without room acknowledges nothing, says so, takes no more proposals, and goes on by itself once there is room", async () => {
    const { group, leader, others } = await led(1, 1);
    leader.store.plan = noRoom;
    const pending = leader.node.propose(Uint8Array.of(2));
    await group.when(() => leader.node.status.storage === "full");
    expect(leader.node.status).toMatchObject({ storage: "full", failure: undefined, pendingCount: 1 });
    await expect(leader.node.propose(Uint8Array.of(3))).rejects.toMatchObject({ code: "storage-quota" });
    await group.clock.advance(2_500);
    expect(leader.node.status.pendingCount).toBe(1);
    expect(appliedBytes(leader.node)).toEqual([1]);
    leader.store.plan = fine;
    await group.until(pending);
    expect(leader.node.status.storage).toBe("ok");
    await group.until(leader.node.propose(Uint8Array.of(4)));
    expect(appliedBytes(leader.node)).toEqual([1, 2, 4]);
    expect(others).toEqual([]);
    await group.close();
  });

  test("[RN11] a snapshot handed in while there is no room goes with the write that failed, and what it replaces makes the room", async () => {
    const { group, leader } = await led(2, 1);
    for (let move = 0; move < 40; move += 1) await group.until(leader.node.propose(new Uint8Array(100).fill(7)));
    const held = [...leader.disk.records].reduce((sum, [key, value]) => sum + key.length * 2 + value.length, 0);
    leader.disk.bytesMax = held + 50;
    const pending = leader.node.propose(new Uint8Array(100).fill(8));
    await group.when(() => leader.node.status.storage === "full");
    const asked = leader.store.writes;
    const snapped = leader.node.snapshot(leader.node.appliedIndex, Uint8Array.of(1));
    await group.until(Promise.all([snapped, pending]));
    // At once, not after the pause between two attempts.
    expect(leader.store.writes - asked).toBeLessThanOrEqual(2);
    expect(leader.node.status.storage).toBe("ok");
    const again = await (group.crash(leader), group.reopen(leader));
    await group.until(again.readIndex());
    const story: string[] = [];
    again.follow((event) => story.push(event.type === "install" ? "install" : `${event.payload[0]}`))();
    expect(story).toEqual(["install", "8"]);
    await group.close();
  });

  test("[RN12] a leader without room loses its leadership, the others go on, and with room again it follows them", async () => {
    for (const plan of [noRoom, hang]) {
      const { group, leader, others } = await led(3);
      leader.store.plan = plan;
      const pending = leader.node.propose(Uint8Array.of(2));
      pending.catch(() => {});
      await group.when(() => others.some(({ node }) => node.role === "leader"));
      expect(leader.node.role).not.toBe("leader");
      await group.until(others[0]!.node.propose(Uint8Array.of(3)));
      leader.store.plan = fine;
      leader.store.release();
      await group.when(() => leader.node.status.storage === "ok" && leader.node.appliedIndex === others[0]!.node.appliedIndex);
      expect(appliedBytes(leader.node)).toEqual(appliedBytes(others[0]!.node));
      expect(appliedBytes(leader.node)).toContain(3);
      await group.close();
    }
  });
});

describe("a lost connection", () => {
  const reopening = (group: () => TestGroup) => (id: TestPeer["id"]): Partial<ReplicaOptions> => ({
    reopenStorage: async (): Promise<ByteStore> => {
      reopened += 1;
      if (reopened <= failures) throw new StorageUnavailableError("not yet");
      return new MemoryByteStore(group().peer(id).disk);
    },
  });
  let reopened = 0;
  let failures = 0;

  test("[RN13] a storage that is lost is opened again, compared with what was promised, and used on", async () => {
    [reopened, failures] = [0, 3];
    const { group, leader } = await led(4, 1, reopening);
    leader.store.plan = noConnection;
    const pending = leader.node.propose(Uint8Array.of(2));
    await group.when(() => leader.node.status.storage === "reopening");
    await group.until(pending);
    expect(reopened).toBe(4);
    expect(leader.node.status).toMatchObject({ storage: "ok", failure: undefined });
    expect(appliedBytes(leader.node)).toEqual([1, 2]);
    await group.close();
  });

  test("[RN13] what comes back with less than was promised is not gone on with", async () => {
    const damages: [string, (disk: MemoryDisk) => void][] = [
      ["replica/node", (disk) => disk.records.clear()],
      ["hard-state", (disk) => [...disk.records.keys()].filter((key) => key.startsWith("raft/")).forEach((key) => disk.records.delete(key))],
      ["raft/hard", (disk) => void disk.records.get("raft/hard")!.fill(0, 3)],
    ];
    for (const [record, damage] of damages) {
      [reopened, failures] = [0, 0];
      const { group, leader } = await led(5, 1, reopening);
      leader.store.plan = noConnection;
      damage(leader.disk);
      await expect(group.until(leader.node.propose(Uint8Array.of(2)))).rejects.toMatchObject({ code: "corrupt-state", record });
      expect(leader.node.status).toMatchObject({ storage: "failed", failure: { record } });
      await group.close();
    }
  });

  test("[RN13] a storage that can not be opened again stops the node after eight attempts", async () => {
    [reopened, failures] = [0, 1_000];
    const { group, leader } = await led(6, 1, reopening);
    leader.store.plan = noConnection;
    leader.node.propose(Uint8Array.of(2)).catch(() => {});
    await group.when(() => leader.node.status.failure !== undefined);
    expect(leader.node.status).toMatchObject({ storage: "failed", failure: { code: "storage-unavailable" } });
    expect(reopened).toBe(8);
    await group.close();
  });
});

describe("writes", () => {
  test("[RN3] one write is under way at a time, whatever else is to be stored, and what gathers meanwhile is one more", async () => {
    const { group, leader } = await led(7, 1, () => () => ({ identity: "durable" }));
    leader.store.plan = hang;
    const before = leader.store.writes;
    const all: Promise<unknown>[] = [];
    for (let turn = 0; turn < 20; turn += 1) {
      for (let one = 0; one < 16; one += 1) all.push(leader.node.propose(Uint8Array.of(one)));
      await group.clock.advance(1);
    }
    expect(leader.store.writes - before).toBe(1);
    leader.store.plan = fine;
    leader.store.release();
    await group.until(Promise.all(all));
    // The first turn's write, one for everything that came while it was under way, and at most one of the commit alone.
    expect(leader.store.writes - before).toBeLessThanOrEqual(4);
    expect(leader.store.underWayMost).toBe(1);
    await group.close();
  });

  test("[LS4] a turn's entries are one record in one write on every disk, however many there are", async () => {
    const { group, leader, others } = await led(8);
    const logWrites = new Map<TestPeer, number[]>();
    for (const peer of group.peers) {
      logWrites.set(peer, []);
      peer.store.plan = (_, ops) => {
        if (touchesLog(ops)) logWrites.get(peer)!.push(ops.filter((op) => op.type === "put" && op.key.startsWith("raft/log/")).length);
        return undefined;
      };
    }
    await group.until(Promise.all(Array.from({ length: 256 }, (_, at) => leader.node.propose(Uint8Array.of(at)))));
    await group.clock.advance(50);
    for (const peer of [leader, ...others]) expect(logWrites.get(peer)).toEqual([1]);
    await group.close();
  });

  test("[RN14] a leader's appends leave before its own write is done, and the others' acknowledgements alone commit", async () => {
    const { group, leader, others } = await led(9);
    await group.clock.advance(100);
    leader.store.plan = hang;
    const proposing = leader.node.propose(Uint8Array.of(2));
    const [first] = others;
    await group.clock.advance(30);
    expect(leader.store.underWay).toBe(1);
    // Committed by two of three, and known there; the leader itself hands up only what it holds.
    expect(appliedBytes(first!.node)).toEqual([1, 2]);
    expect(appliedBytes(leader.node)).toEqual([1]);
    leader.store.plan = fine;
    leader.store.release();
    await group.until(proposing);
    expect(appliedBytes(leader.node)).toEqual([1, 2]);
    await group.close();
  });

  test("[RN8] closing does not wait for what a full disk could not take, and closes what it opened itself", async () => {
    const { group, leader } = await led(10, 1);
    leader.store.plan = noRoom;
    const pending = leader.node.propose(Uint8Array.of(2));
    await group.when(() => leader.node.status.storage === "full");
    await leader.node.close();
    await expect(pending).rejects.toMatchObject({ code: "closed" });
    const own = new FaultyByteStore(new MemoryByteStore(leader.disk));
    const again = await group.reopen(leader, { reopenStorage: async () => own });
    leader.store.plan = noConnection;
    await group.until(again.propose(Uint8Array.of(3)));
    await again.close();
    await expect(own.read("any")).rejects.toMatchObject({ code: "closed" });
    await group.clock.advance(1_000);
    expect(group.clock.pendingTimers).toBe(0);
  });
});
