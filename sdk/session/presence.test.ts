// The lobby over seams of one process.
import { describe, expect, test } from "vitest";
import { ByteWriter, digest64, peerId, seededRandom, utf8, type PeerId } from "../base/index.ts";
import { MemoryHub } from "../seam/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { cleanName, parsePresence, type PresenceState } from "./presence-state.ts";
import { Presence, shareDoc } from "./presence.ts";

const ann = peerId("ann");
const bob = peerId("bob");
const state = (name: string): PresenceState => ({ declares: "join", name, synced: false });
const idOf = (peer: PeerId): number => digest64(utf8(peer)).subarray(0, 6).reduce((number, byte) => number * 256 + byte, 0);

function room(): { readonly clock: VirtualClock; readonly hub: MemoryHub } {
  const clock = new VirtualClock();
  return { clock, hub: new MemoryHub({ clock, random: seededRandom(1), faults: { delayMs: 20 } }) };
}

describe("presence", () => {
  test("reaches who is there and who comes later", async () => {
    const { clock, hub } = room();
    const first = new Presence(hub.seam(ann), state("Ann"));
    const second = new Presence(hub.seam(bob), state("Bob"));
    await clock.advance(100);
    expect(first.states.get(bob)).toMatchObject({ name: "Bob" });
    expect(second.states.get(ann)).toMatchObject({ name: "Ann" });
    first.set({ name: "Anna", groupId: "g" });
    await clock.advance(100);
    expect(second.states.get(ann)).toMatchObject({ name: "Anna", groupId: "g" });
  });

  test("[SE1] a frame about somebody else, or not a presence, is dropped and counted", async () => {
    const { clock, hub } = room();
    const listener = new Presence(hub.seam(ann), state("Ann"));
    const liar = hub.seam(bob);
    await clock.advance(100);
    const update = (id: number, json: string): Uint8Array => new ByteWriter().uint(1).uint(id).uint(5).text(json).finish();
    const good = JSON.stringify(state("Bob"));
    const frames = [update(idOf(ann), good), update(123, good), update(idOf(bob), "{}"), update(idOf(bob), "not json"), new ByteWriter().uint(2).finish(), Uint8Array.of(), update(idOf(bob), JSON.stringify({ ...state("x"), more: "y".repeat(20_000) }))];
    for (const frame of frames) liar.sendTo(ann, frame);
    await clock.advance(100);
    expect(listener.dropped).toBe(frames.length);
    expect(listener.states.size).toBe(0);
    liar.sendTo(ann, update(idOf(bob), good));
    await clock.advance(100);
    expect(listener.states.get(bob)).toMatchObject({ name: "Bob" });
  });

  test("[SE2] a peer that comes back, or starts a new session on the same seam, is heard anew and hears the others", async () => {
    const { clock, hub } = room();
    const first = new Presence(hub.seam(ann), state("Ann"));
    const seam = hub.seam(bob);
    const second = new Presence(seam, state("Bob"));
    for (let i = 0; i < 5; i += 1) second.set({ name: `Bob ${i}` });
    await clock.advance(100);
    second.destroy();
    await clock.advance(100);
    expect(first.states.has(bob)).toBe(false);
    const again = new Presence(seam, state("Bob again"));
    await clock.advance(100);
    expect(first.states.get(bob)).toMatchObject({ name: "Bob again" });
    expect(again.states.get(ann)).toMatchObject({ name: "Ann" });
    void seam.close();
    await clock.advance(100);
    expect(first.states.size).toBe(0);
    const back = new Presence(hub.seam(bob), state("Bob back"));
    await clock.advance(100);
    expect(first.states.get(bob)).toMatchObject({ name: "Bob back" });
    expect(back.states.get(ann)).toMatchObject({ name: "Ann" });
  });

  test("[SE2] nobody speaks while nothing changes, whoever met whom and however often", async () => {
    const { clock, hub } = room();
    const seams = [ann, bob, peerId("cat")].map((id) => hub.seam(id));
    const people = seams.map((seam) => new Presence(seam, state(seam.selfId)));
    people[0]!.set({ name: "Anna" });
    hub.cut(ann, bob);
    await clock.advance(100);
    hub.heal();
    people[2]!.destroy();
    people.push(new Presence(seams[2]!, state("Cat again")));
    await clock.advance(1_000);
    expect(people[0]!.states.size + people[1]!.states.size + people[3]!.states.size).toBe(6);
    const { sent } = hub.counts;
    await clock.advance(60_000);
    expect(hub.counts.sent).toBe(sent);
  });

  test("[SE2] a farewell is remembered until its peer speaks again", async () => {
    const { clock, hub } = room();
    const first = new Presence(hub.seam(ann), state("Ann"));
    const seam = hub.seam(bob);
    const second = new Presence(seam, state("Bob"));
    second.set({ leaving: "vacate" });
    second.destroy();
    void seam.close();
    await clock.advance(100);
    expect(first.farewellOf(bob)).toBe("vacate");
    const back = new Presence(hub.seam(bob), state("Bob"));
    await clock.advance(100);
    expect([first.farewellOf(bob), back.states.has(ann)]).toEqual([undefined, true]);
  });

  test("[SE3] nothing is left running after destroy", async () => {
    const { clock, hub } = room();
    const first = new Presence(hub.seam(ann), state("Ann"));
    const second = new Presence(hub.seam(bob), state("Bob"));
    await clock.advance(100);
    let heard = 0;
    first.on("change", () => (heard += 1));
    first.destroy();
    first.destroy();
    second.set({ name: "unheard" });
    await clock.advance(60_000);
    expect([heard, clock.pendingTimers, second.states.size]).toEqual([0, 0, 0]);
  });

  test("what others claim is cut and cleaned before anybody sees it", () => {
    expect(cleanName("\u0007  \n")).toBe("Player");
    expect(cleanName("x".repeat(99))).toHaveLength(40);
    for (const bad of [null, [], 7, {}, { ...state("a"), declares: "rule" }, { ...state("a"), lead: {} }, { ...state("a"), groupId: "g".repeat(99) }, { ...state("a"), leaving: "no" }]) expect(parsePresence(bad)).toBeUndefined();
  });
});

describe("a shared document", () => {
  test("[SE28] converges among all, also for who comes later, and survives garbage", async () => {
    const { clock, hub } = room();
    const seams = [hub.seam(ann), hub.seam(bob)];
    const [first, second] = seams.map((seam) => shareDoc(seam));
    await clock.advance(100);
    first!.doc.getMap("m").set("a", 1);
    second!.doc.getMap("m").set("b", 2);
    seams[0]!.sendTo(bob, Uint8Array.of(9, 1, 1));
    seams[0]!.sendTo(bob, Uint8Array.of(2, 2, 255, 255));
    await clock.advance(100);
    const third = shareDoc(hub.seam(peerId("cat")));
    await clock.advance(100);
    for (const shared of [first!, second!, third]) expect(shared.doc.getMap("m").toJSON()).toEqual({ a: 1, b: 2 });
    expect(second!.dropped).toBe(2);
    third.stop();
    first!.doc.getMap("m").set("c", 3);
    await clock.advance(100);
    expect(third.doc.getMap("m").get("c")).toBeUndefined();
  });
});
