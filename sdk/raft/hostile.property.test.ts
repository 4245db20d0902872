// Whatever a peer sends: nothing throws, a node keeps working, and what is dropped is counted.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { decodeMessage, encodeMessage } from "./codec.ts";
import type { Message } from "./message.ts";
import { A, B, C, D, TestNetwork } from "./test-network.ts";
import type { EntryKind, Membership } from "./types.ts";

const small = fc.nat(12);
const wild = fc.oneof({ weight: 6, arbitrary: small }, { weight: 1, arbitrary: fc.constantFrom(Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY, 2 ** 53, Number.MAX_SAFE_INTEGER, 2 ** 31, 2 ** 32) });
const bytes = fc.uint8Array({ maxLength: 12 });
const peers = fc.array(fc.constantFrom("a", "b", "c", "d", "").map((name) => name as PeerId), { maxLength: 3 });
const membership: fc.Arbitrary<Membership> = fc.record({ voters: peers, votersOutgoing: peers, learners: peers, learnersNext: peers });
const entry = fc.record({ index: wild, term: wild, kind: fc.constantFrom<EntryKind>(0, 1, 2), time: wild, data: bytes });

/** Messages with any numbers in them, as no decoder would let them through. */
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ type: fc.constant("append" as const), term: wild, prevIndex: wild, prevTerm: wild, commit: wild, entries: fc.array(entry, { maxLength: 4 }) }),
  fc.record({ type: fc.constant("pre-vote" as const), term: wild, lastIndex: wild, lastTerm: wild }),
  fc.record({ type: fc.constant("pre-vote-reply" as const), term: wild, granted: fc.boolean() }),
  fc.record({ type: fc.constant("vote" as const), term: wild, lastIndex: wild, lastTerm: wild, transfer: fc.boolean() }),
  fc.record({ type: fc.constant("vote-reply" as const), term: wild, granted: fc.boolean() }),
  fc.record({ type: fc.constant("append-reply" as const), term: wild, ok: fc.boolean(), index: wild, hintIndex: wild, hintTerm: wild }),
  fc.record({ type: fc.constant("heartbeat" as const), term: wild, commit: wild, round: wild }),
  fc.record({ type: fc.constant("heartbeat-reply" as const), term: wild, round: wild }),
  fc.record({ type: fc.constant("snapshot-chunk" as const), term: wild, index: wild, indexTerm: wild, time: wild, membership, total: wild, digest: bytes, offset: wild, bytes }),
  fc.record({ type: fc.constant("snapshot-reply" as const), term: wild, index: wild, offset: wild, installed: fc.boolean() }),
  fc.record({ type: fc.constant("forward" as const), term: wild, commands: fc.array(bytes, { maxLength: 3 }) }),
  fc.record({ type: fc.constant("forward-reply" as const), term: wild, accepted: wild, refused: wild, reason: fc.constant("busy" as const) }),
  fc.record({ type: fc.constant("read" as const), term: wild, id: wild }),
  fc.record({ type: fc.constant("read-reply" as const), term: wild, id: wild, ok: fc.boolean(), index: wild }),
  fc.record({ type: fc.constant("timeout-now" as const), term: wild }),
  fc.record({ type: fc.constant("parting-grant" as const), term: wild, lastIndex: wild, lastTerm: wild, commit: wild }),
);
const sender = fc.constantFrom(A, B, C, D, peerId("stranger"));

function led(): TestNetwork {
  const net = TestNetwork.of([A, B, C]);
  net.add(D);
  net.elect(A);
  net.raft(A).changeMembership({ voters: [A, B, C], learners: [D] });
  net.run(3);
  net.propose(A, "x");
  net.run(2);
  return net;
}

function drops(net: TestNetwork): number {
  return [...net.nodes.values()].reduce((sum, { raft }) => sum + Object.values(raft.metrics.framesDropped).reduce((one, more) => one + more, 0), 0);
}

describe("hostile input", () => {
  test("[RF100] messages with any content whatever never throw at a leader, a follower or a blank learner", () => {
    let dropped = 0;
    fc.assert(fc.property(fc.array(fc.tuple(sender, fc.constantFrom(A, B, D), message), { minLength: 1, maxLength: 15 }), (frames) => {
      const net = led();
      const before = drops(net);
      const committed = net.node(A).committed.map((one) => one.index);
      for (const [from, to, frame] of frames) {
        net.raft(to).step(from, frame);
        net.drain(to);
        if (net.raft(to).hasWork()) throw new Error("work was left");
        net.tick(to);
      }
      dropped += drops(net) - before;
      // What was committed stays as it was.
      const now = net.node(A).committed.map((one) => one.index);
      expect(now.slice(0, committed.length)).toEqual(committed);
    }), { numRuns: 60 });
    expect(dropped).toBeGreaterThan(60);
  });

  test("[RF100] changed frames of a real conversation never throw, and the group works on", () => {
    fc.assert(fc.property(fc.nat(), fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 20 }), (seed, changes) => {
      const net = TestNetwork.of([A, B, C], { seed });
      net.elect(A);
      net.propose(A, "x");
      const frames = net.sent.map(({ from, to, message: sent }) => ({ from, to, bytes: encodeMessage(sent) }));
      for (const [pick, at, byte] of changes) {
        const frame = frames[pick % frames.length]!;
        const changed = frame.bytes.slice();
        changed[at % changed.length] = byte;
        try {
          net.raft(frame.to).step(frame.from, decodeMessage(changed));
        } catch (error) {
          expect(error).toMatchObject({ code: "malformed" });
        }
        net.drain(frame.to);
      }
    }), { numRuns: 40 });
  });

  test("[RF101] a term too far ahead is dropped; up to the limit it is followed", () => {
    const net = led();
    const { term } = net.raft(B);
    net.inject(A, B, { type: "heartbeat", term: term + 10_001, commit: 0, round: 1 });
    expect([net.raft(B).term, net.raft(B).metrics.framesDropped["term-jump"]]).toEqual([term, 1]);
    net.inject(A, B, { type: "heartbeat", term: term + 10_000, commit: 0, round: 1 });
    expect(net.raft(B).term).toBe(term + 10_000);
  });

  test("[RF102] only a voter speaks as a leader while one is heard, and there is no second leader of a term", () => {
    const net = led();
    const { term } = net.raft(B);
    for (const from of [D, peerId("stranger")]) net.inject(from, B, { type: "heartbeat", term: term + 1, commit: 0, round: 1 });
    expect([net.raft(B).term, net.raft(B).leader, net.raft(B).metrics.framesDropped["not-a-voter"]]).toEqual([term, A, 2]);
    net.inject(C, B, { type: "heartbeat", term, commit: 0, round: 1 });
    net.inject(C, A, { type: "heartbeat", term, commit: 0, round: 1 });
    expect(net.raft(B).metrics.framesDropped["second-leader"]).toBe(1);
    expect(net.raft(A).role).toBe("leader");
  });

  test("[RF102] a blank learner believes whoever leads, and one long without a leader hears a voter it does not know yet", () => {
    const net = led();
    const blank = net.add(peerId("new"));
    net.inject(A, blank.id, { type: "heartbeat", term: 40_000, commit: 0, round: 1 });
    expect([blank.raft.leader, blank.raft.term]).toEqual([A, 40_000]);
    net.tick(B, 10);
    net.inject(D, B, { type: "heartbeat", term: 9, commit: 0, round: 1 });
    expect(net.raft(B).leader).toBe(D);
  });

  test("[RF103] entries out of order, of falling or future terms, or with a broken membership are not taken", () => {
    const net = led();
    const { term, lastIndex } = net.raft(B);
    const before = net.node(B).disk.state;
    const one = { index: lastIndex + 1, term, kind: 1 as const, time: 0, data: new Uint8Array(0) };
    const append = (entries: readonly (typeof one | { index: number; term: number; kind: EntryKind; time: number; data: Uint8Array })[]): Message => ({ type: "append", term, prevIndex: lastIndex, prevTerm: term, commit: 0, entries });
    const attempts: [Message, string][] = [
      [append([{ ...one, index: lastIndex + 2 }]), "bad-entries"],
      [append([one, { ...one, index: lastIndex + 2, term: term - 1 }]), "bad-entries"],
      [append([{ ...one, term: term + 1 }]), "bad-entries"],
      [append([{ ...one, time: 5 }, { ...one, index: lastIndex + 2, time: 4 }]), "bad-entries"],
      [append([{ ...one, kind: 2 }]), "bad-membership"],
      [{ type: "append", term, prevIndex: 1, prevTerm: 1, commit: 0, entries: [{ ...one, index: 2, term }, { ...one, index: 3, term }, { ...one, index: 4, term }] }, "none"],
    ];
    for (const [frame, reason] of attempts.slice(0, 5)) {
      const count = net.raft(B).metrics.framesDropped[reason] ?? 0;
      net.raft(B).step(A, frame);
      net.drain(B);
      expect(net.raft(B).metrics.framesDropped[reason]).toBe(count + 1);
    }
    expect(net.node(B).disk.state).toEqual(before);
  });
});
