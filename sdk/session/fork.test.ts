// Going on without those who do not come back, and what they find when they do, in virtual time.
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { hasCode, peerId, utf8, type PeerId } from "../base/index.ts";
import { LANE_GAME } from "../replica/index.ts";
import { gameFork } from "./enter.ts";
import { forkOf, lineageOf, refusedBy } from "./lineage.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, Room } from "./test-room.ts";

let room: Room | undefined;
const open = (): Room => (room = new Room());
const seats = (session: GameSession): (PeerId | undefined)[] => session.roster.seats.map((taken) => taken?.peer);

afterEach(async () => {
  await room?.end();
  await room?.clock.advance(120_000);
  if (room !== undefined) expect(room.clock.pendingTimers).toBe(0);
  room = undefined;
});

/** The session ends here and goes on as a fork, as a match does it. */
async function fork(session: GameSession, table: Room): Promise<GameSession> {
  const { groupId, node, selfId } = session;
  const log = node.exportLog({ uncommitted: true });
  await session.close();
  const forked = await table.get(gameFork(table.seam(selfId), { ...table.environment, storage: table.disk(selfId), from: groupId, log }));
  table.sessions.push(forked);
  return forked;
}

/** The leader of a pair crashes; returns the other half, left without a quorum. */
async function leftAlone(table: Room): Promise<GameSession> {
  const [first, second] = await table.durableGroup([ann, bob]);
  await table.get(first!.node.propose(utf8("one")));
  table.hub.kill(ann);
  await first!.close();
  await table.clock.advance(60_000);
  expect(second!.node.leader).toBe(undefined);
  return second!;
}

describe("lineage", () => {
  test("[SE38] a fork is the next epoch of the same match, and of any two groups of one match at most one is in force", () => {
    expect(lineageOf("50ac826d92d434c4")).toEqual({ root: "50ac826d92d434c4", epoch: 1, token: undefined });
    const once = forkOf("abc", bob);
    expect(lineageOf(forkOf(once, ann))).toMatchObject({ root: "abc", epoch: 3 });
    const group = fc.record({ root: fc.constantFrom("abc", "a.b"), forks: fc.array(fc.constantFrom(ann, bob, cat), { maxLength: 3 }), leader: fc.constantFrom(ann, bob, cat) });
    fc.assert(
      fc.property(group, group, (one, other) => {
        const [a, b] = [one, other].map(({ root, forks, leader }) => ({ groupId: forks.reduce<string>(forkOf, root), leader }));
        const refusals = [refusedBy(a!, b!), refusedBy(b!, a!)].filter((refusal) => refusal !== undefined);
        const isSameMatch = one.root === other.root && a!.groupId !== b!.groupId;
        expect(refusals).toHaveLength(isSameMatch ? 1 : 0);
      }),
    );
    expect(refusedBy({ groupId: "abc", leader: ann }, { groupId: once, leader: bob })).toMatchObject({ code: "stale-owner", current: 2, requested: 1 });
    const [x, y] = [forkOf("abc", ann), forkOf("abc", bob)].sort() as [string, string];
    expect(refusedBy({ groupId: y, leader: bob }, { groupId: x, leader: ann })).toMatchObject({ code: "split-brain", epoch: 2 });
  });
});

describe("going on without the others", () => {
  test("[SE38] who is left of a pair goes on alone by its own decision, with every confirmed move and the same seats", async () => {
    const table = open();
    const alone = await leftAlone(table);
    const forked = await fork(alone, table);
    expect(lineageOf(forked.groupId)).toMatchObject({ root: alone.groupId, epoch: 2 });
    expect(seats(forked)).toEqual([ann, bob]);
    const heard: string[] = [];
    forked.node.follow((event) => {
      if (event.type === "command" && event.lane === LANE_GAME) heard.push(new TextDecoder().decode(event.payload));
    }, 0);
    await table.get(forked.node.propose(utf8("two")));
    expect(await table.until(() => heard.includes("two"))).toBe(true);
    expect(heard.filter((move) => move === "one" || move === "two")).toEqual(["one", "two"]);
  });

  test("[SE39] who comes back with the older group is a stale owner, keeps its log, and joins the fork in its old seat", async () => {
    const table = open();
    const forked = await fork(await leftAlone(table), table);
    const ending = await table.failure(table.resume(ann).then((stale) => new Promise((_, reject) => stale!.on("closed", reject))));
    expect(ending).toMatchObject({ code: "stale-owner", current: 2, requested: 1 });
    const kept = await table.disk(ann).readRange(`group/${lineageOf(forked.groupId).root}/`, `group/${lineageOf(forked.groupId).root}0`);
    expect(kept.length).toBeGreaterThan(0);
    const again = await table.get(table.join(table.seam(ann), { storage: table.disk(ann) }));
    expect(again.groupId).toBe(forked.groupId);
    expect(seats(again)).toEqual([ann, bob]);
    await table.get(again.node.propose(utf8("three")));
    expect(await table.until(() => forked.node.membership.voters.length === 2)).toBe(true);
  });

  test("[SE39] both halves went on without each other: when they meet one of them gives way", async () => {
    const table = open();
    const [first, second] = await table.durableGroup([ann, bob]);
    table.hub.cut(ann, bob);
    await table.clock.advance(2_000);
    const forks = [await fork(first!, table), await fork(second!, table)];
    table.hub.heal();
    const ended: unknown[] = [];
    for (const each of forks) each.on("closed", (reason) => ended.push(reason));
    expect(await table.until(() => forks.filter((each) => each.isClosed).length === 1)).toBe(true);
    await table.clock.advance(30_000);
    expect(ended).toHaveLength(1);
    expect(hasCode(ended[0], "split-brain")).toBe(true);
    expect(forks.find((each) => !each.isClosed)!.node.role).toBe("leader");
  });

  test("[SE38] a group id that only looks like a fork's is nobody's", () => {
    expect(lineageOf("abc.0.0123456789abcdef")).toEqual({ root: "abc.0.0123456789abcdef", epoch: 1, token: undefined });
    expect(refusedBy({ groupId: "abc", leader: ann }, { groupId: "xyz.9.0123456789abcdef", leader: peerId("mallory") })).toBe(undefined);
  });
});
