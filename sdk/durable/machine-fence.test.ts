// The fence of one machine: the contract with and without locks, and what a lock adds: waiting for whoever is alive.
import { IDBFactory } from "fake-indexeddb";
import { describe, expect, test } from "vitest";
import { FakeBrowser, type FakeTab } from "../identity/test-browser.ts";
import { MemoryByteStore, MemoryDisk, type ByteStore } from "../storage/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import { describeContract } from "../testing/contract.ts";
import { fenceContract } from "./fence.contract.ts";
import { fenceFor } from "./fence.ts";
import { MachineFence, type OwnerLocks } from "./machine-fence.ts";

const S = "match 1";

class TestBrowser extends FakeBrowser {
  constructor() {
    super(new IDBFactory());
  }

  /** The locks as one tab sees them. */
  locksOf(tab: FakeTab): OwnerLocks {
    return {
      request: (name, options, held) => this.locks.request(tab, name, options, held),
      query: async () => ({ held: this.locks.names.map((name) => ({ name })) }),
    };
  }

  fences(tab: FakeTab, store: ByteStore, place = "room"): MachineFence {
    return new MachineFence(store, { place, locks: this.locksOf(tab) });
  }
}

describeContract("MachineFence in memory, without locks", fenceContract, {
  place: async () => {
    const disk = new MemoryDisk();
    return { open: async () => new MachineFence(new MemoryByteStore(disk), { place: "room", locks: undefined }) };
  },
});

describeContract("MachineFence on fake-indexeddb", fenceContract, {
  place: async () => {
    const browser = new TestBrowser();
    return { open: async () => browser.fences(browser.tab(), await IndexedDbByteStore.open({ name: "room", factory: browser.indexedDb })) };
  },
});

// The worst a lock can do: everybody believes to have it.
const lying: OwnerLocks = { request: async (name, _, held) => held({ name }), query: async () => ({ held: [] }) };

describeContract("[DU25] MachineFence with locks that lie", fenceContract, {
  place: async () => {
    const disk = new MemoryDisk();
    return { open: async () => new MachineFence(new MemoryByteStore(disk), { place: "room", locks: lying }) };
  },
});

function twoTabs(): { readonly browser: TestBrowser; readonly tabs: readonly [FakeTab, FakeTab]; readonly fences: readonly [MachineFence, MachineFence] } {
  const browser = new TestBrowser();
  const disk = new MemoryDisk();
  const tabs = [browser.tab(), browser.tab()] as const;
  return { browser, tabs, fences: [browser.fences(tabs[0], new MemoryByteStore(disk)), browser.fences(tabs[1], new MemoryByteStore(disk))] };
}

async function turns(count = 50): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
}

describe("[DU26] a session that is held", () => {
  test("is the next one's when its tab dies, under the next epoch", async () => {
    const { tabs, fences: [ann, bob] } = twoTabs();
    const held = await ann.hold(S, "ann");
    expect(held.fence).toEqual(fenceFor(S, "ann", 1));
    const order: string[] = [];
    const waiting = bob.hold(S, "bob").then(({ fence }) => (order.push("held"), fence));
    await turns();
    expect(await bob.holdNow(S, "bob")).toBeUndefined();
    expect(await bob.current(S)).toEqual(held.fence);
    order.push("dies");
    tabs[0].die();
    expect(await waiting).toEqual(fenceFor(S, "bob", 2));
    expect(order).toEqual(["dies", "held"]);
  });

  test("is the next one's when it is released", async () => {
    const { fences: [ann, bob] } = twoTabs();
    const held = await ann.hold(S, "ann");
    expect(await bob.isHeld(S)).toBe(true);
    held.release();
    held.release();
    await turns();
    expect(await bob.isHeld(S)).toBe(false);
    expect(await bob.current(S)).toEqual(held.fence);
    expect((await bob.holdNow(S, "bob"))?.fence).toEqual(fenceFor(S, "bob", 2));
    expect(await ann.holdNow(S, "ann")).toBeUndefined();
  });

  test("does not stand in the way of a takeover, after which the holder is stale", async () => {
    const { fences: [ann, bob] } = twoTabs();
    const held = await ann.hold(S, "ann");
    const taken = await bob.takeOver(S, "bob");
    expect(taken.epoch).toBe(2);
    await expect(ann.claim(S, held.fence)).rejects.toMatchObject({ code: "stale-owner" });
    expect(await bob.isHeld(S)).toBe(true);
  });

  test("holds up no other session and no other place", async () => {
    const { browser, fences: [ann, bob] } = twoTabs();
    await ann.hold("a", "ann");
    expect((await bob.holdNow("a/room", "bob"))?.fence.epoch).toBe(1);
    expect((await browser.fences(browser.tab(), new MemoryByteStore(), "another").holdNow("a", "bob"))?.fence.epoch).toBe(1);
    expect(await bob.isHeld("b")).toBe(false);
  });

  test("without locks is taken over at once, and whether somebody lives is not known", async () => {
    const store = new MemoryByteStore();
    const fences = new MachineFence(store, { place: "room", locks: undefined });
    expect((await fences.hold(S, "ann")).fence.epoch).toBe(1);
    expect((await fences.holdNow(S, "bob"))?.fence.epoch).toBe(2);
    expect(await fences.isHeld(S)).toBeUndefined();
  });
});

describe("[DU27] who gives up waiting", () => {
  test("holds nothing and has claimed nothing, at whatever moment it was", async () => {
    for (let pause = 0; pause < 12; pause += 1) {
      const { fences: [ann, bob] } = twoTabs();
      const held = await ann.hold(S, "ann");
      const giveUp = new AbortController();
      const waiting = bob.hold(S, "bob", { signal: giveUp.signal }).then(() => "held", (error: unknown) => error);
      await turns();
      held.release();
      await turns(pause);
      giveUp.abort("enough");
      const outcome = await waiting;
      expect(["held", "enough"]).toContain(outcome);
      expect((await ann.current(S))?.owner).toBe(outcome === "held" ? "bob" : "ann");
      expect(await ann.isHeld(S)).toBe(outcome === "held");
    }
    const { fences: [ann] } = twoTabs();
    await expect(ann.hold(S, "ann", { signal: AbortSignal.abort("never") })).rejects.toBe("never");
    expect(await ann.isHeld(S)).toBe(false);
  });

  test("or whose claim fails, lets the next one in", async () => {
    const browser = new TestBrowser();
    const closed = new MemoryByteStore();
    await closed.close();
    await expect(browser.fences(browser.tab(), closed).hold(S, "ann")).rejects.toMatchObject({ code: "closed" });
    await turns();
    expect((await browser.fences(browser.tab(), new MemoryByteStore()).holdNow(S, "bob"))?.fence.epoch).toBe(1);
  });
});
