import { describe, expect, test } from "vitest";
import { peerId } from "../../base/index.ts";
import type { Membership } from "../../raft/index.ts";
import { History, type NodeSheet } from "./history.ts";
import { DiskImage, SimDisk } from "./disk.ts";
import { judgeSent, noteRequests } from "./rules-messages.ts";
import { Violation } from "./violation.ts";

const [A, B] = [peerId("a"), peerId("b")];
const SETTLED: Membership = { voters: [A, B], votersOutgoing: [], learners: [], learnersNext: [] };

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

describe("a voter's patience", () => {
  /** A voter of term 4 that heard the leader a tick ago. */
  function follower(): NodeSheet {
    return {
      id: B, disk: new SimDisk(new DiskImage(undefined, () => SETTLED), undefined), engine: undefined, term: 4, role: "follower", commit: 0, membership: SETTLED,
      durableVotes: new Map([[5, A]]), patience: new Map(), ticks: 100, contact: { term: 4, ticks: 99 }, heard: new Map(), ledSinceTicks: 0, echoes: new Map(),
      nextCommand: 0, applied: 0,
    };
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
