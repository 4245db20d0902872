// Elections that disturb nobody: PreVote, stickiness, CheckQuorum, and the ways out of a deadlock.
import { describe, expect, test } from "vitest";
import type { PeerId } from "../base/index.ts";
import { A, B, C, D, E, stateWith, TestNetwork } from "./test-network.ts";

function led(voters: readonly PeerId[] = [A, B, C]): TestNetwork {
  const net = TestNetwork.of(voters);
  net.elect(A);
  net.run(3);
  return net;
}

/** Cuts everything between the two sides. */
function split(net: TestNetwork, one: readonly PeerId[]): void {
  net.filter = (from, to) => one.includes(from) !== one.includes(to);
}

describe("elections", () => {
  test("[RF16] a voter cut off for long neither raises the term nor deposes the leader when it returns", () => {
    const net = led();
    const { term } = net.raft(A);
    split(net, [C]);
    net.run(300);
    expect(net.raft(C).term).toBe(term);
    net.filter = () => false;
    net.run(30);
    expect(net.leaders).toEqual([A]);
    expect(net.raft(A).term).toBe(term);
    expect(net.raft(C).leader).toBe(A);
  });

  test("[RF16] a pre-vote asks in the next term and changes nothing at whoever is asked", () => {
    const net = new TestNetwork();
    net.add(A, stateWith([A, B, C], [2]));
    net.inject(B, A, { type: "pre-vote", term: 3, lastIndex: 2, lastTerm: 2 });
    expect(net.takeSent(A).map(({ message }) => message)).toEqual([{ type: "pre-vote-reply", term: 3, granted: true }]);
    expect(net.raft(A).term).toBe(2);
    expect(net.node(A).disk.state.hardState.vote).toBeUndefined();
    net.inject(C, A, { type: "pre-vote", term: 3, lastIndex: 1, lastTerm: 1 });
    expect(net.takeSent(A).map(({ message }) => message)).toEqual([{ type: "pre-vote-reply", term: 2, granted: false }]);
  });

  test("[RF16] a pre-candidate with an old log never disturbs, one that fell behind learns the term", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    split(net, [C]);
    net.propose(A, "x");
    net.crash(A);
    net.restart(A);
    net.elect(B);
    const { term } = net.raft(B);
    expect(net.raft(C).term).toBeLessThan(term);
    net.filter = () => false;
    net.crash(B);
    net.run(60);
    expect(net.leaders).toEqual([A]);
    expect(net.node(C).payloads).toEqual(["x"]);
  });

  test("[RF17] while a leader is heard, votes are refused and no term is taken over", () => {
    const net = led();
    const { term } = net.raft(B);
    net.takeSent(B);
    net.inject(C, B, { type: "vote", term: term + 1, lastIndex: 99, lastTerm: term, transfer: false });
    net.inject(C, B, { type: "pre-vote", term: term + 1, lastIndex: 99, lastTerm: term });
    expect(net.raft(B).term).toBe(term);
    expect(net.takeSent(B).map(({ message }) => message)).toEqual([{ type: "pre-vote-reply", term, granted: false }]);
    net.inject(C, A, { type: "vote", term: term + 1, lastIndex: 99, lastTerm: term, transfer: false });
    expect(net.raft(A).role).toBe("leader");
  });

  test("[RF18] a leader that a majority has not answered for an election timeout steps down, and the majority elects another", () => {
    const net = led([A, B, C, D, E]);
    split(net, [A, B]);
    net.run(21);
    expect(net.raft(A).role).not.toBe("leader");
    net.run(60);
    expect(net.leaders).toHaveLength(1);
    expect([C, D, E]).toContain(net.leaders[0]);
    net.filter = () => false;
    net.run(60);
    expect(net.leaders).toHaveLength(1);
  });

  test("[RF18] a leader that reaches a majority stays, however long the rest is away", () => {
    const net = led([A, B, C, D, E]);
    split(net, [D, E]);
    net.run(200);
    expect(net.leaders).toEqual([A]);
  });

  test("[RF19] a candidate stuck in a later term frees itself: the old leader hears the term and a new election follows", () => {
    const net = new TestNetwork();
    net.add(A, stateWith([A, B, C], [2, 2], { term: 2 }));
    net.add(B, stateWith([A, B, C], [2, 2], { term: 2 }));
    net.add(C, stateWith([A, B, C], [2], { term: 5, vote: C }));
    split(net, [C]);
    net.elect(A);
    expect(net.raft(A).term).toBe(3);
    net.filter = () => false;
    net.run(80);
    expect(net.leaders).toHaveLength(1);
    expect(net.raft(net.leaders[0]!).term).toBeGreaterThan(5);
    expect(net.node(C).disk.state.entries.length).toBe(net.node(A).disk.state.entries.length);
  });

  test("[RF19] one who reaches a majority leads although others reach only some (chained and bridged partitions)", () => {
    // Only C reaches everybody: A–C, B–C, D–C, E–C.
    const net = led([A, B, C, D, E]);
    net.filter = (from, to) => from !== C && to !== C;
    net.run(300);
    expect(net.leaders).toEqual([C]);
    net.propose(C, "x");
    net.run(5);
    for (const id of [A, B, C, D, E]) expect(net.node(id).payloads).toEqual(["x"]);
  });

  test("[RF27] a learner that was promoted without knowing it grants its vote", () => {
    const net = new TestNetwork();
    net.add(C);
    net.inject(A, C, { type: "vote", term: 2, lastIndex: 5, lastTerm: 1, transfer: false });
    expect(net.takeSent(C).map(({ message }) => message)).toEqual([{ type: "vote-reply", term: 2, granted: true }]);
  });

  test("[RF27] learners never campaign, and their votes are not counted", () => {
    const net = led();
    net.add(D);
    net.raft(A).changeMembership({ voters: [A, B, C], learners: [D] });
    net.run(5);
    expect(net.raft(D).role).toBe("learner");
    for (const id of [A, B, C]) net.crash(id);
    net.run(200);
    expect(net.raft(D).role).toBe("learner");
    net.inject(D, D, { type: "timeout-now", term: net.raft(D).term });
    expect(net.raft(D).role).toBe("learner");
  });

  test("[RF58] a learner whose vote is counted on without its knowing, and whose log is the newest, leads until the others have what it has", () => {
    const net = led();
    net.add(D);
    net.raft(A).changeMembership({ voters: [A, B, C], learners: [D] });
    net.run(5);
    // A makes D a voter and nobody hears of it; C is elected, whom only D hears, and is gone for good.
    net.filter = (from, to, { type }) => from === A || to === A || (from === C && to === B && type === "append");
    net.raft(A).changeMembership({ voters: [A, B, C, D], learners: [] });
    net.tick(B, 20);
    net.elect(C);
    net.crash(C);
    net.filter = () => false;
    const newest = net.raft(D).lastIndex;
    expect([A, B, D].map((id) => net.raft(id).lastIndex)).toEqual([newest, newest - 1, newest]);
    net.run(200);
    expect(net.leaders).toHaveLength(1);
    expect([A, B]).toContain(net.leaders[0]);
    expect(net.raft(A).commitIndex).toBeGreaterThan(newest);
    expect(net.raft(A).membership).toEqual({ voters: [A, B, C], votersOutgoing: [], learners: [D], learnersNext: [] });
  });

  test("[RF58] nobody stands who is no voter and holds only what is committed, or whose vote nobody asked for in vain", () => {
    for (const commit of [2, 1]) {
      const net = new TestNetwork();
      net.add(D, stateWith([A, B, C], [1], { commit }));
      if (commit === 2) net.inject(A, D, { type: "pre-vote", term: 2, lastIndex: 1, lastTerm: 1 });
      net.tick(D, 100);
      expect(net.raft(D).role).toBe("learner");
    }
  });

  test("[RF58] whose vote was asked for in vain waits again once a leader was heard", () => {
    for (const [isHeard, role] of [[false, "pre-candidate"], [true, "learner"]] as const) {
      const net = new TestNetwork();
      net.add(D, stateWith([A, B, C], [1, 1], { commit: 1 }));
      net.inject(A, D, { type: "pre-vote", term: 2, lastIndex: 2, lastTerm: 1 });
      if (isHeard) net.inject(B, D, { type: "heartbeat", term: 2, commit: 1, round: 0 });
      net.tick(D, 60);
      expect(net.raft(D).role).toBe(role);
    }
  });

  test("[RF28] a late or doubled vote of an earlier election counts for nothing", () => {
    const net = new TestNetwork();
    net.add(A, stateWith([A, B, C], [], { term: 4 }));
    while (net.raft(A).role !== "pre-candidate") net.tick(A);
    net.inject(B, A, { type: "pre-vote-reply", term: 5, granted: true });
    expect(net.raft(A).role).toBe("candidate");
    net.inject(B, A, { type: "vote-reply", term: 4, granted: true });
    net.inject(B, A, { type: "pre-vote-reply", term: 5, granted: true });
    net.inject(D, A, { type: "vote-reply", term: 5, granted: true });
    expect(net.raft(A).role).toBe("candidate");
    expect(net.raft(A).metrics.framesDropped).toEqual({ "stale-vote": 1, "not-a-voter": 1 });
    net.inject(B, A, { type: "vote-reply", term: 5, granted: false });
    net.inject(B, A, { type: "vote-reply", term: 5, granted: true });
    expect(net.raft(A).role).toBe("candidate");
  });
});
