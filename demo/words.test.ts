// What the page says at each moment of a match.
import { describe, expect, test } from "vitest";
import { peerId } from "../sdk/base/index.ts";
import type { MatchPlayer, MatchStatus } from "../sdk/index.ts";
import { headline, isAlone, news, notNow, refusal, type Scene } from "./words.ts";

const ANA = peerId("ana");
const BO = peerId("bo");
const CY = peerId("cy");

const player = (peer: typeof ANA, more: Partial<MatchPlayer>): MatchPlayer => ({ peer, name: peer === ANA ? "Ana" : peer === BO ? "Bo" : "Cy", seat: undefined, isSelf: peer === ANA, isLeader: false, presence: "here", ...more });
const BOTH = [player(ANA, { seat: 0, isLeader: true }), player(BO, { seat: 1 })];

const status = (more: Partial<MatchStatus> = {}): MatchStatus => ({
  phase: "live", reason: undefined, selfId: ANA, seat: 0, spectating: false, leader: ANA, isLeader: true, role: "leader",
  term: 1, commitIndex: 3, epoch: 1, pendingCount: 0, game: 1, rematchAsked: [], peers: [ANA, BO], relayed: [], roundTripMs: {}, storage: "memory", storageNote: undefined, way: undefined, divergences: [], ...more,
});

const put = (board: Scene["state"]["board"], at: number, seat: number | null): Scene["state"]["board"] => board.map((was, cell) => (cell === at ? seat : was));
const fresh: Scene["state"] = { board: Array.from({ length: 9 }, () => null), turn: null, opener: null, winner: null, round: 1, score: [0, 0], draws: 0 };
const opened: Scene["state"] = { ...fresh, board: put(fresh.board, 4, 1), turn: 0, opener: 1 };
const won: Scene["state"] = { ...fresh, board: [0, 0, 0, 1, 1, null, null, null, null], opener: 0, winner: 0, score: [1, 0] };

const scene = (more: Partial<Scene> = {}): Scene => ({ state: more.confirmed ?? fresh, confirmed: fresh, status: status(), players: BOTH, ...more });

describe("the headline", () => {
  test("asks for a friend while nobody sits across the table", () => {
    const alone = scene({ players: BOTH.slice(0, 1), status: status({ phase: "waiting" }) });
    expect(isAlone(alone)).toBe(true);
    expect(headline(alone)).toBe("Waiting for a friend");
  });

  test("names whose turn it is, and that the first round is open to both", () => {
    expect(headline(scene())).toBe("Whoever marks first opens");
    expect(headline(scene({ confirmed: opened }))).toBe("Your turn");
    expect(headline(scene({ confirmed: opened, status: status({ seat: 1 }) }))).toBe("Ana’s turn");
  });

  test("announces a win only once it is committed", () => {
    expect(headline(scene({ state: won, confirmed: opened }))).toBe("One moment…");
    expect(headline(scene({ confirmed: won }))).toBe("You win this round");
    expect(headline(scene({ confirmed: won, status: status({ seat: 1 }) }))).toBe("Ana wins this round");
  });

  test("goes on when the other player has left a match that began", () => {
    const left = scene({ confirmed: opened, players: BOTH.slice(0, 1), status: status({ phase: "waiting" }) });
    expect(headline(left)).toBe("Your turn");
    expect(notNow(left)).toBeUndefined();
  });

  test("tells of trouble before anything about the game", () => {
    expect(headline(scene({ status: status({ phase: "reconnecting" }) }))).toBe("Reconnecting…");
    expect(headline(scene({ status: status({ phase: "no-quorum" }) }))).toBe("Waiting for the others’ tabs");
    expect(headline(scene({ status: status({ phase: "closed", reason: "kicked" }) }))).toBe("This match is closed: kicked");
  });
});

describe("refusals", () => {
  test("a watcher, an empty table and a closed match keep a mark from being played", () => {
    expect(notNow(scene({ status: status({ seat: undefined, spectating: true }) }))).toBe("You are watching this match");
    expect(notNow(scene({ players: BOTH.slice(0, 1) }))).toBe("Wait for somebody to play with");
    expect(notNow(scene({ status: status({ phase: "closed" }) }))).toBe("This match is closed");
    expect(notNow(scene())).toBeUndefined();
  });

  test("a mark that stood on the board and had to leave is told apart from one that never did", () => {
    expect(refusal("the cell is taken", true)).toBe("Your mark came second: the cell is taken");
    expect(refusal("it is not your turn", false)).toBe("It is not your turn");
  });
});

describe("the log book", () => {
  test("tells each committed mark and the end of the round once", () => {
    expect(news(scene(), scene({ confirmed: opened }))).toEqual(["Bo marks centre"]);
    expect(news(scene({ confirmed: { ...won, winner: null, board: put(won.board, 2, null) } }), scene({ confirmed: won }))).toEqual(["Ana marks top right", "Ana wins round 1"]);
    expect(news(scene({ confirmed: won }), scene({ confirmed: won }))).toEqual([]);
  });

  test("tells a new round and who opens it", () => {
    expect(news(scene({ confirmed: won }), scene({ confirmed: { ...fresh, round: 2, opener: 1, turn: 1 } }))).toEqual(["Round 2: Bo opens"]);
  });

  test("tells who comes, watches, goes quiet, returns and leaves", () => {
    const now = (players: readonly MatchPlayer[]): Scene => scene({ players });
    expect(news(now(BOTH.slice(0, 1)), now(BOTH))).toEqual(["Bo plays noughts"]);
    expect(news(now(BOTH), now([...BOTH, player(CY, {})]))).toEqual(["Cy is watching"]);
    const quiet = [BOTH[0]!, player(BO, { seat: 1, presence: "away" })];
    expect(news(now(BOTH), now(quiet))).toEqual(["Bo went quiet"]);
    expect(news(now(quiet), now(BOTH))).toEqual(["Bo is back"]);
    expect(news(now(BOTH), now([BOTH[0]!, player(BO, { seat: 1, presence: "gone" })]))).toEqual(["Bo left"]);
    expect(news(now(BOTH), now(BOTH.slice(0, 1)))).toEqual(["Bo left"]);
  });

  test("tells who leads when the leader changes", () => {
    expect(news(scene(), scene({ status: status({ leader: BO, term: 2 }) }))).toEqual(["Bo’s tab leads (term 2)"]);
  });
});
