// The suite itself on trial: each broken store must be caught on the rule it breaks.
import { describe, expect, test } from "vitest";
import { brokenObligations } from "../testing/contract.ts";
import { byteStoreContract, type ByteStoreHarness } from "./byte-store.contract.ts";
import type { ByteStore, ByteStoreOp } from "./byte-store.ts";
import { MemoryByteStore, MemoryDisk } from "./memory-byte-store.ts";

type Break = (good: ByteStore, disk: MemoryDisk) => Partial<ByteStore>;

const broken = (how: Break, options: { forgets?: boolean; quota?: boolean } = {}): ByteStoreHarness => ({
  place: async (bytesMax) => {
    let disk = new MemoryDisk(options.quota === false ? undefined : bytesMax);
    return {
      open: async () => {
        if (options.forgets) disk = new MemoryDisk(disk.bytesMax);
        const good = new MemoryByteStore(disk);
        const base: ByteStore = { read: (key) => good.read(key), readRange: (from, to) => good.readRange(from, to), write: (ops) => good.write(ops), compareAndSet: (key, expected, next) => good.compareAndSet(key, expected, next), close: () => good.close() };
        return { ...base, ...how(good, disk) };
      },
    };
  },
});

const judged = (how: Break, options?: { forgets?: boolean; quota?: boolean }): Promise<string[]> => brokenObligations(byteStoreContract, broken(how, options));

describe("the byte store contract catches", () => {
  test("nothing in a store that keeps it", async () => {
    expect(await judged(() => ({}))).toEqual([]);
  });

  test("empty bytes where nothing was written", async () => {
    expect(await judged((good) => ({ read: async (key) => (await good.read(key)) ?? new Uint8Array(0) }))).toContain("ST1");
  });

  test("the whole buffer behind a view", async () => {
    const whole = (op: ByteStoreOp): ByteStoreOp => (op.type === "put" ? { ...op, value: new Uint8Array(op.value.buffer.slice(0)) } : op);
    expect(await judged((good) => ({ write: async (ops) => good.write(ops.map(whole)) }))).toEqual(["ST2"]);
  });

  test("a store that keeps the caller's array", async () => {
    expect(await judged((good, disk) => ({ write: async (ops) => { await good.write(ops); for (const op of ops) if (op.type === "put" && disk.records.has(op.key) && op.key !== "large") disk.records.set(op.key, op.value); } }))).toContain("ST3");
  });

  test("a store that hands out its own array", async () => {
    expect(await judged((good, disk) => ({ read: async (key) => (await good.read(key)) && disk.records.get(key) }))).toContain("ST3");
  });

  test("forgetting on reopen", async () => {
    expect(await judged(() => ({}), { forgets: true })).toContain("ST4");
  });

  test("half batches", async () => {
    expect(await judged((good) => ({ write: async (ops) => { for (const op of ops) await good.write([op]); } }))).toContain("ST5");
  });

  test("deletes before puts", async () => {
    const sorted = (ops: readonly ByteStoreOp[]): ByteStoreOp[] => [...ops].sort((a, b) => Number(a.type === "put") - Number(b.type === "put"));
    expect(await judged((good) => ({ write: async (ops) => good.write(sorted(ops)) }))).toEqual(["ST6"]);
  });

  test("batches that overtake each other", async () => {
    expect(await judged((good) => ({ write: async (ops) => { if (ops.length === 1) await Promise.resolve(); return good.write(ops); } }))).toContain("ST7");
  });

  test("ranges that include their end, and ranges in locale order", async () => {
    expect(await judged((good) => ({ readRange: (from, to) => good.readRange(from, `${to}\u0000`) }))).toContain("ST8");
    expect(await judged((good) => ({ readRange: async (from, to) => [...(await good.readRange(from, to))].sort((a, b) => (a[0].codePointAt(0) ?? 0) - (b[0].codePointAt(0) ?? 0)) }))).toEqual(["ST8"]);
  });

  test("a range deletion that takes its end along", async () => {
    const wide = (op: ByteStoreOp): ByteStoreOp => (op.type === "delete-range" ? { ...op, to: `${op.to}\u0000` } : op);
    expect(await judged((good) => ({ write: async (ops) => good.write(ops.map(wide)) }))).toEqual(["ST9"]);
  });

  test("a compare-and-set that does not compare, or compares lengths only", async () => {
    expect(await judged((good) => ({ compareAndSet: async (key, _, next) => { await good.write([next === undefined ? { type: "delete", key } : { type: "put", key, value: next }]); return true; } }))).toEqual(["ST10", "ST11"]);
  });

  test("a compare-and-set in two steps", async () => {
    expect(await judged((good) => ({ compareAndSet: async (key, expected, next) => {
      const held = await good.read(key);
      if (held?.join() !== expected?.join()) return false;
      const own = next?.slice();
      await Promise.resolve();
      await good.write([own === undefined ? { type: "delete", key } : { type: "put", key, value: own }]);
      return true;
    } }))).toContain("ST11");
  });

  test("a store that still serves after close", async () => {
    expect(await judged(() => ({ close: async () => {} }))).toEqual(["ST12"]);
  });

  test("a store that is full and says nothing", async () => {
    expect(await judged(() => ({}), { quota: false })).toEqual(["ST13"]);
  });

  test("a store that does not look at expectations, or looks before it waits", async () => {
    const without = (ops: readonly ByteStoreOp[]): ByteStoreOp[] => ops.filter((op) => op.type !== "expect");
    expect(await judged((good) => ({ write: async (ops) => good.write(without(ops)) }))).toEqual(["ST15"]);
    expect(await judged((good) => ({ write: async (ops) => {
      if (!ops.some((op) => op.type === "expect")) return good.write(ops);
      await good.write(ops.filter((op) => op.type === "expect"));
      return good.write(without(ops));
    } }))).toContain("ST15");
  });
});
