// What the inspector shows: the newest entries of the log, and who is in the group in which role.
import { describe, expect, test } from "vitest";
import { peerId } from "../sdk/base/index.ts";
import type { CommittedCommand, MatchStatus } from "../sdk/index.ts";
import { ENTRIES_MAX, LogTail } from "./log-tail.ts";
import { peersOf, quorumOf, tripOf, type GroupView } from "./peers.ts";
import { ticTacToe, type Action } from "./tic-tac-toe.ts";

const [ANA, BO, CY, WITNESS] = [peerId("ana"), peerId("bo"), peerId("cy"), peerId("witness:w")];

const entry = (index: number, action: Action | Uint8Array, more: Partial<CommittedCommand> = {}): CommittedCommand => ({
  type: "command", index, lane: 1, key: { clientId: "c", requestId: index }, proposer: ANA, payload: action instanceof Uint8Array ? action : ticTacToe.actions.encode(action), time: 0, duplicate: false, ...more,
});

describe("the tail of the log", () => {
  test("shows index, term, who and what of a leader's entries, a new leader's own and changes of voters among them", () => {
    const tail = new LogTail();
    tail.traced({ name: "Replicate", term: 3, detail: { index: 7 } });
    tail.traced({ name: "ChangeConf", term: 3, detail: { index: 8 } });
    tail.traced({ name: "Replicate", term: 3, detail: { index: 9 } });
    tail.committed(entry(9, { type: "mark", cell: 4 }));
    expect(tail.upTo(8).map(({ index }) => index), "9 is there because it was committed").toEqual([9, 8, 7]);
    expect(tail.upTo(9)).toEqual([
      { index: 9, term: 3, proposer: ANA, what: "marks centre" },
      { index: 8, term: 3, proposer: undefined, what: "who votes changes" },
      { index: 7, term: 3, proposer: undefined, what: "a new leader’s first entry" },
    ]);
  });

  test("knows a follower's entries by their own terms, and nothing of what is not agreed on yet", () => {
    const tail = new LogTail();
    tail.traced({ name: "ReceiveAppendEntriesRequest", term: 5, message: { type: "append", entries: [{ index: 2, term: 4, kind: 1 }, { index: 3, term: 5, kind: 0 }, { index: 4, term: 5, kind: 1 }] } });
    tail.traced({ name: "ReceiveAppendEntriesRequest", term: 5, message: { type: "heartbeat" } });
    tail.committed(entry(2, { type: "rematch" }, { proposer: BO }));
    expect(tail.upTo(3)).toEqual([
      { index: 3, term: 5, proposer: undefined, what: "a new leader’s first entry" },
      { index: 2, term: 4, proposer: BO, what: "asks for another round" },
    ]);
    // A later leader overwrites what was never agreed on.
    tail.traced({ name: "ReceiveAppendEntriesRequest", term: 6, message: { type: "append", entries: [{ index: 4, term: 6, kind: 1 }] } });
    tail.committed(entry(4, { type: "mark", cell: 0 }));
    expect(tail.upTo(4)[0]).toEqual({ index: 4, term: 6, proposer: ANA, what: "marks top left" });
  });

  test("has a bounded length, begins anew at a snapshot, and calls what it can not read by its lane", () => {
    const tail = new LogTail();
    for (let index = 1; index <= 100; index += 1) tail.committed(entry(index, { type: "mark", cell: 0 }));
    expect(tail.upTo(100).map(({ index }) => index)).toEqual(Array.from({ length: ENTRIES_MAX }, (_, at) => 100 - at));
    tail.committed({ type: "install", index: 200, sections: new Map() });
    tail.committed(entry(201, Uint8Array.of(7), { lane: 2 }));
    tail.committed(entry(202, Uint8Array.of(0xff)));
    tail.committed(entry(203, { type: "mark", cell: 1 }, { duplicate: true }));
    expect(tail.upTo(203).map(({ index, term, what }) => [index, term, what])).toEqual([
      [203, undefined, "marks top centre, a second time: without effect"],
      [202, undefined, "nothing that is a move"],
      [201, undefined, "seats and names"],
      [200, undefined, "a snapshot of everything before"],
    ]);
  });
});

describe("the group", () => {
  const status: MatchStatus = {
    phase: "live", reason: undefined, selfId: ANA, seat: 0, spectating: false, leader: BO, isLeader: false, role: "follower", term: 2, commitIndex: 9, epoch: 1, pendingCount: 0, game: 1, rematchAsked: [],
    peers: [ANA, BO], relayed: [BO], roundTripMs: { bo: 2.34 }, divergences: [], way: undefined, storage: "memory", storageNote: undefined,
  };
  const players = [{ peer: ANA, name: "Ana", seat: 0, isSelf: true, isLeader: false, presence: "here" as const }, { peer: BO, name: "Bo", seat: 1, isSelf: false, isLeader: true, presence: "here" as const }];
  const view: GroupView = { status, players, membership: { voters: [ANA, BO, WITNESS], votersOutgoing: [], learners: [CY], learnersNext: [] }, isCut: (peer) => peer === BO };

  test("is this tab, then the others, each with its role, its link and its round trip", () => {
    expect(peersOf(view).map(({ name, role, presence, isLinked, isRelayed, roundTripMs, isCut }) => [name, role, presence, isLinked, isRelayed, roundTripMs, isCut])).toEqual([
      ["Ana", "voter", "here", true, false, undefined, false],
      ["Bo", "leader", "here", true, true, 2.34, true],
      ["Tab cy", "learner", "gone", false, false, undefined, false],
      ["Witness", "witness", "here", false, false, undefined, false],
    ]);
  });

  test("without a node is whoever is connected, and nobody votes", () => {
    expect(peersOf({ ...view, membership: undefined, status: { ...status, leader: undefined } }).map(({ role }) => role)).toEqual(["watching", "watching"]);
    expect([quorumOf(undefined), quorumOf(view.membership)]).toEqual(["–", "2 of 3"]);
    expect([undefined, 0.44, 99.6].map(tripOf)).toEqual(["–", "0.4 ms", "100 ms"]);
  });
});
