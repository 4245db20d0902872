import { expect, test } from "vitest";
import { describeContract } from "../../testing/contract.ts";
import { byteStoreContract, type ByteStoreHarness } from "../byte-store.contract.ts";
import { scopedByteStore } from "../index.ts";
import { deleteDatabase, IndexedDbByteStore, type StorageDurability } from "./index.ts";

let places = 0;

/** A bucket has its own quota, which no other test and no cached figure of the origin can blur. */
async function bucketFactory(quota: number): Promise<IDBFactory> {
  const { storageBuckets } = navigator as unknown as { storageBuckets: { open(name: string, options: object): Promise<{ indexedDB: IDBFactory }> } };
  return (await storageBuckets.open(`small-${(places += 1)}-${Math.floor(performance.timeOrigin)}`, { quota })).indexedDB;
}

const harness = (durability: StorageDurability): ByteStoreHarness => ({
  place: async (bytesMax) => {
    const name = `storage-test-${durability}-${performance.timeOrigin}-${(places += 1)}`;
    const factory = bytesMax === undefined ? indexedDB : await bucketFactory(bytesMax);
    return { open: () => IndexedDbByteStore.open({ name, durability, factory }) };
  },
});

describeContract("IndexedDbByteStore in Chromium, relaxed", byteStoreContract, harness("relaxed"));
describeContract("IndexedDbByteStore in Chromium, strict", byteStoreContract, harness("strict"));

const unscoped = harness("relaxed");
describeContract("ScopedByteStore of an IndexedDbByteStore in Chromium", byteStoreContract, {
  place: async (bytesMax) => {
    const place = await unscoped.place(bytesMax);
    return { open: async () => scopedByteStore(await place.open(), "peer/") };
  },
});

test("[ST17] a key that can not be read is kept, works after reopening, and leaves with its records", async () => {
  const name = `storage-key-${performance.timeOrigin}`;
  const { privateKey, publicKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
  const first = await IndexedDbByteStore.open({ name });
  await first.write([{ type: "put", key: "mark", value: new Uint8Array(1) }], [{ type: "put", key: "key", value: privateKey }]);
  await first.close();
  const second = await IndexedDbByteStore.open({ name });
  const kept = (await second.readValues())[0]?.[1] as CryptoKey;
  await expect(crypto.subtle.exportKey("pkcs8", kept)).rejects.toBeInstanceOf(Error);
  const bytes = new Uint8Array([1, 2, 3]);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, kept, bytes);
  expect(await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, publicKey, signature, bytes)).toBe(true);
  await second.write([{ type: "delete", key: "mark" }], [{ type: "delete", key: "key" }]);
  expect(await second.readValues()).toEqual([]);
  await second.close();
});

test("[ST18] a connection that does not let go blocks the upgrade, and one that does not", async () => {
  const name = `storage-blocked-${performance.timeOrigin}`;
  const theirs = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => void request.result.createObjectStore("records").put(new Uint8Array([7]), "old");
    request.onsuccess = () => resolve(request.result);
  });
  await expect(IndexedDbByteStore.open({ name })).rejects.toMatchObject({ code: "storage-blocked" });
  theirs.close();
  const store = await IndexedDbByteStore.open({ name });
  expect(await store.read("old")).toEqual(new Uint8Array([7]));
  // A deletion asks the store to let go, and it does.
  await deleteDatabase(name);
  await expect(store.read("old")).rejects.toMatchObject({ code: "storage-unavailable" });
});

test("[ST5] a frame that goes away in the middle of a batch leaves all of it or nothing", async () => {
  for (let round = 0; round < 10; round += 1) {
    const name = `storage-torn-${performance.timeOrigin}-${round}`;
    const store = await IndexedDbByteStore.open({ name });
    await store.write([{ type: "put", key: "seen", value: new Uint8Array(1) }]);
    const frame = document.createElement("iframe");
    document.body.append(frame);
    const theirs = (frame.contentWindow as unknown as { indexedDB: IDBFactory }).indexedDB;
    const other = await IndexedDbByteStore.open({ name, factory: theirs });
    void other.write(Array.from({ length: 40 }, (_, at) => ({ type: "put", key: `k${at}`, value: new Uint8Array(20_000) }) as const)).catch(() => {});
    for (let turn = 0; turn < round; turn += 1) await new Promise((resolve) => { const channel = new MessageChannel(); channel.port1.onmessage = resolve; channel.port2.postMessage(0); });
    frame.remove();
    expect([0, 40]).toContain((await store.readRange("k", "l")).length);
    await store.close();
  }
});
