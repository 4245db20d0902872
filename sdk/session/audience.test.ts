import { afterEach, beforeEach, expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { decodeEnvelope, encodeEnvelope } from "../replica/envelope.ts";
import { decodeFeedFrame, encodeFeedFrame } from "../replica/feed-frame.ts";
import { HEADER_BYTES } from "../replica/frame.ts";
import { LANE_GAME, LANE_SESSION, type LogEvent } from "../replica/index.ts";
import { MuxSeam, PRESENCE_TAG, type Seam } from "../seam/index.ts";
import { Presence } from "./presence.ts";
import { encodeRosterCommand, seatOf, type RosterCommand } from "./roster.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, Room } from "./test-room.ts";

const w = (at: number): PeerId => peerId(`w${at}`);
let room: Room;
beforeEach(() => void (room = new Room()));
afterEach(async () => {
  await room.end();
  expect(room.clock.pendingTimers).toBe(0);
});

/** A seam of a peer that alters the commands it feeds others, from when it is told to. */
function lyingSeam(id: PeerId): { readonly seam: Seam; lie: ((payload: Uint8Array) => Uint8Array) | undefined } {
  const liar: ReturnType<typeof lyingSeam> = { seam: room.seam(id), lie: undefined };
  const tell = liar.seam.sendTo.bind(liar.seam);
  liar.seam.sendTo = (to, frame) => {
    if (frame[0] !== FEED_TAG || liar.lie === undefined) return tell(to, frame);
    const { lie } = liar;
    const header = frame.subarray(1, 1 + HEADER_BYTES);
    const message = decodeFeedFrame(frame.subarray(1));
    if (message.type !== "entries") return tell(to, frame);
    const entries = message.entries.map((entry) => {
      if (entry.kind !== 1) return entry;
      const envelope = decodeEnvelope(entry.data);
      return envelope.lane === LANE_SESSION ? { ...entry, data: encodeEnvelope({ ...envelope, payload: lie(envelope.payload) }) } : entry;
    });
    return tell(to, Uint8Array.from([FEED_TAG, ...encodeFeedFrame(header, { ...message, entries })]));
  };
  return liar;
}

const FEED_TAG = 9;
const leaderOf = (sessions: readonly GameSession[]): GameSession => sessions.find(({ node, isClosed }) => !isClosed && node.role === "leader")!;
const isFed = ({ node }: GameSession): boolean => node.status.feed !== undefined;
const isMember = ({ node, selfId }: GameSession): boolean => [...node.membership.voters, ...node.membership.learners].includes(selfId);
const moves = (session: GameSession): number[] => {
  const seen: number[] = [];
  session.node.follow((event: LogEvent) => void (event.type === "command" && event.lane === LANE_GAME && seen.push(event.payload[0] ?? 0)))();
  return seen;
};
const play = (session: GameSession, byte: number): Promise<unknown> => room.get(session.node.propose(Uint8Array.of(byte)));

/** Three players and `count` spectators. */
async function gathering(count: number, options = {}): Promise<{ readonly players: GameSession[]; readonly watchers: GameSession[] }> {
  const players = await room.group([ann, bob, cat], options);
  const watchers: GameSession[] = [];
  for (let at = 1; at <= count; at += 1) watchers.push(await room.get(room.spectate(room.seam(w(at)), options)));
  await room.clock.advance(1_000);
  return { players, watchers };
}

test("[SE60] the first spectators are members, all further ones are fed, and all of them see the match", async () => {
  const { players, watchers } = await gathering(9);
  await play(players[0]!, 7);
  await room.clock.advance(2_000);
  expect(watchers.filter(isMember)).toHaveLength(4);
  expect(watchers.filter(isFed)).toHaveLength(5);
  for (const watcher of watchers) {
    expect(moves(watcher)).toEqual([7]);
    expect(watcher.roster).toEqual(players[0]!.roster);
    expect(players[0]!.presence.states.get(watcher.selfId)).toMatchObject({ declares: "spectate" });
  }
  expect(players[0]!.people.filter(({ seat, presence }) => seat === undefined && presence === "here").map(({ peer }) => peer)).toEqual(watchers.map(({ selfId }) => selfId).sort());
  expect(leaderOf(players).node.membership.learners).toEqual(watchers.filter(isMember).map(({ selfId }) => selfId).sort());
});

test("[SE60] who is fed comes and goes without an entry in the log", async () => {
  const { players } = await gathering(4);
  const before = players[0]!.node.commitIndex;
  const fed = [await room.get(room.spectate(room.seam(w(8)))), await room.get(room.spectate(room.seam(w(9))))];
  await room.clock.advance(3_000);
  expect(fed.every(isFed)).toBe(true);
  await fed[0]!.leave();
  room.depart(w(8));
  await room.clock.advance(15_000);
  expect(players[0]!.node.commitIndex).toBe(before);
});

test("[SE61] the feed goes on when the leader and when a parent goes", async () => {
  const { players, watchers } = await gathering(7, { learningSpectators: 1, feedFanOut: 1 });
  const fed = watchers.filter(isFed);
  expect(fed.length).toBe(6);
  const depths = fed.map(({ node }) => node.status.feed!.depth);
  expect(Math.max(...depths)).toBeGreaterThan(1);
  const parents = fed.map(({ node }) => node.status.feed!.parent);
  const gone = fed.find(({ selfId }) => parents.includes(selfId))!;
  room.hub.kill(gone.selfId, { noticedAfterMs: 500 });
  await gone.close();
  const host = leaderOf(players);
  await play(players[1]!, 1);
  await host.leave();
  room.depart(host.selfId);
  await room.until(() => players.some((player) => player !== host && player.node.role === "leader"));
  const others = players.filter((player) => player !== host);
  await play(others[0]!, 2);
  await room.clock.advance(15_000);
  for (const watcher of fed) if (watcher !== gone) expect([watcher.selfId, moves(watcher)]).toEqual([watcher.selfId, [1, 2]]);
});

test("[SE62] who is fed proposes, as itself", async () => {
  const { players, watchers } = await gathering(6);
  const fed = watchers.find(isFed)!;
  await play(fed, 9);
  await room.clock.advance(500);
  const proposers: PeerId[] = [];
  players[0]!.node.follow((event) => void (event.type === "command" && event.lane === LANE_GAME && proposers.push(event.proposer)))();
  expect(proposers).toEqual([fed.selfId]);
});

test("[SE63] who is fed and asks for a seat becomes a member, sits, and votes", async () => {
  const { players, watchers } = await gathering(6);
  const fed = watchers.find(isFed)!;
  await play(players[0]!, 3);
  // No seat is free: it stays where it is.
  const sitting = fed.sit();
  await room.clock.advance(3_000);
  expect(isFed(fed)).toBe(true);
  await room.get(players[2]!.stand());
  await room.get(sitting);
  expect(seatOf(fed.roster, fed.selfId)).toBe(2);
  await play(fed, 4);
  await room.until(() => fed.node.membership.voters.includes(fed.selfId));
  expect(isFed(fed)).toBe(false);
  expect(fed.presence.self).toMatchObject({ declares: "join", synced: true });
  expect(moves(fed)).toEqual([3, 4]);
  expect(fed.node.membership.voters).toContain(fed.selfId);
});

test("[SE63] who is fed moves up when a spectator that was a member goes, and where a spare is wanted", async () => {
  const { watchers } = await gathering(6);
  const [member] = watchers.filter(isMember);
  await member!.leave();
  room.depart(member!.selfId);
  expect(await room.until(() => watchers.filter((watcher) => watcher !== member && isMember(watcher) && !isFed(watcher)).length === 4)).toBe(true);
  await room.end();
  room = new Room();
  const players = await room.group([ann, bob], { learningSpectators: 0 });
  const spare = await room.get(room.spectate(room.seam(w(1)), { learningSpectators: 0 }));
  const fed = await room.get(room.spectate(room.seam(w(2)), { learningSpectators: 0 }));
  expect(await room.until(() => players[0]!.node.membership.voters.length === 3)).toBe(true);
  expect([spare, fed].map(isFed)).toEqual([false, true]);
});

test("[SE7] [SE64] a kick ends a feed, with the reason", async () => {
  const { players, watchers } = await gathering(6);
  const fed = watchers.find(isFed)!;
  await room.get(players[0]!.kick(fed.selfId, "spoilers"));
  await room.until(() => fed.isClosed);
  expect(fed.failure).toMatchObject({ code: "kicked" });
  expect(fed.failure?.message).toContain("spoilers");
  const again = await room.failure(room.spectate(room.seam(fed.selfId)));
  expect(again).toMatchObject({ code: "kicked" });
});

test("[SE23] [SE64] the game's own rule is asked about who is to be fed, too", async () => {
  const admit = ({ peer }: { readonly peer: PeerId }): true | { readonly refuse: string } => (peer === w(9) ? { refuse: "no cameras" } : true);
  await gathering(5, { admit });
  const refused = await room.failure(room.spectate(room.seam(w(9)), { admit }));
  expect(refused).toMatchObject({ code: "admission-refused" });
});

test("[SE65] a relay that says of its child that it was put out, or that it sits, ends nothing: the child finds out, and watches on", async () => {
  const players = await room.group([ann, bob], { learningSpectators: 0, feedFanOut: 1 });
  const options = { learningSpectators: 0, feedFanOut: 1 };
  const liar = lyingSeam(w(1));
  await room.get(room.spectate(liar.seam, options));
  await room.get(room.spectate(room.seam(w(2)), options));
  // Children of the first two, and of those.
  const below = [await room.get(room.spectate(room.seam(w(3)), options)), await room.get(room.spectate(room.seam(w(4)), options))];
  const child = below.find(({ node }) => node.status.feed?.parent === w(1))!;
  const lies: readonly RosterCommand[] = [{ type: "kick", peer: child.selfId, reason: "lie" }, { type: "reseat", from: bob, to: child.selfId, name: "me" }];
  for (const lie of lies) {
    liar.lie = () => encodeRosterCommand(lie);
    await room.get(players[1]!.rename(`${lie.type}d`));
    await room.until(() => (lie.type === "kick" ? child.roster.kicked.length > 0 : seatOf(child.roster, child.selfId) !== undefined), 5_000);
    liar.lie = undefined;
    expect([lie.type, child.isClosed]).toEqual([lie.type, false]);
    expect(await room.until(() => child.roster.index === players[0]!.roster.index && child.roster.kicked.length === 0 && seatOf(child.roster, child.selfId) === undefined, 60_000)).toBe(true);
    expect(child.roster).toEqual(players[0]!.roster);
    expect(child.presence.self.declares).toBe("spectate");
  }
  await play(players[0]!, 4);
  expect(await room.until(() => moves(child).includes(4))).toBe(true);
});

test("[SE32] an audience whose leader gave way goes where the room plays", async () => {
  const lone = await room.get(room.host(room.seam(ann), { learningSpectators: 0, spares: false }));
  const watcher = await room.get(room.spectate(room.seam(w(1)), { learningSpectators: 0, spares: false }));
  expect(isFed(watcher)).toBe(true);
  // The leader ends as one that gives way does, and somebody else leads another match in the room.
  await lone.close();
  const other = new Presence(new MuxSeam(room.seam(bob)).channel(PRESENCE_TAG), { declares: "host", name: "bob", synced: true, groupId: "another", lead: { term: 1, members: 1, admission: "open", spectators: "open", seats: 2, openedAt: 0, seated: [bob], refused: [] } });
  let failure: Error | undefined;
  watcher.on("closed", (reason) => (failure = reason));
  expect(await room.until(() => watcher.isClosed)).toBe(true);
  expect(failure).toMatchObject({ code: "moved-on" });
  other.destroy();
});

test("[SE68] where only those are left who watched, newcomers open another match after the eviction window, and those who watch go there", async () => {
  const players = await room.group([ann, bob]);
  const watchers = [await room.get(room.spectate(room.seam(w(1)))), await room.get(room.spectate(room.seam(w(2)), { neverVotes: true }))];
  await room.clock.advance(1_000);
  await Promise.all(players.map((player) => room.get(player.close())));
  // For a while they may come back to it.
  expect(await room.failure(room.host(room.seam(cat)))).toMatchObject({ code: "duplicate-host" });
  room.depart(cat);
  await room.clock.advance(12_000);
  const dan = peerId("dan");
  const newcomer = await room.get(room.host(room.seam(dan), { returnAt: "alone" }));
  expect(newcomer.roster.seats.map((seat) => seat?.peer)).toEqual([dan, undefined]);
  const ends = watchers.map((watcher) => new Promise<Error | undefined>((resolve) => void watcher.on("closed", resolve)));
  expect(await room.until(() => watchers.every(({ isClosed }) => isClosed))).toBe(true);
  for (const end of ends) expect(await end).toMatchObject({ code: "moved-on" });
});

test("[SE68] who sits is waited for, however long nobody leads", async () => {
  const players = await room.group([ann, bob]);
  const watcher = await room.get(room.spectate(room.seam(w(1)), { neverVotes: true }));
  const gone = leaderOf(players);
  const stays = players.find((player) => player !== gone)!;
  room.depart(gone.selfId);
  await room.clock.advance(60_000);
  expect(stays.node.leader).toBeUndefined();
  expect(watcher.presence.self.stranded).toBe(true);
  expect(await room.failure(room.host(room.seam(cat)))).toMatchObject({ code: "duplicate-host" });
  expect([stays.isClosed, watcher.isClosed]).toEqual([false, false]);
});

test("[SE63] a spectator that lost its place among the members while it was away is fed when it is back", async () => {
  const options = { learningSpectators: 1 };
  const { players, watchers } = await gathering(3, options);
  const [first, ...fed] = watchers;
  await first!.leave();
  room.depart(first!.selfId);
  expect(await room.until(() => fed.some((watcher) => isMember(watcher) && !isFed(watcher)))).toBe(true);
  const moved = fed.find((watcher) => !isFed(watcher))!;
  const other = fed.find((watcher) => watcher !== moved)!;
  room.hub.partition([moved.selfId]);
  expect(await room.until(() => isMember(other) && !isFed(other))).toBe(true);
  await play(players[0]!, 5);
  room.hub.heal();
  expect(await room.until(() => isFed(moved) && moves(moved).includes(5))).toBe(true);
  await play(moved, 6);
  await room.clock.advance(1_000);
  expect(moves(players[1]!)).toEqual([5, 6]);
  expect(isMember(moved)).toBe(false);
});
