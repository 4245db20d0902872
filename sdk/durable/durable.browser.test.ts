// Fences and fenced stores on the real IndexedDB under real Web Locks, and owners whose documents really go away.
import { afterEach, describe, expect, test } from "vitest";
import { MemoryByteStore, MemoryDisk, type ByteStore } from "../storage/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import { describeContract } from "../testing/contract.ts";
import { failoverMatrix } from "../testing/failover-matrix.ts";
import { fenceContract } from "./fence.contract.ts";
import { fencedStoreContract } from "./fenced-store.contract.ts";
import { fencedByteStore, MachineFence, StoreFence, type FenceHold } from "./index.ts";

let places = 0;
const newPlace = (): string => `durable-test-${(places += 1)}`;

describeContract("StoreFence in Chromium", fenceContract, {
  place: async () => {
    const name = newPlace();
    return { open: async () => new StoreFence(await IndexedDbByteStore.open({ name })) };
  },
});

describeContract("MachineFence in Chromium", fenceContract, {
  place: async () => {
    const name = newPlace();
    return { open: async () => new MachineFence(await IndexedDbByteStore.open({ name }), { place: name, locks: navigator.locks }) };
  },
});

describeContract("FencedByteStore in Chromium", fencedStoreContract, {
  place: async () => {
    const name = newPlace();
    return { open: () => IndexedDbByteStore.open({ name }) };
  },
  fenced: fencedByteStore,
});

type Realm = Window & { eval(code: string): unknown };
const frames: HTMLIFrameElement[] = [];

afterEach(() => {
  for (const frame of frames.splice(0)) frame.remove();
});

/** Another document, and the fence as its code has it. */
async function otherDocument(name: string): Promise<{ readonly frame: HTMLIFrameElement; readonly fences: MachineFence }> {
  const frame = document.createElement("iframe");
  frame.srcdoc = "<p>an owner</p>";
  const ready = new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
  document.body.append(frame);
  frames.push(frame);
  await ready;
  const realm = frame.contentWindow as Realm;
  const load = (path: string): Promise<unknown> => realm.eval(`import(${JSON.stringify(new URL(path, import.meta.url).href)})`) as Promise<unknown>;
  const durable = (await load("./index.ts")) as { readonly MachineFence: typeof MachineFence };
  const storage = (await load("../storage/indexeddb/index.ts")) as { readonly IndexedDbByteStore: typeof IndexedDbByteStore };
  return { frame, fences: new durable.MachineFence(await storage.IndexedDbByteStore.open({ name }), { place: name, locks: realm.navigator.locks }) };
}

describe("[DU26] with documents of their own", () => {
  test("who waits is let in when the owner's document goes away, and not before", async () => {
    const name = newPlace();
    const { frame, fences } = await otherDocument(name);
    expect((await fences.hold("s", "ann")).fence.epoch).toBe(1);
    const ours = new MachineFence(await IndexedDbByteStore.open({ name }), { place: name, locks: navigator.locks });
    expect(await ours.isHeld("s")).toBe(true);
    expect(await ours.holdNow("s", "bob")).toBeUndefined();
    let held: FenceHold | undefined;
    const waiting = ours.hold("s", "bob").then((hold) => (held = hold));
    await ours.current("s");
    expect(held).toBeUndefined();
    frame.remove();
    expect((await waiting).fence).toMatchObject({ owner: "bob", epoch: 2 });
    (await waiting).release();
  });

  test("twenty owners in a row each have an epoch of their own", async () => {
    const name = newPlace();
    const documents = await Promise.all(Array.from({ length: 4 }, () => otherDocument(name)));
    const epochs: number[] = [];
    await Promise.all(documents.flatMap(({ fences }, at) => Array.from({ length: 5 }, async (_, turn) => {
      const hold = await fences.hold("s", `owner ${at}/${turn}`);
      epochs.push(hold.fence.epoch);
      hold.release();
    })));
    expect(epochs).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
  });
});

test("[DU27] a real lock that is given up on leaves nothing behind", async () => {
  const name = newPlace();
  const fences = new MachineFence(await IndexedDbByteStore.open({ name }), { place: name, locks: navigator.locks });
  const first = await fences.hold("s", "ann");
  const giveUp = new AbortController();
  const waiting = fences.hold("s", "bob", { signal: giveUp.signal });
  giveUp.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  first.release();
  const third = await fences.hold("s", "cyd");
  expect(third.fence.epoch).toBe(2);
  third.release();
});

test("[DU20] the failover matrix on the real IndexedDB is the one in memory, row by row", async () => {
  const inMemory = await failoverMatrix(() => {
    const disk = new MemoryDisk();
    return { open: async () => new MemoryByteStore(disk) };
  });
  const inIndexedDb = await failoverMatrix(() => {
    const name = newPlace();
    return { open: (): Promise<ByteStore> => IndexedDbByteStore.open({ name }) };
  });
  expect(inIndexedDb.length).toBe(288);
  expect(inIndexedDb).toEqual(inMemory);
});
