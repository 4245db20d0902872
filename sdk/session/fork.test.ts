// Going on without those who do not come back, and what they find when they do, in virtual time.
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { hasCode, peerId, utf8, type PeerId } from "../base/index.ts";
import { expectedToken, fenceFor, encodeClaim } from "../durable/index.ts";
import { LANE_FENCE, LANE_GAME, type CommittedCommand } from "../replica/index.ts";
import { gameFork } from "./enter.ts";
import { fenceOf, forkOf, isHeld, lineageOf, refusedBy, type ForkView } from "./lineage.ts";
import type { GameSession } from "./session.ts";
import { ann, bob, cat, Room } from "./test-room.ts";
import { scopedByteStore, StorageUnavailableError } from "../storage/index.ts";
import { FaultyByteStore } from "../testing/faulty-byte-store.ts";

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

/** A group that `owner` goes on with alone, as its leader tells of it. */
const held = (groupId: string, owner: PeerId, later = 1): ForkView => {
  const { root, epoch } = lineageOf(groupId);
  return { groupId: forkOf(groupId, owner, later), fence: fenceFor(root, owner, epoch + later) };
};
const first = (groupId: string): ForkView => ({ groupId, fence: undefined });

describe("lineage", () => {
  test("[SE38] a fork is a later epoch of the same match, and of any two groups of one match at most one is in force", () => {
    expect(lineageOf("50ac826d92d434c4")).toEqual({ root: "50ac826d92d434c4", epoch: 1, token: undefined });
    // Pinned: it names logs on disks.
    expect(forkOf("50ac826d92d434c4", bob)).toBe("50ac826d92d434c4.2.02b6230347dcd814");
    const once = held("abc", bob);
    expect(lineageOf(forkOf(once.groupId, ann))).toMatchObject({ root: "abc", epoch: 3 });
    const step = fc.tuple(fc.constantFrom(ann, bob, cat), fc.integer({ min: 1, max: 2 }));
    const group = fc.record({ root: fc.constantFrom("abc", "a.b"), forks: fc.array(step, { maxLength: 3 }) });
    fc.assert(
      fc.property(group, group, (one, other) => {
        const [a, b] = [one, other].map(({ root, forks }) => forks.reduce<ForkView>((view, [owner, later]) => held(view.groupId, owner, later), first(root)));
        const refusals = [refusedBy(a!, b!), refusedBy(b!, a!)].filter((refusal) => refusal !== undefined);
        expect(refusals).toHaveLength(one.root === other.root && a!.groupId !== b!.groupId ? 1 : 0);
        expect([a!, b!].every(isHeld)).toBe(true);
      }),
    );
    expect(refusedBy(first("abc"), once)).toMatchObject({ code: "stale-owner", current: 2, requested: 1 });
    const [low, high] = [held("abc", ann), held("abc", bob)].sort((x, y) => (x.groupId < y.groupId ? -1 : 1)) as [ForkView, ForkView];
    expect(refusedBy(high, low)).toMatchObject({ code: "split-brain", currentOwner: low.fence!.owner, requestedOwner: high.fence!.owner, epoch: 2 });
  });

  test("[SE38] a fork is judged as the contract says: a lower epoch is stale before two owners of one are a split brain, and that before its token is looked at", () => {
    const other = held(held("abc", ann).groupId, ann);
    const wrong = (view: ForkView): ForkView => ({ groupId: view.groupId.replace(/.{16}$/u, "0123456789abcdef"), fence: { ...view.fence!, token: "0123456789abcdef" } });
    expect(refusedBy(wrong(held("abc", bob)), other)).toMatchObject({ code: "stale-owner", current: 3, requested: 2 });
    expect(refusedBy(wrong(held(held("abc", ann).groupId, bob)), other)).toMatchObject({ code: "split-brain", currentOwner: ann, requestedOwner: bob, epoch: 3 });
    expect(refusedBy(wrong(held(other.groupId, bob)), other)).toMatchObject({ code: "invalid-token", owner: bob, epoch: 4 });
    expect(refusedBy(held(other.groupId, bob), other)).toBe(undefined);
  });

  test("[SE38] a fork without the fence its id names is nobody's to lead, and nobody gives way to it", () => {
    const fork = held("abc", bob);
    const unclaimed = [{ ...fork, fence: undefined }, { ...fork, fence: fenceFor("abc", ann, 2) }, { ...fork, fence: fenceFor("abc", bob, 3) }, { ...fork, fence: fenceFor("xyz", bob, 2) }, { ...fork, groupId: forkOf("xyz", bob) }];
    for (const view of unclaimed) {
      expect(isHeld(view)).toBe(false);
      expect(refusedBy(first("abc"), view)).toBe(undefined);
      expect(refusedBy(held("abc", ann), view)).toBe(undefined);
    }
    expect(fenceOf(fork.groupId, new Map([["abc", fork.fence!]]))).toEqual(fork.fence);
    expect(fenceOf(fork.groupId, new Map([["abc", fenceFor("abc", ann, 3)]]))).toBe(undefined);
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

  test("[SE38] the host role of a fork is a fence: claimed for the match under its next epoch by an entry of the fork's own log, and known to all who join", async () => {
    const table = open();
    const alone = await leftAlone(table);
    expect(alone.fence).toBe(undefined);
    const forked = await fork(alone, table);
    const { root } = lineageOf(forked.groupId);
    const fence = { owner: bob, epoch: 2, token: expectedToken(root, bob, 2) };
    expect(forked.fence).toEqual(fence);
    const claims: CommittedCommand[] = [];
    forked.node.follow((event) => {
      if (event.type === "command" && event.lane === LANE_FENCE) claims.push(event);
    }, 0);
    await table.clock.advance(50);
    expect(claims.map(({ payload, proposer }) => [payload, proposer])).toEqual([[encodeClaim(root, fence), bob]]);
    expect(forked.presence.self.lead?.fence).toEqual(fence);
    await table.failure(table.resume(ann).then((stale) => new Promise((_, reject) => stale!.on("closed", reject))));
    const again = await table.get(table.join(table.seam(ann), { storage: table.disk(ann) }));
    expect(again.fence).toEqual(fence);
  });

  test("[SE38] a fork that nobody claimed leads nobody and is not come back to; the next attempt has an epoch of its own and every move", async () => {
    const table = open();
    const alone = await leftAlone(table);
    const { groupId, node } = alone;
    const log = node.exportLog({ uncommitted: true });
    await alone.close();
    // The copy is founded, and the disk is gone before the claim is on it.
    const disk = new FaultyByteStore(scopedByteStore(table.disk(bob), ""), (write) => (write === 1 ? undefined : { type: "refuse", error: new StorageUnavailableError("gone") }));
    expect(await table.failure(gameFork(table.seam(bob), { ...table.environment, storage: disk, from: groupId, log }))).toMatchObject({ code: "storage-unavailable" });
    expect(await table.disk(bob).readRange(`group/${forkOf(groupId, bob)}/`, `group/${forkOf(groupId, bob)}0`)).not.toEqual([]);

    const back = (await table.get(table.resume(bob)))!;
    expect(back.groupId).toBe(groupId);
    // The others were there after all, and something more was agreed on before they were gone again.
    const other = (await table.get(table.resume(ann)))!;
    await table.until(() => other.node.leader !== undefined && back.node.leader !== undefined);
    await table.get(back.node.propose(utf8("later")));
    table.hub.kill(ann);
    await other.close();
    await table.clock.advance(60_000);
    const forked = await fork(back, table);
    expect(forked.fence).toMatchObject({ owner: bob, epoch: 3 });
    const heard: string[] = [];
    forked.node.follow((event) => {
      if (event.type === "command" && event.lane === LANE_GAME) heard.push(new TextDecoder().decode(event.payload));
    }, 0);
    expect(await table.until(() => heard.includes("later"))).toBe(true);
  });

  test("[SE38] a tab that comes back to its fork leads it under the same fence, and the next one who is left alone takes the next epoch", async () => {
    const table = open();
    const forked = await fork(await leftAlone(table), table);
    const { groupId, fence } = forked;
    await table.failure(table.resume(ann).then((stale) => new Promise((_, reject) => stale!.on("closed", reject))));
    const joined = await table.get(table.join(table.seam(ann), { storage: table.disk(ann) }));
    table.hub.kill(bob);
    await forked.close();
    await table.clock.advance(60_000);
    expect(joined.node.leader).toBe(undefined);
    const back = (await table.get(table.resume(bob)))!;
    expect(back.groupId).toBe(groupId);
    expect(await table.until(() => back.node.leader !== undefined && back.fence !== undefined)).toBe(true);
    expect(back.fence).toEqual(fence);
    table.hub.kill(bob);
    await back.close();
    await table.clock.advance(60_000);
    const next = await fork(joined, table);
    expect(next.fence).toMatchObject({ owner: ann, epoch: 3 });
    const ending = await table.failure(table.resume(bob).then((stale) => new Promise((_, reject) => stale!.on("closed", reject))));
    expect(ending).toMatchObject({ code: "stale-owner", current: 3, requested: 2 });
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
    expect(refusedBy(first("abc"), held("xyz", peerId("mallory")))).toBe(undefined);
  });
});
