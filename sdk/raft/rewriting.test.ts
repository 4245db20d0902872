// What a machine does about a write that failed.
import { describe, expect, test } from "vitest";
import { A, B, C, stateWith, TestNetwork } from "./test-network.ts";
import type { AppendRequest } from "./message.ts";
import type { Entry, RestoredState } from "./types.ts";

function append(term: number, [prevIndex, prevTerm]: readonly [number, number], terms: readonly number[], commit = 0): AppendRequest {
  const entries = terms.map((entryTerm, i): Entry => ({ index: prevIndex + i + 1, term: entryTerm, kind: 1, time: 0, data: new Uint8Array([entryTerm]) }));
  return { type: "append", term, prevIndex, prevTerm, commit, entries };
}

/** A follower of three with a write under way that holds term 2 and two entries. */
function writing(): TestNetwork {
  const net = new TestNetwork();
  net.add(A, stateWith([A, B, C], []));
  net.node(A).diskIsFast = false;
  net.inject(B, A, append(2, [1, 1], [2, 2]));
  expect(net.node(A).write).toMatchObject({ hardState: { term: 2 }, entries: [{ index: 2 }, { index: 3 }] });
  return net;
}

const diskOf = (net: TestNetwork): RestoredState => net.node(A).disk.state;

describe("a write that failed", () => {
  for (const happened of [false, true]) {
    test(`[RF29] a write that failed ${happened ? "but happened" : "and did not happen"} is made anew with whatever came since, and only that is acknowledged`, () => {
      const net = writing();
      const node = net.node(A);
      net.inject(B, A, append(2, [3, 2], [2]));
      const failed = node.write!;
      if (happened) node.disk.apply(failed);
      const again = node.raft.rewrite(failed.id, diskOf(net))!;
      expect(again.id).toBeGreaterThan(failed.id);
      expect(again.entries.map(({ index }) => index)).toEqual([2, 3, 4]);
      expect(again.hardState ?? diskOf(net).hardState).toMatchObject({ term: 2 });
      expect(again.truncateAfter).toBe(happened ? 1 : undefined);
      expect(net.takeSent(A)).toEqual([]);
      node.disk.apply(again);
      expect(diskOf(net).entries.map(({ index, term }) => [index, term])).toEqual([[1, 1], [2, 2], [3, 2], [4, 2]]);
      node.raft.writeDone(again.id);
      expect(node.raft.stableIndex).toBe(4);
      expect(node.raft.takeWork().messages.map(({ message }) => message)).toContainEqual({ type: "append-reply", term: 2, ok: true, index: 4, hintIndex: 0, hintTerm: 0 });
    });
  }

  test("[RF29] a snapshot made while the disk was full goes with the write made anew", () => {
    const net = new TestNetwork();
    net.add(A, stateWith([A, B, C], [2, 2, 2]));
    const node = net.node(A);
    net.inject(B, A, append(2, [4, 2], [], 4));
    net.drain(A);
    node.diskIsFast = false;
    net.inject(B, A, append(2, [4, 2], [2], 4));
    expect(node.raft.compact(3, new Uint8Array([7]))).toBe(true);
    const again = node.raft.rewrite(node.write!.id, diskOf(net))!;
    expect(again).toMatchObject({ snapshot: { index: 3 }, entries: [{ index: 5 }] });
    node.raft.writeDone(again.id);
    expect(node.raft.snapshotIndex).toBe(3);
  });

  test("[RF29] when the disk lacks something promised, the machine names it and does not go on", () => {
    const promised = (): TestNetwork => {
      const net = writing();
      net.finishWrite(A);
      net.inject(B, A, append(2, [3, 2], [2]));
      return net;
    };
    const cases: [string, (state: RestoredState) => RestoredState][] = [
      ["entry 3", (state) => ({ ...state, entries: state.entries.slice(0, 2) })],
      ["entry 3", (state) => ({ ...state, entries: state.entries.map((entry) => (entry.index === 3 ? { ...entry, term: 1 } : entry)) })],
      ["hard-state", (state) => ({ ...state, hardState: { ...state.hardState, term: 1 } })],
      ["hard-state", (state) => ({ ...state, hardState: { ...state.hardState, vote: C } })],
      ["snapshot", (state) => ({ ...state, snapshot: { index: 1, term: 1, time: 0, membership: net0.node(A).raft.membership, data: new Uint8Array() } })],
    ];
    const net0 = promised();
    for (const [record, damage] of cases) {
      const net = promised();
      const found = damage(diskOf(net));
      expect(() => net.node(A).raft.rewrite(net.node(A).write!.id, found)).toThrow(expect.objectContaining({ code: "corrupt-state", record }));
      expect(() => net.node(A).raft.recheck(found)).toThrow(expect.objectContaining({ code: "corrupt-state", record }));
    }
    expect(() => net0.node(A).raft.recheck(diskOf(net0))).not.toThrow();
  });

  test("[RF25] a leader whose writes keep failing stops leading within the longest election timeout, and does not campaign until one succeeded", () => {
    const net = new TestNetwork();
    for (const id of [A, B, C]) net.add(id, stateWith([A, B, C], []));
    net.elect(A);
    const node = net.node(A);
    node.diskIsFast = false;
    expect(node.raft.propose([new Uint8Array([1])])).toMatchObject({ term: node.raft.term });
    net.drain(A);
    let id = node.write!.id;
    for (let tick = 0; tick < 20; tick += 1) {
      node.raft.tick();
      if (tick % 3 === 0) id = node.raft.rewrite(id, diskOf(net))!.id;
    }
    expect(node.raft.role).toBe("follower");
    const { term } = node.raft;
    for (let tick = 0; tick < 1000; tick += 1) node.raft.tick();
    expect([node.raft.role, node.raft.term]).toEqual(["follower", term]);
  });
});
