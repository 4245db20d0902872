// Nothing is promised, counted or handed up before it is durable here.
import { describe, expect, test } from "vitest";
import { A, B, C, stateWith, TestNetwork } from "./test-network.ts";
import type { AppendRequest, Message } from "./message.ts";
import type { Entry } from "./types.ts";

function append(term: number, prevIndex: number, prevTerm: number, terms: readonly number[]): AppendRequest {
  const entries = terms.map((entryTerm, i): Entry => ({ index: prevIndex + i + 1, term: entryTerm, kind: 1, time: 0, data: new Uint8Array([entryTerm]) }));
  return { type: "append", term, prevIndex, prevTerm, commit: 0, entries };
}

function follower(): TestNetwork {
  const net = new TestNetwork();
  net.add(A, stateWith([A, B, C], []));
  net.node(A).diskIsFast = false;
  return net;
}

function sent(net: TestNetwork): Message[] {
  return net.takeSent(A).map(({ message }) => message);
}

const ack = (term: number, index: number): Message => ({ type: "append-reply", term, ok: true, index, hintIndex: 0, hintTerm: 0 });

describe("durability", () => {
  test("[RF20] a vote is granted only after term and vote are written, in one write", () => {
    const net = follower();
    net.inject(B, A, { type: "vote", term: 2, lastIndex: 1, lastTerm: 1, transfer: false });
    expect(sent(net)).toEqual([]);
    expect(net.node(A).write).toMatchObject({ hardState: { term: 2, vote: B, commit: 1 }, entries: [] });
    net.finishWrite(A);
    expect(sent(net)).toEqual([{ type: "vote-reply", term: 2, granted: true }]);
  });

  test("[RF20] a promise of an old term is void once the term has moved on", () => {
    const net = follower();
    net.inject(B, A, { type: "vote", term: 2, lastIndex: 1, lastTerm: 1, transfer: false });
    net.inject(C, A, { type: "vote", term: 3, lastIndex: 1, lastTerm: 1, transfer: false });
    net.finishWrite(A);
    expect(sent(net)).toEqual([]);
    net.finishWrite(A);
    expect(sent(net)).toEqual([{ type: "vote-reply", term: 3, granted: true }]);
  });

  test("[RF21] entries are acknowledged only after they are written, several appends at once", () => {
    const net = follower();
    net.inject(B, A, append(2, 1, 1, [2]));
    net.inject(B, A, append(2, 2, 2, [2, 2]));
    expect(sent(net)).toEqual([]);
    net.finishWrite(A);
    expect(sent(net)).toEqual([ack(2, 2)]);
    net.finishWrite(A);
    expect(sent(net)).toEqual([ack(2, 4)]);
  });

  test("[RF22] the end of an old write does not vouch for entries that replaced its own meanwhile", () => {
    const net = follower();
    net.inject(B, A, append(2, 1, 1, [2, 2]));
    expect(net.node(A).write?.entries.map((entry) => entry.term)).toEqual([2, 2]);
    net.inject(C, A, append(3, 1, 1, [3, 3]));
    net.inject(B, A, append(4, 1, 1, [4, 4]));
    // Written is the tail of term 2; the log says term 4.
    net.finishWrite(A);
    expect(net.raft(A).stableIndex).toBe(1);
    expect(sent(net)).toEqual([]);
    expect(net.node(A).write).toMatchObject({ truncateAfter: 1, hardState: { term: 4 } });
    expect(net.node(A).write?.entries.map((entry) => entry.term)).toEqual([4, 4]);
    net.finishWrite(A);
    expect(sent(net)).toEqual([ack(4, 3)]);
    expect(net.node(A).disk.state.entries.map((entry) => entry.term)).toEqual([1, 4, 4]);
  });

  test("[RF22] a shorter replacement cuts the longer tail off the disk", () => {
    const net = follower();
    net.inject(B, A, append(2, 1, 1, [2, 2, 2, 2]));
    net.finishWrite(A);
    net.inject(C, A, append(3, 2, 2, [3]));
    net.finishWrite(A);
    net.drain(A);
    net.finishWrite(A);
    expect(net.node(A).disk.state.entries.map((entry) => entry.term)).toEqual([1, 2, 3]);
  });

  test("[RF23] a candidate asks for votes, and counts its own, only once its vote is written", () => {
    const net = TestNetwork.of([A, B, C]);
    net.node(A).diskIsFast = false;
    for (let i = 0; i < 25 && net.raft(A).role !== "candidate"; i += 1) {
      net.tick(A);
      net.settle();
    }
    expect(net.sent.filter(({ message }) => message.type === "vote")).toEqual([]);
    net.finishWrite(A);
    net.settle();
    expect(net.raft(A).role).toBe("leader");
  });

  test("[RF23] a lone voter leads only after its vote is written, and commits only after its entry is", () => {
    const net = TestNetwork.of([A]);
    net.node(A).diskIsFast = false;
    net.tick(A);
    expect(net.raft(A).role).toBe("candidate");
    net.finishWrite(A);
    net.drain(A);
    expect([net.raft(A).role, net.raft(A).commitIndex]).toEqual(["leader", 1]);
    net.finishWrite(A);
    net.drain(A);
    expect(net.raft(A).commitIndex).toBe(2);
  });

  test("[RF24] a leader's append may leave before its own write, but its own acknowledgement counts only after it", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(2);
    net.node(A).diskIsFast = false;
    net.filter = (from) => from === C;
    net.propose(A, "x");
    const { lastIndex } = net.raft(A);
    expect(net.raft(B).lastIndex).toBe(lastIndex);
    // B holds it and A has it only in memory: that is one of three.
    expect(net.raft(A).commitIndex).toBe(lastIndex - 1);
    net.finishWrite(A);
    net.settle();
    expect(net.raft(A).commitIndex).toBe(lastIndex);
  });

  test("[RF24] what a majority of others committed is handed up here only when it is durable here", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(2);
    net.node(A).diskIsFast = false;
    net.propose(A, "x");
    expect(net.raft(A).commitIndex).toBe(net.raft(A).lastIndex);
    expect(net.node(A).payloads).toEqual([]);
    net.finishWrite(A);
    net.settle();
    expect(net.node(A).payloads).toEqual(["x"]);
  });

  test("[RF25] a leader whose disk hangs steps down and does not campaign until it answers", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(2);
    net.node(A).diskIsFast = false;
    net.propose(A, "x");
    net.run(80);
    expect(net.leaders).toHaveLength(1);
    expect(net.leaders).not.toContain(A);
    net.node(A).diskIsFast = true;
    net.finishWrite(A);
    net.run(20);
    expect(net.node(A).payloads).toEqual(["x"]);
  });

  test("[RF26] a restart finds everything acknowledged, and hands committed entries up again from the snapshot on", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.propose(A, "x", "y");
    net.run(3);
    for (const id of [A, B, C]) net.restart(id);
    net.run(60);
    net.propose(net.leaders[0]!, "z");
    net.run(3);
    for (const id of [A, B, C]) expect(net.node(id).payloads).toEqual(["x", "y", "z"]);
  });
});
