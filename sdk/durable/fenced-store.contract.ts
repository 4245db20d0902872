// What every store that only its owner can write must keep, as data: DU28 to DU32 of SPEC.md.
import { expect } from "vitest";
import type { ByteStore, ByteStoreOp } from "../storage/index.ts";
import type { Obligation } from "../testing/contract.ts";
import { fenceFor, type OwnershipFence } from "./fence.ts";
import { ownerCondition } from "./fenced-store.ts";
import { fenceKey, StoreFence } from "./store-fence.ts";

/** Places where bytes and fences live together, and the wrapper on trial. */
export interface FencedStoreHarness {
  place(): Promise<{ open(): Promise<ByteStore> }>;
  fenced(store: ByteStore, sessionId: string, fence: OwnershipFence): ByteStore;
}

const S = "log";
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const put = (key: string, ...values: number[]) => ({ type: "put", key, value: bytes(...values) }) as const;

async function outcome(call: Promise<unknown>): Promise<Record<string, unknown>> {
  return call.then(
    (value) => ({ code: "done", value }),
    (error: unknown) => ({ ...(error as Record<string, unknown>) }),
  );
}

async function records(store: ByteStore): Promise<unknown> {
  return store.readRange("", "\uFFFF");
}

/** Everything that can change something. */
const CHANGES: readonly (readonly [what: string, ops: readonly ByteStoreOp[]])[] = [
  ["a put", [put("a", 9)]],
  ["a deletion", [{ type: "delete", key: "a" }]],
  ["a range's deletion", [{ type: "delete-range", from: "", to: "z" }]],
  ["a batch with a condition that holds", [{ type: "expect", key: "a", value: bytes(1) }, put("b", 9)]],
  ["a batch with a condition that does not hold", [{ type: "expect", key: "a", value: bytes(8) }, put("b", 9)]],
  ["an empty batch", []],
];

async function isRefused(stale: ByteStore, seen: ByteStore, refusal: Record<string, unknown>): Promise<void> {
  const before = await records(seen);
  for (const [what, ops] of CHANGES) expect(await outcome(stale.write(ops)), what).toMatchObject(refusal);
  expect(await outcome(stale.compareAndSet("a", bytes(1), bytes(9)))).toMatchObject(refusal);
  expect(await outcome(stale.compareAndSet("a", bytes(8), bytes(9)))).toMatchObject(refusal);
  expect(await outcome(stale.compareAndSet("a", bytes(1), undefined))).toMatchObject(refusal);
  expect(await records(seen)).toEqual(before);
}

/** DU28 to DU32. */
export const fencedStoreContract: readonly Obligation<FencedStoreHarness>[] = [
  {
    id: "DU28",
    says: "the owner's writes happen",
    check: async (harness) => {
      const place = await harness.place();
      const base = await place.open();
      const store = harness.fenced(base, S, await new StoreFence(base).takeOver(S, "ann"));
      await store.write([put("a", 1), put("b", 1)]);
      expect(await store.compareAndSet("a", bytes(1), bytes(2))).toBe(true);
      expect(await store.compareAndSet("b", bytes(1), undefined)).toBe(true);
      const other = await place.open();
      expect([await other.read("a"), await other.read("b")]).toEqual([bytes(2), undefined]);
      await store.close();
      expect(await outcome(store.write([put("a", 3)]))).toMatchObject({ code: "closed" });
      expect(await base.read("a")).toEqual(bytes(2));
    },
  },
  {
    id: "DU29",
    says: "after a takeover every change of the older owner is refused as stale and changes nothing",
    check: async (harness) => {
      const place = await harness.place();
      const [base, theirs] = [await place.open(), await place.open()];
      const store = harness.fenced(base, S, await new StoreFence(base).takeOver(S, "ann"));
      await store.write([put("a", 1)]);
      await new StoreFence(theirs).takeOver(S, "bob");
      await isRefused(store, theirs, { code: "stale-owner", current: 2, requested: 1 });
      // Also when the same name takes over: a tab that was reloaded is not the tab before.
      const second = harness.fenced(theirs, S, fenceFor(S, "bob", 2));
      await second.write([put("a", 1)]);
      await new StoreFence(base).takeOver(S, "bob");
      await isRefused(second, base, { code: "stale-owner", current: 3, requested: 2 });
    },
  },
  {
    id: "DU30",
    says: "who was never granted the fence, or whose fence is gone, changes nothing",
    check: async (harness) => {
      const place = await harness.place();
      const base = await place.open();
      await base.write([put("a", 1)]);
      await isRefused(harness.fenced(base, S, fenceFor(S, "ann", 3)), base, { code: "stale-owner", current: 0, requested: 3 });
      await new StoreFence(base).claim(S, fenceFor(S, "ann", 3));
      await isRefused(harness.fenced(base, S, fenceFor(S, "eve", 3)), base, { code: "split-brain", currentOwner: "ann" });
      await isRefused(harness.fenced(base, S, fenceFor(S, "eve", 4)), base, { code: "stale-owner" });
      await isRefused(harness.fenced(base, S, { ...fenceFor(S, "ann", 3), token: "wrong" }), base, { code: "invalid-token" });
      await isRefused(harness.fenced(base, "another", fenceFor("another", "ann", 3)), base, { code: "stale-owner" });
      expect(await outcome(base.write([put("a", 9), ownerCondition(S, fenceFor(S, "eve", 3))]))).toMatchObject({ code: "storage-conflict", key: fenceKey(S) });
      await base.write([put("b", 1), ownerCondition(S, fenceFor(S, "ann", 3))]);
      await base.write([{ type: "delete", key: fenceKey(S) }]);
      await isRefused(harness.fenced(base, S, fenceFor(S, "ann", 3)), base, { code: "stale-owner", current: 0 });
    },
  },
  {
    id: "DU31",
    says: "what the new owner reads after its claim is all the older one ever writes, whatever is under way",
    check: async (harness) => {
      for (let pause = 0; pause < 24; pause += 1) {
        const place = await harness.place();
        const [base, theirs] = [await place.open(), await place.open()];
        const store = harness.fenced(base, S, await new StoreFence(base).takeOver(S, "ann"));
        const writes = [];
        let swapped: Promise<Record<string, unknown>> | undefined;
        let claim: Promise<unknown> | undefined;
        for (let at = 0; at < 6; at += 1) {
          writes.push(outcome(store.write([put(`old ${at}`, at)])));
          swapped ??= outcome(store.compareAndSet("swapped", undefined, bytes(1)));
          for (let turn = 0; turn < pause % 6; turn += 1) await Promise.resolve();
          if (at === Math.floor(pause / 6)) claim = new StoreFence(theirs).takeOver(S, "bob").then(() => theirs.readRange("old", "t"));
        }
        const seen = await claim;
        const codes = (await Promise.all(writes)).map(({ code }) => code);
        expect(["done", "stale-owner"]).toContain((await swapped)?.["code"]);
        expect(new Set([...codes, "done", "stale-owner"]).size).toBe(2);
        expect(await theirs.readRange("old", "t"), `after ${pause} turns`).toEqual(seen);
        expect((await theirs.readRange("old", "p")).length).toBe(codes.filter((code) => code === "done").length);
      }
    },
  },
  {
    id: "DU32",
    says: "a condition of the owner's own that does not hold is a conflict and no refusal",
    check: async (harness) => {
      const base = await (await harness.place()).open();
      const store = harness.fenced(base, S, await new StoreFence(base).takeOver(S, "ann"));
      await store.write([put("a", 1)]);
      expect(await outcome(store.write([{ type: "expect", key: "a", value: bytes(2) }, put("a", 3)]))).toMatchObject({ code: "storage-conflict", key: "a" });
      expect(await store.compareAndSet("a", bytes(2), bytes(3))).toBe(false);
      expect(await store.compareAndSet("b", bytes(2), bytes(3))).toBe(false);
      expect(await store.read("a")).toEqual(bytes(1));
    },
  },
];
