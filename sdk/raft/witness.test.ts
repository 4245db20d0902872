// A voter without content: what it is sent, what it promises, what it never does, and what two peers with one can survive.
import { describe, expect, test } from "vitest";
import { concatBytes, peerId, utf8, type PeerId } from "../base/index.ts";
import { decodeMembership, encodeMembership, membershipFault } from "./membership.ts";
import type { AppendRequest, Message } from "./message.ts";
import { A, B, C, stateWith, TestNetwork } from "./test-network.ts";
import { encodeMessage } from "./codec.ts";
import { ENTRY_COMMAND, type Entry } from "./types.ts";
import { isWitness, withoutContent, witnessId } from "./witness.ts";

const W = witnessId("w");
const V = witnessId("v");

/** Two peers and a witness, led by A. */
function trio(): TestNetwork {
  const net = TestNetwork.of([A, B, W]);
  net.elect(A);
  net.run(4);
  return net;
}

const members = (voters: readonly PeerId[], votersOutgoing: readonly PeerId[] = []): Parameters<typeof encodeMembership>[0] => ({ voters, votersOutgoing, learners: [], learnersNext: [] });

function entry(index: number, term: number, data: string): Entry {
  return { index, term, kind: ENTRY_COMMAND, time: 0, data: utf8(data) };
}

/** Everything `to` was ever sent, as one string of bytes. */
function bytesTo(net: TestNetwork, to: PeerId): string {
  return new TextDecoder("latin1").decode(concatBytes(...net.sent.filter((one) => one.to === to).map(({ message }) => encodeMessage(message))));
}

describe("a witness by name", () => {
  test("[RF130] is whoever's id says so, and nobody else", () => {
    expect([W, A, peerId("witness"), peerId("witness:"), peerId("my-witness:w"), peerId("witness:w")].map(isWitness)).toEqual([true, false, false, false, false, true]);
    expect(() => witnessId("")).toThrow(/name/);
    expect(() => witnessId("a\nb")).toThrow(/name/);
    expect(() => witnessId("x".repeat(121))).toThrow(/name/);
  });

  test("[RF131] is one of the voters at most, and never the only one", () => {
    expect(membershipFault(members([A, B, W]))).toBeUndefined();
    expect(membershipFault(members([A, W]))).toBeUndefined();
    expect(membershipFault(members([A, B, V], [A, B, W]))).toBeUndefined();
    expect(membershipFault(members([W]))).toBe("a witness votes alone");
    expect(membershipFault(members([A, B, V, W]))).toBe("there are two witnesses");
    expect(membershipFault(members([A], [W]))).toBe("a witness votes alone");
    expect(() => decodeMembership(encodeMembership(members([V, W])))).toThrow(/witness/);
    const net = trio();
    expect(net.raft(A).changeMembership({ voters: [W], learners: [A, B] })).toEqual({ refused: "invalid-target" });
    expect(net.raft(A).changeMembership({ voters: [A, V, W], learners: [B] })).toEqual({ refused: "invalid-target" });
  });
});

describe("what a witness holds", () => {
  test("[RF132] entries travel to it without the bytes of commands, to the others whole, and the logs match", () => {
    const net = trio();
    net.propose(A, "secret-one", "secret-two");
    net.propose(A, "secret-three");
    net.run(6);
    expect(bytesTo(net, B)).toContain("secret-three");
    expect(bytesTo(net, W)).not.toContain("secret");
    const held = net.node(W).disk.state.entries;
    expect(held.filter(({ kind }) => kind === ENTRY_COMMAND).map(({ data }) => data.length)).toEqual([0, 0, 0]);
    expect(held.map(({ index, term, kind, time }) => ({ index, term, kind, time }))).toEqual(net.node(B).disk.state.entries.map(({ index, term, kind, time }) => ({ index, term, kind, time })));
    expect(decodeMembership(held[0]!.data).voters).toEqual([A, B, W]);
  });

  test("[RF132] what a witness gets is its own: who comes after it in the order of ids has every entry whole", () => {
    const Z = peerId("z");
    const net = TestNetwork.of([A, W, Z]);
    net.elect(A);
    net.crash(Z);
    net.propose(A, "one");
    net.run(9);
    net.restart(Z);
    net.run(9);
    net.propose(A, "two");
    net.run(9);
    expect(net.node(Z).payloads).toEqual(["one", "two"]);
    expect(net.node(W).disk.state.entries.filter(({ data, kind }) => kind === ENTRY_COMMAND && data.length > 0)).toEqual([]);
  });

  test("[RF132] who stands at the same place as a witness in the same turn gets every entry whole", () => {
    const Z = peerId("z");
    const net = TestNetwork.of([A, W], { config: { inflightMax: 1 } });
    net.elect(A);
    net.add(Z);
    net.run(3);
    net.raft(A).changeMembership({ voters: [A, W], learners: [Z] });
    net.run(9);
    net.filter = (from, _to, message) => from === Z && message.type === "append-reply";
    net.propose(A, "one");
    net.settle();
    const { lastIndex, term } = net.raft(A);
    // The learner's window is full and the witness waits for the leader's disk: one turn lets both go on from here.
    net.node(A).diskIsFast = false;
    net.propose(A, "two");
    net.settle();
    const before = net.sent.length;
    net.raft(A).step(Z, { type: "append-reply", term, ok: true, index: lastIndex, hintIndex: 0, hintTerm: 0 });
    net.finishWrite(A);
    net.drain(A);
    const appends = net.sent.slice(before).flatMap(({ to, message }) => (message.type === "append" ? [{ to, prev: message.prevIndex, sizes: message.entries.map(({ data }) => data.length) }] : []));
    expect(appends).toEqual([{ to: W, prev: lastIndex, sizes: [0] }, { to: Z, prev: lastIndex, sizes: [3] }]);
  });

  test("[RF132] a leader that sends content all the same leaves none of it there, nor a state", () => {
    const net = trio();
    const last = net.raft(A).lastIndex;
    const term = net.raft(A).term;
    const append: AppendRequest = { type: "append", term, prevIndex: last, prevTerm: term, commit: last, entries: [entry(last + 1, term, "secret")] };
    net.inject(A, W, append);
    expect(net.node(W).disk.state.entries.at(-1)).toMatchObject({ index: last + 1, data: new Uint8Array() });
    net.inject(A, W, { type: "snapshot-chunk", term, index: last + 5, indexTerm: term, time: 0, membership: members([A, B, W]), total: 6, digest: new Uint8Array(8), offset: 0, bytes: utf8("secret") });
    expect(net.raft(W).metrics.framesDropped["state-for-a-witness"]).toBe(1);
  });

  test("[RF132] a snapshot reaches it empty, and it goes on from there", () => {
    const net = TestNetwork.of([A, B, W]);
    net.crash(W);
    net.elect(A);
    net.propose(A, "one", "two", "three");
    net.run(30);
    expect(net.raft(A).compact(net.raft(A).commitIndex, utf8("secret state"))).toBe(true);
    net.run(2);
    net.restart(W);
    net.run(12);
    expect(net.raft(W).snapshotIndex).toBe(net.raft(A).snapshotIndex);
    expect(net.node(W).disk.state.snapshot?.data).toEqual(new Uint8Array());
    expect(net.raft(W).membership.voters).toEqual([A, B, W]);
    net.propose(A, "four");
    net.run(6);
    expect(net.raft(W).stableIndex).toBe(net.raft(A).lastIndex);
    expect(bytesTo(net, W)).not.toMatch(/secret|four/);
  });

  test("[RF132] it lets go of a committed prefix by itself, and promises what it promised before", () => {
    const net = trio();
    net.propose(A, "one", "two");
    net.run(6);
    const index = net.raft(W).commitIndex;
    expect(net.raft(W).compact(index, new Uint8Array())).toBe(true);
    net.drain(W);
    net.restart(W);
    expect(net.raft(W).lastIndex).toBe(index);
    net.crash(A);
    net.run(60);
    expect(net.leaders).toEqual([B]);
    expect(net.node(B).payloads).toEqual(["one", "two"]);
  });
});

describe("what a witness does", () => {
  test("[RF133] it never campaigns, however long it waits and whatever it is told", () => {
    const net = trio();
    const { term } = net.raft(A);
    net.inject(A, W, { type: "timeout-now", term });
    net.inject(A, W, { type: "parting-grant", term, lastIndex: net.raft(W).lastIndex, lastTerm: term, commit: net.raft(W).commitIndex });
    net.crash(A);
    net.crash(B);
    net.run(300);
    expect(net.sent.filter(({ from, message }) => from === W && /^(pre-)?vote$/.test(message.type))).toEqual([]);
    expect(net.raft(W).role).toBe("follower");
    expect(net.raft(W).metrics.elections).toBe(0);
    expect(net.raft(W).forward([utf8("x")])).toBe(false);
  });

  test("[RF133] it acknowledges and grants only what is durable", () => {
    const net = trio();
    net.node(W).diskIsFast = false;
    net.crash(B);
    net.propose(A, "x");
    net.run(9);
    expect(net.node(A).payloads).toEqual([]);
    net.finishWrite(W);
    net.run(3);
    expect(net.node(A).payloads).toEqual(["x"]);
    net.restart(B);
    net.crash(A);
    net.run(60);
    net.sent.length = 0;
    net.run(30);
    expect(net.sent.filter(({ from, message }) => from === W && message.type === "vote-reply" && message.granted)).toEqual([]);
  });

  test("[RF133] it asks nothing: a read of its own ends unconfirmed", () => {
    const net = trio();
    net.raft(W).readIndex(7);
    net.drain(W);
    expect(net.node(W).reads).toEqual([{ id: 7, index: undefined }]);
    expect(net.sent.filter(({ from, message }) => from === W && message.type === "read")).toEqual([]);
  });

  test("[RF134] nobody follows it, votes for it or takes a command from it", () => {
    const net = trio();
    const { term, lastIndex } = net.raft(B);
    const forged: Message[] = [
      { type: "append", term: term + 1, prevIndex: lastIndex, prevTerm: term, commit: 0, entries: [] },
      { type: "heartbeat", term: term + 1, commit: 0, round: 1 },
      { type: "vote", term: term + 1, lastIndex: lastIndex + 9, lastTerm: term, transfer: true },
      { type: "pre-vote", term: term + 1, lastIndex: lastIndex + 9, lastTerm: term },
      { type: "forward", term, commands: [utf8("x")] },
      { type: "read", term, id: 1 },
      { type: "timeout-now", term },
    ];
    for (const message of forged) {
      net.inject(W, A, message);
      net.inject(W, B, message);
    }
    expect(net.raft(A).metrics.framesDropped["from-a-witness"]).toBe(forged.length);
    expect(net.raft(B).metrics.framesDropped["from-a-witness"]).toBe(forged.length);
    expect([net.raft(A).role, net.raft(A).term, net.raft(A).lastIndex, net.raft(B).leader]).toEqual(["leader", term, lastIndex, A]);
  });

  test("[RF134] it hears nothing but what is asked of followers", () => {
    const net = trio();
    const { term } = net.raft(A);
    const others: Message[] = [{ type: "forward", term, commands: [utf8("x")] }, { type: "read", term, id: 1 }, { type: "append-reply", term: term + 5, ok: true, index: 0, hintIndex: 0, hintTerm: 0 }, { type: "timeout-now", term }];
    net.takeSent(W);
    for (const message of others) net.inject(B, W, message);
    expect(net.takeSent(W)).toEqual([]);
    expect(net.raft(W).metrics.framesDropped["not-for-a-witness"]).toBe(others.length);
    expect(net.raft(W).term).toBe(term);
  });
});

describe("two peers and a witness", () => {
  test("[RF133] either peer crashes, and the other goes on at once with every move", () => {
    for (const [gone, stays] of [[A, B], [B, A]] as const) {
      const net = trio();
      net.propose(A, "x");
      net.run(6);
      net.crash(gone);
      net.run(60);
      expect(net.leaders).toEqual([stays]);
      net.propose(stays, "y");
      net.run(9);
      expect(net.node(stays).payloads).toEqual(["x", "y"]);
      net.raft(stays).changeMembership({ voters: [stays], learners: [] });
      net.run(30);
      expect(net.raft(stays).membership.voters).toEqual([stays]);
    }
  });

  test("[RF133] who lacks what the other committed with the witness alone can not lead until that one is back", () => {
    const net = trio();
    net.crash(B);
    net.propose(A, "x");
    net.run(12);
    expect(net.node(A).payloads).toEqual(["x"]);
    net.crash(A);
    net.restart(B);
    net.run(300);
    expect(net.leaders).toEqual([]);
    net.restart(A);
    net.run(60);
    expect(net.leaders).toHaveLength(1);
    expect(net.node(B).payloads).toEqual(["x"]);
  });

  test("[RF136] while the other keeps up the witness holds nothing that it has not, so it can lead whenever the leader is gone", () => {
    const net = trio();
    net.node(B).diskIsFast = false;
    net.propose(A, "x");
    expect(net.raft(W).lastIndex).toBe(net.raft(A).lastIndex - 1);
    net.finishWrite(B);
    net.settle();
    expect(net.raft(W).lastIndex).toBe(net.raft(A).lastIndex);
    // Nothing of the next move left the leader but to the witness, were that one fed first.
    net.filter = (_from, to) => to === B;
    net.propose(A, "y");
    net.crash(A);
    net.filter = () => false;
    net.node(B).diskIsFast = true;
    net.run(60);
    expect(net.leaders).toEqual([B]);
  });

  test("[RF136] when the other is silent the witness is fed after two heartbeat intervals, and what is committed by it is told", () => {
    const net = trio();
    net.crash(B);
    net.propose(A, "x");
    expect(net.node(A).payloads).toEqual([]);
    net.run(6);
    expect(net.node(A).payloads).toEqual(["x"]);
    net.propose(A, "y");
    expect(net.node(A).payloads).toEqual(["x", "y"]);
    net.run(3);
    expect(net.raft(W).commitIndex).toBe(net.raft(A).commitIndex);
    net.restart(B);
    net.run(12);
    net.node(B).diskIsFast = false;
    net.propose(A, "z");
    expect(net.raft(W).lastIndex).toBe(net.raft(A).lastIndex - 1);
  });

  test("[RF137] it is fed nothing the leader could forget: beside a witness alone a crash at any moment leaves a leader that can come back", () => {
    const net = TestNetwork.of([A, W]);
    net.elect(A);
    net.run(4);
    net.node(A).diskIsFast = false;
    net.propose(A, "forgotten");
    expect(net.raft(W).lastIndex).toBe(net.raft(A).lastIndex - 1);
    net.restart(A);
    net.node(A).diskIsFast = true;
    net.run(60);
    expect(net.leaders).toEqual([A]);
    net.propose(A, "kept");
    net.run(6);
    expect(net.node(A).payloads).toEqual(["kept"]);
  });

  test("[RF135] leadership is given to the other, never to the witness", () => {
    const net = trio();
    expect(net.raft(A).transferLeadership(W)).toEqual({ refused: "invalid-target" });
    expect(net.raft(A).goodbye()).toMatchObject({ to: B, message: { type: "timeout-now" } });
    net.raft(A).part();
    net.run(9);
    expect(net.leaders).toEqual([B]);
    net.raft(B).changeMembership({ voters: [B], learners: [] });
    net.run(6);
    expect(net.raft(B).membership.voters).toEqual([B]);
  });

  test("[RF135] a leader beside the witness alone takes it out alone, and leaving says nothing", () => {
    const net = TestNetwork.of([A, W]);
    net.elect(A);
    net.run(4);
    expect(net.raft(A).goodbye()).toBeUndefined();
    net.crash(W);
    net.propose(A, "x");
    net.run(30);
    expect(net.leaders).toEqual([A]);
    net.raft(A).changeMembership({ voters: [A], learners: [] });
    net.run(3);
    expect(net.node(A).payloads).toEqual(["x"]);
  });

  test("[RF135] a leader that its own change removes makes room for the other", () => {
    const net = TestNetwork.of([A, B, W]);
    net.add(C);
    net.elect(A);
    net.run(4);
    net.raft(A).changeMembership({ voters: [B, C, W], learners: [] });
    net.run(60);
    expect(net.sent.filter(({ to, message }) => to === W && message.type === "timeout-now")).toEqual([]);
    expect(net.raft(net.leaders[0]!).membership.voters).toEqual([B, C, W]);
  });

  test("[RF41] a pair with a witness is no pair: nobody goes on alone, and nothing is granted in parting", () => {
    const net = trio();
    net.crash(W);
    net.crash(B);
    net.raft(A).changeMembership({ voters: [A], learners: [] });
    expect(net.raft(A).membership.votersOutgoing).toEqual([A, B, W]);
    const leaving = trio();
    leaving.raft(A).part();
    leaving.run(2);
    expect(leaving.sent.some(({ message }) => message.type === "parting-grant")).toBe(false);
  });

  test("[RF131] a lost witness is taken out and another one comes, as any voter", () => {
    const net = trio();
    net.crash(W);
    net.run(20);
    expect(net.leaders).toEqual([A]);
    net.add(V);
    net.raft(A).changeMembership({ voters: [A, B], learners: [V] });
    net.run(9);
    net.raft(A).changeMembership({ voters: [A, B, V], learners: [] });
    net.run(9);
    expect(net.raft(V).membership.voters).toEqual([A, B, V]);
    net.crash(A);
    net.run(60);
    expect(net.leaders).toEqual([B]);
  });

  test("[RF58] what a leader that was taken out has fed the witness and nobody else still comes to lead: by the one who holds it whole", () => {
    const net = new TestNetwork();
    const removed = stateWith([A, B, W], [2, 2]);
    net.add(A, stateWith([A, B, W], [2]));
    net.add(C, removed);
    net.add(W, { ...removed, entries: withoutContent(removed.entries) });
    net.run(200);
    expect([A, C, W].map((id) => net.raft(id).role)).toEqual(["leader", "learner", "follower"]);
    expect(net.node(A).payloads).toEqual(["t2i2", "t2i3"]);
  });
});
