import fc from "fast-check";
import { expect, test } from "vitest";
import { digest64, peerId, seededRandom, toHex, type PeerId } from "../base/index.ts";
import { BLANK_STATE, bootstrapState, ENTRY_COMMAND, ENTRY_MEMBERSHIP, LAN_CONFIG, type Entry } from "../raft/index.ts";
import { createReplicaCore } from "./core.ts";
import { encodeEnvelope } from "./envelope.ts";
import { decodeFeedFrame, encodeFeedFrame, type FeedAsk, type FeedMessage } from "./feed-frame.ts";
import { frameHeader } from "./frame.ts";
import { LANE_SESSION, type LogEvent } from "./ordered-log.ts";
import type { ReplicaCore } from "./replica-core.ts";
import { journal } from "./test-room.ts";

const leader = peerId("l");
const child = peerId("c");
const relay = peerId("r");
const header = frameHeader("g");

/** What one core was made to say and show. */
interface Said {
  readonly feed: { readonly to: PeerId; readonly message: FeedMessage }[];
  readonly events: LogEvent[];
  begunAnew: number;
}

class Pair {
  readonly peers = new Set([leader, child, relay]);
  readonly refused = new Set<PeerId>();
  readonly leads: ReplicaCore = this.core(leader, true);
  readonly fed: ReplicaCore = this.core(child, false);
  readonly said: Said = { feed: [], events: [], begunAnew: 0 };
  readonly toLeader: FeedMessage[] = [];

  core(id: PeerId, isFounder: boolean): ReplicaCore {
    return createReplicaCore({
      id, groupId: "g", config: LAN_CONFIG, random: seededRandom(id.charCodeAt(0)), restored: isFounder ? bootstrapState(id, [id]) : BLANK_STATE, lanes: [journal],
      feed: { peers: () => this.peers, admits: () => true, refuses: (peer) => this.refused.has(peer), fanOut: 2 },
    });
  }

  /** Does everything there is to do; frames of feeds that `carry` takes go nowhere else. */
  run(carry: (from: PeerId, to: PeerId, message: FeedMessage) => boolean = () => false): void {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (const core of [this.leads, this.fed]) {
        const other = core === this.leads ? this.fed : this.leads;
        while (core.hasWork()) {
          isBusy = true;
          const work = core.takeWork();
          for (const { to, bytes } of work.frames) if (to === other.raft.id) other.receive(core.raft.id, bytes);
          for (const { to, bytes } of work.feedFrames) {
            const message = decodeFeedFrame(bytes);
            if (core === this.fed) this.said.feed.push({ to, message });
            if (!carry(core.raft.id, to, message) && to === other.raft.id) other.receiveFeed(core.raft.id, bytes);
          }
          if (core === this.fed) {
            if (work.isBegunAnew) {
              this.said.begunAnew += 1;
              this.said.events.length = 0;
              this.said.events.push(...core.replay(1));
            }
            this.said.events.push(...work.events);
          }
          if (work.write !== undefined) core.writeDone(work.write.id);
        }
      }
    }
  }

  tick(ticks = 1, carry?: (from: PeerId, to: PeerId, message: FeedMessage) => boolean): void {
    for (let at = 0; at < ticks; at += 1) {
      this.leads.tick();
      this.fed.tick();
      this.run(carry);
    }
  }

  commit(byte: number): void {
    this.leads.propose({ lane: LANE_SESSION, key: { clientId: "x", requestId: byte }, payload: Uint8Array.of(byte) });
    this.run();
  }

  /** The child's newest open question. */
  get asked(): { readonly to: PeerId; readonly ask: FeedAsk } {
    for (const { to, message } of [...this.said.feed].reverse()) if (message.type === "ask") return { to, ask: message };
    throw new Error("nothing was asked");
  }

  answer(message: FeedMessage, from: PeerId = leader): void {
    this.fed.receiveFeed(from, encodeFeedFrame(header, message));
    this.run(() => true);
  }
}

function started(): Pair {
  const pair = new Pair();
  pair.tick(100);
  expect(pair.leads.raft.role).toBe("leader");
  return pair;
}

const command = (index: number, byte: number, change: Partial<Entry> = {}): Entry => ({
  index, term: 1, kind: ENTRY_COMMAND, time: 5, ...change,
  data: change.data ?? encodeEnvelope({ lane: LANE_SESSION, clientId: "x", requestId: byte, lowestOutstanding: 0, birth: 0, proposer: leader, payload: Uint8Array.of(byte) }),
});

test("[FD9] what a relay made up is shown until its child is a member, and replaced by the leader's log then", () => {
  const pair = started();
  for (let byte = 1; byte <= 5; byte += 1) pair.commit(byte);
  pair.fed.feedFrom(leader);
  // Somebody between the two changes one command on the way.
  pair.tick(5, (_, to, message) => {
    if (to !== child || message.type !== "entries") return false;
    const entries = message.entries.map((entry) => (entry.data.length > 0 && entry.data.at(-1) === 3 ? command(entry.index, 99, { term: entry.term, time: entry.time }) : entry));
    pair.fed.receiveFeed(leader, encodeFeedFrame(header, { ...message, entries }));
    return true;
  });
  expect(pair.fed.laneState(journal)).toEqual([1, 2, 99, 4, 5]);
  expect(pair.fed.raft.lastIndex).toBe(0);
  pair.leads.changeMembership({ voters: [leader], learners: [child] });
  pair.tick(20);
  expect(pair.fed.feed).toBeUndefined();
  expect(pair.fed.laneState(journal)).toEqual([1, 2, 3, 4, 5]);
  expect(pair.said.begunAnew).toBe(1);
  expect(pair.said.events.filter(({ type }) => type === "command").map((event) => event.type === "command" && event.payload[0])).toEqual([1, 2, 3, 4, 5]);
});

test("[FD8] the machine and the disk of who is fed stay as they were", () => {
  const pair = started();
  pair.fed.feedFrom(leader);
  for (let byte = 1; byte <= 30; byte += 1) pair.commit(byte);
  pair.tick(50);
  expect(pair.fed.appliedIndex).toBe(pair.leads.appliedIndex);
  const { lastIndex, commitIndex, term, role, membership, snapshotIndex } = pair.fed.raft;
  expect({ lastIndex, commitIndex, term, role, snapshotIndex }).toEqual({ lastIndex: 0, commitIndex: 0, term: 0, role: "learner", snapshotIndex: 0 });
  expect(membership.voters).toEqual([]);
});

test("[FD10] beginning anew in the very turn in which the own log takes over again is told once and leaves nothing to do", () => {
  const pair = started();
  pair.leads.changeMembership({ voters: [leader], learners: [child] });
  pair.tick(20);
  expect(pair.fed.appliedIndex).toBeGreaterThan(0);
  // Taken out without hearing of it, and fed instead.
  pair.leads.changeMembership({ voters: [leader], learners: [] });
  pair.run();
  for (let silent = 0; silent < 200 && pair.fed.raft.leader !== undefined; silent += 1) pair.fed.tick();
  pair.fed.feedFrom(leader);
  for (let byte = 1; byte <= 3; byte += 1) pair.commit(byte);
  pair.tick(20);
  expect(pair.fed.feed?.parent).toBe(leader);
  const { seq } = pair.asked.ask;
  // The leader's first frame to it as a member again, and an answer to what it had asked.
  pair.leads.changeMembership({ voters: [leader], learners: [child] });
  for (let turn = 0; turn < 20 && pair.fed.raft.leader === undefined; turn += 1) {
    pair.leads.tick();
    const { frames, write } = pair.leads.takeWork();
    for (const { to, bytes } of frames) if (to === child) pair.fed.receive(leader, bytes);
    if (write !== undefined) pair.leads.writeDone(write.id);
  }
  pair.fed.receiveFeed(leader, encodeFeedFrame(header, { type: "differs", seq }));
  let begunAnew = 0;
  for (let turn = 0; turn < 50 && pair.fed.hasWork(); turn += 1) {
    const { isBegunAnew, write } = pair.fed.takeWork();
    if (isBegunAnew) begunAnew += 1;
    if (write !== undefined) pair.fed.writeDone(write.id);
  }
  expect(pair.fed.feed).toBeUndefined();
  expect(begunAnew).toBe(1);
  expect(pair.fed.hasWork()).toBe(false);
});

test("[FD9] a snapshot that was fed and not handed up yet when the own log takes over is not passed over", () => {
  const pair = started();
  pair.fed.feedFrom(leader);
  pair.commit(1);
  pair.tick(20);
  const before = pair.fed.appliedIndex;
  const { seq } = pair.asked.ask;
  // The leader alone: more commands, a snapshot of them, and then the child a member.
  const lead = (takes: (bytes: Uint8Array) => void): void => {
    for (let turn = 0; turn < 20 && pair.leads.hasWork(); turn += 1) {
      const { frames, write } = pair.leads.takeWork();
      for (const { to, bytes } of frames) if (to === child) takes(bytes);
      if (write !== undefined) pair.leads.writeDone(write.id);
    }
  };
  for (const byte of [2, 3]) pair.leads.propose({ lane: LANE_SESSION, key: { clientId: "x", requestId: byte }, payload: Uint8Array.of(byte) });
  lead(() => {});
  expect(pair.leads.snapshot(pair.leads.appliedIndex, new Uint8Array(0))).toBe(true);
  lead(() => {});
  pair.leads.changeMembership({ voters: [leader], learners: [child] });
  lead(() => {});
  const { snapshot } = pair.leads.raft;
  if (snapshot === undefined) throw new Error("no snapshot");
  const { index, term, time, membership, data } = snapshot;
  let isFed = false;
  const events: LogEvent[] = [];
  let begunAnew = 0;
  for (let turn = 0; turn < 200 && pair.fed.feed !== undefined; turn += 1) {
    pair.leads.tick();
    lead((bytes) => pair.fed.receive(leader, bytes));
    // The machine has that snapshot too by now, and hears of the membership.
    if (!isFed && pair.fed.raft.membership.learners.includes(child)) {
      isFed = true;
      pair.fed.receiveFeed(leader, encodeFeedFrame(header, { type: "chunk", seq, index, term, time, membership, total: data.length, digest: digest64(data), offset: 0, bytes: data }));
      expect(pair.fed.dropped).toEqual({});
    }
    const work = pair.fed.takeWork();
    for (const { to, bytes } of work.frames) if (to === leader) pair.leads.receive(child, bytes);
    if (work.write !== undefined) pair.fed.writeDone(work.write.id);
    events.push(...work.events);
    if (work.isBegunAnew) begunAnew += 1;
  }
  expect([isFed, before < index, pair.fed.appliedIndex, pair.fed.laneState(journal)]).toEqual([true, true, index, [1, 2, 3]]);
  // Whoever follows stands before the snapshot, so it has to be given one.
  expect(begunAnew + events.filter(({ type }) => type === "install").length).toBe(1);
});

test("[FD8] a feed that begins while the machine holds a snapshot it has not handed up begins with nothing, and blames nobody", () => {
  const pair = started();
  pair.leads.changeMembership({ voters: [leader], learners: [child] });
  pair.tick(20);
  // Taken out without hearing of it, and about to be fed instead: the question is on its way.
  pair.leads.changeMembership({ voters: [leader], learners: [] });
  pair.run();
  for (let silent = 0; silent < 200 && pair.fed.raft.leader !== undefined; silent += 1) pair.fed.tick();
  const before = pair.fed.appliedIndex;
  expect(before).toBeGreaterThan(0);
  pair.fed.feedFrom(leader);
  pair.run(() => true);
  const { seq, next } = pair.asked.ask;
  // Meanwhile the leader goes on, compacts, and makes it a member again: its snapshot is in the machine, and not handed up.
  for (const byte of [1, 2, 3]) pair.leads.propose({ lane: LANE_SESSION, key: { clientId: "x", requestId: byte }, payload: Uint8Array.of(byte) });
  const lead = (): Uint8Array[] => {
    const frames: Uint8Array[] = [];
    for (let turn = 0; turn < 20 && pair.leads.hasWork(); turn += 1) {
      const work = pair.leads.takeWork();
      frames.push(...work.frames.filter(({ to }) => to === child).map(({ bytes }) => bytes));
      if (work.write !== undefined) pair.leads.writeDone(work.write.id);
    }
    return frames;
  };
  lead();
  const entries = pair.leads.raft.entries(next, pair.leads.appliedIndex);
  expect(pair.leads.snapshot(pair.leads.appliedIndex, new Uint8Array(0))).toBe(true);
  lead();
  pair.leads.changeMembership({ voters: [leader], learners: [child] });
  for (let turn = 0; turn < 300 && pair.fed.raft.snapshotIndex === 0; turn += 1) {
    for (const bytes of lead()) pair.fed.receive(leader, bytes);
    if (pair.fed.raft.snapshotIndex > 0) break;
    const { frames, write } = pair.fed.takeWork();
    for (const { to, bytes } of frames) if (to === leader) pair.leads.receive(child, bytes);
    if (write !== undefined) pair.fed.writeDone(write.id);
    pair.leads.tick();
  }
  expect([pair.fed.raft.snapshotIndex > before, pair.fed.appliedIndex]).toEqual([true, before]);
  pair.fed.receiveFeed(leader, encodeFeedFrame(header, { type: "entries", seq, commit: next, entries, way: { stamp: 4, above: [] } }));
  pair.tick(40);
  expect(pair.fed.dropped["feed-bad-entries"]).toBeUndefined();
  expect([pair.fed.feed, pair.fed.laneState(journal), pair.fed.appliedIndex]).toEqual([undefined, [1, 2, 3], pair.leads.appliedIndex]);
});

test("[FD10] a child whose entry is not its parent's begins anew", () => {
  const pair = started();
  for (let byte = 1; byte <= 3; byte += 1) pair.commit(byte);
  pair.fed.feedFrom(leader);
  const carry = (): boolean => true;
  pair.tick(1, carry);
  pair.answer({ type: "entries", seq: pair.asked.ask.seq, commit: 2, way: undefined, entries: [{ index: 1, term: 7, kind: 0, time: 0, data: new Uint8Array(0) }, command(2, 50, { term: 7 })] });
  expect(pair.fed.laneState(journal)).toEqual([50]);
  // The same question, asked of the leader itself.
  pair.leads.receiveFeed(child, encodeFeedFrame(header, pair.asked.ask));
  pair.run();
  pair.tick(20);
  expect(pair.fed.laneState(journal)).toEqual([1, 2, 3]);
  expect(pair.said.begunAnew).toBe(1);
  expect(pair.fed.dropped["feed-differs"]).toBe(1);
});

test("[FD3] entries that can stand in no log are not taken, and their sender is left", () => {
  for (const bad of [command(3, 1), command(1, 1, { term: 0 }), { ...command(1, 1), kind: ENTRY_MEMBERSHIP, data: Uint8Array.of(9) } as const]) {
    const pair = started();
    pair.fed.feedFrom(leader);
    pair.tick(1, () => true);
    pair.answer({ type: "elsewhere", seq: pair.asked.ask.seq, to: [relay] });
    expect(pair.asked.to).toBe(relay);
    pair.answer({ type: "entries", seq: pair.asked.ask.seq, commit: 9, way: undefined, entries: [bad] }, relay);
    expect(pair.fed.appliedIndex).toBe(0);
    pair.tick(20, () => true);
    expect(pair.asked.to).toBe(leader);
    expect(pair.asked.ask.tries).toBe(1);
  }
});

test("[FD3] who finds itself above its own parent leaves it, and so does who is too deep", () => {
  for (const above of [[relay, child], Array.from({ length: 12 }, (_, at) => peerId(`p${at}`))]) {
    const pair = started();
    pair.fed.feedFrom(leader);
    pair.tick(1, () => true);
    pair.answer({ type: "entries", seq: pair.asked.ask.seq, commit: 1, entries: [], way: { stamp: 4, above } });
    expect(pair.fed.feed?.parent).toBeUndefined();
    pair.tick(20, () => true);
    expect(pair.asked).toMatchObject({ to: leader, ask: { tries: 1, way: 0 } });
  }
});

test("[FD3] a parent that is silent, or not connected any more, is left", () => {
  const pair = started();
  pair.fed.feedFrom(leader);
  pair.tick(1, () => true);
  pair.answer({ type: "elsewhere", seq: pair.asked.ask.seq, to: [relay] });
  pair.answer({ type: "entries", seq: pair.asked.ask.seq, commit: 0, entries: [], way: { stamp: 4, above: [] } }, relay);
  expect(pair.fed.feed).toMatchObject({ parent: relay, depth: 1 });
  pair.tick(200, () => true);
  expect(pair.asked.to).toBe(leader);
  pair.answer({ type: "elsewhere", seq: pair.asked.ask.seq, to: [relay] });
  pair.answer({ type: "entries", seq: pair.asked.ask.seq, commit: 0, entries: [], way: { stamp: 4, above: [] } }, relay);
  pair.peers.delete(relay);
  pair.tick(2, () => true);
  expect(pair.asked.to).toBe(leader);
});

test("[FD5] [RN2] a command that names somebody else is not taken from who is fed, nor any from who may not be fed", () => {
  const pair = started();
  const submit = (proposer: PeerId): Uint8Array => encodeFeedFrame(header, { type: "submit", commands: [encodeEnvelope({ lane: LANE_SESSION, clientId: "y", requestId: 1, lowestOutstanding: 0, birth: 0, proposer, payload: Uint8Array.of(1) })] });
  const before = pair.leads.raft.lastIndex;
  pair.leads.receiveFeed(relay, submit(child));
  expect(pair.leads.dropped["forged-proposer"]).toBe(1);
  pair.refused.add(relay);
  pair.leads.receiveFeed(relay, submit(relay));
  expect(pair.leads.dropped["feed-not-taken"]).toBe(1);
  pair.refused.clear();
  expect(pair.leads.raft.lastIndex).toBe(before);
  pair.leads.receiveFeed(relay, submit(relay));
  expect(pair.leads.raft.lastIndex).toBe(before + 1);
  // A member that does not lead takes none.
  pair.fed.receiveFeed(relay, submit(relay));
  expect(pair.fed.dropped["feed-not-taken"]).toBe(1);
});

test("[FD6] only a leader, or the own parent, may say that somebody is to be fed", () => {
  const pair = started();
  pair.commit(1);
  pair.fed.feedFrom(leader);
  pair.tick(10);
  const ask: FeedAsk = { type: "ask", seq: 1, next: 1, prevTerm: 0, snapshot: 0, offset: 0, way: 0, tries: 0 };
  const answers: FeedMessage[] = [];
  const carry = (from: PeerId, to: PeerId, message: FeedMessage): boolean => {
    if (from === child && to === relay && message.type !== "check") answers.push(message);
    return false;
  };
  pair.fed.receiveFeed(peerId("stranger"), encodeFeedFrame(header, { type: "leave", peer: relay }));
  expect(pair.fed.dropped["feed-forged-leave"]).toBe(1);
  pair.fed.receiveFeed(relay, encodeFeedFrame(header, ask));
  pair.tick(40, carry);
  expect(answers).toEqual([{ type: "elsewhere", seq: 1, to: [] }]);
  pair.fed.receiveFeed(leader, encodeFeedFrame(header, { type: "leave", peer: relay }));
  pair.fed.receiveFeed(relay, encodeFeedFrame(header, { ...ask, seq: 2 }));
  pair.tick(1, carry);
  expect(answers[1]).toMatchObject({ type: "entries", seq: 2, way: { above: [leader] } });
  pair.refused.add(relay);
  pair.fed.receiveFeed(relay, encodeFeedFrame(header, { ...ask, seq: 3, next: 99 }));
  pair.tick(1, carry);
  expect(pair.fed.dropped["feed-refused"]).toBe(1);
  expect(answers[2]).toMatchObject({ type: "elsewhere", to: [] });
});

test("[FD7] whatever bytes come, nothing is thrown, nothing that was not asked for is taken, and the group stays as it is", () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.boolean(), fc.uint8Array({ maxLength: 40 }), fc.nat({ max: 9 })), { maxLength: 20 }), (frames) => {
    const pair = started();
    pair.commit(1);
    pair.fed.feedFrom(leader);
    pair.tick(3);
    const { commitIndex, membership } = pair.leads.raft;
    for (const [isToLeader, bytes, type] of frames) {
      const frame = Uint8Array.from([...header, 1, type, ...bytes]);
      (isToLeader ? pair.leads : pair.fed).receiveFeed(relay, frame);
      (isToLeader ? pair.leads : pair.fed).receiveFeed(relay, bytes);
      pair.tick(1);
    }
    expect([pair.leads.raft.commitIndex, pair.leads.raft.membership]).toEqual([commitIndex, membership]);
    expect(pair.fed.laneState(journal)).toEqual([1]);
  }), { numRuns: 30 });
});

test("[FD7] every message is read back as it was written, and an entry adds no more than it must", () => {
  const peer = fc.constantFrom(leader, child, relay);
  const count = fc.nat({ max: 2 ** 31 });
  const message: fc.Arbitrary<FeedMessage> = fc.oneof(
    fc.record({ type: fc.constant("ask" as const), seq: count, next: count, prevTerm: count, snapshot: count, offset: count, way: count, tries: count }),
    fc.record({ type: fc.constant("elsewhere" as const), seq: count, to: fc.array(peer, { maxLength: 8 }) }),
    fc.record({ type: fc.constant("differs" as const), seq: count }),
    fc.record({ type: fc.constant("leave" as const), peer }),
    fc.record({ type: fc.constant("read" as const), id: count }),
    fc.record({ type: fc.constant("read-reply" as const), id: count, index: count }),
    fc.record({ type: fc.constant("check" as const), id: count, from: count, through: count }),
    fc.record({ type: fc.constant("checked" as const), id: count, applied: count, entries: fc.constantFrom(new Uint8Array(0), new Uint8Array(8).fill(3)), state: fc.constantFrom(new Uint8Array(0), new Uint8Array(8).fill(4)) }),
    fc.record({ type: fc.constant("submit" as const), commands: fc.array(fc.uint8Array({ maxLength: 9 }), { maxLength: 5 }) }),
    fc.record({
      type: fc.constant("entries" as const), seq: count, commit: count, way: fc.option(fc.record({ stamp: count, above: fc.array(peer, { maxLength: 12 }) }), { nil: undefined }),
      entries: fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 99 }), fc.uint8Array({ maxLength: 20 })), { maxLength: 6 }).map((steps) => {
        let [term, time] = [1, 1_700_000_000_000];
        return steps.map(([later, after, data], at): Entry => ({ index: 40 + at, term: (term += later), kind: ENTRY_COMMAND, time: (time += after), data }));
      }),
    }),
  );
  fc.assert(fc.property(message, (sent) => {
    expect(decodeFeedFrame(encodeFeedFrame(header, sent))).toEqual(sent);
  }));
  const two = [command(1, 1), command(2, 2)];
  const sizes = [[], two.slice(0, 1), two].map((entries) => encodeFeedFrame(header, { type: "entries", seq: 1, commit: 2, way: undefined, entries }).length);
  expect(sizes[2]! - sizes[1]! - two[1]!.data.length).toBe(4);
});

test("[FD7] the bytes of version 1 stay as they are: other bytes are another version", () => {
  const hex = (message: FeedMessage): string => toHex(encodeFeedFrame(header, message).subarray(header.length));
  expect(hex({ type: "ask", seq: 5, next: 300, prevTerm: 4, snapshot: 7, offset: 9, way: 11, tries: 2 })).toMatchInlineSnapshot(`"010005ac020407090b02"`);
  expect(hex({
    type: "entries", seq: 5, commit: 301, way: { stamp: 11, above: [leader] },
    entries: [{ index: 300, term: 4, kind: 0, time: 1_700_000_000_000, data: new Uint8Array(0) }, { index: 301, term: 6, kind: 1, time: 1_700_000_000_123, data: Uint8Array.of(1, 2) }],
  })).toMatchInlineSnapshot(`"010105ad02ac0202040080d095ffbc310002017b020102010b01016c"`);
  const membership = { voters: [leader], votersOutgoing: [], learners: [relay], learnersNext: [] };
  expect(hex({ type: "chunk", seq: 5, index: 7, term: 2, time: 1_700_000_000_000, membership, total: 9, digest: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), offset: 4, bytes: Uint8Array.of(9, 9) })).toMatchInlineSnapshot(`"010205070280d095ffbc3101016c000101720009010203040506070804020909"`);
  expect(hex({ type: "elsewhere", seq: 5, to: [relay] })).toMatchInlineSnapshot(`"010305010172"`);
  expect(hex({ type: "differs", seq: 5 })).toMatchInlineSnapshot(`"010405"`);
  expect(hex({ type: "leave", peer: relay })).toMatchInlineSnapshot(`"01050172"`);
  expect(hex({ type: "read", id: 3 })).toMatchInlineSnapshot(`"010703"`);
  expect(hex({ type: "read-reply", id: 3, index: 4 })).toMatchInlineSnapshot(`"01080304"`);
  expect(hex({ type: "check", id: 3, from: 4, through: 300 })).toMatchInlineSnapshot(`"01090304ac02"`);
  expect(hex({ type: "checked", id: 3, applied: 300, entries: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), state: new Uint8Array(0) })).toMatchInlineSnapshot(`"010a03ac0208010203040506070800"`);
  expect(() => decodeFeedFrame(encodeFeedFrame(header, { type: "checked", id: 3, applied: 1, entries: Uint8Array.of(1), state: new Uint8Array(0) }))).toThrow("digest");
  expect(hex({ type: "submit", commands: [Uint8Array.of(1), Uint8Array.of(2, 3)] })).toMatchInlineSnapshot(`"0106020101020203"`);
});
