import { describe, expect, test } from "vitest";
import { peerId, type PeerId } from "../../base/index.ts";
import { decodeMembership, encodeMembership, ENTRY_MEMBERSHIP, ENTRY_NOOP, type Entry, type Membership } from "../../raft/index.ts";
import { History, type NodeSheet } from "./history.ts";
import { membershipsInForce } from "./faults.ts";
import { DiskImage, SimDisk } from "./disk.ts";
import { judgeSent, noteRequests } from "./rules-messages.ts";
import { Violation } from "./violation.ts";

const [A, B, C, D] = [peerId("a"), peerId("b"), peerId("c"), peerId("d")];
const SETTLED: Membership = { voters: [A, B], votersOutgoing: [], learners: [], learnersNext: [] };

/** What is known of a voter of term 4 that heard the leader a tick ago. */
function voterSheet(id: PeerId): NodeSheet {
  return {
    id, disk: new SimDisk(new DiskImage(undefined, () => SETTLED), undefined), engine: undefined, term: 4, role: "follower", commit: 0, membership: SETTLED,
    durableVotes: new Map(), patience: new Map(), ticks: 100, contact: { term: 4, ticks: 99 }, heard: new Map(), stood: 0, ledSinceTicks: 0, echoes: new Map(),
    nextCommand: 0, applied: 0,
  };
}

describe("memberships that may still come into force", () => {
  test("are those somebody made, though no disk holds them, until something else is committed in their place", () => {
    const history = new History();
    history.noteMembership({ index: 1, term: 2, membership: SETTLED });
    history.noteMembership({ index: 1, term: 2, membership: SETTLED });
    history.noteMembership({ index: 1, term: 3, membership: SETTLED });
    expect(history.openMemberships()).toHaveLength(2);
    history.commit(3, 3);
    expect(history.openMemberships().map(({ term }) => term)).toEqual([3]);
    history.commit(3, 3);
    expect(history.openMemberships().map(({ term }) => term)).toEqual([3]);
  });
});

describe("memberships in force", () => {
  const FIRST: Membership = { voters: [A, B, C], votersOutgoing: [], learners: [], learnersNext: [] };
  const LATER: Membership = { ...FIRST, learners: [D] };

  /** A disk with these entries, each a membership or (by its absence) something else. */
  function node(id: PeerId, entries: readonly { readonly term: number; readonly membership?: Membership }[]): NodeSheet {
    const stored = entries.map(({ term, membership }, i): Entry => ({ index: i + 1, term, kind: membership === undefined ? ENTRY_NOOP : ENTRY_MEMBERSHIP, time: 0, data: membership === undefined ? new Uint8Array(0) : encodeMembership(membership) }));
    const image = new DiskImage({ hardState: { term: 2, vote: undefined, commit: 0 }, snapshot: undefined, entries: stored }, decodeMembership);
    return { ...voterSheet(id), disk: new SimDisk(image, undefined) };
  }

  /** The first membership is committed at 1; whatever `terms` says is committed after it. */
  function group(nodes: readonly NodeSheet[], terms: readonly number[]): History {
    const history = new History();
    for (const each of nodes) history.nodes.set(each.id, each);
    for (const term of [1, ...terms]) history.commit(term, term);
    return history;
  }

  test("are not ended by one that never committed, though it stands on a lost disk where something else is committed now", () => {
    const lost = node(C, [{ term: 1, membership: FIRST }, { term: 1, membership: LATER }]);
    const left = [A, B].map((id) => node(id, [{ term: 1, membership: FIRST }, { term: 2 }]));
    const world = { history: group([...left, lost], [2]), isGone: (id: PeerId) => id === C };
    expect(membershipsInForce(world)).toEqual([FIRST, FIRST]);
  });

  test("are ended by the next that committed, and those made after it count too", () => {
    const behind = node(A, [{ term: 1, membership: FIRST }]);
    const ahead = [B, C].map((id) => node(id, [{ term: 1, membership: FIRST }, { term: 1, membership: LATER }]));
    const world = { history: group([behind, ...ahead], [1]), isGone: () => false };
    expect(membershipsInForce(world)).toEqual([LATER, LATER]);
    world.history.noteMembership({ index: 3, term: 1, membership: SETTLED });
    expect(membershipsInForce(world)).toEqual([LATER, LATER, SETTLED]);
  });

  test("are held by somebody left: an empty answer would agree to anything", () => {
    const world = { history: group([node(A, [{ term: 1, membership: FIRST }])], []), isGone: () => true };
    expect(() => membershipsInForce(world)).toThrow(Violation);
  });
});

describe("a voter's patience", () => {
  /** Its vote of term 5 went to A. */
  function follower(): NodeSheet {
    return { ...voterSheet(B), durableVotes: new Map([[5, A]]) };
  }
  const vote = (term: number, transfer: boolean) => ({ type: "vote", term, lastIndex: 9, lastTerm: 4, transfer }) as const;
  const grant = (from: NodeSheet, message: { readonly type: "vote-reply" | "pre-vote-reply"; readonly term: number; readonly granted: boolean }): string | undefined => {
    try {
      const history = new History();
      history.candidacies.set(message.term, new Map([[A, { lastIndex: 9, lastTerm: 4 }]]));
      judgeSent(history, { from, to: A, message, now: 0, patienceTicks: 10 });
      return undefined;
    } catch (error) {
      return error instanceof Violation ? error.rule : String(error);
    }
  };

  test("is broken by a vote for who deposes a leader just heard", () => {
    const sheet = follower();
    noteRequests(sheet, A, [vote(5, false)]);
    expect(grant(sheet, { type: "vote-reply", term: 5, granted: true })).toBe("L2");
  });

  test("is not broken by a transfer, nor by what follows it in the same frame", () => {
    const sheet = follower();
    noteRequests(sheet, A, [vote(5, true), { type: "pre-vote", term: 6, lastIndex: 9, lastTerm: 4 }]);
    expect(grant(sheet, { type: "vote-reply", term: 5, granted: true })).toBeUndefined();
    expect(grant(sheet, { type: "pre-vote-reply", term: 6, granted: true })).toBeUndefined();
  });

  test("is not broken by a late copy of the request that elected the leader just heard", () => {
    const sheet = { ...follower(), term: 5, contact: { term: 5, ticks: 100 } };
    noteRequests(sheet, A, [vote(5, false)]);
    expect(grant(sheet, { type: "vote-reply", term: 5, granted: true })).toBeUndefined();
  });
});
