// Locks that were given away while their tab lives: the next tab has the identity, and the one before writes nothing more.
import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom, type PeerId } from "../base/index.ts";
import { StoreFence, type OwnershipFence } from "../durable/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { openRoomStorage, type RoomStorage } from "./index.ts";
import { eraseIdentity, readIdentities } from "./room-records.ts";
import { FakeBrowser, type FakeTab } from "./test-browser.ts";

const put = (value: number) => ({ type: "put", key: "log", value: Uint8Array.of(value) }) as const;
const enter = (tab: FakeTab, seed = 1): Promise<RoomStorage> => openRoomStorage({ room: "room", random: seededRandom(seed), clock: new VirtualClock(), env: tab.env });
const refused = { code: "stale-owner", current: 2, requested: 1 };

/** Two tabs that both believe to hold one identity. */
async function twoTabs(): Promise<{ readonly browser: FakeBrowser; readonly older: RoomStorage; readonly newer: RoomStorage }> {
  const browser = new FakeBrowser(new IDBFactory());
  const tab = browser.tab();
  const older = await enter(tab);
  await older.store.write([put(1)]);
  browser.locks.drop(tab);
  const newer = await enter(browser.tab(), 2);
  expect(newer.peerId).toBe(older.peerId);
  return { browser, older, newer };
}

async function looked<T>(browser: FakeBrowser, look: (db: IndexedDbByteStore) => Promise<T>): Promise<T> {
  const db = await IndexedDbByteStore.open({ name: "flotilla/room", factory: browser.indexedDb });
  try {
    return await look(db);
  } finally {
    await db.close();
  }
}

const fenceOf = (browser: FakeBrowser, peer: PeerId): Promise<OwnershipFence | undefined> => looked(browser, (db) => new StoreFence(db).current(peer));

test("[ID12] a tab whose locks the browser gave away is refused as a stale owner, also after it opened its records again", async () => {
  const { older, newer } = await twoTabs();
  expect(newer.isNew).toBe(false);
  await newer.store.write([put(2)]);
  await expect(older.store.write([put(3)])).rejects.toMatchObject(refused);
  await expect(older.store.compareAndSet("log", Uint8Array.of(2), Uint8Array.of(3))).rejects.toMatchObject(refused);
  await expect((await older.reopen()).write([put(3)])).rejects.toMatchObject(refused);
  expect(await newer.store.read("log")).toEqual(Uint8Array.of(2));
});

test("[ID12] who lost the records can not abandon them, and leaves no trace when it goes", async () => {
  const { browser, older, newer } = await twoTabs();
  const before = await looked(browser, (db) => readIdentities(db));
  await expect(older.abandon()).rejects.toMatchObject(refused);
  expect((await looked(browser, (db) => readIdentities(db))).whole.map(({ usedAtMs, isSpent }) => [usedAtMs, isSpent])).toEqual(before.whole.map(({ usedAtMs, isSpent }) => [usedAtMs, isSpent]));
  expect(await newer.store.read("log")).toEqual(Uint8Array.of(1));
  await newer.store.write([put(4)]);
  await newer.release();
  expect((await enter(browser.tab())).peerId).toBe(older.peerId);
});

test("[ID12] a key that was given up or deleted stays so when a tab before it closes, and that tab writes nothing either", async () => {
  for (const end of [(newer: RoomStorage) => newer.abandon(), (newer: RoomStorage, browser: FakeBrowser) => looked(browser, (db) => eraseIdentity(db, newer.peerId))]) {
    const { browser, older, newer } = await twoTabs();
    await end(newer, browser);
    const keys = await looked(browser, (db) => readIdentities(db));
    await expect(older.store.write([put(3)])).rejects.toMatchObject({ code: "stale-owner", current: 0, requested: 1 });
    await older.release();
    expect(await looked(browser, (db) => readIdentities(db))).toEqual(keys);
    expect(await fenceOf(browser, older.peerId)).toBe(undefined);
    expect((await enter(browser.tab())).peerId).not.toBe(older.peerId);
  }
});

test("[ID12] every opening owns the records under a later epoch, a reload too", async () => {
  const browser = new FakeBrowser(new IDBFactory());
  let tab = browser.tab();
  const epochs: number[] = [];
  let peer: PeerId | undefined;
  for (let round = 0; round < 3; round += 1) {
    const storage = await enter(tab, round);
    expect(storage.peerId).toBe((peer ??= storage.peerId));
    epochs.push((await fenceOf(browser, peer))!.epoch);
    const next = tab.reload();
    tab.die();
    tab = next;
  }
  expect(epochs).toEqual([1, 2, 3]);
});

test("[ID12] however writes and openings of tabs that all believe in their lock interleave, what a tab found when it opened is all the ones before it ever write", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof({ weight: 1, arbitrary: fc.constant("open" as const) }, { weight: 3, arbitrary: fc.nat({ max: 4 }) }), { minLength: 4, maxLength: 24 }), async (steps) => {
      const browser = new FakeBrowser(new IDBFactory());
      const tabs: { readonly storage: RoomStorage; readonly found: readonly string[] }[] = [];
      const keys = async (storage: RoomStorage): Promise<string[]> => (await storage.store.readRange("w/", "w0")).map(([key]) => key);
      const open = async (): Promise<void> => {
        const tab = browser.tab();
        const storage = await enter(tab, tabs.length);
        tabs.push({ storage, found: await keys(storage) });
        browser.locks.drop(tab);
      };
      await open();
      const underWay: Promise<unknown>[] = [];
      for (const [at, step] of steps.entries()) {
        // Writes are not waited for: some are under way while the next tab opens.
        if (step === "open") await open();
        else underWay.push(tabs[step % tabs.length]!.storage.store.write([{ type: "put", key: `w/${step % tabs.length}/${at}`, value: Uint8Array.of(1) }]).catch((error: unknown) => expect(error).toMatchObject({ code: "stale-owner" })));
      }
      await Promise.all(underWay);
      const last = await keys(tabs.at(-1)!.storage);
      for (const [at, { found }] of tabs.entries()) {
        const byOlder = (all: readonly string[]): string[] => all.filter((key) => Number(key.split("/")[1]) < at);
        expect(byOlder(last)).toEqual(byOlder(found));
      }
    }),
    { numRuns: 40 },
  );
});
