import { describe, expect, test } from "vitest";
import { concatBytes, peerId, seededRandom, type PeerId } from "../base/index.ts";
import { bootstrapState, encodeMessage, LAN_CONFIG, type Message, type Write } from "../raft/index.ts";
import { createReplicaCore } from "./core.ts";
import { encodeEnvelope, type Envelope } from "./envelope.ts";
import { encodeFrame, frameHeader } from "./frame.ts";
import type { LaneReducer } from "./lane.ts";
import { LANE_GAME, LANE_SESSION, type LogEvent } from "./ordered-log.ts";
import type { ReplicaCore, ReplicaWork } from "./replica-core.ts";
import { journal } from "./test-room.ts";

const a = peerId("a");
const b = peerId("b");
const c = peerId("c");


const make = (id: PeerId, voters: readonly PeerId[], lanes = [journal]): ReplicaCore =>
  createReplicaCore({ id, groupId: "g", config: LAN_CONFIG, random: seededRandom(3), restored: bootstrapState(id, voters), lanes: lanes as LaneReducer<unknown>[] });

function drain(core: ReplicaCore): { frames: ReplicaWork["frames"][number][]; events: LogEvent[]; settled: ReplicaWork["settled"][number][]; writes: Write[] } {
  const all = { frames: [] as ReplicaWork["frames"][number][], events: [] as LogEvent[], settled: [] as ReplicaWork["settled"][number][], writes: [] as Write[] };
  while (core.hasWork()) {
    const work = core.takeWork();
    all.frames.push(...work.frames);
    all.events.push(...work.events);
    all.settled.push(...work.settled);
    if (work.write !== undefined) {
      all.writes.push(work.write);
      core.writeDone(work.write.id);
    }
  }
  return all;
}

function lead(core: ReplicaCore, others: readonly ReplicaCore[] = []): void {
  for (let tick = 0; tick < 200 && core.raft.role !== "leader"; tick += 1) {
    core.tick();
    exchange([core, ...others]);
  }
  exchange([core, ...others]);
  expect(core.raft.role).toBe("leader");
}

function exchange(cores: readonly ReplicaCore[]): void {
  for (let isBusy = true; isBusy; ) {
    isBusy = false;
    for (const core of cores) {
      for (const { to, bytes } of drain(core).frames) {
        isBusy = true;
        cores.find((other) => other.raft.id === to)?.receive(core.raft.id, bytes);
      }
    }
  }
}

const envelope = (change: Partial<Envelope> = {}): Envelope => ({ lane: LANE_GAME, clientId: "x", requestId: 1, lowestOutstanding: 0, birth: 0, proposer: b, payload: Uint8Array.of(1), ...change });
const frameOf = (message: Message, groupId = "g"): Uint8Array => encodeFrame(frameHeader(groupId), [encodeMessage(message)]);

describe("frames", () => {
  test("[RN1] frames of another group, another version and no format are dropped, counted, and change nothing", () => {
    const core = make(a, [a, b]);
    drain(core);
    const heartbeat: Message = { type: "heartbeat", term: 5, commit: 0, round: 0 };
    const good = frameOf(heartbeat);
    core.receive(b, frameOf(heartbeat, "another"));
    core.receive(b, good.map((byte, at) => (at === 0 ? byte + 1 : byte)));
    core.receive(b, good.subarray(0, 4));
    core.receive(b, good.subarray(0, good.length - 1));
    core.receive(b, concatBytes(good, Uint8Array.of(255, 255, 255, 255, 255, 255)));
    expect(core.dropped).toMatchObject({ "foreign-group": 1, "foreign-version": 1, malformed: 3 });
    const random = seededRandom(5);
    for (let round = 0; round < 3_000; round += 1) {
      const at = random.uint32() % good.length;
      core.receive(b, good.map((byte, where) => (where === at ? random.uint32() & 255 : byte)));
      core.receive(c, Uint8Array.from({ length: random.uint32() % 40 }, () => random.uint32() & 255));
      core.receive(b, concatBytes(frameHeader("g"), Uint8Array.from({ length: random.uint32() % 40 }, () => random.uint32() & 255)));
    }
    expect(core.appliedIndex).toBeLessThanOrEqual(1);
  });

  test("[RN2] a forwarded command is taken only from the peer it names and for a known lane", () => {
    const [one, two] = [make(a, [a, b]), make(b, [a, b])];
    lead(one, [two]);
    const last = one.raft.lastIndex;
    const forward = (from: PeerId, command: Uint8Array): void => {
      one.receive(from, frameOf({ type: "forward", term: one.raft.term, commands: [command] }));
      drain(one);
    };
    forward(b, encodeEnvelope(envelope({ proposer: a })));
    forward(b, encodeEnvelope(envelope({ lane: 77 })));
    forward(b, Uint8Array.of(1, 2, 3));
    expect(one.dropped).toMatchObject({ "forged-proposer": 1, "unknown-lane": 1, "malformed-command": 1 });
    expect(one.raft.lastIndex).toBe(last);
    forward(b, encodeEnvelope(envelope()));
    expect(one.raft.lastIndex).toBe(last + 1);
  });
});

describe("storing", () => {
  test("[RN3] one write is under way at a time, what gathered meanwhile is the next one, and nothing commits before its write", () => {
    const core = make(a, [a]);
    lead(core);
    const propose = (requestId: number): number => core.propose({ lane: LANE_GAME, key: { clientId: "x", requestId }, payload: Uint8Array.of(requestId) });
    propose(1);
    const first = core.takeWork();
    expect(first.write?.entries).toHaveLength(1);
    for (let serial = 2; serial <= 20; serial += 1) propose(serial);
    while (core.hasWork()) {
      const work = core.takeWork();
      expect(work.write).toBeUndefined();
      expect(work.events).toEqual([]);
      expect(work.settled).toEqual([]);
    }
    core.writeDone(first.write!.id);
    const second = core.takeWork();
    expect(second.write?.entries).toHaveLength(19);
    expect(second.settled.length + core.takeWork().settled.length).toBe(1);
    core.writeDone(second.write!.id);
    expect(drain(core).settled).toHaveLength(19);
  });
});

describe("applying", () => {
  test("[RN5] an unknown lane stops applying there, names the lane, and the machine goes on", () => {
    const [old, newer] = [make(a, [a, b]), make(b, [a, b], [journal, { ...journal, lane: 9 }])];
    lead(newer, [old]);
    for (const [requestId, lane] of [LANE_SESSION, 9, LANE_SESSION].entries()) newer.propose({ lane, key: { clientId: "x", requestId: requestId + 1 }, payload: Uint8Array.of(requestId) });
    exchange([newer, old]);
    for (let tick = 0; tick < 20; tick += 1) { newer.tick(); exchange([newer, old]); }
    expect(newer.laneState(journal)).toEqual([0, 2]);
    expect(old.laneState(journal)).toEqual([0]);
    expect(old.failure).toMatchObject({ code: "unknown-lane", lane: 9 });
    expect(old.raft.commitIndex).toBe(newer.raft.commitIndex);
    expect(old.appliedIndex).toBe(newer.appliedIndex - 2);
  });

  test("[RN6] a snapshot through any applied index holds the table and lanes of exactly that index", () => {
    const random = seededRandom(9);
    for (let round = 0; round < 30; round += 1) {
      const core = make(a, [a]);
      lead(core);
      const events: LogEvent[] = [];
      for (let step = 0; step < 30; step += 1) {
        const requestId = 1 + (random.uint32() % 20);
        core.propose({ lane: LANE_SESSION, key: { clientId: `c${random.uint32() % 3}`, requestId }, payload: Uint8Array.of(step) });
        events.push(...drain(core).events);
      }
      const commands = events.filter((event) => event.type === "command");
      const base = commands[random.uint32() % (commands.length - 1)]!.index;
      expect(core.snapshot(base, Uint8Array.of(1))).toBe(true);
      expect(core.snapshot(base, Uint8Array.of(1))).toBe(false);
      const through = base + 1 + (random.uint32() % (core.appliedIndex - base));
      if (random.uint32() & 1) drain(core);
      expect(core.snapshot(through, Uint8Array.of(2, 2))).toBe(true);
      const { writes } = drain(core);
      const snapshot = writes.flatMap((write) => write.snapshot ?? []).at(-1)!;
      expect(snapshot.index).toBe(through);
      // A fresh core that folds the same log only up to there must compose the very same bytes.
      const twin = make(a, [a]);
      lead(twin);
      for (const event of commands) {
        if (event.type !== "command" || event.index > through || event.duplicate) continue;
        twin.propose({ lane: event.lane, key: event.key, payload: event.payload });
        drain(twin);
      }
      const install = core.replay(1)[0]!;
      expect(install).toMatchObject({ type: "install", index: through });
      const expected = commands.flatMap((event) => (event.type === "command" && event.index <= through && !event.duplicate ? [event.payload[0]!] : []));
      expect(install.type === "install" && [...install.sections.get(LANE_SESSION)!]).toEqual(expected);
      expect(twin.laneState(journal)).toEqual(expected);
      // Restarted from the snapshot, every key applied before it is still a duplicate.
      const restarted = createReplicaCore({ id: a, groupId: "g", config: LAN_CONFIG, random: seededRandom(4), lanes: [journal as LaneReducer<unknown>], restored: { hardState: { term: core.raft.term, vote: a, commit: through }, snapshot, entries: [] } });
      for (const event of commands) {
        if (event.type !== "command") continue;
        const known = restarted.firstIndex(event.key);
        if (event.index <= through) expect(known).toBe(commands.find((first) => first.type === "command" && first.key.clientId === event.key.clientId && first.key.requestId === event.key.requestId)!.index);
      }
      expect(restarted.laneState(journal)).toEqual(expected);
    }
  });

  test("[EO6] the same key is sent again after a silence, under the same bytes, and a second answer changes nothing", () => {
    const [leader, follower] = [make(a, [a, b]), make(b, [a, b])];
    lead(leader, [follower]);
    const ticket = follower.propose({ lane: LANE_GAME, key: { clientId: "x", requestId: 1 }, payload: Uint8Array.of(5) });
    const lost = drain(follower).frames;
    expect(lost).toHaveLength(1);
    const again: Uint8Array[] = [];
    for (let tick = 0; tick < 14; tick += 1) {
      follower.tick();
      again.push(...drain(follower).frames.map(({ bytes }) => bytes));
    }
    expect(again.map((bytes) => bytes.join())).toContain(lost[0]!.bytes.join());
    for (const bytes of again) leader.receive(b, bytes);
    leader.receive(b, lost[0]!.bytes);
    const settled: unknown[] = [];
    for (let round = 0; round < 10; round += 1) {
      leader.tick();
      for (const { bytes } of drain(leader).frames) follower.receive(a, bytes);
      const work = drain(follower);
      settled.push(...work.settled);
      for (const { bytes } of work.frames) leader.receive(b, bytes);
    }
    expect(settled).toEqual([{ ticket, settlement: { outcome: "committed", index: expect.any(Number) } }]);
    const applied = leader.replay(1).filter((event) => event.type === "command" && !event.duplicate);
    expect(applied).toHaveLength(1);
  });
});

