import { forceCloseDatabase, IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { seededRandom, type Logger } from "../base/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { openRoomStorage, peerIdOfKey, verifySignature, type RoomEnvironment, type RoomStorage, type RoomStorageOptions } from "./index.ts";
import { FakeBrowser, type FakeTab } from "./test-browser.ts";

let browser = new FakeBrowser(new IDBFactory());
// Time passes only where a test says so: everything else happens by cause.
let clock = new VirtualClock();
let errors: string[] = [];
const logger: Logger = { error: (message) => void errors.push(message), info: () => {}, debug: () => {} };
const opened: RoomStorage[] = [];

beforeEach(() => {
  browser = new FakeBrowser(new IDBFactory());
  clock = new VirtualClock();
  errors = [];
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((storage) => storage.release()));
  expect(clock.pendingTimers).toBe(0);
});

type Changes = Omit<Partial<RoomStorageOptions>, "env"> & { readonly env?: Partial<RoomEnvironment> };

async function enter(tab: FakeTab, { env, ...changes }: Changes = {}): Promise<RoomStorage> {
  const storage = await openRoomStorage({ room: "r", random: seededRandom(1), clock, logger, ...changes, env: { ...tab.env, ...env } });
  opened.push(storage);
  return storage;
}

const write = (storage: RoomStorage, value: number): Promise<void> => storage.store.write([{ type: "put", key: "log", value: Uint8Array.of(value) }]);
const read = async (storage: RoomStorage): Promise<number | undefined> => (await storage.store.read("log"))?.[0];

// The fake database does its work in these, and this world knows no Node types.
declare const setImmediate: (then: (value: unknown) => void) => unknown;

/** Lets everything happen that needs no time. */
async function turns(count = 60): Promise<void> {
  for (let at = 0; at < count; at += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => (settled = true), () => (settled = true));
  await turns();
  return settled;
}

async function pass(ms: number): Promise<void> {
  await turns();
  for (let at = 0; at < ms; at += 100) {
    await clock.advance(100);
    await turns(5);
  }
  await turns();
}

const raw = (): Promise<IndexedDbByteStore> => IndexedDbByteStore.open({ name: "flotilla/r", factory: browser.indexedDb });
const patient = (): AbortSignal => new AbortController().signal;

describe("a tab that opens a room", () => {
  test("[ID3] for the first time is somebody new, and can prove it", async () => {
    const storage = await enter(browser.tab());
    expect(storage).toMatchObject({ kind: "indexeddb", why: undefined, isNew: true, displaced: undefined });
    const { identity, peerId } = storage;
    if (identity === undefined) throw new Error("no identity");
    expect(identity.peerId).toBe(peerId);
    expect(peerIdOfKey(identity.publicKey)).toBe(peerId);
    expect(await verifySignature({ peerId, publicKey: identity.publicKey, signature: await identity.sign(Uint8Array.of(1)) }, Uint8Array.of(1))).toBe(true);
  });

  test("[ID3] after everything was closed is who was there last, with the records, and can prove it with the same key", async () => {
    const [first, second] = [await enter(browser.tab()), await enter(browser.tab())];
    await write(first, 1);
    await write(second, 2);
    await first.release();
    await second.release();
    const again = await enter(browser.tab());
    expect(again.peerId).toBe(second.peerId);
    expect(again.isNew).toBe(false);
    expect(await read(again)).toBe(2);
    expect(again.identity?.publicKey).toEqual(second.identity?.publicKey);
    const other = await enter(browser.tab());
    expect(other.peerId).toBe(first.peerId);
    expect((await enter(browser.tab())).isNew).toBe(true);
  });

  test("[ID3] again before anything was written is the same, and still new", async () => {
    const first = await enter(browser.tab());
    await first.release();
    const again = await enter(browser.tab());
    expect(again.peerId).toBe(first.peerId);
    expect(again.isNew).toBe(true);
  });

  test("[ID3] after a reload is who it was, though the document before it lets go late and another identity was used since", async () => {
    const [tab, later] = [browser.tab(), browser.tab()];
    const first = await enter(tab);
    await write(first, 1);
    await (await enter(later)).release();
    const next = tab.reload();
    const entering = enter(next);
    expect(await isSettled(entering)).toBe(false);
    tab.die();
    const again = await entering;
    expect(again.peerId).toBe(first.peerId);
    expect(again.displaced).toBeUndefined();
    expect(await read(again)).toBe(1);
  });

  test("[ID3] two tabs reloaded at once are each who they were", async () => {
    const tabs = [browser.tab(), browser.tab()];
    const before = await Promise.all(tabs.map((tab) => enter(tab)));
    const entering = tabs.map((tab) => enter(tab.reload()));
    await turns();
    for (const tab of tabs) tab.die();
    expect((await Promise.all(entering)).map(({ peerId }) => peerId)).toEqual(before.map(({ peerId }) => peerId));
  });

  test("[ID3] of another name, a longer one included, is somebody else", async () => {
    const one = await enter(browser.tab());
    const other = await enter(browser.tab(), { room: `r/${one.peerId}` });
    expect(other.peerId).not.toBe(one.peerId);
    expect(other.isNew).toBe(true);
  });

  test("[ID3] with a note that is nonsense, or names somebody evicted, is somebody new", async () => {
    for (const note of ["", "{", "null", "7", "{\"peer\":7}", "{\"peer\":\"gone\",\"displaced\":\"gone\"}"]) {
      const storage = await enter(browser.tab(new Map([["flotilla/r", note]])), { room: "r" });
      expect(storage).toMatchObject({ kind: "indexeddb", isNew: true, displaced: undefined });
    }
  });
});

describe("a duplicated tab", () => {
  test("[ID5] is a new peer without any time passing, and the first tab is who it was", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    await write(first, 1);
    const copy = await enter(tab.duplicate());
    expect(copy.peerId).not.toBe(first.peerId);
    expect(copy).toMatchObject({ isNew: true, displaced: first.peerId });
    await write(copy, 2);
    expect(await read(first)).toBe(1);
  });

  test("[ID5] of a frozen tab, or where tabs can not talk, is a new peer after the patience of a reload", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    tab.isFrozen = true;
    for (const env of [{}, { messages: undefined }]) {
      const entering = enter(tab.duplicate(), { env });
      expect(await isSettled(entering)).toBe(false);
      await pass(1_500);
      expect((await entering).displaced).toBe(first.peerId);
    }
  });

  test("[ID5] knows whom it copies after a reload too", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    const copied = tab.duplicate();
    const copy = await enter(copied);
    const reloaded = copied.reload();
    copied.die();
    const again = await enter(reloaded);
    expect(again).toMatchObject({ peerId: copy.peerId, displaced: first.peerId });
  });

  test("[ID6] takes over once the first tab is gone and did not come back, and can then prove who it was", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    const copy = await enter(tab.duplicate());
    const taking = copy.takeOver(patient());
    await pass(20_000);
    expect(await isSettled(taking)).toBe(false);
    tab.die();
    await pass(4_900);
    expect(await isSettled(taking)).toBe(false);
    await pass(200);
    const { peerId, publicKey, sign } = await taking;
    expect(peerId).toBe(first.peerId);
    expect(await verifySignature({ peerId, publicKey, signature: await sign(Uint8Array.of(1)) }, Uint8Array.of(1))).toBe(true);
    // Held: nobody else lives under it meanwhile, not even who had it.
    expect((await enter(tab.reload())).displaced).toBe(first.peerId);
  });

  test("[ID6] gives way to a reload of the first tab, as often as it comes, and goes on waiting", async () => {
    let tab = browser.tab();
    const first = await enter(tab);
    const taking = (await enter(tab.duplicate())).takeOver(patient());
    for (let round = 0; round < 3; round += 1) {
      await turns();
      const next = tab.reload();
      tab.die();
      // A slow network: the takeover has the lock for a while.
      await pass(round * 2_000);
      const entering = enter(next);
      await pass(300);
      expect((await entering).peerId).toBe(first.peerId);
      await pass(10_000);
      expect(await isSettled(taking)).toBe(false);
      tab = next;
    }
    tab.die();
    await pass(5_200);
    expect((await taking).peerId).toBe(first.peerId);
  });

  test("[ID6] of several, one takes over at a time", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    const [one, two] = [await enter(tab.duplicate()), await enter(tab.duplicate())];
    const [takingOne, takingTwo] = [one.takeOver(patient()), two.takeOver(patient())];
    tab.die();
    await pass(6_000);
    expect((await takingOne).peerId).toBe(first.peerId);
    await pass(60_000);
    expect(await isSettled(takingTwo)).toBe(false);
    await one.release();
    await pass(5_200);
    expect((await takingTwo).peerId).toBe(first.peerId);
  });

  test("[ID6] never takes the place of a frozen tab, and the thawed tab is who it was", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    const taking = (await enter(tab.duplicate())).takeOver(patient());
    tab.isFrozen = true;
    await pass(120_000);
    expect(await isSettled(taking)).toBe(false);
    tab.thaw();
    await write(first, 3);
    expect(await read(first)).toBe(3);
  });

  test("[ID6] that gives up waiting, or is released, waits no more and stands in nobody's way", async () => {
    const tab = browser.tab();
    await enter(tab);
    const copy = await enter(tab.duplicate());
    const giveUp = new AbortController();
    const taking = copy.takeOver(giveUp.signal);
    await expect(copy.takeOver(patient())).rejects.toMatchObject({ code: "invalid-argument" });
    await turns();
    giveUp.abort(new Error("enough"));
    await expect(taking).rejects.toThrow("enough");
    await expect(copy.takeOver(AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
    // Also when it has the lock and only waits for a reload.
    const again = copy.takeOver(patient());
    tab.die();
    const ending = again.catch((error: unknown) => error);
    await pass(1_000);
    await copy.release();
    expect(await ending).toMatchObject({ code: "closed" });
    await expect(copy.takeOver(patient())).rejects.toMatchObject({ code: "closed" });
    expect(browser.locks.names).toEqual([]);
  });

  test("[ID6] only a tab that was displaced can take over", async () => {
    await expect((await enter(browser.tab())).takeOver(patient())).rejects.toMatchObject({ code: "invalid-argument" });
    await expect((await enter(browser.tab(), { mode: "memory" })).takeOver(patient())).rejects.toMatchObject({ code: "invalid-argument" });
  });
});

describe("an identity whose log is lost", () => {
  test("[ID7] is not lived under again, though its key proves at once who one was", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    await write(first, 1);
    await first.release();
    const db = await raw();
    // The records are gone with the mark among them; the key was left.
    await db.write([{ type: "delete-range", from: "peer/", to: "peer0" }]);
    await db.close();
    const next = await enter(tab.reload());
    expect(next).toMatchObject({ isNew: true, displaced: first.peerId });
    expect(next.peerId).not.toBe(first.peerId);
    expect(errors).toEqual([expect.stringContaining(first.peerId)]);
    expect((await next.takeOver(patient())).peerId).toBe(first.peerId);
    await next.release();
    // Nor by a tab that comes later.
    expect((await enter(browser.tab())).peerId).toBe(next.peerId);
    expect((await enter(browser.tab())).peerId).not.toBe(first.peerId);
  });

  test("[ID7] or whose key is, is nobody's: a new tab begins anew and its log is never read", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    await write(first, 1);
    await first.release();
    const db = await raw();
    await db.write([], [{ type: "delete", key: first.peerId }]);
    await db.close();
    const next = await enter(tab.reload());
    expect(next).toMatchObject({ isNew: true, displaced: undefined });
    expect(next.peerId).not.toBe(first.peerId);
  });

  test.each([
    ["no object", () => 7],
    ["another format", (value: object) => ({ ...value, format: 2 })],
    ["another key's public half", (value: object) => ({ ...value, publicKey: Uint8Array.from({ length: 65 }, () => 4) })],
    ["no private half", (value: object) => ({ ...value, privateKey: undefined })],
    ["a private half that is no key", (value: object) => ({ ...value, privateKey: { type: "private" } })],
    ["no stamp", (value: object) => ({ ...value, usedAtMs: "now" })],
    ["no word whether it is spent", (value: object) => ({ ...value, isSpent: 0 })],
  ])("[ID7] with a damaged key record (%s) is not lived under", async (_, damage) => {
    const tab = browser.tab();
    const first = await enter(tab);
    await write(first, 1);
    await first.release();
    const db = await raw();
    const [[key, value] = ["", {}]] = await db.readValues();
    await db.write([], [{ type: "put", key, value: damage(value as object) }]);
    await db.close();
    const next = await enter(tab.reload());
    expect(next).toMatchObject({ kind: "indexeddb", isNew: true, displaced: undefined });
    expect(next.peerId).not.toBe(first.peerId);
  });

  test("[ID7] because its holder gave it up is not lived under again, and its records are deleted", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    const other = await enter(browser.tab());
    await write(first, 1);
    await write(other, 2);
    await first.abandon();
    await expect(first.store.read("log")).rejects.toMatchObject({ code: "closed" });
    const next = await enter(tab.reload());
    expect(next).toMatchObject({ isNew: true, displaced: first.peerId });
    expect((await next.takeOver(patient())).peerId).toBe(first.peerId);
    expect(await read(other)).toBe(2);
    const db = await raw();
    expect(await db.holdsAny(`peer/${first.peerId}`, `peer/${first.peerId}0`)).toBe(false);
    await db.close();
  });
});

describe("where nothing durable can be used", () => {
  const dies = { open: () => { throw new DOMException("denied", "SecurityError"); } } as unknown as IDBFactory;

  test.each<[string, Changes, RegExp]>([
    ["no IndexedDB", { env: { indexedDb: undefined } }, /IndexedDB/],
    ["no Web Locks", { env: { locks: undefined } }, /Web Locks/],
    ["no WebCrypto", { env: { subtle: undefined } }, /https/],
    ["WebCrypto that refuses", { env: { subtle: { generateKey: () => Promise.reject(new DOMException("denied", "NotSupportedError")) } as unknown as SubtleCrypto } }, /denied/],
    ["IndexedDB that refuses", { env: { indexedDb: dies } }, /denied/],
    ["locks that refuse", { env: { locks: { request: () => Promise.reject(new DOMException("denied", "SecurityError")) } } }, /denied/],
    ["the page's wish", { mode: "memory" }, /asked/],
  ])("[ID8] because of %s, the tab is somebody new in memory and told why", async (_, changes, why) => {
    const storage = await enter(browser.tab(), changes);
    expect(storage).toMatchObject({ kind: "memory", isNew: true, displaced: undefined });
    expect(storage.why).toMatch(why);
    expect(storage.identity?.peerId).toBe(storage.peerId);
    const { peerId, publicKey, sign } = storage.identity!;
    expect(await verifySignature({ peerId, publicKey, signature: await sign(Uint8Array.of(1)) }, Uint8Array.of(1))).toBe(true);
    await write(storage, 1);
    expect(await read(storage)).toBe(1);
    expect((await enter(browser.tab(), changes)).isNew).toBe(true);
    await storage.release();
    expect(browser.locks.names).toEqual([]);
  });

  test("[ID8] a database that never answers is waited for five seconds, and let go of when it answers after all", async () => {
    let answer = (): void => {};
    const factory = browser.indexedDb;
    const slow = { open: (...args: Parameters<IDBFactory["open"]>) => {
      const request = {} as unknown as IDBOpenDBRequest;
      answer = () => {
        const real = factory.open(...args);
        real.onupgradeneeded = (event) => request.onupgradeneeded?.call(real, Object.assign(event, {}));
        real.onsuccess = (event) => {
          Object.defineProperty(request, "result", { value: real.result });
          request.onsuccess?.call(real, event);
        };
        Object.defineProperty(request, "result", { get: () => real.result, configurable: true });
      };
      return request;
    } } as unknown as IDBFactory;
    const entering = enter(browser.tab(), { env: { indexedDb: slow } });
    await pass(4_900);
    expect(await isSettled(entering)).toBe(false);
    await pass(200);
    expect(await entering).toMatchObject({ kind: "memory", why: expect.stringContaining("5000 ms") });
    answer();
    await turns();
    await new Promise<void>((resolve, reject) => {
      const request = factory.deleteDatabase("flotilla/r");
      request.onsuccess = () => resolve();
      request.onblocked = () => reject(new Error("the late database is held by nobody"));
    });
  });

  test("[ID8] a database without room for an identity means memory", async () => {
    const factory = browser.indexedDb;
    const full = new Proxy(factory, {
      get: (target, name) => name !== "open" ? Reflect.get(target, name) : (...args: Parameters<IDBFactory["open"]>) => {
        const request = target.open(...args);
        request.addEventListener("success", () => {
          const db = request.result;
          const transaction = db.transaction.bind(db);
          db.transaction = (stores, mode, options) => {
            if (mode === "readwrite") throw new DOMException("full", "QuotaExceededError");
            return transaction(stores, mode, options);
          };
        });
        return request;
      },
    });
    const storage = await enter(browser.tab(), { env: { indexedDb: full } });
    expect(storage).toMatchObject({ kind: "memory", why: expect.stringContaining("no room") });
    expect(browser.locks.names).toEqual([]);
  });

  test("[ID8] opening ends with the signal's reason, and then nothing is held", async () => {
    const stop = new Error("stop");
    await expect(enter(browser.tab(), { signal: AbortSignal.abort(stop) })).rejects.toBe(stop);
    const tab = browser.tab();
    await enter(tab);
    tab.isFrozen = true;
    const held = browser.locks.names;
    const ended = new AbortController();
    const entering = enter(tab.duplicate(), { signal: ended.signal });
    await turns();
    ended.abort(stop);
    await expect(entering).rejects.toBe(stop);
    expect(browser.locks.names).toEqual(held);
  });
});

describe("letting go", () => {
  test("[ID9] releases after what was called before is durable, once, and frees every lock", async () => {
    const storage = await enter(browser.tab());
    const writing = write(storage, 5);
    await Promise.all([storage.release(), storage.release()]);
    await writing;
    expect(browser.locks.names).toEqual([]);
    await expect(storage.store.read("log")).rejects.toMatchObject({ code: "closed" });
    const again = await enter(browser.tab());
    expect(await read(again)).toBe(5);
  });

  test("[ID9] a document that is gone holds nothing", async () => {
    const tab = browser.tab();
    const first = await enter(tab);
    tab.die();
    expect(browser.locks.names).toEqual([]);
    expect((await enter(browser.tab())).peerId).toBe(first.peerId);
  });

  test("[ID9] a tab whose connection the browser lost releases, opens again, and is who it was", async () => {
    const tab = browser.tab();
    let db: IDBDatabase | undefined;
    const watched = new Proxy(browser.indexedDb, {
      get: (target, name) => name !== "open" ? Reflect.get(target, name) : (...args: Parameters<IDBFactory["open"]>) => {
        const request = target.open(...args);
        if (args[0] === "flotilla/r") request.addEventListener("success", () => { db = request.result; });
        return request;
      },
    });
    const first = await enter(tab, { env: { indexedDb: watched } });
    await write(first, 1);
    await turns();
    forceCloseDatabase(db as unknown as Parameters<typeof forceCloseDatabase>[0]);
    await expect(write(first, 2)).rejects.toMatchObject({ code: "storage-unavailable" });
    await first.release();
    const again = await enter(tab);
    expect(again.peerId).toBe(first.peerId);
    expect(await read(again)).toBe(1);
  });

  test("[ID4] a tab whose lock somebody stole writes no more", async () => {
    let steal = (): void => {};
    const tab = browser.tab();
    const locks: RoomEnvironment["locks"] = {
      request: (name, options, held) => name.startsWith("flotilla/peer/")
        ? new Promise((_, reject) => { void Promise.resolve().then(() => held({})); steal = () => reject(new DOMException("stolen", "AbortError")); })
        : tab.env.locks!.request(name, options, held),
    };
    const storage = await enter(tab, { env: { locks } });
    steal();
    await turns();
    expect(errors).toEqual([expect.stringContaining("stolen")]);
    await expect(write(storage, 1)).rejects.toMatchObject({ code: "closed" });
    opened.splice(0);
  });

  test("[ID8] the browser is asked once to keep the data, and its answer is not waited for", async () => {
    let asked = 0;
    const storage = await enter(browser.tab(), { env: { persist: () => { asked += 1; return new Promise(() => {}); } } });
    await storage.release();
    expect(asked).toBe(1);
    await (await enter(browser.tab(), { env: { persist: () => Promise.reject(new Error("no")) } })).release();
  });
});

describe("what is kept", () => {
  const identities = async (): Promise<string[]> => {
    const db = await raw();
    const keys = (await db.readValues()).map(([key]) => key);
    const marks = (await db.readRange("peer/", "peer0")).map(([key]) => key).filter((key) => key.split("/").length === 2);
    await db.close();
    expect(marks).toEqual(keys.map((key) => `peer/${key}`));
    return keys;
  };

  test("[ID10] of more than sixteen identities the ones used longest ago are deleted, with their records, unless a tab lives under them", async () => {
    const storages: RoomStorage[] = [];
    for (let at = 0; at < 18; at += 1) {
      const storage = await enter(browser.tab());
      await write(storage, at);
      storages.push(storage);
    }
    await turns();
    expect(await identities()).toHaveLength(18);
    // The oldest stays open.
    for (const storage of storages.slice(1)) await storage.release();
    const last = await enter(browser.tab());
    expect(last.peerId).toBe(storages[17]?.peerId);
    await turns();
    await last.release();
    const left = await identities();
    expect(left).toHaveLength(16);
    expect(left).toContain(storages[0]?.peerId);
    expect(left).not.toContain(storages[1]?.peerId);
    expect(left).not.toContain(storages[2]?.peerId);
    expect(await read(storages[0]!)).toBe(0);
  });

  test("[ID10] what is no identity goes before any identity does", async () => {
    const first = await enter(browser.tab());
    await first.release();
    const db = await raw();
    for (let at = 0; at < 20; at += 1) await db.write([], [{ type: "put", key: `junk-${at}`, value: at }]);
    await db.close();
    const again = await enter(browser.tab());
    await again.release();
    expect(again.peerId).toBe(first.peerId);
    const after = await raw();
    expect((await after.readValues()).map(([key]) => key)).toContain(first.peerId);
    expect(await after.readValues()).toHaveLength(16);
    await after.close();
  });

  test("[ID10] a room nobody opened for a month is deleted by whoever opens another one, unless a tab has it open", async () => {
    const names = async (): Promise<unknown[]> => (await browser.indexedDb.databases()).map(({ name }) => name);
    await (await enter(browser.tab(), { room: "old" })).release();
    await enter(browser.tab(), { room: "open" });
    await turns();
    browser.wallNow += 29 * 24 * 3600 * 1000;
    await (await enter(browser.tab(), { room: "recent" })).release();
    expect(await names()).toEqual(expect.arrayContaining(["flotilla/old", "flotilla/open", "flotilla/recent"]));
    browser.wallNow += 2 * 24 * 3600 * 1000;
    await (await enter(browser.tab(), { room: "new" })).release();
    expect(new Set(await names())).toEqual(new Set(["flotilla", "flotilla/new", "flotilla/open", "flotilla/recent"]));
    // And its note with it: opened again, it is a new room.
    expect((await enter(browser.tab(), { room: "old" })).isNew).toBe(true);
  });

  test("[ID11] what one identity keeps is seen by nobody else", async () => {
    const [one, two] = [await enter(browser.tab()), await enter(browser.tab())];
    await write(one, 1);
    expect(await two.store.readRange("", "\uFFFF")).toEqual([]);
    await two.store.write([{ type: "delete-range", from: "", to: "\uFFFF" }, { type: "put", key: "log", value: Uint8Array.of(2) }]);
    await two.release();
    expect(await one.store.readRange("", "\uFFFF")).toEqual([["log", Uint8Array.of(1)]]);
  });
});
