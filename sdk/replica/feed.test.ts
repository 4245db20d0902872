import { afterEach, expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { LAN_CONFIG } from "../raft/index.ts";
import { describeContract } from "../testing/contract.ts";
import { orderedLogContract, type LogGroup } from "./ordered-log.contract.ts";
import { LANE_GAME, LANE_SESSION } from "./ordered-log.ts";
import { FeedRoom, journal } from "./test-room.ts";

const w = (at: number): PeerId => peerId(`w${at}`);
let room: FeedRoom;
afterEach(() => room.close());

// A log that is fed is an ordered log like any other: the suite looks at a member first and at the audience last.
describeContract("a group and its audience", orderedLogContract, {
  group: async (): Promise<LogGroup> => {
    room = await FeedRoom.of(3, 9);
    const watcher = await room.watch(w(1));
    await room.when(() => watcher.node.status.feed?.isCaughtUp === true);
    return {
      logs: [...room.tabs.values()].map(({ node }) => node),
      until: (promise) => room.get(promise),
      quiet: async () => {
        await room.clock.advance(1_500);
      },
      close: () => room.close(),
    };
  },
});

const commit = async (byte: number, lane = LANE_SESSION): Promise<unknown> => room.get(room.leader!.node.propose(Uint8Array.of(byte), { lane }));

test("[FD1] who is fed follows everything that is committed and is in no membership", async () => {
  room = await FeedRoom.of(3, 1);
  for (let at = 0; at < 20; at += 1) await commit(at);
  const watcher = await room.watch(w(1));
  await room.when(() => watcher.node.appliedIndex === room.leader!.node.appliedIndex);
  for (let at = 20; at < 40; at += 1) await commit(at);
  await room.when(() => watcher.node.appliedIndex === room.leader!.node.appliedIndex);
  expect(watcher.node.laneState(journal)).toEqual(room.leader!.node.laneState(journal));
  expect(watcher.node.laneState(journal)).toHaveLength(40);
  expect(watcher.node.membership).toEqual(room.leader!.node.membership);
  expect(watcher.node.membership.learners).toEqual([]);
  await room.when(() => watcher.node.status.feed?.isCaughtUp === true);
  expect(watcher.node.status).toMatchObject({ role: "learner", leader: room.leader!.id, hasQuorum: true, feed: { depth: 1 } });
  expect(watcher.seen.map((event) => event.index)).toEqual([...new Set(watcher.seen.map((event) => event.index))]);
});

test("[FD2] a parent has no more children than its fan-out; who is full leads on, and everybody is fed", async () => {
  room = await FeedRoom.of(1, 2, { fanOut: 2 });
  await commit(1);
  const ids = Array.from({ length: 14 }, (_, at) => w(at));
  for (const id of ids) await room.watch(id);
  await room.when(() => ids.every((id) => room.tabs.get(id)?.node.status.feed?.isCaughtUp === true));
  await commit(2);
  await room.when(() => ids.every((id) => room.tabs.get(id)?.node.appliedIndex === room.leader?.node.appliedIndex));
  const parents = ids.map((id) => room.tabs.get(id)!.node.status.feed!.parent!);
  for (const id of ids) expect(parents.filter((parent) => parent === id).length).toBeLessThanOrEqual(2);
  expect(parents.filter((parent) => parent === room.leader!.id)).toHaveLength(2);
  expect(Math.max(...ids.map((id) => room.tabs.get(id)!.node.status.feed!.depth))).toBe(3);
});

test("[FD5] commands of who is fed are committed once, and only as its own", async () => {
  room = await FeedRoom.of(3, 3);
  const watcher = await room.watch(w(1));
  await room.when(() => watcher.node.status.feed?.isCaughtUp === true);
  const { index } = await room.get(watcher.node.propose(Uint8Array.of(77), { lane: LANE_SESSION }));
  expect(index).toBeLessThanOrEqual(watcher.node.appliedIndex);
  expect(room.leader!.node.laneState(journal)).toEqual([77]);
  const event = room.leader!.seen.find((seen) => seen.type === "command");
  expect(event).toMatchObject({ proposer: w(1), lane: LANE_SESSION, duplicate: false });
});

test("[FD8] who becomes a member goes over to its own log and shows the same, without beginning again", async () => {
  room = await FeedRoom.of(3, 4);
  for (let at = 0; at < 10; at += 1) await commit(at);
  const watcher = await room.watch(w(1));
  await room.when(() => watcher.node.status.feed?.isCaughtUp === true);
  const { voters } = room.leader!.node.membership;
  await room.get(room.leader!.node.changeMembership({ voters, learners: [w(1)] }));
  await room.when(() => watcher.node.status.feed === undefined);
  await commit(11);
  await room.when(() => watcher.node.appliedIndex === room.leader!.node.appliedIndex);
  expect(watcher.node.laneState(journal)).toEqual(room.leader!.node.laneState(journal));
  expect(watcher.installs).toBe(0);
  expect(watcher.seen).toEqual(room.leader!.seen);
  expect(watcher.node.membership.learners).toEqual([w(1)]);
});

test("[FD4] where the entries are gone the snapshot comes in parts, and entries after it", async () => {
  room = await FeedRoom.of(3, 5, { config: { ...LAN_CONFIG, snapshotChunkBytes: 1024 } });
  for (let at = 0; at < 10; at += 1) await commit(at);
  const section = new Uint8Array(10_000).fill(7);
  for (const { node } of room.tabs.values()) {
    await room.when(() => node.appliedIndex === room.leader!.node.appliedIndex);
    await room.get(node.snapshot(node.appliedIndex, section));
  }
  await commit(10);
  const watcher = await room.watch(w(1));
  await room.when(() => watcher.node.appliedIndex === room.leader!.node.appliedIndex);
  expect(watcher.installs).toBe(1);
  expect(watcher.seen[0]).toMatchObject({ type: "install" });
  expect(watcher.seen[0]?.type === "install" && watcher.seen[0].sections.get(LANE_GAME)).toEqual(section);
  expect(watcher.node.laneState(journal)).toEqual(room.leader!.node.laneState(journal));
});

test("[FD4] [FD11] a child that is cut off while the log is compacted goes on from the snapshot, and a follower of it begins there", async () => {
  room = await FeedRoom.of(3, 6);
  for (let at = 0; at < 5; at += 1) await commit(at);
  const watcher = await room.watch(w(1));
  await room.when(() => watcher.node.status.feed?.isCaughtUp === true);
  room.hub.partition([w(1)]);
  // More than is kept behind a snapshot for who is only a little behind.
  const filler = new Uint8Array(40_000).fill(1);
  for (let at = 0; at < 40; at += 1) await room.get(room.leader!.node.propose(filler));
  for (const { id, node } of room.tabs.values()) {
    if (id === w(1)) continue;
    await room.when(() => node.appliedIndex === room.leader!.node.appliedIndex);
    await room.get(node.snapshot(node.appliedIndex, Uint8Array.of(4)));
  }
  room.hub.heal();
  await commit(6);
  await room.when(() => room.digest(w(1)) === room.digest(room.leader!.id));
  expect(watcher.installs).toBe(1);
  expect(watcher.node.laneState(journal)).toEqual([0, 1, 2, 3, 4, 6]);
});

test("[FD6] who is refused is fed by nobody any more, also not by the parent it has", async () => {
  room = await FeedRoom.of(2, 7);
  const watcher = await room.watch(w(1));
  await room.when(() => watcher.node.status.feed?.isCaughtUp === true);
  room.refused.add(w(1));
  await room.clock.advance(200);
  const before = watcher.node.appliedIndex;
  await commit(1);
  await room.clock.advance(5_000);
  expect(watcher.node.appliedIndex).toBe(before);
  expect(watcher.node.status.feed).toMatchObject({ parent: undefined });
  room.refused.clear();
  await room.when(() => watcher.node.appliedIndex === room.leader!.node.appliedIndex);
});

test("[FD12] a read of who is fed is answered through the leader, also when the first answers are lost", async () => {
  room = await FeedRoom.of(3, 8);
  const watcher = await room.watch(w(1));
  await room.when(() => watcher.node.status.feed?.isCaughtUp === true);
  const lossy = room.leader!.id;
  room.hub.setLink(lossy, w(1), { drop: 1 });
  await commit(1);
  const at = room.leader!.node.commitIndex;
  const reading = watcher.node.readIndex();
  await room.clock.advance(1_000);
  room.hub.setLink(lossy, w(1), {});
  expect(await room.get(reading)).toBeGreaterThanOrEqual(at);
  expect(watcher.node.appliedIndex).toBeGreaterThanOrEqual(at);
});
