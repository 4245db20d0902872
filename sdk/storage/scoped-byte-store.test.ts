import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { brokenObligations, describeContract } from "../testing/contract.ts";
import { byteStoreContract, type ByteStoreHarness } from "./byte-store.contract.ts";
import { MemoryByteStore, MemoryDisk, scopedByteStore, type ByteStore, type ByteStoreOp } from "./index.ts";

// Neighbours on both sides, one of whose prefixes differs in its last sign only, and a record under the bare prefix.
const NEIGHBOURS = ["a/x", "peer.", "peer0", "peer0x", "peer", "z"];
const neighbour = (key: string): ByteStoreOp => ({ type: "put", key, value: Uint8Array.of(9) });

const harness = (scope: (base: ByteStore, prefix: string) => ByteStore): ByteStoreHarness => ({
  place: async (bytesMax) => {
    const disk = new MemoryDisk(bytesMax);
    await new MemoryByteStore(disk).write(NEIGHBOURS.map(neighbour));
    return { open: async () => scope(new MemoryByteStore(disk), "peer/") };
  },
});

describeContract("ScopedByteStore of a MemoryByteStore", byteStoreContract, harness(scopedByteStore));
describeContract("ScopedByteStore of a ScopedByteStore", byteStoreContract, harness((base, prefix) => scopedByteStore(scopedByteStore(base, prefix), "inner/")));

describe("the contract catches a part", () => {
  const misplaced = (op: ByteStoreOp): ByteStoreOp => (op.type === "delete-range" ? { ...op, from: `peer/${op.from}` } : op);

  test("whose range deletions end outside", async () => {
    const broken = harness((base, prefix) => {
      const good = scopedByteStore(base, prefix);
      return { read: (key) => good.read(key), readRange: (from, to) => good.readRange(from, to), compareAndSet: (key, expected, next) => good.compareAndSet(key, expected, next), close: () => good.close(), write: (ops) => (ops.some(({ type }) => type === "delete-range") ? base.write(ops.map(misplaced)) : good.write(ops)) };
    });
    expect(await brokenObligations(byteStoreContract, broken)).toContain("ST9");
  });

  test("that shows whole keys", async () => {
    const broken = harness((base, prefix) => {
      const good = scopedByteStore(base, prefix);
      return { read: (key) => good.read(key), write: (ops) => good.write(ops), compareAndSet: (key, expected, next) => good.compareAndSet(key, expected, next), close: () => good.close(), readRange: (from, to) => base.readRange(prefix + from, prefix + to) };
    });
    expect(await brokenObligations(byteStoreContract, broken)).toContain("ST8");
  });

  test("that goes on after it was closed", async () => {
    const broken = harness((base, prefix) => {
      const good = scopedByteStore(base, prefix);
      return { read: (key) => good.read(key), write: (ops) => good.write(ops), compareAndSet: (key, expected, next) => good.compareAndSet(key, expected, next), readRange: (from, to) => good.readRange(from, to), close: async () => {} };
    });
    expect(await brokenObligations(byteStoreContract, broken)).toEqual(["ST12"]);
  });
});

test("[ST16] closing a part waits for its own calls and leaves the store open", async () => {
  const base = new MemoryByteStore();
  const part = scopedByteStore(base, "peer/");
  const writing = part.write([{ type: "put", key: "a", value: Uint8Array.of(1) }]);
  await part.close();
  await writing;
  expect(await base.read("peer/a")).toEqual(Uint8Array.of(1));
});

test("[ST16] a conflict names the key as the part knows it", async () => {
  const part = scopedByteStore(new MemoryByteStore(), "peer/");
  await expect(part.write([{ type: "expect", key: "a", value: Uint8Array.of(1) }])).rejects.toMatchObject({ code: "storage-conflict", key: "a" });
});

test("[ST16] parts side by side are like stores of their own, whatever is done to them", async () => {
  const key = fc.constantFrom("", "/", "0", "a", "a/b", "\u0000", "\uFFFF", "peer/");
  const op: fc.Arbitrary<ByteStoreOp> = fc.oneof(
    fc.record({ type: fc.constant("put" as const), key, value: fc.uint8Array({ maxLength: 3 }) }),
    fc.record({ type: fc.constant("delete" as const), key }),
    fc.record({ type: fc.constant("delete-range" as const), from: key, to: key }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.nat(2), fc.array(op, { maxLength: 4 })), { maxLength: 20 }), async (batches) => {
      const base = new MemoryByteStore();
      const alone = [new MemoryByteStore(), new MemoryByteStore(), new MemoryByteStore()];
      const parts = ["peer/", "peer0", "p/"].map((prefix) => scopedByteStore(base, prefix));
      for (const [which, ops] of batches) await Promise.all([alone[which]?.write(ops), parts[which]?.write(ops)]);
      for (const at of [0, 1, 2]) expect(await parts[at]?.readRange("", "\uFFFF\uFFFF")).toEqual(await alone[at]?.readRange("", "\uFFFF\uFFFF"));
    }),
    { numRuns: 300 },
  );
});
