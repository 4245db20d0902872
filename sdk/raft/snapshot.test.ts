// Compaction, and snapshots in chunks.
import { describe, expect, test } from "vitest";
import { utf8 } from "../base/index.ts";
import { A, B, C, D, TestNetwork } from "./test-network.ts";

const STATE = utf8("the state of the game after everything so far");

function led(config = {}): TestNetwork {
  const net = TestNetwork.of([A, B, C], { config: { snapshotChunkBytes: 8, ...config } });
  net.elect(A);
  net.run(4);
  return net;
}

/** A group whose leader has compacted everything, while C was away. */
function compacted(config = {}): TestNetwork {
  const net = led(config);
  net.crash(C);
  for (let i = 0; i < 30; i += 1) net.propose(A, `v${i}`);
  net.run(25);
  expect(net.raft(A).compact(net.raft(A).commitIndex, STATE)).toBe(true);
  net.settle();
  return net;
}

describe("snapshots", () => {
  test("[RF70] the prefix goes once the snapshot is durable, and a restart begins there", () => {
    const net = led();
    net.propose(A, "x", "y");
    const through = net.raft(A).commitIndex;
    net.node(A).diskIsFast = false;
    expect(net.raft(A).compact(through, STATE)).toBe(true);
    net.drain(A);
    expect(net.raft(A).snapshotIndex).toBe(0);
    net.finishWrite(A);
    expect(net.raft(A).snapshotIndex).toBe(through);
    expect(net.node(A).disk.state.entries).toEqual([]);
    net.restart(A);
    expect([net.raft(A).snapshotIndex, net.raft(A).lastIndex, net.raft(A).commitIndex]).toEqual([through, through, through]);
    expect(net.raft(A).membership.voters).toEqual([A, B, C]);
  });

  test("[RF70] what is not newer, not yet handed up, or too large is no snapshot", () => {
    const net = led({ snapshotTotalBytesMax: 64 });
    const { commitIndex } = net.raft(A);
    expect(net.raft(A).compact(commitIndex + 1, STATE)).toBe(false);
    expect(net.raft(A).compact(commitIndex, new Uint8Array(65))).toBe(false);
    expect(net.raft(A).compact(0, STATE)).toBe(false);
    expect(net.raft(A).compact(commitIndex, STATE)).toBe(true);
    expect(net.raft(A).compact(commitIndex, STATE)).toBe(false);
  });

  test("[RF71] a member whose entries are gone gets the snapshot in chunks, then goes on with entries", () => {
    const net = compacted();
    net.restart(C);
    net.run(40);
    expect(net.node(C).installs.map(({ index, data }) => [index, new TextDecoder().decode(data)])).toEqual([[net.raft(A).snapshotIndex, new TextDecoder().decode(STATE)]]);
    expect(net.sent.filter(({ message }) => message.type === "snapshot-chunk").length).toBeGreaterThanOrEqual(6);
    net.propose(A, "x");
    net.run(3);
    expect(net.node(C).payloads).toEqual(["x"]);
    expect(net.raft(A).metrics.snapshotsSent).toBe(1);
    net.restart(C);
    net.run(10);
    expect(net.node(C).payloads).toEqual(["x"]);
  });

  test("[RF71] an empty state is a snapshot too", () => {
    const net = led();
    net.propose(A, "x");
    net.run(2);
    net.raft(A).compact(net.raft(A).commitIndex, new Uint8Array(0));
    net.add(D);
    net.settle();
    net.raft(A).changeMembership({ voters: [A, B, C], learners: [D] });
    net.run(10);
    expect(net.node(D).installs).toHaveLength(1);
    expect(net.raft(D).commitIndex).toBe(net.raft(A).commitIndex);
  });

  test("[RF72] lost chunks and answers are made good, and a transfer survives a restart of the receiver", () => {
    const net = compacted();
    net.restart(C);
    let chunks = 0;
    net.filter = (_from, _to, message) => (message.type === "snapshot-chunk" || message.type === "snapshot-reply") && (chunks += 1) % 3 === 0;
    net.run(12);
    net.restart(C);
    net.run(80);
    expect(net.node(C).installs).toHaveLength(1);
    expect(net.raft(C).commitIndex).toBe(net.raft(A).commitIndex);
  });

  test("[RF72] a transfer goes on where it stood under a new leader that has the same snapshot", () => {
    const net = compacted();
    expect(net.raft(B).compact(net.raft(A).snapshotIndex, STATE)).toBe(true);
    net.settle();
    net.restart(C);
    let chunks = 0;
    net.filter = (_from, to, message) => message.type === "snapshot-chunk" && to === C && (chunks += 1) > 4;
    net.run(12);
    net.crash(A);
    net.filter = () => false;
    net.sent.length = 0;
    net.run(60);
    expect(net.leaders).toEqual([B]);
    expect(net.node(C).installs).toHaveLength(1);
    const offsets = net.sent.flatMap(({ message }) => (message.type === "snapshot-chunk" ? [message.offset] : []));
    expect(offsets.filter((offset) => offset === 8 || offset === 16)).toEqual(offsets.filter((offset) => offset <= 16 && offset > 0));
  });

  test("[RF73] bytes that do not have the digest are thrown away", () => {
    const net = led();
    const chunk = { type: "snapshot-chunk" as const, term: 2, index: 50, indexTerm: 2, time: 0, membership: net.raft(A).membership, total: 3, digest: new Uint8Array(8), offset: 0, bytes: new Uint8Array(3) };
    net.inject(A, B, chunk);
    expect(net.raft(B).metrics.framesDropped).toEqual({ "snapshot-digest": 1 });
    expect(net.raft(B).lastIndex).toBe(2);
    net.inject(A, B, { ...chunk, total: 2 ** 40 });
    net.inject(A, B, { ...chunk, offset: 2 });
    net.inject(A, B, { ...chunk, indexTerm: 3 });
    net.inject(A, B, { ...chunk, bytes: new Uint8Array(0) });
    expect(net.raft(B).metrics.framesDropped).toEqual({ "snapshot-digest": 1, "snapshot-too-large": 1, "bad-snapshot": 3 });
  });

  test("[RF74] nothing of an installed snapshot is acknowledged or handed up before it is durable", () => {
    const net = compacted();
    net.restart(C);
    net.node(C).diskIsFast = false;
    net.run(30);
    expect(net.node(C).write?.snapshot?.index).toBe(net.raft(A).snapshotIndex);
    expect(net.node(C).installs).toEqual([]);
    net.sent.length = 0;
    net.run(5);
    expect(net.sent.filter(({ from, message }) => from === C && (message.type === "append-reply" || (message.type === "snapshot-reply" && message.installed)))).toEqual([]);
    net.node(C).diskIsFast = true;
    net.finishWrite(C);
    net.run(5);
    expect(net.node(C).installs).toHaveLength(1);
  });

  test("[RF75] a snapshot older than what is committed here, or that the log agrees with, replaces nothing", () => {
    const net = led();
    net.propose(A, "x", "y");
    net.run(2);
    const { membership, term, commitIndex } = net.raft(A);
    const digest = new Uint8Array(8);
    net.inject(A, B, { type: "snapshot-chunk", term, index: 2, indexTerm: 2, time: 0, membership, total: 3, digest, offset: 0, bytes: new Uint8Array(3) });
    expect([net.raft(B).commitIndex, net.raft(B).lastIndex]).toEqual([commitIndex, commitIndex]);
    net.filter = (_from, to) => to === B;
    net.propose(A, "z");
    net.filter = () => false;
    net.inject(A, B, { type: "append", term, prevIndex: commitIndex, prevTerm: term, commit: 0, entries: [{ index: commitIndex + 1, term, kind: 1, time: 0, data: utf8("z") }] });
    net.takeSent(B);
    net.inject(A, B, { type: "snapshot-chunk", term, index: commitIndex + 1, indexTerm: term, time: 0, membership, total: 3, digest, offset: 0, bytes: new Uint8Array(3) });
    expect(net.raft(B).commitIndex).toBe(commitIndex + 1);
    expect(net.takeSent(B).map(({ message }) => message)).toEqual([{ type: "append-reply", term, ok: true, index: commitIndex + 1, hintIndex: 0, hintTerm: 0 }]);
    expect(net.node(B).installs).toEqual([]);
  });

  test("[RF76] a member only a little behind gets entries, not the snapshot, although the leader compacted", () => {
    const net = led();
    net.filter = (_from, to, message) => to === C && message.type === "append" && message.entries.length > 0;
    for (let i = 0; i < 5; i += 1) net.propose(A, `v${i}`);
    net.raft(A).compact(net.raft(A).commitIndex, STATE);
    net.settle();
    net.filter = () => false;
    net.run(15);
    expect(net.node(C).payloads).toEqual(["v0", "v1", "v2", "v3", "v4"]);
    expect(net.raft(A).metrics.snapshotsSent).toBe(0);
  });

  test("[RF76] compaction during a transfer does not make it begin again for ever", () => {
    const net = compacted();
    net.restart(C);
    for (let i = 0; i < 40; i += 1) {
      net.propose(A, `w${i}`);
      net.raft(A).compact(net.raft(A).commitIndex, STATE);
      net.run(1);
    }
    net.run(10);
    expect(net.raft(C).commitIndex).toBe(net.raft(A).commitIndex);
    expect(net.raft(A).metrics.snapshotsSent).toBeLessThanOrEqual(2);
  });
});
