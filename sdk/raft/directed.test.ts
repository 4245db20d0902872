// Directed tests: planted faults that random runs do not notice, because a correct leader hardly ever sends what shows them.
import { describe, expect, test } from "vitest";
import { A, B, C, stateWith, TestNetwork } from "./test-network.ts";

describe("a follower", () => {
  test("[RF12] commits only what an append verified, however far the leader's commit index is and its own log reaches", () => {
    const net = new TestNetwork();
    // Entries 3 and 4 are of a leader nobody else heard; the leader of term 3 committed other ones there.
    net.add(B, stateWith([A, B, C], [1, 2, 2]));
    const verified = { index: 2, term: 1, kind: 1, time: 0, data: new TextEncoder().encode("t1i2") } as const;
    net.raft(B).step(A, { type: "append", term: 3, prevIndex: 1, prevTerm: 1, commit: 4, entries: [verified] });
    net.drain(B);
    expect(net.raft(B).commitIndex).toBe(2);
    expect(net.node(B).payloads).toEqual(["t1i2"]);
  });

  test("[RF100] drops an append that contradicts what its leader had it verify in the same term", () => {
    const net = new TestNetwork();
    net.add(B, stateWith([A, B, C], [1]));
    const entry = (index: number, term: number, text: string) => ({ index, term, kind: 1, time: 0, data: new TextEncoder().encode(text) }) as const;
    net.raft(B).step(A, { type: "append", term: 3, prevIndex: 2, prevTerm: 1, commit: 2, entries: [entry(3, 2, "x"), entry(4, 3, "y")] });
    net.drain(B);
    net.raft(B).step(A, { type: "append", term: 3, prevIndex: 2, prevTerm: 1, commit: 2, entries: [entry(3, 3, "z")] });
    net.drain(B);
    expect(net.raft(B).metrics.framesDropped).toEqual({ "conflict-with-verified": 1 });
    expect(net.raft(B).entries(3, 4).map(({ term }) => term)).toEqual([2, 3]);
  });

  test("[RF100] whose log lost its end does not believe a commit index beyond it", () => {
    const net = new TestNetwork();
    net.add(B, stateWith([A, B, C], [1]));
    net.raft(B).step(A, { type: "heartbeat", term: 1, commit: 7, round: 1 });
    net.drain(B);
    expect(net.raft(B).commitIndex).toBe(1);
    expect(net.raft(B).metrics.framesDropped).toEqual({ "commit-beyond-log": 1 });
  });
});
