// A match whose voters are a fixed core: who votes, who sits, who manages, and what a core does not let itself be told.
import { afterEach, describe, expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { MuxSeam, PRESENCE_TAG, type Seam } from "../seam/index.ts";
import { gameCore, type GameCoreOptions } from "./enter.ts";
import { decideManagement, type ManagementView, type Person } from "./management.ts";
import type { MatchOpening, PresenceState } from "./presence-state.ts";
import { Presence } from "./presence.ts";
import { applyRosterCommand, decodeRosterCommand, EMPTY_ROSTER, encodeRosterCommand, rosterLane, type Roster } from "./roster.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, dan, Room } from "./test-room.ts";

const core: readonly PeerId[] = ["core:a", "core:b", "core:c"].map((id) => peerId(id));
const [a, b, c] = core as [PeerId, PeerId, PeerId];
const opens: MatchOpening = { seats: 2, spectators: "open" };

let room: Room;

const standUp = (id: PeerId, options: Partial<GameCoreOptions> = {}): Promise<GameSession> =>
  room.get(room.keep(gameCore(room.seam(id), { ...room.environment, core, groupId: "the group", storage: room.disk(id), ...options })));
const seats = (session: GameSession): (PeerId | undefined)[] => session.roster.seats.map((taken) => taken?.peer);
const leaders = (sessions: readonly GameSession[]): GameSession[] => sessions.filter((session) => !session.isClosed && session.node.role === "leader");
const commits = (session: GameSession): Promise<boolean> => room.get(session.node.propose(Uint8Array.of(1)).then(() => true, () => false));

async function coreOfThree(): Promise<GameSession[]> {
  room = new Room();
  return [await standUp(a), await standUp(b), await standUp(c)];
}

afterEach(async () => {
  await room.end();
  await room.clock.advance(120_000);
  expect(room.clock.pendingTimers).toBe(0);
});

describe("a fixed core", () => {
  test("[SE51] opens what the first player asks for, votes alone and never sits; players and spectators learn, and propose", async () => {
    const cores = await coreOfThree();
    const one = await room.get(room.join(room.seam(ann), { name: "Ann", rules: "dice@1", opens }));
    const two = await room.get(room.join(room.seam(bob), { rules: "dice@1", opens: { seats: 5, spectators: "closed" } }));
    const three = await room.get(room.spectate(room.seam(cat), { rules: "dice@1" }));
    for (const session of [...cores, one, two, three]) expect(await room.until(() => session.node.membership.learners.length === 3 && seats(session).join() === [ann, bob].join())).toBe(true);
    expect(one.node.membership).toMatchObject({ voters: core, learners: [ann, bob, cat] });
    expect(one.roster).toMatchObject({ core, rules: "dice@1", spectators: "open", votersMax: 3 });
    for (const session of [one, two, three]) expect(await commits(session)).toBe(true);
  });

  test("[SE51] refuses who came for something else, and admits nobody who says to be of the core", async () => {
    const [first] = await coreOfThree();
    await room.get(room.join(room.seam(ann), { rules: "dice@1", opens }));
    expect(String(await room.failure(room.join(room.seam(bob), { rules: "cards@1" })))).toContain("dice@1");
    const stranger = room.seam(dan);
    const pretender = room.keep(gameCore(stranger, { ...room.environment, core: [dan], groupId: "the group" }));
    await room.get(pretender);
    await room.clock.advance(10_000);
    expect(first?.node.membership).toMatchObject({ voters: core, learners: [ann] });
  });

  test("[SE52] a player that is gone is taken out of the learners and keeps its seat; a process of the core that is gone goes on counting", async () => {
    const cores = await coreOfThree();
    const one = await room.get(room.join(room.seam(ann), { opens, storage: room.disk(ann) }));
    await room.get(room.join(room.seam(bob), { storage: room.disk(bob) }));
    room.hub.kill(bob, { noticedAfterMs: 500 });
    expect(await room.until(() => one.node.membership.learners.join() === ann)).toBe(true);
    expect(seats(one)).toEqual([ann, bob]);
    const [leader] = leaders(cores);
    room.hub.kill(leader!.selfId, { noticedAfterMs: 500 });
    await room.clock.advance(60_000);
    expect(leaders(cores)).toHaveLength(1);
    expect(one.node.membership.voters).toEqual(core);
    expect(await commits(one)).toBe(true);
    const back = await room.resume(bob);
    expect(await room.until(() => one.node.membership.learners.length === 2)).toBe(true);
    expect(await commits(back!)).toBe(true);
    expect(seats(back!)).toEqual([ann, bob]);
  });

  test("[SE52] all of it may stop and come back: the match goes on with what was committed", async () => {
    const cores = await coreOfThree();
    const one = await room.get(room.join(room.seam(ann), { opens }));
    expect(await commits(one)).toBe(true);
    const { commitIndex } = one.node;
    for (const session of cores) {
      session.part();
      await session.close();
      room.depart(session.selfId);
    }
    await room.clock.advance(5_000);
    const again = [await standUp(a), await standUp(b)];
    expect(await commits(one)).toBe(true);
    expect(leaders(again)).toHaveLength(1);
    expect(one.node.commitIndex).toBeGreaterThan(commitIndex);
    expect(one.node.membership.voters).toEqual(core);
  });

  test("[SE53] a peer's word of another match, or of a fork, ends no core", async () => {
    room = new Room();
    const alone = await standUp(a, { core: [a] });
    await room.get(room.join(room.seam(ann), { opens }));
    const liar: Seam = room.seam(dan);
    const lead = { term: 99, members: 50, admission: "open", spectators: "open", seats: 2, openedAt: 1, seated: [], refused: [] } as const;
    const said: PresenceState = { declares: "host", name: "Dan", synced: true, groupId: "another", lead };
    const presence = new Presence(new MuxSeam(liar).channel(PRESENCE_TAG), said);
    await room.clock.advance(5_000);
    presence.set({ groupId: "the group.2.0123456789abcdef", lead: { ...lead, fence: { owner: "dan", epoch: 2, token: "0123456789abcdef" } } });
    await room.clock.advance(5_000);
    expect(alone.isClosed).toBe(false);
    expect(alone.node.role).toBe("leader");
    presence.destroy();
  });

  test("[SE54] a process takes the place of another: it learns first, and the word that names the core changes with it", async () => {
    const cores = await coreOfThree();
    const one = await room.get(room.join(room.seam(ann), { opens }));
    const d = peerId("core:d");
    const next = [a, b, d];
    for (const session of cores) {
      session.part();
      await session.close();
      room.depart(session.selfId);
    }
    await standUp(a, { core: next });
    await standUp(b, { core: next });
    expect(await commits(one)).toBe(true);
    expect(one.node.membership.voters).toEqual(core);
    const newcomer = await standUp(d, { core: next, founds: false });
    expect(await room.until(() => newcomer.node.membership.voters.join() === next.join() && newcomer.node.membership.votersOutgoing.length === 0)).toBe(true);
    expect(await room.until(() => one.roster.core?.join() === next.join())).toBe(true);
    expect(await commits(one)).toBe(true);
  });
});

describe("the word that names the core", () => {
  const named: Roster = applyRosterCommand(EMPTY_ROSTER, { type: "core", peers: core }, a);

  test("[SE53] counts by one of those it names, before anything else, and later only by one of the core", () => {
    expect(named.core).toEqual(core);
    expect(applyRosterCommand(EMPTY_ROSTER, { type: "core", peers: core }, ann)).toBe(EMPTY_ROSTER);
    const played = applyRosterCommand(EMPTY_ROSTER, { type: "open", seats: 2, name: "Ann", spectators: "open", votersMax: 5 }, ann);
    expect(applyRosterCommand(played, { type: "core", peers: core }, a)).toBe(played);
    expect(applyRosterCommand(named, { type: "core", peers: [ann] }, ann)).toBe(named);
    expect(applyRosterCommand(named, { type: "core", peers: [a] }, b).core).toEqual([a]);
  });

  test("[SE53] that names nobody is its last: the core has given the group up, and nobody ever manages it again", () => {
    const givenUp = applyRosterCommand(named, { type: "core", peers: [] }, a);
    expect(givenUp.core).toEqual([]);
    for (const proposer of [ann, a, b]) {
      expect(applyRosterCommand(named, { type: "core", peers: [] }, ann)).toBe(named);
      expect(applyRosterCommand(givenUp, { type: "core", peers: core }, proposer)).toBe(givenUp);
      expect(applyRosterCommand(givenUp, { type: "open", seats: 2, name: "", spectators: "open", votersMax: 3 }, proposer)).toBe(givenUp);
    }
    expect(applyRosterCommand(EMPTY_ROSTER, { type: "core", peers: [] }, a)).toBe(EMPTY_ROSTER);
    expect(rosterLane.decode(rosterLane.encode(givenUp))).toEqual(givenUp);
    const view: ManagementView = { self: a, core, roster: givenUp, membership: { voters: core, votersOutgoing: [], learners: [] } as never, people: new Map(), spares: true };
    expect(decideManagement(view)).toBeUndefined();
  });

  test("[SE53] keeps opening and managing to the core, which nobody can seat, kick or list", () => {
    expect(applyRosterCommand(named, { type: "open", seats: 2, name: "Ann", spectators: "open", votersMax: 3 }, ann)).toBe(named);
    const open = applyRosterCommand(named, { type: "open", seats: 2, name: "", spectators: "open", votersMax: 3 }, b);
    expect(open.seats).toEqual([undefined, undefined]);
    const seated = applyRosterCommand(open, { type: "seat", peer: ann, seat: 0, name: "Ann" }, c);
    expect(seated.seats[0]?.peer).toBe(ann);
    for (const proposer of [ann, b]) {
      expect(applyRosterCommand(seated, { type: "seat", peer: a, seat: 1, name: "" }, proposer)).toBe(seated);
      expect(applyRosterCommand(seated, { type: "reseat", from: ann, to: a, name: "" }, proposer)).toBe(seated);
      expect(applyRosterCommand(seated, { type: "kick", peer: a, reason: "" }, proposer)).toBe(seated);
      expect(applyRosterCommand(seated, { type: "spectate", peer: a, name: "", spare: true }, proposer)).toBe(seated);
    }
  });

  test("[SE6] survives its bytes and the snapshot section", () => {
    expect(decodeRosterCommand(encodeRosterCommand({ type: "core", peers: core }))).toEqual({ type: "core", peers: core });
    expect(rosterLane.decode(rosterLane.encode(named))).toEqual(named);
    expect(rosterLane.decode(rosterLane.encode(EMPTY_ROSTER))).toEqual(EMPTY_ROSTER);
  });
});

test("[SE52] without a quorum a core does nothing at all", () => {
  room = new Room();
  const away: Person = { declares: "core", name: "", inGroup: true, elsewhere: false, synced: true, standing: "gone", leaving: undefined, hidden: false, was: undefined, asksSeat: false, admitted: true };
  const roster: Roster = { ...applyRosterCommand(EMPTY_ROSTER, { type: "core", peers: [a, b] }, a), seats: [undefined, undefined], votersMax: 2 };
  const view: ManagementView = { self: a, core: [a, b], roster, membership: { voters: [a, b], votersOutgoing: [], learners: [] } as never, people: new Map([[b, away]]), spares: true };
  expect(decideManagement(view)).toBeUndefined();
});
