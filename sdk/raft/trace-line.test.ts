// Runs of a small group as lines of JSON, compared with what etcd's trace specification expects of them.
import { describe, expect, test } from "vitest";
import type { TraceEvent } from "./raft-machine.ts";
import { A, B, C, TestNetwork } from "./test-network.ts";
import { traceLine } from "./trace-line.ts";
import { SPECIFIED_EVENTS } from "./trace-names.ts";

interface Line {
  readonly tag: string;
  readonly event: {
    readonly name: string; readonly nid: string; readonly state: { readonly term: number; readonly vote: string; readonly commit: number }; readonly role: string;
    readonly log: number; readonly conf: readonly [readonly string[], readonly string[]];
    readonly msg?: { readonly type: string; readonly from: string; readonly to: string; readonly term: number; readonly index: number; readonly entries: number; readonly reject: boolean };
    readonly prop?: { readonly cc?: { readonly changes?: readonly object[]; readonly newconf: readonly string[] } };
  };
}

/** The lines of everything `play` does to three founders. */
function traced(play: (net: TestNetwork) => void): Line[] {
  const events: TraceEvent[] = [];
  const net = TestNetwork.of([A, B, C], { trace: (event) => void events.push(event), config: { snapshotChunkBytes: 4 } });
  play(net);
  return events.map((event): Line => {
    const line = traceLine(event);
    expect(line).not.toContain("\n");
    const parsed: Line = JSON.parse(line);
    return parsed;
  });
}

function specified(lines: readonly Line[]): Line["event"][] {
  return lines.filter(({ tag }) => tag === "trace").map(({ event }) => event);
}

describe("a trace", () => {
  test("[RF120] has the 19 names of the specification", () => {
    expect(SPECIFIED_EVENTS.size).toBe(19);
  });

  test("[RF120] tells an election the way the specification expects it", () => {
    const lines = traced((net) => net.elect(A));
    const ofA = specified(lines).filter(({ nid }) => nid === "a").map(({ name, msg }) => (msg === undefined ? name : `${name} ${msg.type} ${msg.from}${msg.to}`));
    expect(ofA.slice(0, 9)).toEqual([
      "InitState", "Ready", "Ready", "BecomeCandidate", "SendRequestVoteResponse MsgVoteResp aa", "Ready", "ReceiveRequestVoteResponse MsgVoteResp aa",
      "SendRequestVoteRequest MsgVote ab", "SendRequestVoteRequest MsgVote ac",
    ]);
    expect(ofA.filter((name) => /^Become|^Replicate|^Commit/.test(name))).toEqual(["BecomeCandidate", "BecomeLeader", "Replicate", "Commit"]);
    expect(lines[0]).toEqual({ tag: "trace", event: { name: "InitState", nid: "a", state: { term: 1, vote: "0", commit: 1 }, role: "StateFollower", log: 1, conf: [["a", "b", "c"], []] } });
    expect(lines.some(({ tag, event }) => tag === "more" && event.name === "SendRequestPreVoteRequest")).toBe(true);
  });

  test("[RF121] a commit is the leader's, comes after its own acknowledgement or another's, and never goes back on a node", () => {
    const lines = specified(traced((net) => {
      net.elect(A);
      net.propose(A, "x", "y");
      net.run(5);
    }));
    expect(lines.filter(({ name }) => name === "Commit").every(({ role }) => role === "StateLeader")).toBe(true);
    const highest = new Map<string, number>();
    for (const { nid, state } of lines) {
      expect(state.commit).toBeGreaterThanOrEqual(highest.get(nid) ?? 0);
      highest.set(nid, state.commit);
    }
    expect([...highest.values()]).toEqual([4, 4, 4]);
    expect(lines.filter(({ name }) => name === "SendAppendEntriesResponse").some(({ msg }) => msg?.from === "a" && msg.to === "a" && msg.index === 4)).toBe(true);
  });

  test("[RF121] a message received was sent before, with the same summary", () => {
    const sent = new Set<string>();
    for (const { name, msg } of specified(traced((net) => net.run(60)))) {
      if (msg === undefined) continue;
      const text = JSON.stringify(msg);
      if (name.startsWith("Send")) sent.add(text);
      else expect(sent.has(text)).toBe(true);
    }
    expect(sent.size).toBeGreaterThan(10);
  });

  test("[RF121] a change of membership names who is added and who leaves, and is applied once per node", () => {
    const lines = specified(traced((net) => {
      net.elect(A);
      net.run(2);
      net.raft(A).changeMembership({ voters: [A, B], learners: [C] });
      net.run(5);
    }));
    expect(lines.filter(({ name }) => name === "ChangeConf").map(({ prop }) => prop?.cc)).toEqual([
      { changes: [], newconf: ["a", "b"] },
      { changes: [{ nid: "c", action: "AddLearner" }], newconf: ["a", "b"] },
    ]);
    expect(lines.filter(({ name, nid }) => name === "ApplyConfChange" && nid === "b")).toHaveLength(2);
  });

  test("[RF120] a snapshot is one event on either side, however many chunks it has", () => {
    const lines = specified(traced((net) => {
      net.elect(A);
      net.filter = (_from, to) => to === C;
      net.propose(A, "x", "y");
      net.run(30);
      net.raft(A).compact(4, new TextEncoder().encode("a long state"));
      net.settle();
      net.filter = () => false;
      net.run(20);
    }));
    const ofSnapshot = lines.filter(({ msg }) => msg?.type === "MsgSnap").map(({ name, nid, msg }) => [name, nid, msg?.entries]);
    expect(ofSnapshot).toEqual([["SendAppendEntriesRequest", "a", 4], ["ReceiveSnapshot", "c", 4]]);
  });
});
