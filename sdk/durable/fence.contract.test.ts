// The fence contract on every authority, and on trial against broken ones.
import { IDBFactory } from "fake-indexeddb";
import { describe, expect, test } from "vitest";
import { MemoryByteStore, MemoryDisk } from "../storage/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import { brokenObligations, describeContract } from "../testing/contract.ts";
import { fenceContract, type FenceHarness } from "./fence.contract.ts";
import { encodeFence, fenceFor, judgeClaim, type OwnershipFence } from "./fence.ts";
import type { FenceAuthority } from "./fence-authority.ts";
import { fenceLane, LogFence, type FenceTable } from "./log-fence.ts";
import { fenceKey, readFence, StoreFence, takeOverWith } from "./store-fence.ts";

const inMemory: FenceHarness = {
  place: async () => {
    const disk = new MemoryDisk();
    return { open: async () => new StoreFence(new MemoryByteStore(disk)) };
  },
};

/** A log whose commits take a few turns, so that claims of several nodes interleave. */
function claimLog(): { open(): Promise<FenceAuthority> } {
  let table: FenceTable = fenceLane.initial;
  let index = 0;
  const turns = async (count: number): Promise<void> => {
    for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
  };
  const log = {
    get lastRequestId() {
      return index;
    },
    propose: async (payload: Uint8Array, options: { readonly lane: number }) => {
      await turns(3);
      expect(options.lane).toBe(fenceLane.lane);
      table = fenceLane.decode(fenceLane.encode(fenceLane.apply(table, { payload })));
      index += 1;
      return { index };
    },
    readIndex: async () => {
      await turns(1);
      return index;
    },
  };
  return { open: async () => new LogFence(log, () => table) };
}

describeContract("StoreFence in memory", fenceContract, inMemory);
describeContract("StoreFence on fake-indexeddb", fenceContract, {
  place: async () => {
    const factory = new IDBFactory();
    return { open: async () => new StoreFence(await IndexedDbByteStore.open({ name: "fences", factory })) };
  },
});
describeContract("LogFence", fenceContract, { place: async () => claimLog() });

/** A store-backed authority that judges by `judge` instead. */
function judgedBy(judge: (current: OwnershipFence | undefined, claim: OwnershipFence, sessionId: string) => Error | undefined, options: { race?: boolean; key?: string; forgets?: boolean } = {}): FenceHarness {
  return {
    place: async () => {
      const shared = new MemoryDisk();
      return {
        open: async () => {
          const store = new MemoryByteStore(options.forgets ? new MemoryDisk() : shared);
          const named = (sessionId: string): string => options.key ?? sessionId;
          const authority: FenceAuthority = {
            current: async (sessionId) => (await readFence(store, named(sessionId))).fence,
            claim: async (sessionId, fence) => {
              const { bytes, fence: current } = await readFence(store, named(sessionId));
              const refused = judge(current, fence, sessionId);
              if (refused !== undefined) throw refused;
              if (options.race) await Promise.resolve().then(() => store.write([{ type: "put", key: fenceKey(named(sessionId)), value: encodeFence(fence) }]));
              else if (!(await store.compareAndSet(fenceKey(named(sessionId)), bytes, encodeFence(fence)))) return authority.claim(sessionId, fence);
            },
            takeOver: async (sessionId, owner) => takeOverWith(authority, sessionId, owner),
          };
          return authority;
        },
      };
    },
  };
}

const right = (current: OwnershipFence | undefined, claim: OwnershipFence, sessionId: string): Error | undefined => judgeClaim(sessionId, current, claim);

describe("the fence contract catches", () => {
  test("nothing in an authority that keeps it", async () => {
    expect(await brokenObligations(fenceContract, judgedBy(right))).toEqual([]);
  });

  test("older epochs let through", async () => {
    expect(await brokenObligations(fenceContract, judgedBy((current, claim, id) => right(current !== undefined && claim.epoch < current.epoch ? undefined : current, claim, id)))).toContain("DU2");
  });

  test("two owners under one epoch", async () => {
    expect(await brokenObligations(fenceContract, judgedBy((current, claim, id) => right(current?.epoch === claim.epoch ? undefined : current, claim, id)))).toContain("DU3");
  });

  test("the token looked at first", async () => {
    expect(await brokenObligations(fenceContract, judgedBy((current, claim, id) => right(undefined, claim, id) ?? right(current, claim, id)))).toEqual(["DU2", "DU3"]);
  });

  test("tokens not looked at", async () => {
    expect(await brokenObligations(fenceContract, judgedBy((current, claim, id) => right(current, { ...claim, token: fenceFor(id, claim.owner, claim.epoch).token }, id)))).toEqual(["DU4", "DU5"]);
  });

  test("forgetting", async () => {
    expect(await brokenObligations(fenceContract, judgedBy(right, { forgets: true }))).toEqual(["DU6", "DU8"]);
  });

  test("a repeated claim refused", async () => {
    expect(await brokenObligations(fenceContract, judgedBy((current, claim, id) => right(current, claim, id) ?? (current?.epoch === claim.epoch ? new Error("again") : undefined)))).toEqual(["DU7"]);
  });

  test("reading and writing in two steps", async () => {
    expect(await brokenObligations(fenceContract, judgedBy(right, { race: true }))).toEqual(["DU8"]);
  });

  test("one fence for all sessions", async () => {
    expect(await brokenObligations(fenceContract, judgedBy(right, { key: "everything" }))).toContain("DU9");
  });
});
