import { expect, test } from "vitest";
import { describeContract } from "../../testing/contract.ts";
import { byteStoreContract, type ByteStoreHarness } from "../byte-store.contract.ts";
import { IndexedDbByteStore, type StorageDurability } from "./indexeddb-byte-store.ts";

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
