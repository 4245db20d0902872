// Digests of the game's state: what follows where two peers of a match come to different ones.
import { afterEach, beforeEach, expect, test } from "vitest";
import { peerId } from "./base/index.ts";
import type { GameReport } from "./game/index.ts";
import { exchangeDigests } from "./open-match-digests.ts";
import type { GameSession } from "./session/index.ts";
import { ann, bob, Room } from "./session/test-room.ts";

let room: Room;
beforeEach(() => void (room = new Room()));
afterEach(async () => {
  await room.end();
  expect(room.clock.pendingTimers).toBe(0);
});

const DIGESTS = ["00", "11"].map((byte) => byte.repeat(8)) as [string, string];

test("who is fed and finds the leader with another state is fed anew; whom else it differs from is only told of", async () => {
  const options = { learningSpectators: 0, spares: false };
  const players = await room.group([ann, bob], options);
  const leader = players.find(({ node }) => node.role === "leader")!;
  const other = players.find((player) => player !== leader)!;
  const watcher = await room.get(room.spectate(room.seam(peerId("w1")), options));
  expect(watcher.node.status.feed).toBeDefined();
  const reports: GameReport[] = [];
  let installs = 0;
  watcher.node.follow((event) => void (event.type === "install" && (installs += 1)));
  const took = (session: GameSession): ReturnType<typeof exchangeDigests> => exchangeDigests(session, { channel: session.appChannel("digests"), onReport: (report) => session === watcher && reports.push(report), onDivergences: () => {} });
  const [ofLeader, ofOther, own] = [took(leader), took(other), took(watcher)];
  own({ index: 3, digest: DIGESTS[0] });
  ofOther({ index: 3, digest: DIGESTS[1] });
  await room.clock.advance(1_000);
  expect([reports.map(({ peer }) => peer), installs]).toEqual([[other.selfId], 0]);
  ofLeader({ index: 3, digest: DIGESTS[1] });
  await room.clock.advance(1_000);
  expect([reports.map(({ peer }) => peer), installs]).toEqual([[other.selfId, leader.selfId], 1]);
  expect(await room.until(() => watcher.node.status.feed?.isCaughtUp === true && watcher.roster.index === leader.roster.index)).toBe(true);
});
