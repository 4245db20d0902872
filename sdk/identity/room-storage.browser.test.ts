// What only a browser can say: documents that really go away, session storage that is really copied, keys that really come back from disk.
import { afterEach, describe, expect, test } from "vitest";
import { seededRandom, type Clock } from "../base/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import { openRoomStorage, verifySignature, type RoomStorage, type RoomStorageOptions } from "./index.ts";

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};
/** The grace of a takeover in a tenth of its time. */
const hasty: Clock = { now: clock.now, after: (ms, then) => clock.after(ms / 10, then) };

let rooms = 0;
const newRoom = (): string => `browser-test-${performance.timeOrigin}-${(rooms += 1)}`;
const ends: (() => void)[] = [];

type Door = { openRoomStorage(options: RoomStorageOptions): Promise<RoomStorage> };
type Realm = Window & { eval(code: string): unknown };

/** Opens the room with the code, the locks, the database and the session of another document. */
async function enter(realm: Window, room: string, options: Partial<RoomStorageOptions> = {}): Promise<RoomStorage> {
  const door = (await (realm as Realm).eval(`import(${JSON.stringify(new URL("./index.ts", import.meta.url).href)})`)) as Door;
  return door.openRoomStorage({ room, random: seededRandom(1), clock, ...options });
}

function loaded(frame: HTMLIFrameElement): Promise<unknown> {
  return new Promise((resolve) => frame.addEventListener("load", resolve, { once: true }));
}

async function newFrame(): Promise<HTMLIFrameElement> {
  const frame = document.createElement("iframe");
  frame.srcdoc = "<p>a document</p>";
  const ready = loaded(frame);
  document.body.append(frame);
  ends.push(() => frame.remove());
  await ready;
  return frame;
}

function inside(frame: HTMLIFrameElement): Window {
  if (frame.contentWindow === null) throw new Error("the frame is gone");
  return frame.contentWindow;
}

/** A new tab, whose session storage the browser copies from this one. */
function copyOfThisTab(): Window {
  const tab = window.open("about:blank");
  if (tab === null) throw new Error("the browser opens no tab");
  ends.push(() => tab.close());
  return tab;
}

// Frames share the session of their tab; as tabs of their own they have none.
const noSession = { env: { sessionStorage: undefined } };
const put = (value: number) => ({ type: "put", key: "log", value: Uint8Array.of(value) }) as const;

afterEach(() => {
  for (const end of ends.splice(0)) end();
});

describe("in Chromium", () => {
  test("[ID9] the locks of a document that went away are free, and the next one is who it was, with the same key and records", async () => {
    const room = newRoom();
    const frame = await newFrame();
    const first = await enter(inside(frame), room);
    expect(first).toMatchObject({ kind: "indexeddb", isNew: true });
    await first.store.write([put(7)]);
    const held = async (): Promise<number> => (await navigator.locks.query()).held?.filter(({ name }) => name?.includes(room)).length ?? 0;
    expect(await held()).toBe(2);
    const { peerId } = first;
    const publicKey = Uint8Array.from(first.identity?.publicKey ?? []);
    frame.remove();
    const again = await enter(inside(await newFrame()), room);
    expect(again.peerId).toBe(peerId);
    expect(again.isNew).toBe(false);
    expect(Array.from((await again.store.read("log")) ?? [])).toEqual([7]);
    const signature = (await again.identity?.sign(Uint8Array.of(1))) ?? new Uint8Array(0);
    expect(await verifySignature({ peerId, publicKey, signature }, Uint8Array.of(1))).toBe(true);
    await again.release();
    // The shared lock of the room that went with the first document is let go by the browser when it comes to it.
    await expect.poll(held).toBe(0);
  });

  test("[ID3] a document that is reloaded is who it was, ten times in a row", async () => {
    const room = newRoom();
    const frame = await newFrame();
    const { peerId } = await enter(inside(frame), room);
    for (let round = 0; round < 10; round += 1) {
      const ready = loaded(frame);
      inside(frame).location.reload();
      await ready;
      const again = await enter(inside(frame), room);
      expect(again).toMatchObject({ peerId, displaced: undefined });
      await again.store.write([put(round)]);
    }
  });

  test("[ID5] a tab whose session storage was copied is another peer at once, and takes over when the first is gone", async () => {
    const room = newRoom();
    const frame = await newFrame();
    const first = await enter(inside(frame), room);
    const firstId = first.peerId;
    expect(sessionStorage.getItem(`flotilla/${room}`)).toContain(firstId);
    const tab = copyOfThisTab();
    expect(tab.sessionStorage.getItem(`flotilla/${room}`)).toContain(firstId);
    const copy = await enter(tab, room, { clock: hasty });
    expect(copy.peerId).not.toBe(firstId);
    expect(copy).toMatchObject({ kind: "indexeddb", isNew: true, displaced: firstId });
    const order: string[] = [];
    const taking = copy.takeOver(new AbortController().signal).then((identity) => {
      order.push("taken");
      return identity;
    });
    await first.store.write([put(1)]);
    order.push("gone");
    frame.remove();
    expect((await taking).peerId).toBe(firstId);
    expect(order).toEqual(["gone", "taken"]);
    await copy.release();
  });

  test("[ID6] a takeover gives way to the first tab when that is only reloaded", async () => {
    const room = newRoom();
    const frame = await newFrame();
    const { peerId } = await enter(inside(frame), room);
    const copy = await enter(copyOfThisTab(), room);
    const giveUp = new AbortController();
    const taking = copy.takeOver(giveUp.signal).then(() => "taken", () => "given up");
    for (let round = 0; round < 3; round += 1) {
      const ready = loaded(frame);
      inside(frame).location.reload();
      await ready;
      expect((await enter(inside(frame), room)).peerId).toBe(peerId);
    }
    giveUp.abort();
    expect(await taking).toBe("given up");
    await copy.release();
  });

  test("[ID4] five documents at once are five peers, and the same five when all come back", async () => {
    const room = newRoom();
    const all = async (): Promise<[string[], HTMLIFrameElement[]]> => {
      const frames = await Promise.all(Array.from({ length: 5 }, newFrame));
      const storages = await Promise.all(frames.map((frame) => enter(inside(frame), room, noSession)));
      expect(storages.map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => "indexeddb"));
      return [storages.map(({ peerId }) => peerId), frames];
    };
    const [before, frames] = await all();
    expect(new Set(before).size).toBe(5);
    for (const frame of frames) frame.remove();
    // A document that is gone lets go within some milliseconds, of which nobody is told.
    await expect.poll(async () => (await navigator.locks.query()).held?.filter(({ name }) => name?.includes(room)).length).toBe(0);
    const [after] = await all();
    expect(new Set(after)).toEqual(new Set(before));
  });

  test("[ID12] where the browser grants a lock twice, the second document owns the records, and the first one, in the middle of writing, is refused", async () => {
    const room = newRoom();
    // A lock that was given away: both are granted it.
    const generous = { request: async (_name: string, _options: object, held: (lock: object) => unknown) => held({}) };
    const believing = { env: { sessionStorage: undefined, locks: generous } } as unknown as Partial<RoomStorageOptions>;
    const older = await enter(inside(await newFrame()), room, believing);
    let acknowledged = 0;
    const streaming = (async (): Promise<unknown> => {
      for (;;) {
        try {
          await older.store.write([{ type: "put", key: `w/${acknowledged}`, value: new Uint8Array(1) }]);
          acknowledged += 1;
        } catch (error) {
          return error;
        }
      }
    })();
    await expect.poll(() => acknowledged).toBeGreaterThan(20);
    const newer = await enter(inside(await newFrame()), room, believing);
    expect(newer.peerId).toBe(older.peerId);
    const found = (await newer.store.readRange("w/", "w0")).length;
    expect(await streaming).toMatchObject({ code: "stale-owner", current: 2, requested: 1 });
    expect(acknowledged).toBeLessThanOrEqual(found);
    await expect((await older.reopen()).write([put(1)])).rejects.toMatchObject({ code: "stale-owner" });
    await expect(older.abandon()).rejects.toMatchObject({ code: "stale-owner" });
    expect((await newer.store.readRange("w/", "w0")).length).toBe(found);
    await newer.store.write([put(2)]);
    await newer.release();
  });

  test("[ID2] the private key in the database can not be read", async () => {
    const room = newRoom();
    const storage = await openRoomStorage({ room, random: seededRandom(1), clock, ...noSession });
    const db = await IndexedDbByteStore.open({ name: `flotilla/${room}` });
    const [[key, value] = ["", {}]] = await db.readValues();
    expect(key).toBe(storage.peerId);
    const { privateKey } = value as { privateKey: CryptoKey };
    expect(privateKey.extractable).toBe(false);
    for (const format of ["pkcs8", "jwk"] as const) await expect(crypto.subtle.exportKey(format, privateKey)).rejects.toBeInstanceOf(Error);
    await db.close();
    await storage.release();
  });

  test("[ID8] an origin without room, and a database somebody holds on to, mean memory and a reason", async () => {
    const { storageBuckets } = navigator as unknown as { storageBuckets: { open(name: string, options: object): Promise<{ indexedDB: IDBFactory }> } };
    const { indexedDB: small } = await storageBuckets.open(`full-${Math.floor(performance.timeOrigin)}`, { quota: 400_000 });
    const filler = await IndexedDbByteStore.open({ name: "filler", factory: small });
    for (let at = 0, bytes = 100_000; bytes > 50; at += 1) {
      const noise = Uint8Array.from({ length: bytes }, (_, index) => (index * 7_919 + at) >> 3);
      await filler.write([{ type: "put", key: `${at}`, value: noise }]).catch(() => { bytes = Math.floor(bytes / 2); });
    }
    const full = await openRoomStorage({ room: newRoom(), random: seededRandom(1), clock, env: { indexedDb: small, sessionStorage: undefined } });
    expect(full).toMatchObject({ kind: "memory", why: expect.stringContaining("no room") });
    expect(full.identity?.peerId).toBe(full.peerId);

    const room = newRoom();
    const theirs = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(`flotilla/${room}`, 1);
      request.onupgradeneeded = () => void request.result.createObjectStore("records");
      request.onsuccess = () => resolve(request.result);
    });
    const blocked = await openRoomStorage({ room, random: seededRandom(1), clock, ...noSession });
    expect(blocked).toMatchObject({ kind: "memory", why: expect.stringContaining("another tab") });
    theirs.close();
  });
});
