// Parents that show their children something else than the group has, or less of it: found out, left, counted; and never a child that stays stuck.
import { afterEach, expect, test } from "vitest";
import { digest64, peerId, type PeerId } from "../base/index.ts";
import { ENTRY_COMMAND, LAN_CONFIG, type Entry } from "../raft/index.ts";
import { decodeEnvelope, encodeEnvelope } from "./envelope.ts";
import { decodeParts, encodeParts } from "./fold.ts";
import { encodeFeedFrame, type FeedMessage } from "./feed-frame.ts";
import { frameHeader } from "./frame.ts";
import { LANE_SESSION } from "./ordered-log.ts";
import { FeedRoom, journal, type Tab } from "./test-room.ts";

const w = (at: number): PeerId => peerId(`w${at}`);
let room: FeedRoom;
afterEach(() => room.close());

const commit = async (byte: number): Promise<unknown> => room.get(room.leader!.node.propose(Uint8Array.of(byte), { lane: LANE_SESSION }));
const dropped = ({ node }: Tab, reason: string): number => node.metrics.framesDropped[reason] ?? 0;
const isLikeLeader = (id: PeerId): boolean => room.digest(id) === room.digest(room.leader!.id);

/** Everybody's log begins with a snapshot. */
async function compactAll(except: readonly PeerId[] = [], section: Uint8Array = Uint8Array.of(4)): Promise<void> {
  for (const { id, node } of room.tabs.values()) {
    if (except.includes(id)) continue;
    await room.when(() => node.appliedIndex === room.leader!.node.appliedIndex);
    await room.get(node.snapshot(node.appliedIndex, section));
  }
}

/** More than is kept behind a snapshot. */
async function fill(): Promise<void> {
  for (let at = 0; at < 300; at += 1) room.leader!.node.propose(new Uint8Array(3_000), {}).catch(() => {});
  await commit(3);
}

/** One voter that feeds one, who feeds the next: `w(1)` lies, `w(2)` is its child. */
async function chain(seed: number, lie: (message: FeedMessage, to: PeerId) => FeedMessage | undefined, { isFilled = false } = {}): Promise<Tab> {
  room = await FeedRoom.of(1, seed, { fanOut: 1, config: { ...LAN_CONFIG, snapshotChunkBytes: 1024 } });
  for (let at = 1; at < 4; at += 1) await commit(at);
  if (isFilled) await fill();
  const liar = await room.watch(w(1));
  await room.when(() => liar.node.status.feed?.isCaughtUp === true && isLikeLeader(w(1)));
  if (isFilled) await compactAll([], new Uint8Array(40_000).fill(4));
  room.lies.set(w(1), lie);
  return room.watch(w(2));
}

/** The child gets away from the liar as soon as somebody else has room: here the leader, once the liar is gone from it. */
async function another(): Promise<void> {
  const third = await room.open(w(3));
  third.node.feedFrom(room.leader!.id);
  room.crash(w(1), 10);
}

const withData = (message: Extract<FeedMessage, { readonly type: "chunk" }>, data: Uint8Array): FeedMessage => ({ ...message, total: data.length, digest: digest64(data), offset: 0, bytes: data });
const altered = (entry: Entry, change: Partial<Parameters<typeof encodeEnvelope>[0]>): Entry => ({ ...entry, data: encodeEnvelope({ ...decodeEnvelope(entry.data), ...change }) });

test("[FD13] a snapshot that is none, under a digest of its sender's own, costs its sender the child, and the child nothing", async () => {
  const child = await chain(1, (message) => (message.type === "chunk" ? withData(message, Uint8Array.of(1, 2, 3)) : message), { isFilled: true });
  await room.when(() => dropped(child, "feed-not-applied") > 0);
  expect(child.node.status.failure).toBeUndefined();
  expect(child.installs).toBe(0);
  await another();
  await room.when(() => isLikeLeader(w(2)) && child.node.status.feed?.isCaughtUp === true);
  expect(child.node.status.failure).toBeUndefined();
  await expect(room.get(child.node.propose(Uint8Array.of(9), { lane: LANE_SESSION }))).resolves.toBeDefined();
});

test("[FD13] a command of a lane nobody knows, made up by a parent, is thrown away with what it gave; said by the leader it stops the child as it stops members", async () => {
  const unknown = (message: FeedMessage): FeedMessage => (message.type === "entries" ? { ...message, entries: message.entries.map((entry) => (entry.kind === ENTRY_COMMAND ? altered(entry, { lane: 77 }) : entry)) } : message);
  const child = await chain(2, unknown);
  await room.when(() => dropped(child, "feed-not-applied") > 0);
  expect(child.node.status.failure).toBeUndefined();
  await another();
  await room.when(() => isLikeLeader(w(2)));
  expect(child.node.status.failure).toBeUndefined();
  // Who is fed by the leader itself has nobody better to ask.
  room.lies.set(room.leader!.id, unknown);
  await commit(5);
  await room.when(() => [...room.tabs.values()].some(({ node }) => node.status.failure !== undefined));
});

test("[FD13] false commands are found by comparing with others, thrown away, and their sender is not asked again", async () => {
  const falsify = (entry: Entry): Entry => (entry.kind === ENTRY_COMMAND && entry.data.at(-1) === 2 ? altered(entry, { payload: Uint8Array.of(99) }) : entry);
  const child = await chain(3, (message) => (message.type === "entries" ? { ...message, entries: message.entries.map(falsify) } : message));
  await room.when(() => child.node.laneState(journal).includes(99));
  await room.when(() => dropped(child, "feed-false") > 0);
  expect(child.node.laneState(journal)).toEqual([]);
  await another();
  await room.when(() => isLikeLeader(w(2)));
  expect(child.node.laneState(journal)).toEqual([1, 2, 3]);
  expect(child.seen.map((event) => event.type === "command" && event.payload[0])).not.toContain(99);
});

test("[FD13] a false snapshot that can be read is found by the states that come of it", async () => {
  const falsify = (data: Uint8Array): Uint8Array => {
    const { table, sections } = decodeParts(data);
    return encodeParts({ table, sections: new Map(sections).set(LANE_SESSION, Uint8Array.of(66)) });
  };
  let whole: Uint8Array | undefined;
  const child = await chain(4, (message) => (message.type === "chunk" && whole !== undefined ? withData(message, falsify(whole)) : message), { isFilled: true });
  // The liar has it whole; so has the leader.
  whole = encodeParts({ table: new Uint8Array([0, 0]), sections: new Map([[LANE_SESSION, Uint8Array.of(1, 2, 3)]]) });
  await room.when(() => child.node.laneState(journal)[0] === 66);
  await room.when(() => dropped(child, "feed-false") > 0);
  await another();
  await room.when(() => isLikeLeader(w(2)));
  expect(child.node.laneState(journal)).toEqual(room.leader!.node.laneState(journal));
});

test("[FD14] a parent that holds back what is committed is left, and so is one that hands a snapshot out by the byte", async () => {
  const held = await chain(5, (message) => (message.type === "entries" ? { ...message, entries: [], commit: 0 } : message));
  await room.when(() => dropped(held, "feed-behind") > 0);
  await another();
  await room.when(() => isLikeLeader(w(2)));
  await room.close();
  const dripped = await chain(6, (message) => (message.type === "chunk" ? { ...message, bytes: message.bytes.subarray(0, 1) } : message), { isFilled: true });
  await room.when(() => dropped(dripped, "feed-behind") > 0);
  await another();
  await room.when(() => isLikeLeader(w(2)));
});

test("[FD13] a peer that says of what is true that it is false, or that it is far ahead, moves nobody", async () => {
  room = await FeedRoom.of(3, 7, { fanOut: 2 });
  const child = await room.watch(w(1));
  const liar = await room.watch(w(2));
  room.lies.set(w(2), (message) => (message.type === "checked" ? { ...message, applied: 2 ** 40, entries: digest64(Uint8Array.of(1)), state: digest64(Uint8Array.of(2)) } : message));
  for (let at = 0; at < 30; at += 1) {
    await commit(at);
    await room.clock.advance(1_000);
  }
  await room.when(() => isLikeLeader(w(1)));
  for (const tab of [child, liar]) for (const reason of ["feed-false", "feed-behind"]) expect(dropped(tab, reason)).toBe(0);
  expect(child.installs).toBe(0);
});

test("[FD4] a parent that dies in the middle of a snapshot is replaced by another one that has it, or another snapshot", async () => {
  room = await FeedRoom.of(3, 8, { config: { ...LAN_CONFIG, snapshotChunkBytes: 64 } });
  await commit(1);
  await fill();
  await compactAll([], new Uint8Array(40_000).fill(4));
  room.sent.feed.clear();
  const child = await room.watch(w(1));
  const parent = ["v1", "v2", "v3"].map(peerId).filter((id) => id !== room.leader!.id);
  await room.when(() => parent.some((id) => room.sent.feed.get(id)! > 2_000));
  expect(child.node.appliedIndex).toBe(0);
  for (const id of parent) if (room.sent.feed.get(id)! > 2_000) room.crash(id);
  // The next one has compacted further.
  await room.when(() => room.leader !== undefined);
  await commit(2);
  await compactAll([w(1)]);
  await room.when(() => isLikeLeader(w(1)));
  expect(child.node.status.failure).toBeUndefined();
});

test("[FD3] a child that knows nobody waits, says so, and is fed as soon as somebody leads", async () => {
  room = await FeedRoom.of(1, 9);
  await commit(1);
  const child = await room.open(w(1));
  for (let at = 0; at < 50; at += 1) await room.clock.advance(200);
  expect(child.node.status).toMatchObject({ feed: undefined, failure: undefined, leader: undefined });
  child.node.feedFrom(peerId("nobody"));
  await room.clock.advance(5_000);
  expect(child.node.status.leader).toBeUndefined();
  await room.when(() => isLikeLeader(w(1)));
});

test("[FD7] comparisons and reads somebody asks for are bounded, for each and in all", async () => {
  room = await FeedRoom.of(3, 10);
  await commit(1);
  const leader = room.leader!;
  const flooder = await room.open(w(1));
  const quiet = await room.watch(w(2));
  await room.when(() => quiet.node.status.feed?.isCaughtUp === true);
  room.sent.feed.clear();
  const channel = flooder.mux.channel(9);
  for (let id = 1; id <= 2_000; id += 1) {
    channel.sendTo(leader.id, encodeFeedFrame(frameHeader("group"), { type: "check", id, from: 1, through: 2 }));
    channel.sendTo(leader.id, encodeFeedFrame(frameHeader("group"), { type: "read", id }));
  }
  const reading = quiet.node.readIndex();
  await room.clock.advance(12);
  expect(dropped(leader, "feed-not-taken")).toBeGreaterThan(3_000);
  expect(await room.get(reading)).toBeGreaterThan(0);
});
