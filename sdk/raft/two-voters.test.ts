// Two voters: the leader may go on alone, and a leader that leaves hands everything over in one frame. SPEC.md holds the arguments.
import { describe, expect, test } from "vitest";
import type { PartingGrant } from "./message.ts";
import { A, B, C, D, TestNetwork } from "./test-network.ts";
import type { PeerId } from "../base/index.ts";

function pair(more: readonly PeerId[] = []): TestNetwork {
  const net = TestNetwork.of([A, B]);
  for (const id of more) net.add(id);
  net.elect(A);
  net.run(4);
  return net;
}

const ALONE = { voters: [A], votersOutgoing: [], learners: [], learnersNext: [] };

/** The grant A sends when it leaves now, or undefined. */
function grantOf(net: TestNetwork): PartingGrant | undefined {
  net.raft(A).part();
  net.drain(A);
  const found = net.sent.find(({ message }) => message.type === "parting-grant")?.message;
  return found?.type === "parting-grant" ? found : undefined;
}

describe("the leader of a pair goes on alone", () => {
  test("[RF40] it removes the silent other by one entry that its own disk commits", () => {
    const net = pair();
    net.crash(B);
    net.propose(A, "x");
    expect(net.node(A).payloads).toEqual([]);
    expect(net.raft(A).changeMembership({ voters: [A], learners: [] })).toMatchObject({ term: 2 });
    net.run(2);
    expect(net.raft(A).membership).toEqual(ALONE);
    expect(net.node(A).payloads).toEqual(["x"]);
    net.run(100);
    expect(net.leaders).toEqual([A]);
  });

  test("[RF40] only the leader can, and only to itself: the other of a pair has to wait", () => {
    const net = pair();
    net.crash(A);
    net.run(200);
    expect(net.leaders).toEqual([]);
    expect(net.raft(B).changeMembership({ voters: [B], learners: [] })).toEqual({ refused: "not-leader" });
    const other = pair();
    other.crash(B);
    other.raft(A).changeMembership({ voters: [B], learners: [] });
    expect(other.raft(A).membership.votersOutgoing).toEqual([A, B]);
  });

  test("[RF18] it stays leader while the other is silent, commits and confirms nothing, and gives way to nobody", () => {
    const net = pair();
    net.crash(B);
    net.propose(A, "x");
    net.raft(A).readIndex(1);
    net.run(200);
    expect(net.leaders).toEqual([A]);
    expect(net.node(A).payloads).toEqual([]);
    expect(net.node(A).reads).toEqual([]);
    net.restart(B);
    net.run(40);
    expect(net.leaders).toHaveLength(1);
    expect(net.node(B).payloads).toEqual(["x"]);
  });

  test("[RF41] three voters never shrink that way", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(3);
    net.raft(A).changeMembership({ voters: [A], learners: [] });
    expect(net.raft(A).membership.votersOutgoing).toEqual([A, B, C]);
  });

  test("[RF42] not before an entry of its own term is committed", () => {
    const net = TestNetwork.of([A, B]);
    net.filter = (_from, _to, message) => message.type === "append";
    net.elect(A);
    expect(net.raft(A).changeMembership({ voters: [A], learners: [] })).toEqual({ refused: "change-in-progress" });
  });

  test("[RF43] a lone founder whose newcomer vanished in the middle of its admission is not stuck with it", () => {
    const net = TestNetwork.of([A]);
    net.tick(A, 2);
    net.run(2);
    net.add(B);
    net.raft(A).changeMembership({ voters: [A], learners: [B] });
    net.run(4);
    net.crash(B);
    net.raft(A).changeMembership({ voters: [A, B], learners: [] });
    net.run(4);
    expect(net.raft(A).membership.votersOutgoing).toEqual([A]);
    net.raft(A).changeMembership({ voters: [A], learners: [] });
    net.run(4);
    expect(net.raft(A).membership).toEqual(ALONE);
    net.propose(A, "x");
    expect(net.node(A).payloads).toEqual(["x"]);
    net.restart(B);
    net.run(100);
    expect(net.leaders).toEqual([A]);
  });

  test("[RF44] the removed one, coming back with its old state, can not be elected and can be readmitted", () => {
    const net = pair();
    net.crash(B);
    net.raft(A).changeMembership({ voters: [A], learners: [] });
    net.run(2);
    net.restart(B);
    net.run(100);
    expect(net.leaders).toEqual([A]);
    net.raft(A).changeMembership({ voters: [A], learners: [B] });
    net.run(30);
    net.raft(A).changeMembership({ voters: [A, B], learners: [] });
    net.run(10);
    expect(net.raft(B).membership.voters).toEqual([A, B]);
    net.propose(A, "x");
    net.run(3);
    expect(net.node(B).payloads).toEqual(["x"]);
  });

  test("[RF45] while the shrinking entry is not durable nobody else sees it, so a crash leaves the pair as it was", () => {
    const net = pair();
    net.node(A).diskIsFast = false;
    net.raft(A).changeMembership({ voters: [A], learners: [B] });
    net.settle();
    net.run(3);
    expect(net.raft(A).membership.learners).toEqual([B]);
    expect(net.raft(B).membership.voters).toEqual([A, B]);
    net.restart(A);
    net.node(A).diskIsFast = true;
    net.run(80);
    expect(net.leaders).toHaveLength(1);
    expect(net.raft(net.leaders[0]!).membership.voters).toEqual([A, B]);
  });

  test("[RF46] entries before the shrinking one count only together with it", () => {
    const net = pair();
    net.crash(B);
    net.propose(A, "x");
    const before = net.raft(A).commitIndex;
    net.node(A).diskIsFast = false;
    net.raft(A).changeMembership({ voters: [A], learners: [] });
    net.drain(A);
    expect(net.raft(A).commitIndex).toBe(before);
    net.finishWrite(A);
    net.drain(A);
    expect(net.raft(A).commitIndex).toBe(net.raft(A).lastIndex);
  });
});

describe("the parting grant", () => {
  test("[RF50] a leader of a pair leaves; the other leads the next term at once and shrinks the group to itself", () => {
    const net = pair([C]);
    net.raft(A).changeMembership({ voters: [A, B], learners: [C] });
    net.run(4);
    net.raft(A).propose([new TextEncoder().encode("last words")]);
    net.raft(A).part();
    net.drain(A);
    net.crash(A);
    net.settle();
    expect(net.leaders).toEqual([B]);
    expect(net.raft(B).term).toBe(3);
    expect(net.raft(B).membership).toEqual({ voters: [B], votersOutgoing: [], learners: [C], learnersNext: [] });
    net.propose(B, "x");
    net.run(4);
    expect(net.node(B).payloads).toEqual(["last words", "x"]);
    expect(net.node(C).payloads).toEqual(["last words", "x"]);
  });

  test("[RF57] what it would say can be asked beforehand, changes nothing, and is what it then says", () => {
    const net = pair();
    expect(net.raft(B).goodbye()).toBe(undefined);
    const goodbye = net.raft(A).goodbye();
    expect(goodbye).toMatchObject({ to: B, message: { type: "parting-grant", lastIndex: net.raft(A).lastIndex } });
    expect([net.raft(A).hasWork(), net.raft(A).role]).toEqual([false, "leader"]);
    expect(grantOf(net)).toEqual(goodbye?.message);
    expect(net.raft(A).goodbye()).toBe(undefined);
  });

  test("[RF50] the leaver acts no more: it answers nothing, refuses everything and never campaigns", () => {
    const net = pair();
    expect(grantOf(net)).toBeDefined();
    net.filter = () => true;
    net.run(100);
    net.filter = () => false;
    expect(net.raft(A).role).toBe("follower");
    expect(net.raft(A).propose([new Uint8Array(1)])).toEqual({ refused: "stopped" });
    expect(net.raft(A).changeMembership({ voters: [A], learners: [] })).toEqual({ refused: "stopped" });
    expect(net.raft(A).transferLeadership(B)).toEqual({ refused: "stopped" });
    net.takeSent(A);
    net.inject(B, A, { type: "vote", term: 9, lastIndex: 99, lastTerm: 8, transfer: true });
    expect(net.takeSent(A)).toEqual([]);
    expect(net.raft(A).metrics.framesDropped["parted"]).toBe(1);
  });

  test("[RF51] no grant while a membership is in doubt, or before an entry of the own term is committed", () => {
    const changing = pair([C]);
    changing.filter = () => true;
    changing.raft(A).changeMembership({ voters: [A, B], learners: [C] });
    changing.drain(A);
    expect(grantOf(changing)).toBeUndefined();
    const shrinking = pair();
    shrinking.node(A).diskIsFast = false;
    shrinking.raft(A).changeMembership({ voters: [A], learners: [] });
    shrinking.drain(A);
    expect(grantOf(shrinking)).toBeUndefined();
    const fresh = TestNetwork.of([A, B]);
    fresh.filter = (_from, _to, message) => message.type === "append";
    fresh.elect(A);
    expect(grantOf(fresh)).toBeUndefined();
  });

  test("[RF52] a grant is refused in another term, doubled, outside the pair, and when the log lacks what it names", () => {
    const net = pair([D]);
    net.filter = () => true;
    const grant = grantOf(net)!;
    net.filter = () => false;
    net.queue.length = 0;
    const attempts: [from: PeerId, message: PartingGrant, reason: string][] = [
      [A, { ...grant, term: grant.term - 1 }, "grant-of-another-term"],
      [A, { ...grant, term: grant.term + 1, lastTerm: grant.term + 1 }, "grant-of-another-term"],
      [D, grant, "grant-outside-pair"],
      [A, { ...grant, lastIndex: grant.lastIndex + 1 }, "grant-beyond-log"],
      [A, { ...grant, commit: grant.lastIndex + 1 }, "grant-without-settled-membership"],
      [A, { ...grant, commit: 0 }, "grant-without-settled-membership"],
    ];
    for (const [from, message, reason] of attempts) {
      const before = net.raft(B).metrics.framesDropped[reason] ?? 0;
      net.inject(from, B, message);
      expect(net.raft(B).metrics.framesDropped[reason]).toBe(before + 1);
      expect([net.raft(B).role, net.raft(B).term]).toEqual(["follower", grant.term]);
    }
    net.inject(A, B, grant);
    expect(net.raft(B).role).toBe("leader");
    net.inject(A, B, grant);
    expect([net.raft(B).role, net.raft(B).term]).toEqual(["leader", grant.term + 1]);
  });

  test("[RF52] a demoted or newly joined peer does not take a grant", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(3);
    net.inject(A, B, { type: "parting-grant", term: 2, lastIndex: 2, lastTerm: 2, commit: 2 });
    expect(net.raft(B).metrics.framesDropped).toEqual({ "grant-outside-pair": 1 });
    net.add(D);
    net.inject(A, D, { type: "parting-grant", term: 0, lastIndex: 0, lastTerm: 0, commit: 0 });
    expect(net.raft(D).role).toBe("learner");
  });

  test("[RF53] the receiver leads only once term and vote are durable; a crash before that leaves no two leaders", () => {
    const net = pair();
    net.node(B).diskIsFast = false;
    net.raft(A).part();
    net.drain(A);
    net.settle();
    expect(net.raft(B).role).toBe("candidate");
    net.restart(B);
    net.node(B).diskIsFast = true;
    net.run(60);
    expect(net.leaders).toEqual([]);
    // The leaver comes back with its old hard state: the two elect as usual.
    net.restart(A);
    net.run(80);
    expect(net.leaders).toHaveLength(1);
  });

  test("[RF54] the leaver coming back with its old hard state is no danger: the other has all votes there are", () => {
    const net = pair();
    net.raft(A).part();
    net.drain(A);
    net.settle();
    expect(net.leaders).toEqual([B]);
    net.restart(A);
    net.run(100);
    expect(net.leaders).toEqual([B]);
    expect(net.raft(A).term).toBe(net.raft(B).term);
    net.raft(B).changeMembership({ voters: [B], learners: [A] });
    net.run(30);
    net.propose(B, "x");
    net.run(3);
    expect(net.node(A).payloads).toEqual(["x"]);
  });

  test("[RF54] a grant that arrives after its sender was elected again changes nothing", () => {
    const net = pair();
    net.filter = (_from, _to, message) => message.type === "parting-grant";
    const grant = grantOf(net)!;
    net.settle();
    net.filter = () => false;
    net.restart(A);
    net.restart(B);
    net.elect(A);
    net.run(3);
    net.inject(A, B, grant);
    expect(net.raft(B).metrics.framesDropped["grant-of-another-term"]).toBe(1);
    expect(net.leaders).toEqual([A]);
  });

  test("[RF55] in a larger group the leaver asks the most caught-up voter to campaign at once", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(3);
    net.filter = (_from, to, message) => to === B && message.type === "append";
    net.propose(A, "x");
    net.raft(A).part();
    net.drain(A);
    net.crash(A);
    net.filter = () => false;
    net.settle();
    expect(net.leaders).toEqual([C]);
  });

  test("[RF55] a follower or learner that leaves just stops", () => {
    const net = pair();
    net.raft(B).part();
    net.drain(B);
    expect(net.takeSent(B).filter(({ message }) => message.type === "timeout-now" || message.type === "parting-grant")).toEqual([]);
    net.run(15);
    expect(net.raft(B).role).toBe("follower");
  });
});
