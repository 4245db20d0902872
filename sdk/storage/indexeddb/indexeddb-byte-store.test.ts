import { forceCloseDatabase, IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { expect, test } from "vitest";
import { describeContract } from "../../testing/contract.ts";
import { byteStoreContract, type ByteStoreHarness } from "../byte-store.contract.ts";
import { scopedByteStore } from "../index.ts";
import { deleteDatabase, IndexedDbByteStore } from "./index.ts";

const harness: ByteStoreHarness = {
  place: async () => {
    const factory = new IDBFactory();
    return { open: () => IndexedDbByteStore.open({ name: "room", factory }) };
  },
  noQuota: "fake-indexeddb has no quota",
};

describeContract("IndexedDbByteStore on fake-indexeddb", byteStoreContract, harness);

const failingOpen = (event: "blocked" | "error", name = "UnknownError"): IDBFactory => {
  const request = { error: new DOMException("no", name) } as unknown as Record<string, (() => void) | undefined>;
  queueMicrotask(() => request[`on${event}`]?.());
  return { open: () => request } as unknown as IDBFactory;
};

test("[ST14] an open that another tab blocks says storage-blocked", async () => {
  await expect(IndexedDbByteStore.open({ name: "room", factory: failingOpen("blocked") })).rejects.toMatchObject({ code: "storage-blocked" });
});

test("[ST14] an open that fails says storage-unavailable, or storage-quota when that is why", async () => {
  await expect(IndexedDbByteStore.open({ name: "room", factory: failingOpen("error") })).rejects.toMatchObject({ code: "storage-unavailable" });
  await expect(IndexedDbByteStore.open({ name: "room", factory: failingOpen("error", "QuotaExceededError") })).rejects.toMatchObject({ code: "storage-quota" });
});

test("[ST14] a factory that throws, as in some private modes, says storage-unavailable", async () => {
  const factory = { open: () => { throw new DOMException("denied", "SecurityError"); } } as unknown as IDBFactory;
  await expect(IndexedDbByteStore.open({ name: "room", factory })).rejects.toMatchObject({ code: "storage-unavailable" });
});

test("[ST14] a database of something else is refused and not touched", async () => {
  const factory = new IDBFactory();
  await new Promise<void>((resolve) => {
    const request = factory.open("room");
    request.onupgradeneeded = () => void request.result.createObjectStore("theirs");
    request.onsuccess = () => (request.result.close(), resolve());
  });
  await expect(IndexedDbByteStore.open({ name: "room", factory })).rejects.toMatchObject({ code: "storage-unavailable" });
});

test("[ST14] a store whose database is deleted lets go of it and fails from then on", async () => {
  const factory = new IDBFactory();
  const store = await IndexedDbByteStore.open({ name: "room", factory });
  await store.write([{ type: "put", key: "a", value: new Uint8Array(1) }]);
  await new Promise<void>((resolve, reject) => {
    const request = factory.deleteDatabase("room");
    request.onsuccess = () => resolve();
    request.onblocked = () => reject(new Error("the store kept the database"));
  });
  await expect(store.read("a")).rejects.toMatchObject({ code: "storage-unavailable" });
  await store.close();
});

describeContract("ScopedByteStore of an IndexedDbByteStore on fake-indexeddb", byteStoreContract, {
  place: async () => {
    const factory = new IDBFactory();
    return { open: async () => scopedByteStore(await IndexedDbByteStore.open({ name: "room", factory }), "peer/") };
  },
  noQuota: "fake-indexeddb has no quota",
});

const put = (key: string, value: number) => ({ type: "put", key, value: Uint8Array.of(value) }) as const;

test("[ST17] values come and go with the records of their batch, and are not seen among them", async () => {
  const store = await IndexedDbByteStore.open({ name: "room", factory: new IDBFactory() });
  await store.write([put("a", 1)], [{ type: "put", key: "a", value: { when: new Date(5), names: new Set(["x"]) } }, { type: "put", key: "b", value: "text" }]);
  expect(await store.readValues()).toEqual([["a", { when: new Date(5), names: new Set(["x"]) }], ["b", "text"]]);
  expect(await store.readRange("", "z")).toEqual([["a", Uint8Array.of(1)]]);
  await store.write([{ type: "delete", key: "a" }], [{ type: "delete", key: "a" }]);
  expect(await store.readValues()).toEqual([["b", "text"]]);
  expect(await store.readRange("", "z")).toEqual([]);
  await store.close();
  await expect(store.readValues()).rejects.toMatchObject({ code: "closed" });
});

test("[ST17] a value that can not be kept, or an expectation that does not hold, refuses records and values alike", async () => {
  const store = await IndexedDbByteStore.open({ name: "room", factory: new IDBFactory() });
  await expect(store.write([put("a", 1)], [{ type: "put", key: "a", value: 1 }, { type: "put", key: "b", value: () => {} }])).rejects.toMatchObject({ code: "storage-unavailable" });
  await expect(store.write([put("a", 1), { type: "expect", key: "x", value: Uint8Array.of(1) }], [{ type: "put", key: "a", value: 1 }])).rejects.toMatchObject({ code: "storage-conflict" });
  expect(await store.readValues()).toEqual([]);
  expect(await store.readRange("", "z")).toEqual([]);
  await store.write([put("a", 2)], [{ type: "put", key: "a", value: 2 }]);
  expect(await store.readValues()).toEqual([["a", 2]]);
});

test("[ST8] whether a range holds anything is told without reading it", async () => {
  const store = await IndexedDbByteStore.open({ name: "room", factory: new IDBFactory() });
  await store.write([put("b", 1)]);
  expect(await store.holdsAny("b", "c")).toBe(true);
  expect(await store.holdsAny("a", "b")).toBe(false);
  expect(await store.holdsAny("c", "a")).toBe(false);
});

/** The database as the first version of this code made it. */
function firstVersion(factory: IDBFactory, letsGo: boolean): Promise<IDBDatabase> {
  return new Promise((resolve) => {
    const request = factory.open("room");
    request.onupgradeneeded = () => void request.result.createObjectStore("records").put(Uint8Array.of(7), "old");
    request.onsuccess = () => {
      if (letsGo) request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
  });
}

test("[ST18] a database of the first version is upgraded with its records, and a tab that holds it lets go", async () => {
  const factory = new IDBFactory();
  await firstVersion(factory, true);
  const store = await IndexedDbByteStore.open({ name: "room", factory });
  expect(await store.read("old")).toEqual(Uint8Array.of(7));
  expect(await store.readValues()).toEqual([]);
});

test("[ST18] a tab that holds the first version and does not let go is said to block, and the database opens once it is gone", async () => {
  const factory = new IDBFactory();
  const theirs = await firstVersion(factory, false);
  await expect(IndexedDbByteStore.open({ name: "room", factory })).rejects.toMatchObject({ code: "storage-blocked" });
  theirs.close();
  const store = await IndexedDbByteStore.open({ name: "room", factory });
  expect(await store.read("old")).toEqual(Uint8Array.of(7));
  await store.close();
  // Nobody holds what the blocked attempt opened after all.
  await deleteDatabase("room", factory);
});

test("[ST18] a database of a later version is refused and not touched", async () => {
  const factory = new IDBFactory();
  await new Promise<void>((resolve) => {
    const request = factory.open("room", 9);
    request.onupgradeneeded = () => void request.result.createObjectStore("records");
    request.onsuccess = () => (request.result.close(), resolve());
  });
  await expect(IndexedDbByteStore.open({ name: "room", factory })).rejects.toMatchObject({ code: "storage-unavailable" });
  expect((await factory.databases())[0]?.version).toBe(9);
});

test("[ST18] somebody else's database keeps its version when refused", async () => {
  const factory = new IDBFactory();
  await new Promise<void>((resolve) => {
    const request = factory.open("room", 1);
    request.onupgradeneeded = () => void request.result.createObjectStore("theirs");
    request.onsuccess = () => (request.result.close(), resolve());
  });
  await expect(IndexedDbByteStore.open({ name: "room", factory })).rejects.toMatchObject({ message: expect.stringContaining("made by something else") });
  expect((await factory.databases())[0]?.version).toBe(1);
});

test("[ST14] after a lost connection a new store on the same place goes on where the old one was", async () => {
  const factory = new IDBFactory();
  const store = await IndexedDbByteStore.open({ name: "room", factory });
  await store.write([put("a", 1)]);
  let lost: IDBDatabase | undefined;
  // What Safari does to pages it had put away: the connection ends, with nothing but an event.
  const original = factory.open.bind(factory);
  factory.open = (...args) => {
    const request = original(...args);
    request.addEventListener("success", () => { lost = request.result; });
    return request;
  };
  const fragile = await IndexedDbByteStore.open({ name: "room", factory });
  // The package declares its argument as the class instead of an instance.
  forceCloseDatabase(lost as unknown as Parameters<typeof forceCloseDatabase>[0]);
  await expect(fragile.write([put("a", 2)])).rejects.toMatchObject({ code: "storage-unavailable" });
  await expect(fragile.read("a")).rejects.toMatchObject({ code: "storage-unavailable" });
  const again = await IndexedDbByteStore.open({ name: "room", factory });
  expect(await again.read("a")).toEqual(Uint8Array.of(1));
});
