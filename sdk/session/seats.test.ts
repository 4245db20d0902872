// Who sits, stands, waits and votes, on seams of one process in virtual time.
import { afterEach, describe, expect, test } from "vitest";
import type { PeerId } from "../base/index.ts";
import type { GameHostOptions } from "./enter.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, dan, eve, Room } from "./test-room.ts";

let room: Room;
const open = (): Room => (room = new Room());
const seats = (session: GameSession): (PeerId | undefined)[] => session.roster.seats.map((taken) => taken?.peer);
const voters = (session: GameSession): readonly PeerId[] => session.node.membership.voters;

async function commits(session: GameSession): Promise<boolean> {
  return room.get(session.node.propose(Uint8Array.of(1)).then(() => true, () => false));
}

afterEach(async () => {
  await room.end();
  await room.clock.advance(120_000);
  expect(room.clock.pendingTimers).toBe(0);
});

describe("a seat on request", () => {
  test("[SE43] more players than seats watch, and who asks has the seat that is freed", async () => {
    open();
    const [, second] = await room.group([ann, bob]);
    const watcher = await room.get(room.spectate(room.seam(cat)));
    let hasSat = false;
    const sitting = watcher.sit().then(() => (hasSat = true));
    await room.clock.advance(5_000);
    expect([hasSat, seats(watcher)]).toEqual([false, [ann, bob]]);
    await room.get(second!.stand());
    await room.get(sitting);
    expect(seats(watcher)).toEqual([ann, cat]);
    expect(watcher.presence.self).toMatchObject({ declares: "join" });
    expect(await room.until(() => voters(watcher).includes(cat))).toBe(true);
    await room.get(watcher.sit());
  });

  test("[SE43] the wish can be taken back, and the game's own rule is asked about it", async () => {
    open();
    const admit: GameHostOptions["admit"] = ({ wants, name }) => (wants === "seat" && name === "Cat" ? { refuse: "only watch" } : true);
    await room.group([ann, bob], { peerCount: 3, admit });
    const refused = await room.get(room.spectate(room.seam(cat), { name: "Cat", admit }));
    expect(await room.failure(refused.sit())).toMatchObject({ code: "admission-refused", reason: "only watch" });
    await room.clock.advance(5_000);
    expect([refused.isClosed, seats(refused)]).toEqual([false, [ann, bob, undefined]]);
    const abort = new AbortController();
    const full = await room.get(room.join(room.seam(dan), { admit }));
    const late = await room.get(room.spectate(room.seam(eve), { admit }));
    const waiting = room.failure(late.sit({ signal: abort.signal }));
    await room.clock.advance(1_000);
    abort.abort(new Error("never mind"));
    expect(await waiting).toMatchObject({ message: "never mind" });
    await room.get(full.stand());
    await room.clock.advance(5_000);
    expect(seats(late)).toEqual([ann, bob, undefined]);
  });

  test("[SE43] who stood up, closed the tab and comes to play again has a seat, whatever its old log says on the way", async () => {
    open();
    const [, second] = await room.durableGroup([ann, bob], { spares: false });
    await room.get(second!.stand());
    // As a learner it has nothing to come back to, and its log holds the seat it was given and the word with which it gave that up.
    expect(await room.until(() => second!.node.membership.learners.includes(bob))).toBe(true);
    await room.clock.advance(1_000);
    second!.part();
    room.hub.kill(bob);
    await room.get(second!.close());
    expect(await room.get(room.resume(bob))).toBe(undefined);
    const again = await room.get(room.join(room.seam(bob), { storage: room.disk(bob) }));
    expect(seats(again)).toEqual([ann, bob]);
    expect(again.presence.self).toMatchObject({ declares: "join" });
    expect(again.presence.self.asksSeat).toBe(undefined);
  });

  test("[SE56] a wish that a leader heard and not that it was taken back, its ear being deaf on that side, seats nobody; the next wish does", async () => {
    for (const satBefore of [false, true]) {
      open();
      const [first, second, third] = await room.group([ann, bob, cat], { spares: false });
      const watcher = satBefore ? third! : await room.get(room.spectate(room.seam(dan), { spares: false }));
      const other = satBefore ? await room.get(room.spectate(room.seam(dan), { spares: false })) : undefined;
      if (satBefore) await room.get(watcher.stand());
      if (other !== undefined) await room.get(other.sit());
      void watcher.sit().catch(() => {});
      await room.clock.advance(1_000);
      expect(first!.presence.states.get(watcher.selfId)?.asksSeat).toBe(true);
      // From here on the first hears nothing of the watcher, and leads again before it misses it.
      room.hub.block(watcher.selfId, ann);
      await room.get(first!.node.transferLeadership(bob));
      await room.get(watcher.stand());
      await room.get(second!.node.transferLeadership(ann));
      expect(await room.until(() => first!.node.role === "leader")).toBe(true);
      await room.get((other ?? third!).stand());
      await room.clock.advance(1_000);
      expect([satBefore, first!.presence.states.get(watcher.selfId)?.asksSeat, seats(first!)]).toEqual([satBefore, true, [ann, bob, undefined]]);
      room.hub.heal();
      await room.clock.advance(2_000);
      expect(seats(first!)).toEqual([ann, bob, undefined]);
      await room.get(watcher.sit());
      expect(seats(first!)).toEqual([ann, bob, watcher.selfId]);
      await room.end();
    }
  });

  test("[SE44] who could not stand up because nobody answered still says that it plays", async () => {
    open();
    const [, second] = await room.group([ann, bob]);
    room.hub.kill(ann);
    expect(await room.failure(second!.stand())).toMatchObject({ code: "proposal-timeout" });
    expect([second!.presence.self.declares, seats(second!)]).toEqual(["join", [ann, bob]]);
  });

  test("[SE42] both players stand up, and the match still lets in and seats", async () => {
    open();
    const players = await room.group([ann, bob]);
    for (const player of players) await room.get(player.stand());
    await room.clock.advance(3_000);
    expect(seats(players[0]!)).toEqual([undefined, undefined]);
    expect(seats(await room.get(room.join(room.seam(cat))))).toEqual([cat, undefined]);
    await room.get(players[1]!.sit());
    expect(seats(players[0]!)).toEqual([cat, bob]);
  });

  test("[SE44] a seat taken by who manages is free for the next; its owner watches on and is not seated again unasked", async () => {
    open();
    const [first, second] = await room.group([ann, bob]);
    await room.get(first!.vacate(bob));
    await room.clock.advance(5_000);
    expect([second!.isClosed, second!.presence.self.declares, seats(second!)]).toEqual([false, "spectate", [ann, undefined]]);
    expect(seats(await room.get(room.join(room.seam(cat))))).toEqual([ann, cat]);
    room.hub.kill(cat);
    expect(await room.until(() => first!.standingOf(cat) === "gone")).toBe(true);
    await room.get(first!.vacate(cat));
    await room.get(second!.sit());
    expect(seats(first!)).toEqual([ann, bob]);
  });
});

describe("who votes", () => {
  test("[SE25] [SE26] five players leave one by one, the leader first, down to a single survivor, and the match grows again", async () => {
    open();
    const ids = [ann, bob, cat, dan, eve];
    let players = await room.group(ids);
    for (let left = 4; left >= 1; left -= 1) {
      const leader = players.find((player) => player.node.role === "leader")!;
      await room.get(leader.leave());
      room.depart(leader.selfId);
      players = players.filter((player) => player !== leader);
      expect(await room.until(() => players.some((player) => player.node.role === "leader" && voters(player).length === left))).toBe(true);
      expect(await commits(players[0]!)).toBe(true);
    }
    const gone = ids.filter((id) => !players.some(({ selfId }) => selfId === id));
    for (const id of gone) players.push(await room.get(room.join(room.seam(id))));
    expect(voters(players[0]!)).toHaveLength(5);
    expect(seats(players[0]!).every((peer) => peer !== undefined)).toBe(true);
  });

  test("[SE26] a single player and its spectators are three voters, so that the player's crash is survived", async () => {
    open();
    const host = await room.get(room.host(room.seam(ann)));
    const watchers = [await room.get(room.spectate(room.seam(bob))), await room.get(room.spectate(room.seam(cat)))];
    expect(await room.until(() => voters(host).length === 3)).toBe(true);
    await room.clock.advance(1_000);
    room.hub.kill(ann);
    expect(await room.until(() => watchers.some(({ node }) => node.role === "leader"))).toBe(true);
    expect(seats(await room.get(room.join(room.seam(dan), { joinAdmissionTimeoutMs: 60_000 })))).toEqual([ann, dan]);
  });
});

describe("known traps", () => {
  test("[SE14] a host declared after its slot became 'closed': a full match is joined by nobody and hosted by nobody else", async () => {
    open();
    await room.group([ann, bob]);
    expect(await room.failure(room.host(room.seam(cat)))).toMatchObject({ code: "duplicate-host" });
    expect(await room.failure(room.join(room.seam(dan)))).toMatchObject({ code: "roster-full" });
  });

  test("[SE18] a second death during an eviction: both are gone in the end, and the others play", async () => {
    for (const laterMs of [0, 9_900, 10_000, 10_050, 10_200]) {
      open();
      const players = await room.group([ann, bob, cat, dan, eve]);
      room.hub.kill(dan);
      await room.clock.advance(laterMs);
      room.hub.kill(eve);
      expect(await room.until(() => voters(players[0]!).join() === "ann,bob,cat", 40_000)).toBe(true);
      expect(await commits(players[1]!)).toBe(true);
      await room.end();
    }
  });

  test("[SE17] [SE42] leadership lost in the middle of an admission: whenever the host goes, who is in goes on and the others are let in", async () => {
    for (let afterMs = 0; afterMs <= 400; afterMs += 40) {
      open();
      const [first, second] = await room.group([ann, bob], { peerCount: 4 });
      const joining = room.join(room.seam(cat), { joinAdmissionTimeoutMs: 60_000 });
      await room.clock.advance(afterMs);
      await room.get(first!.leave());
      room.depart(ann);
      const third = await room.get(joining);
      expect([afterMs, await room.until(() => seats(second!).filter((peer) => peer !== undefined).sort().join() === "bob,cat")]).toEqual([afterMs, true]);
      expect(await commits(third)).toBe(true);
      await room.end();
    }
  });

  test("[SE45] a word that was lost while the link stayed is heard all the same, and repeated greetings end", async () => {
    open();
    const [first, second] = await room.group([ann, bob]);
    room.hub.block(bob, ann);
    second!.presence.set({ name: "Roberta" });
    await room.clock.advance(500);
    room.hub.heal();
    expect(await room.until(() => first!.presence.states.get(bob)?.name === "Roberta", 3_000)).toBe(true);
    // The greeting of a link that broke and came again is a word both had heard.
    room.hub.cut(ann, bob);
    await room.clock.advance(200);
    room.hub.heal();
    await room.clock.advance(2_000);
    const { sent } = room.hub.counts;
    await room.clock.advance(10_000);
    expect(room.hub.counts.sent - sent).toBeLessThan(400);
  });

  test("[SE7] a kicked player that was cut off when it was kicked still learns why", async () => {
    open();
    const players = await room.group([ann, bob, cat, dan]);
    const kicked = players[3]!;
    room.hub.partition([dan]);
    await room.get(players[0]!.kick(dan, "rude"));
    expect(await room.until(() => !voters(players[0]!).includes(dan))).toBe(true);
    room.hub.heal();
    expect(await room.until(() => kicked.isClosed)).toBe(true);
    expect(kicked.failure).toMatchObject({ code: "kicked", reason: "rude" });
  });

  test("[SE46] a spare voter that closes and comes back gives the vote without which nobody could lead", async () => {
    open();
    const storage = room.disk(ann);
    await room.get(room.host(room.seam(ann), { peerCount: 1, storage }));
    await room.get(room.spectate(room.seam(bob), { storage: room.disk(bob) }));
    expect(await room.until(() => room.sessions[0]!.node.membership.voters.length === 2)).toBe(true);
    room.hub.kill(bob);
    room.hub.kill(ann);
    await room.clock.advance(1_000);
    const spare = await room.get(room.resume(bob));
    const host = await room.get(room.resume(ann));
    expect(await room.until(() => host!.node.leader !== undefined && spare!.node.leader !== undefined)).toBe(true);
    expect(await commits(host!)).toBe(true);
    expect(spare!.presence.self.declares).toBe("spectate");
  });

  test("ids with odd characters sit, vote and are told apart", async () => {
    open();
    const odd = ["ann ann", "ann/ann", "ÄNN💥", "__proto__", "a".repeat(64)] as PeerId[];
    const sessions = await room.group(odd);
    expect(seats(sessions[4]!)).toEqual(odd);
    expect([...voters(sessions[0]!)].sort()).toEqual([...odd].sort());
    expect(await commits(sessions[4]!)).toBe(true);
  });
});
