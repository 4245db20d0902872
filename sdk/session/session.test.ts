// Whole sessions on seams of one process, in virtual time.
import { afterEach, describe, expect, test } from "vitest";
import { hasCode, type PeerId } from "../base/index.ts";
import { gameNode, type GameHostOptions } from "./enter.ts";
import { encodeRosterCommand, seatOf } from "./roster.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, dan, eve, fay, Room } from "./test-room.ts";

let room: Room;
const open = (delayMs?: number): Room => (room = new Room(delayMs));
const seats = (session: GameSession): (PeerId | undefined)[] => session.roster.seats.map((taken) => taken?.peer);
const settled = (session: GameSession, voters: number): boolean => session.node.membership.voters.length === voters && session.node.membership.votersOutgoing.length === 0;
const leaders = (sessions: readonly GameSession[]): GameSession[] => sessions.filter((session) => !session.isClosed && session.node.role === "leader");
const sameRoom = (...sessions: readonly GameSession[]): boolean => new Set(sessions.map((session) => session.groupId)).size === 1;

async function commits(session: GameSession): Promise<boolean> {
  const payload = Uint8Array.of(1, 2, 3);
  return room.get(session.node.propose(payload).then(() => true, () => false));
}

/** Everything a room's sessions started is gone: only the hub's own timers may remain, and they are waited for; a timer that renews itself would not end. */
async function expectNothingRunning(): Promise<void> {
  await room.clock.advance(120_000);
  expect(room.clock.pendingTimers).toBe(0);
}

afterEach(async () => {
  await room.end();
  await expectNothingRunning();
});

describe("hosting", () => {
  test("[SE11] a host returns alone, at quorum or full, and admits the rest in the background", async () => {
    open();
    const host = room.host(room.seam(ann), { peerCount: 3, returnAt: "quorum" });
    let isHosting = false;
    void host.then(() => (isHosting = true));
    await room.clock.advance(5_000);
    expect(isHosting).toBe(false);
    const second = await room.get(room.join(room.seam(bob), { name: "Bob" }));
    const first = await room.get(host);
    expect(seats(first)).toEqual([ann, bob, undefined]);
    const third = await room.get(room.join(room.seam(cat)));
    expect(await room.until(() => seats(first).every((peer) => peer !== undefined))).toBe(true);
    expect([seats(second), seats(third)]).toEqual([[ann, bob, cat], [ann, bob, cat]]);
    expect(first.node.membership.voters).toEqual([ann, bob, cat]);
    expect(first.roster.seats[1]?.name).toBe("Bob");
    expect(sameRoom(first, second, third)).toBe(true);
  });

  test("[SE8] a second host fails before it starts, and leaves nothing behind", async () => {
    open();
    const first = await room.get(room.host(room.seam(ann)));
    const error = await room.failure(room.host(room.seam(bob)));
    expect(hasCode(error, "duplicate-host")).toBe(true);
    await first.close();
    await expectNothingRunning();
  });

  test("[SE9] of two hosts at the same moment, 50 ms apart on the wire, the lowest id goes on and the other joins", async () => {
    open(50);
    const seams = [room.seam(bob), room.seam(ann)] as const;
    const higher = room.host(seams[0]);
    await room.clock.advance(10);
    const lower = room.host(seams[1]);
    expect(await room.failure(higher)).toMatchObject({ code: "duplicate-host", host: ann });
    const host = await room.get(lower);
    const joiner = await room.get(room.join(seams[0]));
    expect(seats(host)).toEqual([ann, bob]);
    expect(sameRoom(host, joiner)).toBe(true);
  });

  test("[SE9] a declaration that arrives just before the deadline of the higher one leaves one host", async () => {
    for (let early = 0; early <= 120; early += 20) {
      open(50);
      const [late, silent] = [room.seam(ann), room.seam(bob)];
      const outcomes: string[] = [];
      const note = (promise: Promise<GameSession>): void => void promise.then(() => outcomes.push("hosts"), () => outcomes.push("yields"));
      note(room.host(silent));
      await room.clock.advance(2_000 - early);
      note(room.host(late));
      await room.clock.advance(6_000);
      expect([early, outcomes.sort()]).toEqual([early, ["hosts", "yields"]]);
      await room.end();
    }
  });

  test("[SE10] two lone hosts that could not see each other become one when they can", async () => {
    open();
    const seams = [room.seam(ann), room.seam(bob)] as const;
    room.hub.cut(ann, bob);
    const first = await room.get(room.host(seams[1]));
    await room.clock.advance(3_000);
    const second = await room.get(room.host(seams[0]));
    const ended: unknown[] = [];
    second.on("closed", (reason) => ended.push(reason));
    room.hub.heal();
    expect(await room.until(() => ended.length > 0)).toBe(true);
    expect(ended[0]).toMatchObject({ code: "duplicate-host", host: bob });
    expect(first.isClosed).toBe(false);
    const joiner = await room.get(room.join(seams[0]));
    expect(seats(joiner)).toEqual([bob, ann]);
  });
});

describe("joining", () => {
  test("[SE13] a joiner votes and sits when it returns", async () => {
    open();
    const [, second] = await room.group([ann, bob]);
    expect(seatOf(second!.roster, bob)).toBe(1);
    expect(second!.node.membership.voters).toEqual([ann, bob]);
    expect(await commits(second!)).toBe(true);
  });

  test("[SE13] [SE25] with voters capped the next players sit as learners, and may act", async () => {
    open();
    const sessions = await room.group([ann, bob, cat], { votersMax: 2 });
    expect(sessions[2]!.node.role).toBe("learner");
    expect(seats(sessions[2]!)).toEqual([ann, bob, cat]);
    expect(await commits(sessions[2]!)).toBe(true);
  });

  test("[SE14] a joiner that comes after admission closed is told at once", async () => {
    open();
    await room.group([ann, bob]);
    const started = room.clock.now();
    expect(await room.failure(room.join(room.seam(cat)))).toMatchObject({ code: "roster-full", seats: 2 });
    expect(room.clock.now() - started).toBeLessThan(1_000);
  });

  test("[SE14] [SE24] without a host a joiner times out and leaves nothing behind, also when aborted", async () => {
    open();
    expect(await room.failure(room.join(room.seam(ann)))).toMatchObject({ code: "join-timeout" });
    await expectNothingRunning();
    const abort = new AbortController();
    const joining = room.failure(room.join(room.seam(bob), { signal: abort.signal }));
    abort.abort(new Error("enough"));
    expect(await joining).toMatchObject({ message: "enough" });
    await expectNothingRunning();
  });

  test("[SE12] a peer that connects and never speaks is not admitted", async () => {
    open();
    const host = await room.get(room.host(room.seam(ann)));
    room.seam(bob);
    await room.clock.advance(20_000);
    expect(host.node.membership).toMatchObject({ voters: [ann], learners: [] });
    expect(seats(host)).toEqual([ann, undefined]);
  });

  test("[SE5] a modified client that seats itself in the log sits nowhere", async () => {
    open();
    const [first] = await room.group([ann, bob], { peerCount: 3 });
    const watcher = await room.get(room.spectate(room.seam(cat)));
    await room.get(watcher.node.propose(encodeRosterCommand({ type: "seat", peer: cat, seat: 2, name: "Cat" }), { lane: 2 }));
    await room.clock.advance(500);
    expect(seats(first!)).toEqual([ann, bob, undefined]);
  });

  test("[SE23] the game's own rule refuses with a reason; one that throws refuses too", async () => {
    open();
    const admit: GameHostOptions["admit"] = ({ name }) => {
      if (name === "Boom") throw new Error("bug");
      return name === "Eve" ? { refuse: "no Eves" } : true;
    };
    await room.get(room.host(room.seam(ann), { peerCount: 3, admit }));
    expect(await room.failure(room.join(room.seam(eve), { name: "Eve" }))).toMatchObject({ code: "admission-refused", reason: "no Eves" });
    expect(await room.failure(room.join(room.seam(fay), { name: "Boom" }))).toMatchObject({ code: "admission-refused" });
    const bobs = await room.get(room.join(room.seam(bob), { name: "Bob" }));
    expect(seats(bobs)).toEqual([ann, bob, undefined]);
  });

  test("[SE23] who came to play something else is refused", async () => {
    open();
    await room.get(room.host(room.seam(ann), { rules: "chess@1" }));
    expect(await room.failure(room.join(room.seam(bob), { rules: "chess@2" }))).toMatchObject({ code: "admission-refused" });
  });

  test("[SE7] a kicked player is told why, loses its seat to the next, and is not let in again", async () => {
    open();
    const [first, second] = await room.group([ann, bob]);
    const ended: unknown[] = [];
    second!.on("closed", (reason) => ended.push(reason));
    await room.get(first!.kick(bob, "rude"));
    expect(await room.until(() => ended.length > 0)).toBe(true);
    expect(ended[0]).toMatchObject({ code: "kicked", reason: "rude" });
    const third = await room.get(room.join(room.seam(cat)));
    expect(seats(third)).toEqual([ann, cat]);
    expect(await room.failure(room.join(room.seam(bob)))).toMatchObject({ code: "kicked", reason: "rude" });
  });
});

describe("watching", () => {
  test("[SE15] [SE16] a late spectator is not seated and stays through membership changes", async () => {
    open();
    const players = await room.group([ann, bob, cat], { peerCount: 4 });
    const watcher = await room.get(room.spectate(room.seam(eve)));
    await room.get(room.join(room.seam(dan)));
    expect(seats(watcher)).toEqual([ann, bob, cat, dan]);
    await room.get(players[1]!.leave());
    room.depart(bob);
    await room.clock.advance(5_000);
    const { voters, learners } = watcher.node.membership;
    expect([...voters, ...learners]).toContain(eve);
    expect(voters).not.toContain(bob);
    expect(await commits(players[0]!)).toBe(true);
    await room.clock.advance(500);
    expect(watcher.node.appliedIndex).toBe(players[0]!.node.appliedIndex);
  });

  test("[SE15] a match without spectators says so; without a match a spectator times out", async () => {
    open();
    expect(await room.failure(room.spectate(room.seam(cat)))).toMatchObject({ code: "spectate-timeout" });
    await room.get(room.host(room.seam(ann), { spectators: false }));
    expect(await room.failure(room.spectate(room.seam(bob)))).toMatchObject({ code: "spectators-closed" });
  });

  test("[SE26] a spectator makes two voters three, and a crash of the leader is survived", async () => {
    open();
    const players = await room.group([ann, bob]);
    const watcher = await room.get(room.spectate(room.seam(cat)));
    expect(await room.until(() => watcher.node.role === "follower" && players.every((player) => settled(player, 3)))).toBe(true);
    const leader = leaders(players)[0]!;
    const other = players.find((player) => player !== leader)!;
    room.hub.kill(leader.selfId, { noticedAfterMs: 60_000 });
    expect(await room.until(() => leaders([other, watcher]).length === 1)).toBe(true);
    expect(await commits(other)).toBe(true);
    expect(seats(other)).toEqual([ann, bob]);
  });
});

describe("management follows leadership", () => {
  test("[SE26] [SE17] both players leave one after the other: the spectator holds the match and lets the next ones in", async () => {
    open();
    const players = await room.group([ann, bob]);
    const watcher = await room.get(room.spectate(room.seam(cat)));
    expect(await commits(players[0]!)).toBe(true);
    expect(await room.until(() => settled(watcher, 3))).toBe(true);
    for (const player of players) {
      await room.get(player.leave());
      room.depart(player.selfId);
      await room.clock.advance(3_000);
    }
    expect(watcher.node.role).toBe("leader");
    const next = await room.get(room.join(room.seam(dan)));
    expect(seats(next)).toEqual([dan, undefined]);
    expect(next.node.commitIndex).toBeGreaterThan(4);
    expect(await commits(next)).toBe(true);
  });

  test("[SE17] [SE21] after the host left somebody else admits the next joiner, to the seat that was given up", async () => {
    open();
    const players = await room.group([ann, bob, cat]);
    await room.get(players[0]!.leave());
    room.depart(ann);
    const joiner = await room.get(room.join(room.seam(dan)));
    expect(seats(joiner)).toEqual([dan, bob, cat]);
    expect(joiner.node.membership.voters).toEqual([bob, cat, dan]);
    expect(await room.failure(room.join(room.seam(eve)))).toMatchObject({ code: "roster-full" });
  });

  test("[SE21] of five the leader's tab is closed again and again, each time as soon as the next has led for a moment, and the last one still decides", async () => {
    open();
    let players = await room.group([ann, bob, cat, dan, eve]);
    while (players.length > 1) {
      const leader = players.find(({ node }) => node.role === "leader")!;
      leader.part();
      room.depart(leader.selfId);
      players = players.filter((player) => player !== leader);
      expect(await room.until(() => players.some(({ node }) => node.role === "leader"))).toBe(true);
      // Less than the pause between two looks at who is silent.
      await room.clock.advance(400);
      expect(players.map(({ node }) => node.membership.voters.length)).toEqual(players.map(() => players.length));
    }
    expect(await commits(players[0]!)).toBe(true);
  });

  test("[SE22] the leader leaves a match of two and the other goes on at once", async () => {
    open();
    const [first, second] = await room.group([ann, bob]);
    const left = room.clock.now();
    await room.get(first!.leave());
    room.depart(ann);
    expect(await commits(second!)).toBe(true);
    expect(room.clock.now() - left).toBeLessThan(1_000);
    expect(await room.until(() => second!.node.membership.voters.length === 1)).toBe(true);
  });

  test("[SE22] the other voter of two is gone for the eviction window: the leader goes on alone and the seat stays", async () => {
    open();
    const [first] = await room.group([ann, bob]);
    room.hub.kill(bob, { noticedAfterMs: 3_000 });
    expect(await room.until(() => first!.node.membership.voters.length === 1, 20_000)).toBe(true);
    expect(seats(first!)).toEqual([ann, bob]);
    expect(await commits(first!)).toBe(true);
  });

  test("[SE20] who comes back under its id sits in its own seat again", async () => {
    open();
    const [first] = await room.group([ann, bob]);
    room.hub.kill(bob);
    expect(await room.until(() => first!.node.membership.voters.length === 1, 20_000)).toBe(true);
    const again = await room.get(room.join(room.seam(bob)));
    expect(seats(again)).toEqual([ann, bob]);
    expect(again.node.membership.voters).toEqual([ann, bob]);
  });

  test("[SE18] two of five that die at once are evicted and keep their seats", async () => {
    open();
    const players = await room.group([ann, bob, cat, dan, eve]);
    room.hub.kill(dan);
    room.hub.kill(eve);
    expect(await room.until(() => players[0]!.node.membership.voters.length === 3, 20_000)).toBe(true);
    expect(seats(players[0]!)).toEqual([ann, bob, cat, dan, eve]);
    expect(await commits(players[1]!)).toBe(true);
  });

  test("[SE19] a blip shorter than the window, and a quiet player, evict nobody", async () => {
    open();
    const players = await room.group([ann, bob, cat]);
    const { commitIndex } = players[0]!.node;
    room.hub.partition([ann, bob], [cat]);
    await room.clock.advance(6_000);
    room.hub.heal();
    await room.clock.advance(60_000);
    expect(leaders(players)[0]!.node.membership.voters).toEqual([ann, bob, cat]);
    // Elections may have added entries; membership changes would have added more.
    expect(leaders(players)[0]!.node.commitIndex - commitIndex).toBeLessThan(4);
  });

  test("[SE17] the leader crashes among three: the others elect, evict and admit", async () => {
    open();
    const players = await room.group([ann, bob, cat], { peerCount: 4 });
    room.hub.kill(ann, { noticedAfterMs: 15_000 });
    const joiner = await room.get(room.join(room.seam(dan), { joinAdmissionTimeoutMs: 60_000 }));
    expect(seats(joiner)).toEqual([ann, bob, cat, dan]);
    expect(await room.until(() => !players[1]!.node.membership.voters.includes(ann), 30_000)).toBe(true);
  });

  test("a joiner that dies in the middle of its admission holds no seat and blocks nobody", async () => {
    for (const afterMs of [30, 60, 100, 150, 200, 300]) {
      open();
      const host = await room.get(room.host(room.seam(ann)));
      void room.join(room.seam(bob)).catch(() => undefined);
      await room.clock.advance(afterMs);
      room.hub.kill(bob);
      const next = await room.get(room.join(room.seam(cat), { joinAdmissionTimeoutMs: 60_000 })).catch(() => undefined);
      // Either bob was seated in time, and keeps the seat, or cat has it.
      expect([afterMs, seats(host)[1], next === undefined]).toEqual([afterMs, next === undefined ? bob : cat, next === undefined]);
      expect(await commits(host)).toBe(true);
      await room.end();
    }
  });
});

describe("a roster known beforehand", () => {
  test("[SE27] elects without a host and seats in the order given", async () => {
    open();
    const ids = [cat, ann, bob];
    const sessions = await room.get(Promise.all(ids.map((id) => room.keep(gameNode(room.seam(id), ids, room.environment)))));
    expect(leaders(sessions)).toHaveLength(1);
    expect(sessions.map(seats)).toEqual([ids, ids, ids]);
    expect(await commits(sessions[2]!)).toBe(true);
    await expect(gameNode(room.seam(dan), ids, room.environment)).rejects.toMatchObject({ code: "invalid-argument" });
  });
});

describe("ends", () => {
  test("[SE24] closing twice is closing once, and a torn seam closes the session", async () => {
    open();
    const [first, second] = await room.group([ann, bob]);
    const ended: unknown[] = [];
    second!.on("closed", (reason) => ended.push(reason));
    first!.on("closed", (reason) => ended.push(reason));
    await room.get(Promise.all([first!.close(), first!.close()]));
    room.hub.kill(bob);
    await room.clock.advance(1_000);
    expect([first!.isClosed, second!.isClosed, ended.length]).toEqual([true, true, 2]);
  });

  test("[SE40] who falls silent is shown as away and then as gone, without anything else happening", async () => {
    open();
    const [first] = await room.group([ann, bob]);
    const seen: string[] = [];
    first!.on("change", () => {
      const standing = first!.standingOf(bob);
      if (seen.at(-1) !== standing) seen.push(standing);
    });
    room.hub.block(bob, ann);
    room.hub.block(ann, bob);
    await room.clock.advance(15_000);
    expect(seen.slice(-2)).toEqual(["away", "gone"]);
  });

  test("names change for everybody", async () => {
    open();
    const [first, second] = await room.group([ann, bob]);
    await room.get(second!.rename("  Roberta "));
    await room.clock.advance(200);
    expect([first!.roster.seats[1]?.name, first!.presence.states.get(bob)?.name]).toEqual(["Roberta", "Roberta"]);
  });

  test("however long a name or a reason is, the word counts, with as much of it as is shown", async () => {
    open();
    const [first, second] = await room.group([ann, bob]);
    await room.get(second!.rename("R".repeat(2_000)));
    expect(await room.until(() => first!.roster.seats[1]?.name === "R".repeat(40))).toBe(true);
    await room.get(first!.kick(bob, "y".repeat(2_000)));
    expect(first!.roster.kicked).toEqual([{ peer: bob, reason: "y".repeat(200) }]);
  });

  test("a player that gives up its seat to watch stays as a spectator", async () => {
    open();
    const [first, second] = await room.group([ann, bob]);
    await room.get(second!.stand());
    await room.clock.advance(3_000);
    expect(seats(first!)).toEqual([ann, undefined]);
    const { voters, learners } = first!.node.membership;
    expect([...voters, ...learners]).toContain(bob);
  });
});
