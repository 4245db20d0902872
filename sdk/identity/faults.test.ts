// Every transaction of a tab's life in a room fails once, in turn.
import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { expect, test } from "vitest";
import { seededRandom } from "../base/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { openRoomStorage, type RoomStorage } from "./index.ts";
import { FakeBrowser, type FakeTab } from "./test-browser.ts";

type Failure = "throws" | "aborts";

/** The factory, with the transaction of this number (across all connections) failing. Counts them in `seen`. */
function failing(factory: IDBFactory, at: number, how: Failure): { readonly factory: IDBFactory; readonly seen: () => number } {
  let seen = 0;
  const watch = (db: IDBDatabase): void => {
    const transaction = db.transaction.bind(db);
    db.transaction = (...args) => {
      const fails = (seen += 1) === at;
      if (fails && how === "throws") throw new DOMException("the disk is gone", "UnknownError");
      const begun = transaction(...args);
      if (fails) void Promise.resolve().then(() => begun.abort());
      return begun;
    };
  };
  const open: IDBFactory["open"] = (...args) => {
    const request = factory.open(...args);
    request.addEventListener("success", () => watch(request.result));
    return request;
  };
  return { factory: new Proxy(factory, { get: (target, name) => (name === "open" ? open : Reflect.get(target, name)) }), seen: () => seen };
}

const enter = (tab: FakeTab, indexedDb: IDBFactory): Promise<RoomStorage> => openRoomStorage({ room: "r", random: seededRandom(1), clock: new VirtualClock(), env: { ...tab.env, indexedDb } });
const write = (storage: RoomStorage): Promise<void> => storage.store.write([{ type: "put", key: "log", value: Uint8Array.of(1) }]);

/** A tab comes, writes, is reloaded, gives its identity up, and comes again. Only what may reject is caught. */
async function life(browser: FakeBrowser, indexedDb: IDBFactory): Promise<void> {
  const tab = browser.tab();
  const first = await enter(tab, indexedDb);
  const wrote = await write(first).then(() => true, () => false);
  await first.release();
  const second = await enter(tab, indexedDb);
  if (second.peerId === first.peerId) expect(await second.store.read("log").catch(() => "unread")).toEqual(wrote ? expect.toSatisfy((value) => value === "unread" || value[0] === 1) : undefined);
  const gaveUp = await second.abandon().then(() => true, () => false);
  const third = await enter(tab, indexedDb);
  if (gaveUp) expect(third.peerId).not.toBe(second.peerId);
  await third.release();
  expect(browser.locks.names).toEqual([]);
}

async function damage(factory: IDBFactory): Promise<string[]> {
  const db = await IndexedDbByteStore.open({ name: "flotilla/r", factory });
  const marks = new Set((await db.readRange("peer/", "peer0")).map(([key]) => key.split("/")[1] ?? ""));
  const keys = (await db.readValues()).map(([key, value]) => ({ key, isSpent: (value as { isSpent: boolean }).isSpent }));
  await db.close();
  const unmarked = keys.filter(({ key, isSpent }) => isSpent === marks.has(key)).map(({ key }) => `${key} is spent with records, or alive without`);
  return [...unmarked, ...[...marks].filter((peer) => !keys.some(({ key }) => key === peer)).map((peer) => `${peer} has records and no key`)];
}

test.each<Failure>(["throws", "aborts"])("[ID8] whichever transaction %s, opening resolves, releasing frees every lock, and keys and records stay together", async (how) => {
  const calm = failing(new IDBFactory(), 0, how);
  await life(new FakeBrowser(calm.factory), calm.factory);
  const count = calm.seen();
  expect(count).toBeGreaterThan(15);
  for (let at = 1; at <= count; at += 1) {
    const disk = new IDBFactory();
    const { factory } = failing(disk, at, how);
    const browser = new FakeBrowser(factory);
    await life(browser, factory);
    expect(await damage(disk), `transaction ${at}`).toEqual([]);
    // And the next tab finds a room it can use.
    const next = await enter(browser.tab(), disk);
    expect(next.kind).toBe("indexeddb");
    await next.release();
  }
});
