// Real nodes over MemorySeam and a virtual clock.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "../base/index.ts";
import { LAN_CONFIG } from "../raft/index.ts";
import { MemoryHub, type LinkFaults } from "../seam/index.ts";
import { MemoryByteStore, MemoryDisk, StorageUnavailableError } from "../storage/index.ts";
import { describeContract } from "../testing/contract.ts";
import { FaultyByteStore } from "../testing/faulty-byte-store.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { orderedLogContract, type LogGroup } from "./ordered-log.contract.ts";
import type { LogEvent } from "./ordered-log.ts";
import { openReplica, type Replica, type ReplicaOptions } from "./replica.ts";

interface World extends LogGroup {
  readonly clock: VirtualClock;
  readonly hub: MemoryHub;
  readonly logs: readonly Replica[];
  readonly disks: ReadonlyMap<PeerId, MemoryDisk>;
  leader(): Promise<Replica>;
  restart(id: PeerId): Promise<Replica>;
}

const ids = (count: number): PeerId[] => Array.from({ length: count }, (_, at) => peerId(`n${at + 1}`));

async function world(count: number, seed: number, faults: Partial<LinkFaults> = {}, extra: (id: PeerId) => Partial<ReplicaOptions> = () => ({})): Promise<World> {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, random: seededRandom(seed), faults: { delayMs: 2, jitterMs: 3, ...faults } });
  const voters = ids(count);
  const disks = new Map(voters.map((id) => [id, new MemoryDisk()]));
  const seams = new Map(voters.map((id) => [id, hub.seam(id)]));
  const open = (id: PeerId, at: number): Promise<Replica> =>
    openReplica({
      seam: seams.get(id)!, groupId: "world", clock, random: seededRandom(seed, at + 1), wallClock: () => 1_700_000_000_000 + clock.now(), voters,
      storage: new MemoryByteStore(disks.get(id)), config: { ...LAN_CONFIG }, ...extra(id),
    });
  const logs = await Promise.all(voters.map(open));
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    let isOpen = true;
    const settled = promise.finally(() => (isOpen = false));
    settled.catch(() => {});
    for (let step = 0; isOpen; step += 1) {
      if (step > 12_000) throw new Error(`nothing happened in 120 simulated seconds (seed ${seed})`);
      await clock.advance(10);
    }
    return settled;
  };
  return {
    clock, hub, logs, disks, until,
    leader: async () => {
      for (;;) {
        const found = logs.find((log) => log.role === "leader" && log.status.failure === undefined);
        if (found !== undefined) return found;
        await clock.advance(10);
      }
    },
    restart: async (id) => {
      const at = voters.indexOf(id);
      await logs[at]!.close();
      return (logs[at] = await open(id, at + 100));
    },
    quiet: async () => {
      for (let round = 0; round < 3_000; round += 1) {
        await clock.advance(10);
        const applied = logs.map((log) => log.appliedIndex);
        if (logs.every((log) => log.status.pendingCount === 0) && new Set(applied).size === 1 && round > 20) return;
      }
    },
    close: async () => {
      await Promise.all(logs.map((log) => log.close()));
      // What is still on its way arrives at nobody; then nothing is left that could fire.
      await clock.advance(1_000);
      expect(clock.pendingTimers).toBe(0);
    },
  };
}

for (const count of [1, 3]) describeContract(`${count} RaftNode${count > 1 ? "s" : ""} over MemorySeam`, orderedLogContract, { group: () => world(count, 7) });

const follow = (log: Replica): LogEvent[] => {
  const events: LogEvent[] = [];
  log.follow((event) => events.push(event));
  return events;
};
const story = (events: readonly LogEvent[]): string[] => events.map((event) => (event.type === "install" ? `${event.index} install` : `${event.index} ${event.proposer} ${event.key.requestId} [${event.payload.join()}]${event.duplicate ? " again" : ""}`));

describe("peers on a bad network", () => {
  for (const count of [3, 5]) {
    for (const seed of [1, 2, 3]) {
      test(`${count} peers whose frames are lost, doubled and reordered end with the same log and every proposal in it once (seed ${seed})`, async () => {
        const group = await world(count, seed, { drop: 0.1, duplicate: 0.1, reorder: 0.2, reorderMs: 60 });
        const heard = group.logs.map(follow);
        const proposed: Promise<unknown>[] = [];
        for (let round = 0; round < 60; round += 1) {
          for (const log of group.logs) proposed.push(log.propose(Uint8Array.of(round)));
          await group.clock.advance(15);
        }
        const settled = await group.until(Promise.allSettled(proposed));
        group.hub.setFaults({});
        await group.quiet();
        expect(settled.filter(({ status }) => status === "rejected")).toEqual([]);
        for (const events of heard) expect(story(events)).toEqual(story(heard[0]!));
        const applied = heard[0]!.filter((event) => event.type === "command" && !event.duplicate);
        expect(applied).toHaveLength(60 * count);
        const { counts } = group.hub;
        expect(counts.dropped).toBeGreaterThan(0);
        expect(counts.duplicated).toBeGreaterThan(0);
        expect(counts.reordered).toBeGreaterThan(0);
        await group.close();
      });
    }
  }
});

describe("a node's life", () => {
  test("[LS1] everything acknowledged is there after closing and opening again, and the group goes on", async () => {
    const group = await world(3, 11);
    const first = await group.leader();
    for (let round = 0; round < 10; round += 1) await group.until(first.propose(Uint8Array.of(round)));
    await group.quiet();
    for (const id of ids(3)) await group.restart(id);
    const heard = group.logs.map(follow);
    await group.until(group.logs[1]!.propose(Uint8Array.of(99)));
    await group.quiet();
    for (const events of heard) expect(story(events)).toEqual(story(heard[0]!));
    expect(heard[0]!.map((event) => event.type === "command" && event.payload[0])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 99]);
    await group.close();
  });

  test("[LS5] storage of another node or group is refused", async () => {
    const group = await world(1, 12);
    const disk = group.disks.get(peerId("n1"))!;
    const other = (id: string, groupId: string): Promise<Replica> => openReplica({ seam: group.hub.seam(peerId(id)), groupId, clock: group.clock, random: seededRandom(1), wallClock: () => 1, storage: new MemoryByteStore(disk) });
    await expect(other("n2", "world")).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(other("n3", "elsewhere")).rejects.toMatchObject({ code: "invalid-argument" });
    await group.close();
  });

  test("[OL14] what a cut-off follower proposes can be taken back while nobody leads it; what was sent can not", async () => {
    const group = await world(3, 17, {}, () => ({ identity: "durable" }));
    const leader = await group.leader();
    const follower = group.logs.find((log) => log !== leader)!;
    const codeOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => "committed", (error: { code: string }) => error.code);
    // The very first waits until its serial is reserved on the disk.
    const first = codeOf(follower.propose(Uint8Array.of(3)));
    expect([follower.withdraw(follower.lastRequestId), follower.withdraw(follower.lastRequestId)]).toEqual([true, false]);
    expect(await group.until(first)).toBe("withdrawn");
    await group.until(follower.propose(Uint8Array.of(1)));
    for (const id of ids(3)) if (id !== follower.id) group.hub.cut(follower.id, id);
    const sent = follower.propose(Uint8Array.of(2)).then(() => "committed", String);
    const sentId = follower.lastRequestId;
    while (follower.leader !== undefined) await group.clock.advance(10);
    const back = codeOf(follower.propose(Uint8Array.of(3)));
    expect([follower.withdraw(sentId), follower.withdraw(follower.lastRequestId)]).toEqual([false, true]);
    expect(await group.until(back)).toBe("withdrawn");
    // One that waited until it timed out has not left either.
    expect(await group.until(codeOf(follower.propose(Uint8Array.of(4))))).toBe("proposal-timeout");
    expect([follower.withdraw(follower.lastRequestId), follower.withdraw(follower.lastRequestId)]).toEqual([true, false]);
    // And one that was sent in between has.
    expect(await group.until(codeOf(follower.propose(Uint8Array.of(5))))).toBe("proposal-timeout");
    const again = codeOf(follower.propose(Uint8Array.of(5), { requestId: follower.lastRequestId }));
    group.hub.heal();
    expect(await group.until(again)).toBe("committed");
    expect(follower.withdraw(follower.lastRequestId)).toBe(false);
    await group.until(sent);
    // A later incarnation does not propose either of them again.
    const reopened = await group.restart(follower.id);
    expect(reopened.resumed.map(({ payload }) => payload[0]).filter((byte) => byte === 3 || byte === 4)).toEqual([]);
    await group.until(follower.id === leader.id ? leader.readIndex() : reopened.readIndex());
    const bytes = follow(reopened).map((event) => (event.type === "command" ? event.payload[0] : -1));
    expect(bytes).toContain(1);
    expect(bytes.filter((byte) => byte === 3 || byte === 4)).toEqual([]);
    await group.close();
  });

  test("[RN21] each caller waits as long as it says, under one key too, and who waits for ever is answered when somebody leads", async () => {
    const group = await world(3, 18);
    const leader = await group.leader();
    const follower = group.logs.find((log) => log !== leader)!;
    for (const id of ids(3)) if (id !== follower.id) group.hub.cut(follower.id, id);
    while (follower.leader !== undefined) await group.clock.advance(10);
    const ends: string[] = [];
    const ask = (who: string, deadlineMs: number | undefined, requestId?: number): Promise<void> =>
      follower.propose(Uint8Array.of(1), { requestId, deadlineMs }).then(() => void ends.push(`${who} committed`), (error: { code: string; message: string }) => void ends.push(`${who} ${error.code} ${/\d+ ms/u.exec(error.message)?.[0]}`));
    const patient = ask("patient", Infinity);
    const serial = follower.lastRequestId;
    const [short, usual] = [ask("short", 100, serial), ask("usual", undefined, serial)];
    await group.clock.advance(200);
    expect(ends).toEqual(["short proposal-timeout 100 ms"]);
    await group.clock.advance(2 * LAN_CONFIG.proposeTimeoutMs);
    expect(ends).toEqual(["short proposal-timeout 100 ms", `usual proposal-timeout ${LAN_CONFIG.proposeTimeoutMs} ms`]);
    group.hub.heal();
    await group.until(Promise.all([patient, short, usual]));
    expect(ends.at(-1)).toBe("patient committed");
    expect(follower.withdraw(serial)).toBe(false);
    await expect(follower.propose(Uint8Array.of(2), { deadlineMs: Number.NaN })).rejects.toMatchObject({ code: "invalid-argument" });
    await group.close();
  });

  test("what the protocol does is told to whoever listens, from then on and until they have let go", async () => {
    const group = await world(3, 19);
    const leader = await group.leader();
    const heard: string[][] = [[], []];
    const offs = heard.map((names) => leader.on("trace", ({ name }) => void names.push(name)));
    await group.until(leader.propose(Uint8Array.of(1)));
    offs[0]!();
    const before = heard.map(({ length }) => length);
    await group.until(leader.propose(Uint8Array.of(2)));
    offs[1]!();
    const after = heard.map(({ length }) => length);
    await group.until(leader.propose(Uint8Array.of(3)));
    expect(heard[0]).toContain("Commit");
    expect([after[0]! - before[0]!, after[1]! > before[1]!, heard[1]!.length]).toEqual([0, true, after[1]]);
    await group.close();
  });

  test("[EO6] a proposal open while its leader dies is sent to the next one under the same key and applied once", async () => {
    const group = await world(3, 13);
    const old = await group.leader();
    await group.until(old.propose(Uint8Array.of(1)));
    await group.quiet();
    const [follower, other] = group.logs.filter((log) => log !== old);
    const heard = follow(other!);
    const proposing = follower!.propose(Uint8Array.of(2));
    group.hub.cut(old.id, follower!.id);
    group.hub.cut(old.id, other!.id);
    const at = await group.until(proposing);
    // The proposer may lead now and know of the commit first.
    await group.until(other!.readIndex());
    expect(heard.filter((event) => event.type === "command" && event.payload[0] === 2 && !event.duplicate).map((event) => event.index)).toEqual([at.index]);
    group.hub.heal();
    await group.quiet();
    await group.close();
  });

  test("[RN4] a node whose storage is lost for good stops: status says why, what is pending is settled, the others go on", async () => {
    const stores = new Map<PeerId, FaultyByteStore>();
    const group = await world(3, 14, {}, (id) => {
      stores.set(id, new FaultyByteStore(new MemoryByteStore()));
      return { storage: stores.get(id) };
    });
    const leader = await group.leader();
    await group.until(leader.propose(Uint8Array.of(1)));
    stores.get(leader.id)!.plan = () => ({ type: "refuse", error: new StorageUnavailableError("test") });
    const pending = leader.propose(Uint8Array.of(2));
    await expect(group.until(pending)).rejects.toMatchObject({ code: "storage-unavailable" });
    expect(leader.status).toMatchObject({ storage: "failed", failure: { code: "storage-unavailable" } });
    await expect(leader.propose(Uint8Array.of(3))).rejects.toMatchObject({ code: "storage-unavailable" });
    const survivor = group.logs.find((log) => log !== leader)!;
    await group.until(survivor.propose(Uint8Array.of(4)));
    await group.close();
  });

  test("membership changes and transfers resolve when they are in force, and say why when they can not be", async () => {
    const group = await world(3, 15);
    const leader = await group.leader();
    await group.until(leader.propose(Uint8Array.of(1)));
    const follower = group.logs.find((log) => log !== leader)!;
    const target = { voters: ids(3).filter((id) => id !== follower.id), learners: [follower.id] };
    await expect(group.until(follower.changeMembership(target))).rejects.toMatchObject({ code: "not-leader", leader: leader.id });
    const changing = leader.changeMembership(target);
    await expect(group.until(leader.changeMembership(target))).rejects.toMatchObject({ code: "membership-change-in-progress" });
    const index = await group.until(changing);
    expect(leader.membership).toMatchObject({ ...target, votersOutgoing: [] });
    expect(leader.commitIndex).toBeGreaterThanOrEqual(index);
    await expect(group.until(leader.changeMembership({ voters: [], learners: [] }))).rejects.toMatchObject({ code: "invalid-argument" });
    await expect(group.until(leader.transferLeadership(follower.id))).rejects.toMatchObject({ code: "leadership-transfer" });
    const heir = target.voters.find((id) => id !== leader.id)!;
    await group.until(leader.transferLeadership(heir));
    expect(leader.leader).toBe(heir);
    await group.close();
  });

  test("[RN8] closing in the middle of everything settles every promise and leaves no timer", async () => {
    const group = await world(3, 16);
    const leader = await group.leader();
    const open = [leader.propose(Uint8Array.of(1)), leader.readIndex(), leader.changeMembership({ voters: ids(2), learners: [] }), leader.propose(Uint8Array.of(2))];
    const settled = Promise.allSettled(open);
    await group.close();
    expect((await settled).every(({ status }) => status === "rejected")).toBe(true);
  });

  test("a parting leader's goodbye leaves in the same task, and the other of two goes on", async () => {
    const group = await world(2, 17);
    const leader = await group.leader();
    await group.until(leader.propose(Uint8Array.of(1)));
    await group.quiet();
    const sent = group.hub.counts.sent;
    leader.part();
    expect(group.hub.counts.sent).toBeGreaterThan(sent);
    await expect(leader.propose(Uint8Array.of(2))).rejects.toMatchObject({ code: "closed" });
    const other = group.logs.find((log) => log !== leader)!;
    for (let step = 0; step < 10 && other.role !== "leader"; step += 1) await group.clock.advance(10);
    expect(other.role).toBe("leader");
    await group.close();
  });

  test("[RN16] a goodbye by another way makes the other of two lead, twice as well as once; what is no goodbye is dropped and counted", async () => {
    const group = await world(2, 19);
    const leader = await group.leader();
    await group.until(leader.propose(Uint8Array.of(1)));
    await group.quiet();
    const other = group.logs.find((log) => log !== leader)!;
    expect(other.goodbye()).toBe(undefined);
    const goodbye = leader.goodbye()!;
    expect(goodbye.to).toBe(other.id);
    group.hub.kill(leader.id);
    const { term } = other.status;
    const cut = goodbye.bytes.slice(0, -1);
    for (const no of [cut, Uint8Array.of(), goodbye.bytes.map((byte) => byte ^ 1)]) other.hearGoodbye(leader.id, no);
    expect(other.metrics.framesDropped["not-a-goodbye"]).toBe(3);
    for (let times = 0; times < 3; times += 1) other.hearGoodbye(leader.id, goodbye.bytes);
    for (let step = 0; step < 10 && other.role !== "leader"; step += 1) await group.clock.advance(10);
    expect([other.role, other.status.term]).toEqual(["leader", term + 1]);
    await group.close();
  });

  test("[EO7] two live writers under one client id are told apart", async () => {
    const group = await world(3, 18, {}, () => ({ clientId: "twin" }));
    await group.leader();
    const outcomes = await group.until(Promise.allSettled(group.logs.flatMap((log, at) => [log.propose(Uint8Array.of(at)), log.propose(Uint8Array.of(at + 10))])));
    await group.quiet();
    const codes = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [(outcome.reason as { code: string }).code] : []));
    expect(codes).toContain("client-id-collision");
    const refused = group.logs.filter((log) => log.status.failure !== undefined);
    expect(refused.length).toBeGreaterThanOrEqual(2);
    await expect(refused[0]!.propose(Uint8Array.of(1))).rejects.toMatchObject({ code: "client-id-collision" });
    await group.close();
  });

  test("[EO1] a durable client id goes on counting after a restart, and its old keys still give their first index", async () => {
    const group = await world(1, 19, {}, () => ({ clientId: "player one" }));
    const first = await group.until(group.logs[0]!.propose(Uint8Array.of(1)));
    const again = await group.restart(peerId("n1"));
    const second = await group.until(again.propose(Uint8Array.of(2)));
    expect(second.key.requestId).toBeGreaterThan(first.key.requestId);
    expect(await group.until(again.propose(Uint8Array.of(1), { requestId: first.key.requestId }))).toEqual(first);
    await group.close();
  });
});

test("[RN20] logged time goes on under a leader whose wall clock is an hour behind what the one before it has logged", async () => {
  const ahead = new Map<PeerId, number>();
  const wall: { clock?: VirtualClock } = {};
  const times: number[] = [];
  const world3 = await world(3, 12, {}, (id) => ({ wallClock: () => 1_700_000_000_000 + (wall.clock?.now() ?? 0) + (ahead.get(id) ?? 0) }));
  wall.clock = world3.clock;
  const first = await world3.leader();
  ahead.set(first.id, 3_600_000);
  world3.logs.find((log) => log !== first)!.follow((event) => void (event.type === "command" && times.push(event.time)));
  await world3.until(first.propose(new Uint8Array(1)));
  await world3.clock.advance(1_000);
  const at = world3.clock.now();
  await world3.until(first.close());
  await world3.clock.advance(5_000);
  const second = world3.logs.find((log) => log !== first && log.role === "leader")!;
  await world3.until(second.propose(new Uint8Array(1)));
  await world3.clock.advance(1_000);
  const passed = world3.clock.now() - at;
  expect(times[0]! - 1_700_000_000_000).toBeGreaterThan(3_600_000);
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(5_000);
  expect(times[1]! - times[0]!).toBeLessThan(passed + 1_000);
  await world3.close();
});
