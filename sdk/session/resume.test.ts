// Coming back: tabs that end and start again with what they had stored, in virtual time.
import { afterEach, describe, expect, test } from "vitest";
import { hasCode, toHex, utf8, type PeerId } from "../base/index.ts";
import { LANE_GAME, type LogEvent } from "../replica/index.ts";
import type { AdmissionRequest, Admit } from "./admission.ts";
import type { VerifyClaim } from "./manager.ts";
import { seatClaimText, type SeatClaim } from "./presence-state.ts";
import { seatOf } from "./roster.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, dan, Room } from "./test-room.ts";

let room: Room;
const open = (delayMs?: number): Room => (room = new Room(delayMs));
const seats = (session: GameSession): (PeerId | undefined)[] => session.roster.seats.map((taken) => taken?.peer);
const isWhole = (sessions: readonly GameSession[], voters: number): boolean =>
  sessions.every((session) => session.node.membership.voters.length === voters && session.node.membership.votersOutgoing.length === 0 && session.node.leader !== undefined);

/** Whether a node comes to say that just these moves were committed, in this order. */
async function tells(session: GameSession, moves: string): Promise<boolean> {
  const heard: string[] = [];
  const off = session.node.follow((event: LogEvent) => {
    if (event.type === "command" && event.lane === LANE_GAME && !event.duplicate) heard.push(new TextDecoder().decode(event.payload));
  }, 0);
  const isTold = await room.until(() => heard.join() === moves, 10_000);
  off();
  return isTold;
}

async function move(session: GameSession, name: string): Promise<void> {
  await room.get(session.node.propose(utf8(name)));
}

/** Closes the tab as a page does that goes away: what must be said is said, then everything ends. */
function closeTab(session: GameSession): void {
  session.part();
  room.depart(session.selfId);
  void session.close();
}

afterEach(async () => {
  await room.end();
  await room.clock.advance(120_000);
  expect(room.clock.pendingTimers).toBe(0);
});

describe("coming back", () => {
  test("[SE29] a follower that reloads sits in its seat again and knows every move", async () => {
    open();
    const [first, second] = await room.durableGroup([ann, bob]);
    await move(first!, "one");
    await move(second!, "two");
    closeTab(second!);
    await move(first!, "three");
    const again = await room.get(room.resume(bob));
    expect(await room.until(() => isWhole([first!, again!], 2))).toBe(true);
    expect(seats(again!)).toEqual([ann, bob]);
    expect(await tells(again!, "one,two,three")).toBe(true);
    await move(again!, "four");
    for (const session of [first!, again!]) expect(await tells(session, "one,two,three,four")).toBe(true);
  });

  test("[SE29] a host that reloads follows the one who leads now, and keeps its seat", async () => {
    open();
    const [first, second] = await room.durableGroup([ann, bob]);
    await move(first!, "one");
    closeTab(first!);
    expect(await room.until(() => second!.node.role === "leader")).toBe(true);
    await move(second!, "two");
    const again = await room.get(room.resume(ann));
    expect(await room.until(() => isWhole([second!, again!], 2))).toBe(true);
    expect(second!.node.role).toBe("leader");
    expect([seatOf(again!.roster, ann), seatOf(again!.roster, bob)]).toEqual([0, 1]);
    await move(again!, "three");
    expect(await tells(again!, "one,two,three")).toBe(true);
  });

  test("[SE29] a tab that crashed and comes back before it is missed goes on as the voter it was", async () => {
    open();
    const [first, second] = await room.durableGroup([ann, bob]);
    await move(first!, "one");
    const { term } = first!.node.status;
    room.hub.kill(bob);
    await second!.close();
    await room.clock.advance(1_000);
    const again = await room.get(room.resume(bob));
    expect(await room.until(() => again!.presence.self.synced)).toBe(true);
    await move(again!, "two");
    expect(first!.node.membership.voters).toEqual([ann, bob]);
    expect(first!.node.status.term).toBe(term);
    expect(await tells(first!, "one,two")).toBe(true);
  });

  test("[SE30] both reload at once, in either order, and the match goes on", async () => {
    for (const order of [[ann, bob], [bob, ann]]) {
      open();
      const [first, second] = await room.durableGroup([ann, bob]);
      await move(first!, "one");
      closeTab(first!);
      closeTab(second!);
      await room.clock.advance(300);
      const again: GameSession[] = [];
      for (const id of order) again.push((await room.get(room.resume(id)))!);
      expect(await room.until(() => isWhole(again, 2))).toBe(true);
      await move(again[0]!, "two");
      for (const session of again) expect(await tells(session, "one,two")).toBe(true);
      expect(seats(again[1]!)).toEqual([ann, bob]);
      await room.end();
    }
  });

  test("[SE30] everything is closed and comes back the next day: the same match, the same seats", async () => {
    open();
    const [first, second] = await room.durableGroup([ann, bob]);
    await move(second!, "one");
    closeTab(second!);
    expect(await room.until(() => first!.node.membership.voters.length === 1)).toBe(true);
    await move(first!, "two");
    closeTab(first!);
    await room.clock.advance(24 * 3_600_000);
    const early = await room.get(room.resume(bob));
    await room.clock.advance(30_000);
    expect(early!.node.leader).toBe(undefined);
    const owner = await room.get(room.resume(ann));
    expect(await room.until(() => isWhole([early!, owner!], 2))).toBe(true);
    expect(await tells(early!, "one,two")).toBe(true);
    expect(seats(early!)).toEqual([ann, bob]);
  });

  test("[SE31] a newcomer waits for the match of those who came back instead of opening another", async () => {
    open();
    const [first, second] = await room.durableGroup([ann, bob], { peerCount: 3 });
    closeTab(first!);
    expect(await room.until(() => second!.node.membership.voters.length === 1)).toBe(true);
    closeTab(second!);
    await room.get(room.resume(ann));
    const error = await room.failure(room.host(room.seam(cat), { peerCount: 3 }));
    expect(hasCode(error, "duplicate-host")).toBe(true);
    const joining = room.join(room.seam(dan), { joinAdmissionTimeoutMs: 60_000 });
    const back = await room.get(room.resume(bob));
    const joined = await room.get(joining);
    expect(joined.groupId).toBe(back!.groupId);
    expect(seats(joined)).toEqual([ann, bob, dan]);
  });

  test("[SE32] who comes back to a match nobody leads gives it up for the one the room plays now, and not before the window", async () => {
    open();
    const [first, second] = await room.durableGroup([ann, bob]);
    closeTab(first!);
    expect(await room.until(() => second!.node.membership.voters.length === 1)).toBe(true);
    closeTab(second!);
    await room.get(room.host(room.seam(cat)));
    const again = await room.get(room.resume(ann));
    await room.clock.advance(8_000);
    expect(again!.isClosed).toBe(false);
    expect(await room.until(() => again!.isClosed)).toBe(true);
    expect(hasCode(room.endings.get(ann), "moved-on")).toBe(true);
  });

  test("[SE33] who left for good, and who never sat, has nothing to come back to", async () => {
    open();
    const [, second] = await room.durableGroup([ann, bob], { spares: false });
    const watcher = await room.get(room.spectate(room.seam(cat), { storage: room.disk(cat) }));
    await room.get(second!.leave());
    room.depart(bob);
    closeTab(watcher);
    expect(await room.get(room.resume(bob))).toBe(undefined);
    expect(await room.get(room.resume(cat))).toBe(undefined);
    expect(await room.get(room.resume(dan))).toBe(undefined);
  });

  test("[SE34] a peer whose log is gone never comes back under its old id", async () => {
    open();
    const [, second] = await room.durableGroup([ann, bob]);
    closeTab(second!);
    const disk = room.disk(bob);
    await disk.write([{ type: "delete-range", from: "group/", to: "group0" }]);
    const error = await room.failure(room.resume(bob));
    expect(hasCode(error, "corrupt-state")).toBe(true);
  });
});

/** A page's visibility, turned by hand. */
class Page {
  isHidden = false;
  readonly #listeners = new Set<() => void>();

  on(_event: "visibility", listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  turn(isHidden: boolean): void {
    this.isHidden = isHidden;
    for (const listener of this.#listeners) listener();
  }
}

describe("hidden pages", () => {
  test("[SE35] a leader nobody sees hands over to a voter somebody sees, and only to such a one", async () => {
    open();
    const pages = [new Page(), new Page(), new Page()];
    const sessions = [await room.get(room.host(room.seam(ann), { peerCount: 3, visibility: pages[0] }))];
    for (const [at, id] of [bob, cat].entries()) sessions.push(await room.get(room.join(room.seam(id), { visibility: pages[at + 1] })));
    expect(await room.until(() => isWhole(sessions, 3))).toBe(true);
    pages[1]!.turn(true);
    await room.clock.advance(1_000);
    const { term } = sessions[0]!.node.status;
    pages[0]!.turn(true);
    expect(await room.until(() => sessions[2]!.node.role === "leader")).toBe(true);
    expect(sessions[2]!.node.status.term).toBe(term + 1);
    pages[2]!.turn(true);
    await room.clock.advance(30_000);
    expect(sessions[2]!.node.role).toBe("leader");
    pages[1]!.turn(false);
    expect(await room.until(() => sessions[1]!.node.role === "leader")).toBe(true);
    await move(sessions[0]!, "hidden players play on");
  });
});

describe("the same person as another peer", () => {
  // Real keys are the identity's; here a signature is the text itself, in hexadecimal.
  const hex = (text: string): string => toHex(utf8(text));
  const verifyClaim: VerifyClaim = (claim, text) => Promise.resolve(claim.signature === hex(text) && claim.publicKey === hex(claim.peer));
  const claimOf = (session: GameSession, from: PeerId): SeatClaim => ({ peer: from, publicKey: hex(from), signature: hex(seatClaimText(session.groupId, from, session.selfId)) });

  test("[SE36] has the seat again with a proof, and only once the first is really gone", async () => {
    open();
    const players = await room.durableGroup([ann, bob], { verifyClaim });
    const watcher = await room.get(room.spectate(room.seam(cat), { verifyClaim }));
    watcher.claimSeat(claimOf(watcher, bob));
    await room.clock.advance(30_000);
    expect(seats(players[0]!)).toEqual([ann, bob]);
    closeTab(players[1]!);
    expect(await room.until(() => seats(watcher).join() === "ann,cat")).toBe(true);
    expect(await room.until(() => isWhole([players[0]!, watcher], 2))).toBe(true);
    await move(watcher, "mine again");
    const late = await room.get(room.resume(bob, { verifyClaim }));
    expect(await room.until(() => late!.isClosed)).toBe(true);
    expect(hasCode(room.endings.get(bob), "roster-full")).toBe(true);
  });

  test("[SE36] a claim without a proof, for another peer or another group moves no seat", async () => {
    open();
    const players = await room.durableGroup([ann, bob], { verifyClaim });
    const watcher = await room.get(room.spectate(room.seam(cat), { verifyClaim }));
    closeTab(players[1]!);
    const good = claimOf(watcher, bob);
    for (const bad of [{ ...good, signature: hex("seat of bob") }, { ...good, publicKey: hex(ann) }, claimOf(players[0]!, bob), { ...good, signature: hex(seatClaimText("another", bob, cat)) }]) {
      watcher.claimSeat(bad);
      await room.clock.advance(5_000);
      expect(seats(players[0]!)).toEqual([ann, bob]);
    }
  });

  test("[SE36] a leader that asks for its own old seat lets a seat holder decide", async () => {
    open();
    const players = await room.durableGroup([ann, bob], { verifyClaim });
    const watcher = await room.get(room.spectate(room.seam(cat), { verifyClaim }));
    expect(await room.until(() => players[0]!.node.membership.voters.length === 3)).toBe(true);
    const leader = players.find((session) => session.node.role === "leader")!;
    await room.get(leader.node.transferLeadership(cat));
    watcher.claimSeat(claimOf(watcher, bob));
    closeTab(players[1]!);
    expect(await room.until(() => seats(watcher).join() === "ann,cat")).toBe(true);
  });

  test("[SE37] by the game's own word, when everything that proved it is lost, and not while the seat's owner is here", async () => {
    open();
    const asked: AdmissionRequest[] = [];
    const admit: Admit = (request) => {
      asked.push(request);
      return request.name === "Bob, who knows the word" ? { seatOf: bob } : true;
    };
    const players = await room.durableGroup([ann, bob], { admit });
    const early = await room.get(room.spectate(room.seam(dan), { admit, name: "Bob, who knows the word" }));
    await room.clock.advance(10_000);
    expect(seats(early)).toEqual([ann, bob]);
    await room.get(early.leave());
    room.depart(dan);
    expect(await room.until(() => isWhole(players, 2))).toBe(true);
    closeTab(players[1]!);
    const watcher = await room.get(room.spectate(room.seam(cat), { admit, name: "Bob, who knows the word" }));
    expect(await room.until(() => seats(watcher).join() === "ann,cat")).toBe(true);
    expect(asked.at(-1)).toMatchObject({ peer: cat, wants: "watch", returning: false, absent: [{ seat: 1, peer: bob, name: "Player" }] });
    expect(watcher.presence.self.declares).toBe("join");
    await move(watcher, "back again");
  });
});
