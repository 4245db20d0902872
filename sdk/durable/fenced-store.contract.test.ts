// Stores that only their owner can write: their own contract, the one of every store, and broken ones on trial.
import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { describe, expect, test } from "vitest";
import { hasCode } from "../base/index.ts";
import { byteStoreContract } from "../storage/byte-store.contract.ts";
import { MemoryByteStore, MemoryDisk, scopedByteStore, type ByteStore } from "../storage/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import { brokenObligations, describeContract } from "../testing/contract.ts";
import type { OwnershipFence } from "./fence.ts";
import { fencedByteStore, mustOwn, takeStore } from "./fenced-store.ts";
import { fencedStoreContract, type FencedStoreHarness } from "./fenced-store.contract.ts";
import { readFence } from "./store-fence.ts";

const inMemory = async (): Promise<{ open(): Promise<ByteStore> }> => {
  const disk = new MemoryDisk();
  return { open: async () => new MemoryByteStore(disk) };
};

describeContract("FencedByteStore of a MemoryByteStore", fencedStoreContract, { place: inMemory, fenced: fencedByteStore });
describeContract("FencedByteStore of an IndexedDbByteStore on fake-indexeddb", fencedStoreContract, {
  place: async () => {
    const factory = new IDBFactory();
    return { open: () => IndexedDbByteStore.open({ name: "room", factory }) };
  },
  fenced: fencedByteStore,
});

// Two stores are opened on one place there, which two owners would not be: the fence is the one of the first.
describeContract("a part of a FencedByteStore is a store", byteStoreContract, {
  place: async (bytesMax) => {
    const disk = new MemoryDisk(bytesMax);
    const { fence } = await takeStore(new MemoryByteStore(disk), "log", "ann");
    return { open: async () => scopedByteStore(fencedByteStore(new MemoryByteStore(disk), "log", fence), "peer/") };
  },
});

/** A wrapper with some of its methods put another way. */
function wrapped(change: (base: ByteStore, good: ByteStore, sessionId: string, fence: OwnershipFence) => Partial<ByteStore>): FencedStoreHarness {
  return {
    place: inMemory,
    fenced: (base, sessionId, fence) => {
      const good = fencedByteStore(base, sessionId, fence);
      const same: ByteStore = {
        read: (key) => good.read(key), readRange: (from, to) => good.readRange(from, to), write: (ops) => good.write(ops),
        compareAndSet: (key, expected, next) => good.compareAndSet(key, expected, next), close: () => good.close(),
      };
      return { ...same, ...change(base, good, sessionId, fence) };
    },
  };
}

describe("the fenced store's contract catches", () => {
  test("nothing in a store that keeps it", async () => {
    expect(await brokenObligations(fencedStoreContract, wrapped(() => ({})))).toEqual([]);
  });

  test("looking at the fence and writing in two steps", async () => {
    const broken = wrapped((base, good, sessionId, fence) => ({
      write: async (ops) => {
        await mustOwn(base, sessionId, fence);
        await good.read("");
        await base.write(ops);
      },
    }));
    expect(await brokenObligations(fencedStoreContract, broken)).toContain("DU31");
  });

  test("looking at the fence only once", async () => {
    let looked = new WeakSet<ByteStore>();
    const broken = wrapped((base, _, sessionId, fence) => ({
      write: async (ops) => {
        if (!looked.has(base)) await mustOwn(base, sessionId, fence);
        looked = looked.add(base);
        await base.write(ops);
      },
    }));
    expect(await brokenObligations(fencedStoreContract, broken)).toContain("DU29");
  });

  test("compare-and-set past the fence", async () => {
    const broken = wrapped((base) => ({ compareAndSet: (key, expected, next) => base.compareAndSet(key, expected, next) }));
    expect(await brokenObligations(fencedStoreContract, broken)).toEqual(["DU29", "DU30"]);
  });

  test("only the epoch looked at", async () => {
    const broken = wrapped((base, good, sessionId, fence) => ({
      write: async (ops) => {
        const isTheirs = (await readFence(base, sessionId)).fence?.epoch === fence.epoch;
        await (isTheirs ? base : good).write(ops);
      },
    }));
    expect(await brokenObligations(fencedStoreContract, broken)).toContain("DU30");
  });

  test("every conflict taken for a takeover", async () => {
    const broken = wrapped((_, good) => ({
      write: (ops) => good.write(ops).catch((error: unknown) => {
        throw hasCode(error, "storage-conflict") ? Object.assign(new Error("stale"), { code: "stale-owner" }) : error;
      }),
    }));
    expect(await brokenObligations(fencedStoreContract, broken)).toEqual(["DU32"]);
  });

  test("a takeover said to be a lost comparison", async () => {
    const broken = wrapped((_, good) => ({ compareAndSet: (key, expected, next) => good.compareAndSet(key, expected, next).catch(() => false) }));
    expect(await brokenObligations(fencedStoreContract, broken)).toContain("DU29");
  });
});
