// Owners by a committed assignment: the epoch is the index of the entry that made them one, so that what grants ownership is the log and the fence only enforces it.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { jsonCodec } from "../base/index.ts";
import { MemoryByteStore, MemoryDisk } from "../storage/index.ts";
import { journalOnly } from "./backend.ts";
import { DurableSession } from "./durable-session.ts";
import { fenceFor, judgeClaim, type OwnershipFence } from "./fence.ts";
import { fencedByteStore } from "./fenced-store.ts";
import { StoreFence } from "./store-fence.ts";

const SHARD = "shard/7";

/** The log as everybody will come to have it: assignments at indexes that leap, because other entries stand between. */
interface Assignment {
  readonly owner: string;
  readonly index: number;
}

const logs: fc.Arbitrary<readonly Assignment[]> = fc
  .array(fc.tuple(fc.constantFrom("ann", "bob", "cat"), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 6 })
  .map((entries) => entries.reduce<Assignment[]>((log, [owner, gap]) => [...log, { owner, index: (log.at(-1)?.index ?? 0) + gap }], []));

const assigned = ({ owner, index }: Assignment): OwnershipFence => fenceFor(SHARD, owner, index);

describe("[DU34] an owner whose epoch is the index of its assignment", () => {
  test("is granted it however far the index leaps, once and again, and is stale as soon as a later one was", async () => {
    const fences = new StoreFence(new MemoryByteStore());
    for (const index of [7, 7, 5_000_000_000]) await fences.claim(SHARD, fenceFor(SHARD, "ann", index));
    await expect(fences.claim(SHARD, fenceFor(SHARD, "bob", 12))).rejects.toMatchObject({ code: "stale-owner", current: 5_000_000_000, requested: 12 });
    await expect(fences.claim(SHARD, { ...fenceFor(SHARD, "bob", 5_000_000_001), epoch: 5_000_000_002 })).rejects.toMatchObject({ code: "invalid-token" });
  });

  test("shares what it owns with nobody, whoever applies the log late, twice, or sleeps in between", async () => {
    const seen = { written: 0, refused: 0 };
    await fc.assert(fc.asyncProperty(fc.scheduler(), logs, async (scheduler, log) => {
      const disk = new MemoryDisk();
      const written: number[] = [];
      // Every peer applies the same log at its own pace; whoever it makes the owner claims, reads, and acts, knowing nothing of what it has not applied.
      const peer = async (name: string): Promise<void> => {
        const store = new MemoryByteStore(disk);
        for (const assignment of [...log, ...log]) {
          await scheduler.schedule(Promise.resolve(), name);
          if (assignment.owner !== name) continue;
          const fence = assigned(assignment);
          try {
            await new StoreFence(store).claim(SHARD, fence);
            for (let time = 0; time < 2; time += 1) {
              await scheduler.schedule(Promise.resolve(), name);
              await fencedByteStore(store, SHARD, fence).write([{ type: "put", key: `by/${fence.epoch}`, value: Uint8Array.of(1) }]);
              written.push(fence.epoch);
              seen.written += 1;
            }
          } catch (error) {
            expect(error).toMatchObject({ code: "stale-owner", requested: fence.epoch });
            seen.refused += 1;
          }
        }
      };
      const all = Promise.all(["ann", "bob", "cat"].map(peer));
      await scheduler.waitFor(all);
      const last = log.at(-1) as Assignment;
      expect(await new StoreFence(new MemoryByteStore(disk)).current(SHARD)).toEqual(assigned(last));
      // The fence only goes forward, so what was written under an epoch was written before anything under a later one.
      expect(written).toEqual([...written].sort((a, b) => a - b));
    }), { numRuns: 60 });
    expect(seen.written).toBeGreaterThan(60);
    expect(seen.refused).toBeGreaterThan(30);
  });

  test("refuses a request that shows a later assignment than its own, and serves one that shows its own or an older one", () => {
    fc.assert(fc.property(logs, fc.nat(), fc.nat(), (log, ownAt, shownAt) => {
      const [own, shown] = [log[ownAt % log.length] as Assignment, log[shownAt % log.length] as Assignment];
      // Judged as a claim of the one that was asked against what the request shows: it knows that it is over without having applied the entry.
      const refusal = judgeClaim(SHARD, assigned(shown), assigned(own));
      expect(refusal?.code).toBe(own.index < shown.index ? "stale-owner" : undefined);
    }));
    expect(judgeClaim(SHARD, fenceFor(SHARD, "ann", 9), fenceFor(SHARD, "bob", 9))).toMatchObject({ code: "split-brain" });
  });

  test("keeps a state of its own as a session, which the next owner goes on with", async () => {
    const disk = new MemoryDisk();
    const open = (fence: OwnershipFence): Promise<DurableSession<number, number>> => DurableSession.open({ sessionId: SHARD, backend: journalOnly(new MemoryByteStore(disk)), policy: "resume", fence, initial: 0, apply: (sum: number, delta: number) => sum + delta, states: jsonCodec<number>(), deltas: jsonCodec<number>() });
    const first = await open(fenceFor(SHARD, "ann", 12));
    await first.start("ann");
    await first.append(5);
    const second = await open(fenceFor(SHARD, "bob", 31));
    await second.restart();
    await second.reconnect("bob", 0);
    await expect(first.append(1)).rejects.toMatchObject({ code: "stale-owner", current: 31, requested: 12 });
    await second.append(2);
    expect(second.state).toBe(7);
    await expect(open(fenceFor(SHARD, "ann", 12))).rejects.toMatchObject({ code: "stale-owner", current: 31, requested: 12 });
  });
});
