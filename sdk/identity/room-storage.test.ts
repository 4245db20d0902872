import { IDBFactory } from "fake-indexeddb";
import "fake-indexeddb/auto";
import { afterEach, describe, expect, test } from "vitest";
import { seededRandom, utf8, type Clock } from "../base/index.ts";
import { openRoomStorage, peerIdOfKey, verifySignature, type RoomEnvironment, type RoomStorage } from "./index.ts";
import { FakeBrowser, type FakeTab } from "./test-browser.ts";

/** Time a hundred times as fast: what is waited for here is an order of events, never a duration. */
const fastClock: Clock = {
  now: () => performance.now() * 100,
  after: (ms, then) => {
    const timer = setTimeout(then, ms / 100);
    return () => clearTimeout(timer);
  },
};

const browserProfile = (): FakeBrowser => new FakeBrowser(new IDBFactory());
const open: RoomStorage[] = [];
const enter = async (tab: FakeTab, env: Partial<RoomEnvironment> = {}, room = "r"): Promise<RoomStorage> => {
  const storage = await openRoomStorage({ room, random: seededRandom(1), clock: fastClock, env: { ...tab.env, ...env } });
  open.push(storage);
  return storage;
};
const write = (storage: RoomStorage, value: number): Promise<void> => storage.store.write([{ type: "put", key: "log", value: Uint8Array.of(value) }]);
const patience = (): AbortSignal => new AbortController().signal;

afterEach(async () => {
  await Promise.all(open.splice(0).map((storage) => storage.release()));
});

describe("a tab in a room", () => {
  test("[ID1] has an id that is a digest of its key, and signs so that others can check it", async () => {
    const { identity, peerId } = await enter(browserProfile().tab());
    if (identity === undefined) throw new Error("no identity");
    expect(peerId).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
    expect(peerIdOfKey(identity.publicKey)).toBe(peerId);
    const signature = await identity.sign(utf8("hello"));
    expect(signature).toHaveLength(64);
    expect(await verifySignature({ peerId, publicKey: identity.publicKey, signature }, utf8("hello"))).toBe(true);
    expect(await verifySignature({ peerId, publicKey: identity.publicKey, signature }, utf8("hellO"))).toBe(false);
  });

  test("[ID3] comes back as who it was, with its records, after everything was closed", async () => {
    const browser = browserProfile();
    const first = await enter(browser.tab());
    expect(first.isNew).toBe(true);
    await write(first, 7);
    await first.release();
    const again = await enter(browser.tab());
    expect(again.peerId).toBe(first.peerId);
    expect(again.isNew).toBe(false);
    expect(await again.store.read("log")).toEqual(Uint8Array.of(7));
  });

  test("[ID4] is another peer than a second tab of the same browser, with records of its own", async () => {
    const browser = browserProfile();
    const [one, two] = await Promise.all([enter(browser.tab()), enter(browser.tab())]);
    expect(one.peerId).not.toBe(two.peerId);
    await write(one, 1);
    await write(two, 2);
    expect(await one.store.read("log")).toEqual(Uint8Array.of(1));
    expect(await two.store.readRange("", "z")).toEqual([["log", Uint8Array.of(2)]]);
  });

  test("[ID5] a duplicated tab is a new peer at once and knows whom it copies", async () => {
    const browser = browserProfile();
    const tab = browser.tab();
    const first = await enter(tab);
    const copy = await enter(tab.duplicate());
    expect(copy.peerId).not.toBe(first.peerId);
    expect(copy.displaced).toBe(first.peerId);
    const taking = copy.takeOver(patience());
    await first.release();
    expect((await taking).peerId).toBe(first.peerId);
  });
});
