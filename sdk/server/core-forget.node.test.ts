// Rooms nobody uses: when they are forgotten, that what is left of them can never vote, and that a process that has never heard of a room begins no second one.
import { afterEach, describe, expect, test } from "vitest";
import { silentLogger } from "../base/index.ts";
import { MemoryByteStore, MemoryDisk, type ByteStoreOp } from "../storage/index.ts";
import { coreGroupOf, CoreRoomRecords } from "./core-room-records.ts";
import type { RunningCore, StartCoreOptions } from "./start-core.ts";
import { somebody, TestCore, until as untilSoon } from "./test-room.ts";

const core = new TestCore();
afterEach(() => core.end());

const ROOM = "a room";
const until = (holds: () => boolean, what: string): Promise<void> => untilSoon(holds, what, 60_000);

/** Disks that outlive the cores on them. */
class Disks {
  readonly #disks = new Map<string, MemoryDisk>();
  readonly storageOf = (name: string): MemoryByteStore => {
    const disk = this.#disks.get(name) ?? new MemoryDisk();
    this.#disks.set(name, disk);
    return new MemoryByteStore(disk);
  };

  /** Everything a process holds of rooms. */
  async rooms(name: string): Promise<readonly (readonly [string, Uint8Array])[]> {
    const store = this.storageOf(name);
    return [...(await store.readRange("core/room/", "core/room0")), ...(await store.readRange("room/", "room0"))];
  }

  async logs(...names: readonly string[]): Promise<readonly string[]> {
    const found = await Promise.all(names.map((name) => this.storageOf(name).readRange("room/", "room0")));
    return [...new Set(found.flat().map(([key]) => key.split("/")[1] ?? ""))];
  }

  async put(name: string, records: readonly (readonly [string, Uint8Array])[]): Promise<void> {
    await this.storageOf(name).write([{ type: "delete-range", from: "core/room/", to: "core/room0" }, { type: "delete-range", from: "room/", to: "room0" }, ...records.map(([key, value]): ByteStoreOp => ({ type: "put", key, value }))]);
  }
}

const forgotten = (running: RunningCore): readonly (number | undefined)[] => running.names.map((name) => running.server(name)?.counts.coreRoomsForgottenTotal);

/** A core that forgets soon. */
const forgetful = (disks: Disks): Partial<StartCoreOptions> => ({ storageOf: disks.storageOf, awayAfterMs: 300, evictAfterMs: 500, limits: { idleMs: 5_000, keepMs: 1_000 } });

/** Somebody plays, and goes. */
async function visit(running: RunningCore, at = 0): Promise<{ readonly groupId: string; readonly commitIndex: number }> {
  const seam = await core.seam(running.endpoints[at]!, await somebody());
  const session = await core.join(seam);
  await session.node.propose(Uint8Array.of(1));
  const { groupId, node: { commitIndex } } = session;
  await session.close();
  await seam.close();
  return { groupId, commitIndex };
}

// Several elections and looks at what is unused, one after the other, also on a machine that does much else.
describe("a room of a core", { timeout: 120_000 }, () => {
  test("[CO15] nobody was in for long is forgotten at all processes, and begins anew as another group", async () => {
    const disks = new Disks();
    const running = await core.start(forgetful(disks));
    const before = await visit(running);
    expect(before.groupId).toBe(coreGroupOf(ROOM));
    await until(() => forgotten(running).join() === "1,1,1", "forgotten");
    expect(await disks.logs("a", "b", "c")).toEqual([]);
    const text = await (await fetch(`${running.server("a")!.url}/metrics`)).text();
    expect(text).toContain("flotilla_core_rooms_kept 0\n");
    expect(text).toContain("flotilla_core_rooms_forgotten_total 1\n");
    const after = await visit(running, 1);
    expect(after.groupId).toBe(coreGroupOf(ROOM, 1));
    expect(after.commitIndex).toBeLessThanOrEqual(before.commitIndex);
  });

  test("[CO15] is kept while somebody is in it, and where that is said", async () => {
    const [some, all] = [new Disks(), new Disks()];
    const [first, second] = [await core.start({ ...forgetful(some), size: 1 }), await core.start({ ...forgetful(all), size: 1, limits: { idleMs: 1_000, keepMs: 0 } })];
    await visit(second);
    const ann = await core.join(await core.seam(first.endpoints[0]!, await somebody()));
    await core.seam(first.endpoints[0]!, await somebody(), { room: "another" }).then((seam) => seam.close());
    // By then that one would be, too.
    await until(() => forgotten(first).join() === "1" && second.server("a")!.counts.coreRooms === 0, "the other one is forgotten");
    await ann.node.propose(Uint8Array.of(1));
    expect(ann.groupId).toBe(coreGroupOf(ROOM));
    expect([forgotten(second).join(), ...(await all.logs("a"))]).toEqual(["0", coreGroupOf(ROOM)]);
  });

  test("[CO15] is not forgotten while a process is away, which may know of somebody in it", async () => {
    const disks = new Disks();
    const running = await core.start(forgetful(disks));
    await running.stop("c");
    await visit(running);
    await until(() => ["a", "b"].every((name) => running.server(name)!.counts.coreRooms === 0), "closed, as long after as it would have been forgotten");
    expect(await disks.logs("a", "b")).toEqual([coreGroupOf(ROOM)]);
    await running.start("c");
    await until(() => forgotten(running).join() === "1,1,1", "forgotten");
    expect(await disks.logs("a", "b", "c")).toEqual([]);
  });

  test("[CO15] that a process still holds what the others have forgotten is left by it before it says a word there", async () => {
    const disks = new Disks();
    const running = await core.start(forgetful(disks));
    await visit(running);
    const old = await disks.rooms("c");
    await until(() => forgotten(running).join() === "1,1,1", "forgotten");
    // As if it had been ended by force before it did so.
    await running.stop("c");
    await disks.put("c", old);
    expect(await disks.logs("c")).toEqual([coreGroupOf(ROOM)]);
    await running.start("c");
    await until(() => running.names.every((name) => running.server(name)!.counts.coreLinks === 2), "linked");
    const bob = await core.join(await core.seam(running.endpoints[2]!, await somebody()));
    await bob.node.propose(Uint8Array.of(1));
    expect(bob.groupId).toBe(coreGroupOf(ROOM, 1));
    expect(running.server("c")!.rooms.map(({ group }) => group)).toEqual([coreGroupOf(ROOM, 1)]);
    expect(await disks.logs("a", "b", "c")).toEqual([coreGroupOf(ROOM, 1)]);
  });
});

test("[CO16] a process that is added without a word about it begins no room a second time: it asks first, and is taken in", async () => {
  const disks = new Disks();
  const said: string[] = [];
  const logger = { ...silentLogger, error: (message: string) => void said.push(message) };
  const small = await core.start({ size: 1, storageOf: disks.storageOf });
  const ann = await somebody();
  const seam = await core.seam(small.endpoints[0]!, ann);
  const session = await core.join(seam);
  await session.node.propose(Uint8Array.of(1));
  const { commitIndex } = session.node;
  await session.close();
  await seam.close();
  await small.close();
  const grown = await core.start({ size: 3, storageOf: disks.storageOf, server: { logger } });
  const bob = await core.join(await core.seam(grown.endpoints[1]!, await somebody()));
  expect(bob.node.commitIndex).toBeGreaterThan(commitIndex);
  expect(bob.roster.seats[0]?.peer).toBe(ann.peerId);
  await until(() => bob.node.membership.voters.join() === "core:a,core:b,core:c", "all three vote");
  await until(() => bob.roster.core?.length === 3, "and are named");
  expect(said.filter((message) => message.includes("start such a process with --core-joins"))).toHaveLength(2);
});

test("[CO10] a process keeps the records of so many rooms, and opens no further ones", async () => {
  const running = await core.start({ size: 1, limits: { roomsKeptMax: 1, idleMs: 1_000 } });
  const url = running.endpoints[0]!;
  await visit(running);
  await expect(core.seam(url, await somebody(), { room: "another" })).rejects.toThrow("the server is full");
  await until(() => running.server("a")!.counts.coreRooms === 0, "closed");
  await expect(core.seam(url, await somebody(), { room: "another" })).rejects.toThrow("the server is full");
  expect(running.server("a")!.counts.coreRoomsKept).toBe(1);
  await core.seam(url, await somebody());
});

describe("what is kept of a room", () => {
  test("[CO15] survives, and says for ever how often it was forgotten; no group comes twice", async () => {
    const disk = new MemoryDisk();
    const store = new MemoryByteStore(disk);
    const records = await CoreRoomRecords.open(store);
    await records.used("one", 10);
    await records.used("two", 20);
    await store.write(["room/", "room0", "other"].map((key): ByteStoreOp => ({ type: "put", key: key === "room/" ? `room/${coreGroupOf("one")}/x` : key, value: Uint8Array.of(1) })));
    await records.leave("one", 2);
    await records.leave("one", 1);
    await records.leave("three", 1);
    const again = await CoreRoomRecords.open(new MemoryByteStore(disk));
    for (const kept of [records, again]) {
      expect([kept.kept, kept.generationOf("one"), kept.generationOf("two"), kept.generationOf("three"), kept.generationOf("four")]).toEqual([1, 2, 0, 1, 0]);
      expect([kept.unusedSince(20), kept.unusedSince(21)]).toEqual([[], ["two"]]);
    }
    expect((await store.readRange("", "\uffff")).map(([key]) => key).filter((key) => !key.startsWith("core/"))).toEqual(["other", "room0"]);
    await again.used("one", 30);
    expect(again.of("one")).toEqual({ generation: 2, usedAt: 30, name: "one" });
    expect(new Set([0, 1, 2].flatMap((generation) => ["one", "two"].map((room) => coreGroupOf(room, generation)))).size).toBe(6);
  });

  test("[CO15] is read whole, or the process does not start", async () => {
    const store = new MemoryByteStore();
    await (await CoreRoomRecords.open(store)).used("one", 10);
    const [[key, value]] = (await store.readRange("core/room/", "core/room0")) as [[string, Uint8Array]];
    await store.write([{ type: "put", key, value: value.map((byte, at) => (at === value.length - 1 ? byte ^ 1 : byte)) }]);
    await expect(CoreRoomRecords.open(store)).rejects.toMatchObject({ code: "corrupt-state" });
  });
});
