// Changes of membership: one at a time, through joint consensus, finished by whoever leads.
import { describe, expect, test } from "vitest";
import { type PeerId } from "../base/index.ts";
import { A, B, C, D, E, stateWith, TestNetwork } from "./test-network.ts";
import { enterJoint, encodeMembership, membershipFor } from "./membership.ts";
import type { Membership, RestoredState } from "./types.ts";

function led(voters: readonly PeerId[], more: readonly PeerId[] = []): TestNetwork {
  const net = TestNetwork.of(voters);
  for (const id of more) net.add(id);
  if (voters.length === 1) net.tick(A, 2);
  else net.elect(A);
  net.run(4);
  return net;
}

function settled(voters: readonly PeerId[], learners: readonly PeerId[] = []): Membership {
  return membershipFor({ voters, learners })!;
}

/** A log that ends with these memberships, uncommitted. */
function withMemberships(founders: readonly PeerId[], memberships: readonly Membership[]): RestoredState {
  const base = stateWith(founders, [2, 2], { term: 2, commit: 1 });
  const entries = memberships.map((membership, i) => ({ index: 4 + i, term: 2, kind: 2 as const, time: 0, data: encodeMembership(membership) }));
  return { ...base, entries: [...base.entries, ...entries] };
}

describe("membership changes", () => {
  test("[RF33] adding a learner is one entry, and it catches up without a vote", () => {
    const net = led([A, B, C], [D]);
    net.propose(A, "x");
    expect(net.raft(A).changeMembership({ voters: [A, B, C], learners: [D] })).toEqual({ index: 4, term: 2 });
    net.run(3);
    expect(net.raft(A).lastIndex).toBe(4);
    expect(net.node(D).payloads).toEqual(["x"]);
    expect(net.raft(D).role).toBe("learner");
    expect(net.raft(D).membership).toEqual(settled([A, B, C], [D]));
  });

  test("[RF33] changing voters goes through a joint membership, which the leader leaves by itself", () => {
    const net = led([A, B, C], [D]);
    net.raft(A).changeMembership({ voters: [A, B, D], learners: [C] });
    expect(net.raft(A).membership).toEqual(enterJoint(settled([A, B, C]), settled([A, B, D], [C])));
    net.run(5);
    for (const id of [A, B, C, D]) expect(net.raft(id).membership).toEqual(settled([A, B, D], [C]));
    expect([net.raft(C).role, net.raft(D).role]).toEqual(["learner", "follower"]);
    net.propose(A, "x");
    net.run(3);
    for (const id of [A, B, C, D]) expect(net.node(id).payloads).toEqual(["x"]);
  });

  test("[RF34] a joint membership needs majorities of the old voters and of the new", () => {
    const net = led([A, B, C], [D, E]);
    net.filter = (from, to) => [from, to].some((id) => id === B || id === C);
    net.raft(A).changeMembership({ voters: [A, D, E], learners: [] });
    net.run(8);
    expect(net.raft(A).membership.votersOutgoing).toEqual([A, B, C]);
    expect(net.raft(A).commitIndex).toBe(2);
  });

  test("[RF35] a second change is refused until the first is committed, and any before an entry of the own term is", () => {
    const net = led([A, B, C], [D]);
    net.filter = () => true;
    net.raft(A).changeMembership({ voters: [A, B, C], learners: [D] });
    net.drain(A);
    const { lastIndex } = net.raft(A);
    expect(net.raft(A).changeMembership({ voters: [A, B], learners: [] })).toEqual({ refused: "change-in-progress" });
    expect(net.raft(A).lastIndex).toBe(lastIndex);
    const fresh = TestNetwork.of([A, B, C]);
    fresh.filter = (_from, _to, message) => message.type === "append";
    fresh.elect(A);
    expect(fresh.raft(A).changeMembership({ voters: [A, B, C], learners: [D] })).toEqual({ refused: "change-in-progress" });
  });

  test("[RF35] who is no leader, and what can be no membership, are refused and change nothing", () => {
    const net = led([A, B, C]);
    expect(net.raft(B).changeMembership({ voters: [A], learners: [] })).toEqual({ refused: "not-leader" });
    expect(net.raft(A).changeMembership({ voters: [], learners: [] })).toEqual({ refused: "invalid-target" });
    expect(net.raft(A).changeMembership({ voters: [A, B], learners: [B] })).toEqual({ refused: "invalid-target" });
    expect(net.raft(A).hasWork()).toBe(false);
    expect(net.raft(A).changeMembership({ voters: [C, B, A], learners: [] })).toEqual({ index: 1, term: 2 });
    expect(net.raft(A).hasWork()).toBe(false);
  });

  test("[RF36] a leader that removes itself leads until that is committed, then the most caught-up voter takes over at once", () => {
    const net = led([A, B, C]);
    net.raft(A).changeMembership({ voters: [B, C], learners: [] });
    net.settle();
    expect(net.raft(A).role).not.toBe("leader");
    expect(net.leaders).toHaveLength(1);
    expect(net.raft(net.leaders[0]!).membership).toEqual(settled([B, C]));
    net.propose(net.leaders[0]!, "x");
    net.run(5);
    expect(net.node(C).payloads).toEqual(["x"]);
    // The removed node stays quiet about terms whatever it hears or not.
    const { term } = net.raft(net.leaders[0]!);
    net.run(100);
    expect(net.raft(net.leaders[0]!).term).toBe(term);
  });

  test("[RF36] a demoted leader steps down to a learner and goes on following", () => {
    const net = led([A, B, C]);
    net.raft(A).changeMembership({ voters: [B, C], learners: [A] });
    net.run(5);
    expect(net.raft(A).role).toBe("learner");
    net.propose(net.leaders[0]!, "x");
    net.run(3);
    expect(net.node(A).payloads).toEqual(["x"]);
  });

  test("[RF37] a leader that inherits a joint membership finishes it, but only after an entry of its own term is committed", () => {
    const joint = enterJoint(settled([A, B, C]), settled([A, B, D]));
    const net = new TestNetwork();
    for (const id of [A, B, C]) net.add(id, withMemberships([A, B, C], [joint]));
    net.add(D);
    net.filter = (from, _to, message) => message.type === "append-reply" && from !== A;
    net.elect(A);
    expect(net.raft(A).membership).toEqual(joint);
    net.filter = () => false;
    net.run(15);
    expect(net.raft(A).membership).toEqual(settled([A, B, D]));
    expect(net.raft(D).role).toBe("follower");
  });

  test("[RF37] a leader crashing at any step of a joint change leaves a group that finishes it", () => {
    for (let steps = 0; steps < 40; steps += 1) {
      const net = led([A, B, C], [D, E]);
      net.raft(A).changeMembership({ voters: [C, D, E], learners: [B] });
      net.drain(A);
      for (let i = 0; i < steps && net.deliverOne(); i += 1);
      net.crash(A);
      net.run(120);
      net.restart(A);
      net.run(120);
      expect(net.leaders).toHaveLength(1);
      expect(net.raft(net.leaders[0]!).membership.votersOutgoing).toEqual([]);
      net.propose(net.leaders[0]!, "x");
      net.run(5);
      const { voters } = net.raft(net.leaders[0]!).membership;
      for (const id of voters) expect(net.node(id).payloads).toEqual(["x"]);
    }
  });

  test("[RF38] a removed voter whose log is the only one that can win campaigns until its removal is committed", () => {
    // A holds the entry that removes it; D and E know only the joint membership and need A's vote.
    const joint = enterJoint(settled([A]), settled([C, D, E]));
    const net = new TestNetwork();
    net.add(A, withMemberships([A], [joint, settled([C, D, E])]));
    net.add(C);
    for (const id of [D, E]) net.add(id, withMemberships([A], [joint]));
    net.run(150);
    expect(net.leaders).toHaveLength(1);
    expect(net.raft(net.leaders[0]!).membership).toEqual(settled([C, D, E]));
    expect(net.raft(A).role).toBe("learner");
  });

  test("[RF39] shrinking makes committed what the smaller group already holds", () => {
    const net = led([A, B, C, D]);
    net.filter = (from, to) => [from, to].some((id) => id === C || id === D);
    net.propose(A, "x");
    expect(net.node(A).payloads).toEqual([]);
    net.filter = (from, to) => from === D || to === D;
    net.raft(A).changeMembership({ voters: [A, B], learners: [] });
    net.run(5);
    expect(net.node(A).payloads).toEqual(["x"]);
    expect(net.raft(A).membership).toEqual(settled([A, B]));
  });
});
