import { describe, expect, test } from "vitest";
import { byteStoreContract } from "../storage/byte-store.contract.ts";
import { MemoryByteStore, MemoryDisk, StorageQuotaError } from "../storage/index.ts";
import { describeContract } from "./contract.ts";
import { FaultyByteStore } from "./faulty-byte-store.ts";

describeContract("FaultyByteStore without a fault", byteStoreContract, {
  place: async (bytesMax?: number) => {
    const disk = new MemoryDisk(bytesMax);
    return { open: async () => new FaultyByteStore(new MemoryByteStore(disk)) };
  },
});

describe("a faulty byte store", () => {
  const put = (key: string) => ({ type: "put", key, value: Uint8Array.of(1) }) as const;
  const error = new StorageQuotaError();

  test("does to each write what the plan says, and passes the rest on", async () => {
    const disk = new MemoryDisk();
    const store = new FaultyByteStore(new MemoryByteStore(disk), (write) => {
      if (write === 1) return { type: "refuse", error };
      if (write === 2) return { type: "happen-and-fail", error };
      return write === 3 ? { type: "cut", ops: 1, error } : undefined;
    });
    const keys: string[][] = [];
    for (const name of ["a", "b", "c", "d"]) {
      const outcome = await store.write([put(`${name}1`), put(`${name}2`)]).then(() => "done", (reason: unknown) => reason);
      expect(outcome).toBe(name === "d" ? "done" : error);
      keys.push([...disk.records.keys()]);
    }
    expect(keys).toEqual([[], ["b1", "b2"], ["b1", "b2", "c1"], ["b1", "b2", "c1", "d1", "d2"]]);
    expect(store.writes).toBe(4);
  });

  test("lets a hanging write happen when it is released, and counts what is under way", async () => {
    const disk = new MemoryDisk();
    const store = new FaultyByteStore(new MemoryByteStore(disk), () => ({ type: "hang" }));
    const writing = store.write([put("a")]);
    expect([store.underWay, disk.records.size]).toEqual([1, 0]);
    store.release();
    await writing;
    expect([store.underWay, store.underWayMost, disk.records.size]).toEqual([0, 1, 1]);
  });
});
