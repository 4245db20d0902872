// A stored log and two writers: the second one takes the store, and the first one, wherever it was stopped, writes and acknowledges nothing more.
import { describe, expect, test } from "vitest";
import { appliedBytes, TestGroup } from "../replica/test-room.ts";
import { MemoryByteStore, MemoryDisk, scopedByteStore, type ByteStore } from "../storage/index.ts";
import { FaultyByteStore } from "../testing/faulty-byte-store.ts";
import { fencedByteStore, takeStore } from "./fenced-store.ts";
import type { OwnershipFence } from "./fence.ts";

const records = (store: ByteStore): ByteStore => scopedByteStore(store, "peer/n1/");
const move = (value: number): Uint8Array => Uint8Array.of(value);

interface FirstTab {
  readonly group: TestGroup;
  readonly disk: MemoryDisk;
  readonly way: FaultyByteStore;
  readonly fence: OwnershipFence;
}

async function firstTab(seed: number, canReopen = false): Promise<FirstTab> {
  const disk = new MemoryDisk();
  const way = new FaultyByteStore(new MemoryByteStore(disk));
  const { store, fence } = await takeStore(way, "n1", "tab 1");
  // Opened again under the same fence, never under a new one: a tab that wakes must not take back what it lost.
  const reopenStorage = canReopen ? async () => records(fencedByteStore(new MemoryByteStore(disk), "n1", fence)) : undefined;
  const group = await TestGroup.open(1, seed, () => ({ storage: records(store), reopenStorage }));
  await group.leader();
  await group.until(group.peers[0]!.node.propose(move(1)));
  return { group, disk, way, fence };
}

async function secondTab(disk: MemoryDisk, seed: number): Promise<TestGroup> {
  const { store } = await takeStore(new MemoryByteStore(disk), "n1", "tab 2");
  const group = await TestGroup.open(1, seed, () => ({ storage: records(store) }));
  await group.leader();
  return group;
}

describe("[DU33] a log on a fenced store", () => {
  test.each([["between two writes", false], ["in the middle of one", true]] as const)("has one writer: the node of a tab that was frozen %s stops, and says why", async (_, isInMidAir) => {
    const { group, disk, way } = await firstTab(6_001);
    const { node } = group.peers[0]!;
    let outcome = "open";
    const propose = (): void => void node.propose(move(2)).then(() => (outcome = "committed"), () => (outcome = "refused"));
    if (isInMidAir) {
      way.plan = () => ({ type: "hang" });
      propose();
      await group.clock.advance(100);
    }
    const second = await secondTab(disk, 6_002);
    const heir = second.peers[0]!.node;
    expect(appliedBytes(heir)).toEqual([1]);
    await second.until(heir.propose(move(3)));
    const before = new Map(disk.records);
    if (isInMidAir) way.release();
    else propose();
    await group.when(() => node.status.failure !== undefined);
    expect(node.status.failure).toMatchObject({ code: "stale-owner", current: 2, requested: 1 });
    expect(node.status.storage).toBe("failed");
    expect(outcome).toBe("refused");
    expect(appliedBytes(node)).toEqual([1]);
    expect(disk.records).toEqual(before);
    await second.until(heir.propose(move(4)));
    expect(appliedBytes(heir)).toEqual([1, 3, 4]);
    await group.close();
    await second.close();
  });

  test("is not taken back by opening it again", async () => {
    const { group, disk } = await firstTab(6_003, true);
    const { node } = group.peers[0]!;
    const second = await secondTab(disk, 6_004);
    const heir = second.peers[0]!.node;
    await second.until(heir.propose(move(3)));
    let isAcknowledged = false;
    node.propose(move(2)).then(() => (isAcknowledged = true), () => {});
    const before = new Map(disk.records);
    await group.when(() => node.status.failure !== undefined);
    expect(node.status.failure).toMatchObject({ code: "stale-owner" });
    expect(isAcknowledged).toBe(false);
    expect(disk.records).toEqual(before);
    await group.close();
    await second.close();
  });

  test("without a fence has two, and what the second one acknowledged is lost: the fence is what keeps it", async () => {
    const disk = new MemoryDisk();
    const open = (seed: number): Promise<TestGroup> => TestGroup.open(1, seed, () => ({ storage: records(new MemoryByteStore(disk)) }));
    const first = await open(6_005);
    await first.leader();
    await first.until(first.peers[0]!.node.propose(move(1)));
    const second = await open(6_006);
    await second.leader();
    await second.until(second.peers[0]!.node.propose(move(3)));
    await first.until(first.peers[0]!.node.propose(move(2)));
    await first.close();
    await second.close();
    const later = await open(6_007).then(async (group) => {
      await group.leader();
      const found = appliedBytes(group.peers[0]!.node);
      await group.close();
      return found;
    }, (error: { readonly code?: string }) => error.code);
    expect(later).not.toEqual([1, 3, 2]);
    if (Array.isArray(later)) expect(later).not.toContain(3);
  });
});
