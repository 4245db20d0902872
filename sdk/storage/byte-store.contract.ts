// What every ByteStore must keep, as data: ST1 to ST13 and ST15 of SPEC.md.
import { expect } from "vitest";
import type { Obligation } from "../testing/contract.ts";
import type { ByteStore } from "./byte-store.ts";

/** One place where bytes live, opened as often as a test likes. */
export interface BytePlace {
  open(): Promise<ByteStore>;
}

/** Makes empty places, each on its own. */
export interface ByteStoreHarness {
  /** `bytesMax`: room for about so many bytes; absent: enough. */
  place(bytesMax?: number): Promise<BytePlace>;
  /** Why ST13 can not be shown here. */
  readonly noQuota?: string | undefined;
}

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const put = (key: string, ...values: number[]) => ({ type: "put", key, value: bytes(...values) }) as const;

async function fresh(harness: ByteStoreHarness): Promise<ByteStore> {
  return (await harness.place()).open();
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "no error",
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : `an error without a code: ${String(error)}`),
  );
}

/** ST1 to ST13 and ST15. */
export const byteStoreContract: readonly Obligation<ByteStoreHarness>[] = [
  {
    id: "ST1",
    says: "a key never written, or deleted, reads as undefined; an empty value is a value",
    check: async (harness) => {
      const store = await fresh(harness);
      expect(await store.read("a")).toBeUndefined();
      await store.write([put("a"), put("b", 1)]);
      expect(await store.read("a")).toEqual(bytes());
      await store.write([{ type: "delete", key: "a" }]);
      expect(await store.read("a")).toBeUndefined();
      await store.close();
    },
  },
  {
    id: "ST2",
    says: "what was written is read back byte for byte",
    check: async (harness) => {
      const store = await fresh(harness);
      const all = Uint8Array.from({ length: 20_000 }, (_, at) => at % 251);
      // A view on a larger buffer must be stored as the view alone.
      await store.write([{ type: "put", key: "all", value: all }, { type: "put", key: "view", value: all.subarray(3, 7) }]);
      expect((await store.read("all"))?.join()).toBe(all.join());
      const view = await store.read("view");
      expect(view).toEqual(bytes(3, 4, 5, 6));
      expect(view?.buffer.byteLength).toBe(4);
      await store.close();
    },
  },
  {
    id: "ST3",
    says: "bytes are copied on the way in and on the way out",
    check: async (harness) => {
      const store = await fresh(harness);
      const given = bytes(1, 2, 3);
      const writing = store.write([{ type: "put", key: "a", value: given }]);
      given[0] = 9;
      await writing;
      given[1] = 9;
      const got = await store.read("a");
      expect(got).toEqual(bytes(1, 2, 3));
      got?.fill(7);
      const ranged = (await store.readRange("a", "b"))[0]?.[1];
      expect(ranged).toEqual(bytes(1, 2, 3));
      ranged?.fill(7);
      expect(await store.read("a")).toEqual(bytes(1, 2, 3));
      const next = bytes(4);
      const setting = store.compareAndSet("c", undefined, next);
      next[0] = 9;
      await setting;
      expect(await store.read("c")).toEqual(bytes(4));
      await store.close();
    },
  },
  {
    id: "ST4",
    says: "a resolved write is there after reopening, closed before or not",
    check: async (harness) => {
      const place = await harness.place();
      const first = await place.open();
      await first.write([put("a", 1)]);
      await first.close();
      const second = await place.open();
      expect(await second.read("a")).toEqual(bytes(1));
      await second.write([put("b", 2)]);
      const third = await place.open();
      expect(await third.readRange("", "z")).toEqual([["a", bytes(1)], ["b", bytes(2)]]);
      await second.close();
      await third.close();
    },
  },
  {
    id: "ST5",
    says: "a batch happens whole or not at all",
    check: async (harness) => {
      const place = await harness.place();
      const store = await place.open();
      await store.write([put("a", 1)]);
      const notBytes = { type: "put", key: "c", value: undefined as unknown as Uint8Array } as const;
      await expect(store.write([put("a", 2), put("b", 2), notBytes])).rejects.toBeInstanceOf(Error);
      expect(await store.readRange("", "z")).toEqual([["a", bytes(1)]]);
      // A reader in the middle, through the same store and through another one, sees both or neither.
      const other = await place.open();
      for (let round = 2; round < 12; round += 1) {
        const writing = store.write([put("x", round), put("y", round), put("z", round)]);
        const [own, theirs] = await Promise.all([store.readRange("x", "zz"), other.readRange("x", "zz")]);
        await writing;
        for (const seen of [own, theirs]) expect(new Set(seen.map(([, value]) => value[0])).size).toBeLessThanOrEqual(1);
        for (const seen of [own, theirs]) expect([0, 3]).toContain(seen.length);
      }
      await store.close();
      await other.close();
    },
  },
  {
    id: "ST6",
    says: "the operations of a batch apply in their order",
    check: async (harness) => {
      const store = await fresh(harness);
      await store.write([put("a", 1), put("a", 2), put("b", 1), { type: "delete", key: "b" }, { type: "delete", key: "c" }, put("c", 3)]);
      await store.write([put("d", 1), { type: "delete-range", from: "d", to: "e" }, put("d2", 2)]);
      expect(await store.readRange("", "z")).toEqual([["a", bytes(2)], ["c", bytes(3)], ["d2", bytes(2)]]);
      await store.close();
    },
  },
  {
    id: "ST7",
    says: "calls take effect in the order they are made",
    check: async (harness) => {
      const store = await fresh(harness);
      const writes: Promise<void>[] = [];
      const reads: Promise<Uint8Array | undefined>[] = [];
      for (let round = 0; round < 50; round += 1) {
        writes.push(store.write([put("a", round), ...(round % 7 === 0 ? [{ type: "put", key: "big", value: new Uint8Array(100_000) } as const] : [])]));
        reads.push(store.read("a"));
      }
      const finished: number[] = [];
      await Promise.all(writes.map((write, at) => write.then(() => finished.push(at))));
      expect(finished).toEqual(Array.from({ length: 50 }, (_, at) => at));
      expect((await Promise.all(reads)).map((value) => value?.[0])).toEqual(finished);
      await store.close();
    },
  },
  {
    id: "ST8",
    says: "a range is half open and ordered by UTF-16 code units",
    check: async (harness) => {
      const store = await fresh(harness);
      // By code points U+1F600 would come after U+FF5E; by code units its surrogates come first.
      const keys = ["\u{1F600}", "\uFF5E", "b", "a", "a/2", "a/10", ""];
      await store.write(keys.map((key, at) => put(key, at)));
      expect((await store.readRange("", "\uFFFF")).map(([key]) => key)).toEqual(["", "a", "a/10", "a/2", "b", "\u{1F600}", "\uFF5E"]);
      expect((await store.readRange("a", "b")).map(([key]) => key)).toEqual(["a", "a/10", "a/2"]);
      expect(await store.readRange("b", "a")).toEqual([]);
      expect(await store.readRange("a", "a")).toEqual([]);
      await store.close();
    },
  },
  {
    id: "ST9",
    says: "deleting removes exactly what it names",
    check: async (harness) => {
      const store = await fresh(harness);
      await store.write(["a", "b", "c", "d"].map((key) => put(key, 1)));
      await store.write([{ type: "delete", key: "zz" }, { type: "delete-range", from: "b", to: "d" }, { type: "delete-range", from: "d", to: "a" }, { type: "delete-range", from: "d", to: "d" }]);
      expect((await store.readRange("", "z")).map(([key]) => key)).toEqual(["a", "d"]);
      await store.close();
    },
  },
  {
    id: "ST10",
    says: "compare-and-set changes a key only from the expected bytes",
    check: async (harness) => {
      const store = await fresh(harness);
      expect(await store.compareAndSet("a", bytes(1), bytes(2))).toBe(false);
      expect(await store.compareAndSet("a", undefined, bytes(1))).toBe(true);
      expect(await store.compareAndSet("a", undefined, bytes(2))).toBe(false);
      expect(await store.compareAndSet("a", bytes(1, 0), bytes(2))).toBe(false);
      expect(await store.read("a")).toEqual(bytes(1));
      expect(await store.compareAndSet("a", bytes(1), bytes(2))).toBe(true);
      expect(await store.read("a")).toEqual(bytes(2));
      expect(await store.compareAndSet("a", bytes(2), undefined)).toBe(true);
      expect(await store.read("a")).toBeUndefined();
      await store.close();
    },
  },
  {
    id: "ST11",
    says: "of two stores that compare-and-set from one expectation exactly one succeeds",
    check: async (harness) => {
      const place = await harness.place();
      const [one, two] = await Promise.all([place.open(), place.open()]);
      for (let round = 0; round < 10; round += 1) {
        const expected = await one.read("a");
        const results = await Promise.all([one.compareAndSet("a", expected, bytes(1, round)), two.compareAndSet("a", expected, bytes(2, round))]);
        expect(results.filter(Boolean)).toHaveLength(1);
        expect(await two.read("a")).toEqual(bytes(results[0] ? 1 : 2, round));
      }
      await one.close();
      await two.close();
    },
  },
  {
    id: "ST12",
    says: "after close every call rejects as closed, and what was called before still happens",
    check: async (harness) => {
      const place = await harness.place();
      const store = await place.open();
      const writing = store.write([put("a", 1)]);
      const closing = store.close();
      const late = [store.read("a"), store.readRange("", "z"), store.write([put("b", 1)]), store.compareAndSet("b", undefined, bytes(1))];
      expect(await Promise.all(late.map(codeOf))).toEqual(["closed", "closed", "closed", "closed"]);
      await writing;
      await closing;
      await store.close();
      expect(await codeOf(store.read("a"))).toBe("closed");
      const again = await place.open();
      expect(await again.readRange("", "z")).toEqual([["a", bytes(1)]]);
      await again.close();
    },
  },
  {
    id: "ST13",
    says: "a write without room is refused whole, and the store goes on serving",
    unless: (harness) => harness.noQuota,
    check: async (harness) => {
      const place = await harness.place(1_000_000);
      const store = await place.open();
      await store.write([put("a", 1)]);
      const large = { type: "put", key: "large", value: Uint8Array.from({ length: 4_000_000 }, (_, at) => (at * 7_919) >> 3) } as const;
      expect(await codeOf(store.write([put("a", 2), large]))).toBe("storage-quota");
      expect(await store.readRange("", "z")).toEqual([["a", bytes(1)]]);
      await store.write([put("a", 3)]);
      expect(await store.read("a")).toEqual(bytes(3));
      await store.close();
    },
  },
  {
    id: "ST15",
    says: "a batch happens only if its expectations hold",
    check: async (harness) => {
      const place = await harness.place();
      const [one, two] = await Promise.all([place.open(), place.open()]);
      const expecting = (...values: number[]) => ({ type: "expect", key: "a", value: bytes(...values) }) as const;
      const absent = { type: "expect", key: "a", value: undefined } as const;
      await one.write([absent, put("a", 1), put("b", 1)]);
      expect(await codeOf(one.write([put("b", 9), absent]))).toBe("storage-conflict");
      expect(await codeOf(one.write([expecting(1), { type: "expect", key: "b", value: bytes(2) }, put("b", 9)]))).toBe("storage-conflict");
      expect(await one.readRange("", "z")).toEqual([["a", bytes(1)], ["b", bytes(1)]]);
      const results = await Promise.all([one, two].map((store, at) => codeOf(store.write([expecting(1), put("a", 2, at), put(`only-${at}`, 1)]))));
      expect(results.filter((result) => result === "no error")).toHaveLength(1);
      expect(results.filter((result) => result === "storage-conflict")).toHaveLength(1);
      expect(await one.readRange("only", "z")).toHaveLength(1);
      await one.close();
      await two.close();
    },
  },
];
