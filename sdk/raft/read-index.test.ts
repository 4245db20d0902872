// Linearizable reads from any role.
import { describe, expect, test } from "vitest";
import { A, B, C, D, TestNetwork } from "./test-network.ts";

function led(): TestNetwork {
  const net = TestNetwork.of([A, B, C]);
  net.elect(A);
  net.run(4);
  return net;
}

describe("reads", () => {
  test("[RF60] leader, follower and learner all get an index that covers what was committed before they asked", () => {
    const net = led();
    net.add(D);
    net.raft(A).changeMembership({ voters: [A, B, C], learners: [D] });
    net.run(4);
    net.propose(A, "x");
    const { commitIndex } = net.raft(A);
    for (const id of [A, B, D]) {
      net.raft(id).readIndex(7);
      net.settle();
      expect(net.node(id).reads).toEqual([{ id: 7, index: commitIndex }]);
    }
  });

  test("[RF60] a lone voter answers without asking anybody", () => {
    const net = TestNetwork.of([A]);
    net.tick(A, 2);
    net.raft(A).readIndex(1);
    net.drain(A);
    expect(net.node(A).reads).toEqual([{ id: 1, index: 2 }]);
  });

  test("[RF61] a leader cut off from the majority confirms nothing, also when it was frozen meanwhile", () => {
    const net = led();
    net.filter = (from, to) => from === A || to === A;
    for (let i = 0; i < 60; i += 1) {
      net.tick(B);
      net.tick(C);
      net.settle();
    }
    expect(net.leaders).toContain(A);
    net.raft(A).readIndex(1);
    net.settle();
    expect(net.node(A).reads).toEqual([]);
    net.tick(A, 25);
    expect(net.node(A).reads).toEqual([{ id: 1, index: undefined }]);
  });

  test("[RF62] a new leader answers no read before an entry of its own term is committed", () => {
    const net = led();
    net.crash(A);
    net.filter = (_from, _to, message) => message.type === "append";
    net.restart(B);
    net.restart(C);
    net.elect(B);
    net.run(4);
    net.raft(B).readIndex(1);
    net.raft(C).readIndex(2);
    net.run(4);
    expect([...net.node(B).reads, ...net.node(C).reads]).toEqual([]);
    net.filter = () => false;
    net.run(4);
    expect(net.node(B).reads).toEqual([{ id: 1, index: net.raft(B).commitIndex }]);
    expect(net.node(C).reads).toEqual([{ id: 2, index: net.raft(B).commitIndex }]);
  });

  test("[RF63] an echo of an earlier round, doubled or delayed, confirms no later read", () => {
    const net = led();
    net.raft(A).readIndex(1);
    net.settle();
    const echo = net.sent.filter(({ from, message }) => from === B && message.type === "heartbeat-reply").at(-1)!.message;
    net.filter = () => true;
    net.raft(A).readIndex(2);
    net.settle();
    net.filter = () => false;
    for (let i = 0; i < 3; i += 1) net.inject(B, A, echo);
    expect(net.node(A).reads).toHaveLength(1);
    net.inject(B, A, { type: "heartbeat-reply", term: net.raft(A).term, round: 99 });
    expect(net.node(A).reads).toHaveLength(1);
    expect(net.raft(A).metrics.framesDropped["round-not-asked"]).toBe(1);
    net.inject(B, A, { type: "heartbeat-reply", term: net.raft(A).term - 1, round: 3 });
    expect(net.node(A).reads).toHaveLength(1);
  });

  test("[RF63] two reads under one number are two reads", () => {
    const net = led();
    net.raft(A).readIndex(1);
    net.settle();
    net.filter = () => true;
    net.raft(A).readIndex(1);
    net.settle();
    expect(net.node(A).reads).toHaveLength(1);
  });

  test("[RF64] an answer to a read from before a restart answers nothing", () => {
    const net = led();
    net.raft(B).readIndex(1);
    net.drain(B);
    net.deliverOne();
    net.drain(A);
    const held = net.queue.splice(0);
    net.restart(B);
    net.raft(B).readIndex(1);
    net.queue.push(...held);
    net.settle();
    expect(net.node(B).reads).toEqual([{ id: 1, index: undefined }]);
  });

  test("[RF65] a read without a leader, or whose leader is lost, ends unconfirmed", () => {
    const net = TestNetwork.of([A, B, C]);
    net.raft(A).readIndex(1);
    net.drain(A);
    expect(net.node(A).reads).toEqual([{ id: 1, index: undefined }]);
    net.elect(A);
    net.run(3);
    net.crash(A);
    net.raft(B).readIndex(2);
    net.tick(B, 25);
    expect(net.node(B).reads).toEqual([{ id: 2, index: undefined }]);
  });

  test("[RF65] reads waiting on a leader that steps down end unconfirmed, at the asker too", () => {
    const net = led();
    net.filter = (_from, _to, message) => message.type === "heartbeat";
    net.raft(A).readIndex(1);
    net.raft(B).readIndex(2);
    net.settle();
    net.inject(C, A, { type: "append-reply", term: 9, ok: false, index: 0, hintIndex: 0, hintTerm: 0 });
    expect(net.node(A).reads).toEqual([{ id: 1, index: undefined }]);
    net.tick(B, 25);
    expect(net.node(B).reads).toEqual([{ id: 2, index: undefined }]);
  });

  test("[RF66] reads of one turn share one round of heartbeats, sent to voters only", () => {
    const net = led();
    net.sent.length = 0;
    for (let id = 1; id <= 100; id += 1) net.raft(A).readIndex(id);
    net.settle();
    expect(net.node(A).reads).toHaveLength(100);
    expect(net.sent).toHaveLength(4);
  });
});
