// Fences whose epochs come from a real group of three: the contract, leaders that die in the middle of a claim, compaction and installs, a fork.
import { afterEach, describe, expect, test } from "vitest";
import { silentLogger } from "../base/index.ts";
import { LANE_FENCE, type Replica } from "../replica/index.ts";
import { TestGroup, type TestPeer } from "../replica/test-room.ts";
import { MemoryDisk } from "../storage/index.ts";
import { describeContract } from "../testing/contract.ts";
import { fenceContract } from "./fence.contract.ts";
import { fenceFor, judgeClaim, nextFence } from "./fence.ts";
import { CLAIM_TRIES_MAX, encodeClaim, FENCE_LANE, fenceLane, LogFence, type ClaimLog, type FenceTable } from "./log-fence.ts";

const S = "match 1";
const NO_STATE = new Uint8Array(0);
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function openGroup(count: number, seed: number): Promise<TestGroup> {
  const group = await TestGroup.open(count, seed, () => ({ lanes: [fenceLane], logger: silentLogger }));
  ends.push(() => group.close());
  return group;
}

function fencesAt(node: Replica): LogFence {
  return new LogFence(node, () => node.laneState(fenceLane));
}

/** Lets simulated time pass while a check only awaits what it called. */
function keepTurning(group: TestGroup): void {
  let isOver = false;
  const turning = (async () => {
    while (!isOver) {
      await group.clock.advance(10);
      await otherTasks();
    }
  })();
  ends.unshift(() => {
    isOver = true;
    return turning;
  });
}

/** Whatever else the runner has to do. */
function otherTasks(): Promise<unknown> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve(undefined);
    });
    port1.start();
    port2.postMessage(0);
  });
}

let seeds = 100;

describeContract("LogFence over three replicas", fenceContract, {
  place: async () => {
    const group = await openGroup(3, (seeds += 1));
    keepTurning(group);
    let opened = 0;
    // Each opening is at another member, the leader's turn comes like every other's.
    return { open: async () => fencesAt(group.peers[(opened += 1) % 3]!.node) };
  },
});

test("the fence lane is the one the log keeps a number for", () => {
  expect(FENCE_LANE).toBe(LANE_FENCE);
});

const tables = (group: TestGroup): FenceTable[] => group.peers.map(({ node }) => node.laneState(fenceLane));

describe("[DU21] a claim under way when the leader dies", () => {
  test.each(Array.from({ length: 40 }, (_, at) => at))("is granted once or not at all, the same on every node (dies %i ms into it)", async (delay) => {
    const group = await openGroup(3, 1_000 + delay);
    const leader = await group.leader();
    const [claimer, other] = group.peers.filter((peer) => peer !== leader) as [TestPeer, TestPeer];
    await group.until(fencesAt(leader.node).claim(S, fenceFor(S, "first", 1)));
    const fence = fenceFor(S, "second", 2);
    const claiming = fencesAt(claimer.node).claim(S, fence);
    await group.clock.advance(delay / 4);
    group.crash(leader);
    await group.until(claiming);
    expect(await group.until(fencesAt(other.node).current(S))).toEqual(fence);
    await group.until(fencesAt(other.node).claim(S, fence));
    await expect(group.until(fencesAt(other.node).claim(S, fenceFor(S, "first", 1)))).rejects.toMatchObject({ code: "stale-owner", current: 2 });
    await group.reopen(leader);
    await group.when(() => tables(group).every((table) => table.get(S)?.epoch === 2));
    expect(tables(group).map((table) => table.get(S))).toEqual([fence, fence, fence]);
  });

  test.each([0, 1, 2, 3, 5, 8, 13, 21])("by the leader itself is settled by its next incarnation with the same claim (dies %i ms into it)", async (delay) => {
    const group = await openGroup(3, 2_000 + delay);
    const leader = await group.leader();
    const fence = fenceFor(S, "leader", 7);
    fencesAt(leader.node).claim(S, fence).catch(() => {});
    await group.clock.advance(delay / 2);
    group.crash(leader);
    const rest = group.peers.filter((peer) => peer !== leader);
    await group.when(() => rest.some(({ node }) => node.role === "leader"));
    // Whether it was granted is open; claiming again settles it, and it is one and the same.
    await group.until(fencesAt(await group.reopen(leader)).claim(S, fence));
    for (const { node } of group.peers) expect(await group.until(fencesAt(node).current(S))).toEqual(fence);
  });

  test("of two that race for the epoch from both sides of it, exactly one has it", async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const group = await openGroup(3, 3_000 + seed);
      const leader = await group.leader();
      const rest = group.peers.filter((peer) => peer !== leader);
      const claims = rest.map(({ node, id }) => fencesAt(node).claim(S, fenceFor(S, id, 1)).then(() => "granted", (error: { code: string }) => error.code));
      await group.clock.advance(seed);
      group.crash(leader);
      expect((await group.until(Promise.all(claims))).sort(), `seed ${seed}`).toEqual(["granted", "split-brain"]);
    }
  });
});

describe("[DU22] a claim whose outcome is unknown is proposed again under the same key", () => {
  const unknown = (code: string): Error => Object.assign(new Error(code), { code });

  function logThat(fails: (tries: number) => Error | undefined): { readonly log: ClaimLog; readonly keys: (number | undefined)[]; table: FenceTable } {
    const seen = {
      keys: [] as (number | undefined)[],
      table: fenceLane.initial,
      log: {
        lastRequestId: 7,
        propose: async (payload: Uint8Array, { requestId }: { readonly requestId?: number | undefined }) => {
          seen.keys.push(requestId);
          const error = fails(seen.keys.length);
          if (error !== undefined) throw error;
          seen.table = fenceLane.apply(seen.table, { payload });
          return { index: 1 };
        },
        readIndex: async () => 1,
      },
    };
    return seen;
  }

  test("until it is known", async () => {
    const seen = logThat((tries) => (tries === 1 ? unknown("leadership-lost") : tries === 2 ? unknown("proposal-timeout") : undefined));
    await new LogFence(seen.log, () => seen.table).claim(S, fenceFor(S, "ann", 1));
    expect(seen.keys).toEqual([undefined, 7, 7]);
  });

  test(`${CLAIM_TRIES_MAX} times at most, and an error that settles it is passed on at once`, async () => {
    const never = logThat(() => unknown("proposal-timeout"));
    await expect(new LogFence(never.log, () => never.table).claim(S, fenceFor(S, "ann", 1))).rejects.toMatchObject({ code: "proposal-timeout" });
    expect(never.keys).toHaveLength(CLAIM_TRIES_MAX);
    const closed = logThat(() => unknown("closed"));
    await expect(new LogFence(closed.log, () => closed.table).takeOver(S, "ann")).rejects.toMatchObject({ code: "closed" });
    expect(closed.keys).toHaveLength(1);
  });
});

describe("[DU23] fences are part of every snapshot", () => {
  test("of a compacted log that was closed and opened again", async () => {
    const group = await openGroup(3, 4_001);
    const leader = await group.leader();
    const fences = fencesAt(leader.node);
    for (let epoch = 1; epoch <= 30; epoch += 1) await group.until(fences.claim(S, fenceFor(S, `owner ${epoch}`, epoch)));
    await group.until(leader.node.snapshot(leader.node.appliedIndex, NO_STATE));
    group.crash(leader);
    const again = await group.reopen(leader);
    expect(again.laneState(fenceLane).get(S)).toEqual(fenceFor(S, "owner 30", 30));
    await expect(group.until(fencesAt(again).claim(S, fenceFor(S, "owner 29", 29)))).rejects.toMatchObject({ code: "stale-owner", current: 30 });
  });

  test("that a member installs which was away while the log was compacted", async () => {
    const group = await openGroup(3, 4_002);
    const leader = await group.leader();
    const away = group.peers.find((peer) => peer !== leader)!;
    group.crash(away);
    const fences = fencesAt(leader.node);
    for (let epoch = 1; epoch <= 30; epoch += 1) await group.until(fences.claim(S, fenceFor(S, `owner ${epoch}`, epoch)));
    for (const { node } of group.peers) if (node !== away.node) await group.until(node.snapshot(node.appliedIndex, NO_STATE));
    const installed: string[] = [];
    (await group.reopen(away)).follow(({ type }) => installed.push(type));
    expect(await group.until(fencesAt(away.node).current(S))).toEqual(fenceFor(S, "owner 30", 30));
    expect(installed).toContain("install");
    await expect(group.until(fencesAt(away.node).claim(S, fenceFor(S, "owner 1", 1)))).rejects.toMatchObject({ code: "stale-owner" });
  });
});

test("[DU24] who goes on without the others takes the next epoch in a log of its own, and whoever returns with the older one is stale", async () => {
  const group = await openGroup(2, 5_001);
  const leader = await group.leader();
  const rest = group.peers.find((peer) => peer !== leader)!;
  const host = await group.until(fencesAt(leader.node).takeOver(S, leader.id));
  await group.until(fencesAt(rest.node).current(S));
  group.crash(leader);
  // No quorum: the fence of this log can not be moved any more, and everything it holds goes into another one.
  const founding = rest.node.exportLog();
  await rest.node.close();
  const fork = await group.reopen({ ...rest, disk: new MemoryDisk() }, { groupId: "group fork", voters: [rest.id], founding });
  ends.unshift(() => fork.close());
  const taken = await group.until(fencesAt(fork).takeOver(S, rest.id));
  expect(taken).toEqual(nextFence(S, rest.id, host));
  expect(judgeClaim(S, fork.laneState(fenceLane).get(S), host)).toMatchObject({ code: "stale-owner", current: 2, requested: 1 });
  // Had the other one gone on alone too, neither could pass for the other's successor.
  expect(judgeClaim(S, taken, nextFence(S, leader.id, host))).toMatchObject({ code: "split-brain" });
});

test("what is no claim changes no fence on any node", () => {
  const table = fenceLane.apply(fenceLane.initial, { payload: encodeClaim(S, fenceFor(S, "ann", 1)) });
  for (const payload of [NO_STATE, Uint8Array.of(1, 2, 3), encodeClaim(S, { owner: "bob", epoch: 2, token: "" })]) expect(fenceLane.apply(table, { payload })).toBe(table);
  expect(fenceLane.decode(fenceLane.encode(table))).toEqual(table);
});
