// A match taken out of one group and opened as another.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom } from "../base/index.ts";
import { LAN_CONFIG } from "../raft/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import type { LaneReducer } from "./lane.ts";
import { exportedEvents, foldedExport } from "./export-content.ts";
import { encodeExport, readExport } from "./log-export.ts";
import { LANE_GAME, LANE_SESSION, type LogEvent } from "./ordered-log.ts";
import { openReplica, type Replica, type ReplicaOptions } from "./replica.ts";
import { journal, TestGroup } from "./test-room.ts";

const lanes = [journal as LaneReducer<unknown>];

const heard = (node: Replica): LogEvent[] => {
  const events: LogEvent[] = [];
  node.follow((event) => events.push(event))();
  return events;
};
const told = (events: readonly LogEvent[]): unknown[] =>
  events.map((event) => (event.type === "install" ? ["install", event.index, [...event.sections].sort(([a], [b]) => a - b).map(([lane, section]) => [lane, ...section])] : [event.index, event.lane, event.key, event.proposer, [...event.payload], event.time, event.duplicate]));

/** A match of three with game and session commands, and a snapshot after some of them. */
async function played(seed: number, snapshotAfter: number | undefined): Promise<TestGroup> {
  const group = await TestGroup.open(3, seed, () => ({ lanes }));
  for (let move = 1; move <= 9; move += 1) {
    const { node } = group.peers[move % 3]!;
    const key = await group.until(node.propose(Uint8Array.of(move), { lane: move % 3 === 0 ? LANE_SESSION : undefined }));
    if (move === 4) await group.until(node.propose(Uint8Array.of(move), { requestId: key.key.requestId }));
    if (move === snapshotAfter) for (const { node: each } of group.peers) await group.until(each.readIndex().then((index) => each.snapshot(Math.min(index, each.appliedIndex), Uint8Array.of(99, move))));
  }
  for (const { node } of group.peers) await group.until(node.readIndex());
  return group;
}

const found = (group: TestGroup, name: string, options: Partial<ReplicaOptions>): Promise<Replica> =>
  openReplica({
    seam: group.hub.seam(peerId(name)), groupId: "another", clock: group.clock, random: seededRandom(77), wallClock: () => 1_700_000_500_000 + group.clock.now(),
    config: { ...LAN_CONFIG }, lanes, voters: [peerId(name)], ...options,
  });

describe("a match as a file", () => {
  for (const snapshotAfter of [undefined, 5, 9]) {
    test(`[EX1] a new group founded from a file ${snapshotAfter === undefined ? "of a whole log" : `with a snapshot after move ${snapshotAfter}`} begins with the same commands at the same indexes, and the same state`, async () => {
      const group = await played(1, snapshotAfter);
      const [{ node: old } = group.peers[0]!] = group.peers;
      const file = old.exportLog();
      expect(readExport(file)).toEqual({ groupId: "group", index: old.appliedIndex, commands: heard(old).filter((event) => event.type === "command").length });
      const storage = new MemoryByteStore();
      const node = await found(group, "guest", { founding: file, storage });
      await group.until(node.readIndex());
      expect(told(heard(node))).toEqual(told(heard(old)));
      expect(node.laneState(journal)).toEqual([3, 6, 9]);
      expect(node.membership.voters).toEqual(["guest"]);
      // What was applied there is a duplicate here, too; and time goes on.
      const last = heard(old).filter((event) => event.type === "command").at(-1);
      const { index } = await group.until(node.propose(Uint8Array.of(10), { lane: LANE_SESSION }));
      expect(index).toBeGreaterThan(old.appliedIndex);
      const added = heard(node).at(-1);
      if (last?.type === "command" && added?.type === "command") expect(added.time).toBeGreaterThanOrEqual(last.time);
      await node.close();
      const again = await found(group, "guest", { storage, voters: undefined });
      await group.until(again.readIndex());
      expect(again.laneState(journal)).toEqual([3, 6, 9, 10]);
      // The file can be taken out of the new group in turn, and others can join it.
      expect(readExport(again.exportLog())).toMatchObject({ groupId: "another" });
      await again.close();
      await group.close();
    });
  }

  for (const snapshotAfter of [undefined, 5, 9]) {
    const what = snapshotAfter === undefined ? "of a whole log" : `with a snapshot after move ${snapshotAfter}`;
    test(`[EX5] the events in a file ${what} are those its node delivers`, async () => {
      const group = await played(5, snapshotAfter);
      const { node } = group.peers[0]!;
      expect(told(exportedEvents(node.exportLog()))).toEqual(told(heard(node)));
      await group.close();
    });

    test(`[EX6] a file ${what} folds to its last index or any other, and still knows what was applied`, async () => {
      const group = await played(6, snapshotAfter);
      const file = group.peers[0]!.node.exportLog();
      const { index: last } = readExport(file);
      const events = exportedEvents(file);
      const first = events[0]?.type === "install" ? events[0].index : 1;
      for (let through = first; through <= last; through += 1) {
        const folded = foldedExport(file, { section: Uint8Array.of(7), through });
        expect(readExport(folded)).toEqual({ groupId: "group", index: through, commands: 0 });
        expect(told(exportedEvents(folded))).toEqual([["install", through, [[LANE_GAME, 7]]]]);
      }
      const node = await found(group, "guest", { founding: foldedExport(file, { section: Uint8Array.of(7) }) });
      await group.until(node.readIndex());
      expect(node.laneState(journal)).toEqual([]);
      const { index } = await group.until(node.propose(Uint8Array.of(10), { lane: LANE_SESSION }));
      expect(index).toBeGreaterThan(last);
      const added = heard(node).at(-1)!;
      const [before] = events.filter((event) => event.type === "command").slice(-1);
      if (before?.type === "command" && added.type === "command") expect(added.time).toBeGreaterThanOrEqual(before.time);
      // An old writer's command is a duplicate in the new group: its key is known there.
      const kept = before;
      const ghost = await found(group, "ghost", { founding: foldedExport(file, { section: Uint8Array.of(7) }), groupId: "third", clientId: kept?.type === "command" ? kept.key.clientId : "never" });
      const repeated = ghost.propose(Uint8Array.of(1), { requestId: kept?.type === "command" ? kept.key.requestId : 1, lane: LANE_SESSION });
      if (kept?.type === "command") {
        expect(await group.until(repeated)).toMatchObject({ index: kept.index });
        expect(ghost.laneState(journal)).toEqual([]);
      } else await group.until(repeated);
      await ghost.close();
      await node.close();
      await group.close();
    });
  }

  test("[EX6] an index that is not in the file is refused, and so is what is no file", async () => {
    const group = await played(7, 5);
    const file = group.peers[0]!.node.exportLog();
    const { index: last } = readExport(file);
    for (const through of [0, 2, last + 1, 6.5]) expect(() => foldedExport(file, { section: Uint8Array.of(7), through })).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    for (const read of [exportedEvents, (bytes: Uint8Array) => foldedExport(bytes, { section: Uint8Array.of(7) })]) expect(() => read(file.subarray(1))).toThrow(expect.objectContaining({ record: "export" }));
    const unreadable = encodeExport({ groupId: "g", snapshot: { index: 3, time: 1, data: Uint8Array.of(99) }, entries: [] });
    for (const read of [exportedEvents, (bytes: Uint8Array) => foldedExport(bytes, { section: Uint8Array.of(7) })]) expect(() => read(unreadable)).toThrow(expect.objectContaining({ record: "export" }));
    await group.close();
  });

  test("[EX4] what a pair's other half confirmed and this one never heard of is in a file with the tail, and in no other", async () => {
    const group = await TestGroup.open(2, 3, () => ({ lanes }));
    const leader = await group.until(Promise.all(group.peers.map(({ node }) => node.readIndex())).then(() => group.peers.find(({ node }) => node.role === "leader")!));
    const other = group.peers.find((peer) => peer !== leader)!;
    // The leader dies between confirming the move and telling of it.
    const confirmed = leader.node.propose(Uint8Array.of(7)).then((at) => {
      group.hub.kill(leader.id);
      group.crash(leader);
      return at;
    });
    await group.until(confirmed);
    const { index } = await confirmed;
    expect(other.node.appliedIndex).toBeLessThan(index);
    expect(readExport(other.node.exportLog()).index).toBe(other.node.appliedIndex);
    const file = other.node.exportLog({ uncommitted: true });
    expect(readExport(file).index).toBe(index);
    const node = await found(group, "guest", { founding: file });
    await group.until(node.readIndex());
    expect(heard(node).filter((event) => event.type === "command").map(({ payload }) => [...payload])).toEqual([[7]]);
    await node.close();
    await group.close();
  });

  test("[EX1] several founders with one file have one log, and a learner gets everything from them", async () => {
    const group = await played(2, 5);
    const file = group.peers[0]!.node.exportLog();
    const voters = [peerId("x"), peerId("y")];
    const founders = await Promise.all(voters.map((id) => found(group, id, { founding: file, voters })));
    const late = await found(group, "z", { voters: undefined });
    await group.until(founders[0]!.propose(Uint8Array.of(12), { lane: LANE_SESSION }));
    const leader = founders.find(({ role }) => role === "leader")!;
    await group.until(leader.changeMembership({ voters, learners: [peerId("z")] }));
    await group.when(() => late.appliedIndex === leader.appliedIndex);
    for (const node of [...founders, late]) expect(node.laneState(journal)).toEqual([3, 6, 9, 12]);
    await Promise.all([...founders, late].map((node) => node.close()));
    await group.close();
  });

  test("[EX2] every flipped byte and every shortened file is refused by the name export, and nothing is founded", async () => {
    const group = await played(3, 5);
    const file = group.peers[0]!.node.exportLog();
    for (let at = 0; at < file.length; at += 1) {
      for (const damaged of [file.map((byte, where) => (where === at ? byte ^ 0x41 : byte)), file.subarray(0, at)]) {
        expect(() => readExport(damaged)).toThrow(expect.objectContaining({ code: "corrupt-state", record: "export" }));
      }
    }
    const storage = new MemoryByteStore();
    await expect(found(group, "guest", { founding: file.subarray(1), storage })).rejects.toMatchObject({ record: "export" });
    expect(await storage.readRange("", "~")).toEqual([]);
    await group.close();
  });

  test("[EX3] a file founds no group under the id it came from, none on a storage that holds a log, and none without voters", async () => {
    const group = await played(4, undefined);
    const file = group.peers[0]!.node.exportLog();
    await expect(found(group, "guest", { founding: file, groupId: "group" })).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(found(group, "guest", { founding: file, voters: [] })).rejects.toMatchObject({ code: "invalid-argument" });
    const storage = new MemoryByteStore();
    const first = await found(group, "guest", { founding: file, storage });
    await first.close();
    await expect(found(group, "guest", { founding: file, storage })).rejects.toMatchObject({ code: "invalid-argument" });
    await group.close();
  });

  test("[EX2] a log that does not begin with its founding is refused", () => {
    const entry = { index: 1, term: 1, kind: 1 as const, time: 5, data: Uint8Array.of(1) };
    expect(() => readExport(encodeExport({ groupId: "g", snapshot: undefined, entries: [entry] }))).toThrow(expect.objectContaining({ record: "export" }));
  });
});
