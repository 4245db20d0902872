import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { expect, test } from "vitest";
import { describeContract } from "../../testing/contract.ts";
import { byteStoreContract, type ByteStoreHarness } from "../byte-store.contract.ts";
import { IndexedDbByteStore } from "./indexeddb-byte-store.ts";

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
