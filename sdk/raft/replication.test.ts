// Feeding followers: pipelining, windows, batches, repair of what was lost, forwarding, and handing leadership over.
import { describe, expect, test } from "vitest";
import type { PeerId } from "../base/index.ts";
import type { AppendRequest } from "./message.ts";
import { A, B, C, D, E, stateWith, TestNetwork, type NetworkOptions } from "./test-network.ts";

function led(options: NetworkOptions = {}, voters: readonly PeerId[] = [A, B, C]): TestNetwork {
  const net = TestNetwork.of(voters, options);
  net.elect(A);
  net.run(4);
  return net;
}

function appendsTo(net: TestNetwork, id: PeerId): AppendRequest[] {
  return net.sent.flatMap(({ to, message }) => (to === id && message.type === "append" && message.entries.length > 0 ? [message] : []));
}

/** A led group that committed one command, which its leader, asked to hold news, has told nobody. */
function committedUntold(command: string): TestNetwork {
  const net = led();
  const node = net.node(A);
  net.holdsNews = true;
  net.propose(A, command);
  net.holdsNews = false;
  expect([B, C].map((id) => net.node(id).payloads)).toEqual([[], []]);
  expect(node.write).toBe(undefined);
  return net;
}

describe("replication", () => {
  test("[RF80] everything proposed in one turn travels in one append per follower, and its commit costs two messages per follower and a notice", () => {
    const net = led();
    net.sent.length = 0;
    for (let i = 0; i < 20; i += 1) net.raft(A).propose([new Uint8Array([i])]);
    net.settle();
    expect(appendsTo(net, B).map((append) => append.entries.length)).toEqual([20]);
    expect(net.sent.length).toBeLessThanOrEqual(6);
    expect(net.node(B).committed.length).toBe(22);
  });

  test("[RF81] appends are pipelined up to the window, then wait for an acknowledgement", () => {
    const net = led({ config: { inflightMax: 3 } });
    net.sent.length = 0;
    for (let i = 0; i < 10; i += 1) {
      net.raft(A).propose([new Uint8Array([i])]);
      net.drain(A);
    }
    expect(appendsTo(net, B)).toHaveLength(3);
    net.settle();
    expect(appendsTo(net, B).map((append) => append.entries.length)).toEqual([1, 1, 1, 7]);
    expect(net.node(B).committed.length).toBe(12);
  });

  test("[RF81] a batch respects its bytes, and a larger entry travels alone", () => {
    const net = led({ config: { batchBytesMax: 100 } });
    net.sent.length = 0;
    net.raft(A).propose([30, 30, 30, 200, 30].map((size) => new Uint8Array(size)));
    net.settle();
    expect(appendsTo(net, B).map((append) => append.entries.map((entry) => entry.data.length))).toEqual([[30, 30], [30], [200], [30]]);
  });

  test("[RF96] bytes under way to one follower stay within their limit, however many messages would be allowed, and the rest follows the answers", () => {
    const net = led({ config: { batchBytesMax: 100, inflightBytesMax: 250 } });
    net.sent.length = 0;
    // What counts is what an entry takes, 16 bytes beside its data: three to a window, of which one batch takes one.
    for (let i = 0; i < 10; i += 1) net.raft(A).propose([new Uint8Array(64).fill(i)]);
    net.drain(A);
    expect(appendsTo(net, B).map(({ entries }) => entries.length)).toEqual([1, 1, 1]);
    net.inject(B, A, { type: "append-reply", term: 2, ok: true, index: 3, hintIndex: 0, hintTerm: 0 });
    expect(appendsTo(net, B).map(({ entries }) => entries.length), "an answer makes room for one more").toEqual([1, 1, 1, 1]);
    net.settle();
    expect(net.node(B).committed.length).toBe(12);
    expect(appendsTo(net, B).length, "nothing travels twice").toBe(10);
  });

  test("[RF96] an entry larger than the limit waits until nothing is under way, and then goes alone", () => {
    const net = led({ config: { batchBytesMax: 100, inflightBytesMax: 100 } });
    net.sent.length = 0;
    net.raft(A).propose([30, 200, 30].map((size) => new Uint8Array(size)));
    net.drain(A);
    expect(appendsTo(net, B).map(({ entries }) => entries.map(({ data }) => data.length))).toEqual([[30]]);
    net.settle();
    expect(appendsTo(net, B).map(({ entries }) => entries.map(({ data }) => data.length))).toEqual([[30], [200], [30]]);
  });

  test("[RF82] lost appends and lost acknowledgements are noticed by heartbeats and made good", () => {
    for (const lost of ["append", "append-reply"] as const) {
      const net = led({ config: { inflightMax: 2 } });
      net.filter = (_from, _to, message) => message.type === lost;
      for (let i = 0; i < 5; i += 1) {
        net.raft(A).propose([new Uint8Array([i])]);
        net.settle();
      }
      net.filter = () => false;
      net.run(12);
      for (const id of [A, B, C]) expect(net.node(id).committed.length).toBe(7);
    }
  });

  test("[RF82] a lost notice of the commit index is repeated by the next heartbeat", () => {
    const net = led();
    net.filter = (_from, _to, message) => message.type === "heartbeat";
    net.propose(A, "x");
    expect(net.node(B).payloads).toEqual([]);
    net.filter = () => false;
    net.run(4);
    expect(net.node(B).payloads).toEqual(["x"]);
  });

  test("[RF82] reordered and doubled messages do no harm", () => {
    const net = led();
    for (let i = 0; i < 10; i += 1) {
      net.raft(A).propose([new Uint8Array([i])]);
      net.drain(A);
    }
    net.queue.push(...net.queue);
    net.queue.reverse();
    net.settle();
    net.run(20);
    for (const id of [A, B, C]) expect(net.node(id).committed.length).toBe(12);
  });

  test("[RF83] a wrong tail of many entries is repaired in as many round trips as it has terms", () => {
    const net = new TestNetwork();
    const wrong = [...Array.from({ length: 50 }, () => 3), ...Array.from({ length: 50 }, () => 5)];
    net.add(A, stateWith([A, B, C], [2, ...Array.from({ length: 100 }, () => 6)], { term: 6 }));
    net.add(B, stateWith([A, B, C], [2, ...wrong], { term: 6 }));
    net.add(C, stateWith([A, B, C], [2], { term: 6 }));
    net.elect(A);
    net.sent.length = 0;
    net.restart(A);
    net.restart(B);
    net.run(40);
    expect(net.raft(B).commitIndex).toBe(net.raft(A).commitIndex);
    const refusals = net.sent.filter(({ from, message }) => from === B && message.type === "append-reply" && !message.ok);
    expect(refusals.length).toBeLessThanOrEqual(4);
  });

  test("[RF84] acknowledgements beyond the log, refusals of what is acknowledged and strangers' answers change nothing", () => {
    const net = led();
    const { term, commitIndex } = net.raft(A);
    net.inject(B, A, { type: "append-reply", term, ok: true, index: 99, hintIndex: 0, hintTerm: 0 });
    net.inject(B, A, { type: "append-reply", term, ok: false, index: 1, hintIndex: 0, hintTerm: 0 });
    net.inject(D, A, { type: "append-reply", term, ok: true, index: 2, hintIndex: 0, hintTerm: 0 });
    net.inject(D, A, { type: "append-reply", term: term + 5, ok: false, index: 2, hintIndex: 0, hintTerm: 0 });
    expect(net.raft(A).metrics.framesDropped).toEqual({ "ack-beyond-log": 1, "stale-refusal": 1, "not-a-member": 2 });
    expect([net.raft(A).role, net.raft(A).commitIndex]).toEqual(["leader", commitIndex]);
  });

  test("[RF85] uncommitted bytes are bounded: more is refused whole, and taken again after a commit", () => {
    const net = led({ config: { uncommittedBytesMax: 200, commandBytesMax: 100 } });
    net.filter = () => true;
    expect(net.raft(A).propose([new Uint8Array(100)])).toMatchObject({ first: 3 });
    const { lastIndex } = net.raft(A);
    expect(net.raft(A).propose([new Uint8Array(10), new Uint8Array(60)])).toEqual({ refused: "busy" });
    expect(net.raft(A).propose([new Uint8Array(101)])).toEqual({ refused: "too-large" });
    expect(net.raft(A).lastIndex).toBe(lastIndex);
    net.filter = () => false;
    net.run(15);
    expect(net.raft(A).propose([new Uint8Array(100)])).toMatchObject({ first: 4 });
  });

  test("[RF86] a follower forwards to the leader; what does not fit is refused by count, in order", () => {
    const net = led({ config: { uncommittedBytesMax: 116, commandBytesMax: 50 } });
    expect(net.raft(A).forward([new Uint8Array(1)])).toBe(false);
    expect(net.raft(B).forward([1, 2, 3].map((byte) => new Uint8Array(40).fill(byte)))).toBe(true);
    net.settle();
    expect(net.node(B).refused).toEqual([{ from: A, accepted: 2, refused: 1 }]);
    expect(net.node(C).committed.slice(2).map((entry) => entry.data[0])).toEqual([1, 2]);
  });

  test("[RF86] only members may forward, and who is no leader says so", () => {
    const net = led();
    net.inject(D, A, { type: "forward", term: 2, commands: [new Uint8Array(1)] });
    expect(net.raft(A).lastIndex).toBe(2);
    expect(net.raft(A).metrics.framesDropped).toEqual({ "not-a-member": 1 });
    net.takeSent(B);
    net.inject(C, B, { type: "forward", term: 2, commands: [new Uint8Array(1)] });
    expect(net.takeSent(B).map(({ message }) => message)).toEqual([{ type: "forward-reply", term: 2, accepted: 0, refused: 1, reason: "not-leader" }]);
  });

  test("[RF87] logged times never go back, whoever leads and whatever its clock says", () => {
    const net = led();
    net.raft(A).observeTime(5000);
    net.propose(A, "x");
    net.raft(A).observeTime(4000);
    net.propose(A, "y");
    net.crash(A);
    net.restart(B);
    net.restart(C);
    net.raft(B).observeTime(3000);
    net.elect(B);
    net.propose(B, "z");
    net.raft(B).observeTime(6000);
    net.propose(B, "end");
    expect(net.node(B).committed.filter((entry) => entry.kind === 1).map((entry) => entry.time)).toEqual([5000, 5000, 5000, 6000]);
  });

  test("[RF93] news held back travel with the next append and cost no message of their own; everything else goes on", () => {
    const net = committedUntold("x");
    expect(net.node(A).payloads).toEqual(["x"]);
    expect([net.raft(A).hasWork({ holdNews: true }), net.raft(A).hasWork()]).toEqual([false, true]);
    net.sent.length = 0;
    net.propose(A, "y");
    const [first, second] = net.sent;
    expect([first?.message, second?.message]).toMatchObject([{ type: "append", commit: 3 }, { type: "append", commit: 3 }]);
    for (const id of [A, B, C]) expect(net.node(id).payloads).toEqual(["x", "y"]);
  });

  test("[RF93] a turn that does not hold news tells what was held, once", () => {
    const net = committedUntold("x");
    net.sent.length = 0;
    net.settle();
    expect(net.sent.map(({ to, message }) => [to, message])).toEqual([B, C].map((to) => [to, { type: "heartbeat", term: 2, commit: 3, round: 0 }]));
    for (const id of [B, C]) expect(net.node(id).payloads).toEqual(["x"]);
    expect(net.raft(A).hasWork()).toBe(false);
  });

  test("[RF93] a heartbeat carries held news; a new leader has nothing left of what another held", () => {
    const net = committedUntold("x");
    net.tick(A, 3);
    net.settle();
    expect(net.node(B).payloads).toEqual(["x"]);
    const deposed = committedUntold("x");
    deposed.inject(B, A, { type: "append", term: 3, prevIndex: 3, prevTerm: 2, commit: 3, entries: [] });
    deposed.takeSent(A);
    expect([deposed.raft(A).role, deposed.raft(A).hasWork()]).toEqual(["follower", false]);
  });

  test("[RF94] who is taken out is told first what is committed, also what was held back", () => {
    const net = led({}, [A, B]);
    net.holdsNews = true;
    net.propose(A, "x");
    expect(net.node(B).payloads).toEqual([]);
    net.raft(A).changeMembership({ voters: [A], learners: [] });
    net.settle();
    expect(net.raft(A).membership.voters).toEqual([A]);
    expect(net.node(B).payloads).toEqual(["x"]);
  });

  test("[RF88] an idle leader sends one heartbeat per follower and interval, and idle ticks leave no work behind", () => {
    const net = led();
    net.sent.length = 0;
    net.run(30);
    expect(net.sent.length).toBe(10 * 2 * 2);
    net.raft(A).tick();
    expect(net.raft(B).hasWork()).toBe(false);
    expect(net.raft(B).takeWork()).toEqual({ messages: [], write: undefined, install: undefined, committed: [], reads: [], refusedForwards: [] });
  });
});

describe("handing over", () => {
  test("[RF90] leadership goes to the voter asked for, at once when it is caught up", () => {
    const net = led();
    expect(net.raft(A).transferLeadership(B)).toBeUndefined();
    net.settle();
    expect(net.leaders).toEqual([B]);
    expect(net.raft(A).leader).toBe(B);
  });

  test("[RF90] one that is behind is brought up to date first, meanwhile proposals are refused", () => {
    const net = led();
    net.filter = (_from, to) => to === B;
    net.propose(A, "x");
    net.raft(A).transferLeadership(B);
    expect(net.raft(A).propose([new Uint8Array(1)])).toEqual({ refused: "transferring" });
    net.filter = () => false;
    net.run(8);
    expect(net.leaders).toEqual([B]);
    expect(net.node(B).payloads).toEqual(["x"]);
  });

  test("[RF91] a transfer that does not happen is given up after an election timeout", () => {
    const net = led();
    net.crash(B);
    net.raft(A).transferLeadership(B);
    net.run(11);
    expect(net.leaders).toEqual([A]);
    net.propose(A, "x");
    expect(net.node(A).payloads).toEqual(["x"]);
  });

  test("[RF91] transfers to itself, to learners and to strangers are refused; another target replaces the first", () => {
    const net = led({}, [A, B, C, D]);
    net.raft(A).changeMembership({ voters: [A, B, C], learners: [D] });
    net.run(6);
    for (const to of [A, D, E]) expect(net.raft(A).transferLeadership(to)).toEqual({ refused: "invalid-target" });
    expect(net.raft(B).transferLeadership(C)).toEqual({ refused: "not-leader" });
    net.crash(B);
    net.raft(A).transferLeadership(B);
    net.raft(A).transferLeadership(C);
    net.settle();
    expect(net.leaders).toEqual([C]);
  });

  test("[RF92] only the leader of the term can make somebody campaign", () => {
    const net = led();
    net.inject(C, B, { type: "timeout-now", term: 2 });
    net.inject(A, B, { type: "timeout-now", term: 1 });
    expect(net.raft(B).role).toBe("follower");
    expect(net.raft(B).metrics.framesDropped).toEqual({ "not-from-leader": 2 });
  });
});
