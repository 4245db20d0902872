// Last words beside the links: said at once, believed for their seal alone.
import { expect, test, vi } from "vitest";
import { peerId, seededRandom, utf8, type PeerId } from "./base/index.ts";
import { openRoomStorage, type Identity } from "./identity/index.ts";
import { Farewells } from "./open-match-farewell.ts";
import { MemoryHub, type Seam } from "./seam/index.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

interface Said {
  readonly to: PeerId;
  readonly sealed: Uint8Array;
}

/** Somebody at the table: what it would say, what it has sent and heard. */
class Guest {
  readonly heard: [PeerId, Uint8Array][] = [];
  readonly sent: Said[] = [];
  readonly seam: Seam;
  readonly farewells: Farewells;
  goodbye: { readonly to: PeerId; readonly bytes: Uint8Array } | undefined;

  constructor(hub: MemoryHub, identity: Identity, seed: number, id: PeerId = identity.peerId) {
    this.seam = hub.seam(id);
    const node = { goodbye: () => this.goodbye, hearGoodbye: (from: PeerId, bytes: Uint8Array) => void this.heard.push([from, bytes]) };
    const send = (to: PeerId, sealed: Uint8Array): void => void this.sent.push({ to, sealed });
    this.farewells = new Farewells({ identity, channel: this.seam, random: seededRandom(seed), send, node: () => node });
  }
}

/** A person of its own: a place in memory has an identity too. */
async function person(seed: number): Promise<Identity> {
  const { identity } = await openRoomStorage({ room: `r${seed}`, clock: new VirtualClock(), random: seededRandom(seed) });
  return identity!;
}

/** Signatures take real time, so it waits for what they change. */
const until = (condition: () => boolean): Promise<unknown> => vi.waitUntil(condition, { timeout: 10_000, interval: 1 });

async function table(): Promise<{ ann: Guest; bob: Guest; hub: MemoryHub }> {
  const hub = new MemoryHub({ clock: new VirtualClock(), random: seededRandom(1) });
  const [ann, bob] = [new Guest(hub, await person(2), 3), new Guest(hub, await person(4), 5)];
  ann.goodbye = { to: bob.seam.selfId, bytes: utf8("bye") };
  await until(() => hears(ann, bob));
  return { ann, bob, hub };
}

/** Whether what `one` says now reaches the other, sealed with a key it knows. */
function hears(one: Guest, other: Guest): boolean {
  one.farewells.say();
  const said = one.sent.at(-1);
  if (said !== undefined) other.farewells.hear(one.seam.selfId, said.sealed);
  return other.heard.length > 0;
}

test("a goodbye is sealed in the task it is said in, whatever it says by then", async () => {
  const { ann, bob } = await table();
  ann.goodbye = { to: bob.seam.selfId, bytes: utf8("bye, after one more move") };
  expect(hears(ann, bob)).toBe(true);
  expect(bob.heard.at(-1)).toEqual([ann.seam.selfId, utf8("bye, after one more move")]);
});

test("who leads nobody says nothing", async () => {
  const { ann } = await table();
  const before = ann.sent.length;
  ann.goodbye = undefined;
  ann.farewells.say();
  expect(ann.sent.length).toBe(before);
});

test("words that were changed, cut, sealed by another or meant for another are dropped", async () => {
  const { ann, bob, hub } = await table();
  const eve = new Guest(hub, await person(6), 7);
  eve.goodbye = { to: bob.seam.selfId, bytes: utf8("bye") };
  await until(() => {
    eve.farewells.say();
    return eve.sent.length > 0;
  });
  const { sealed } = ann.sent.at(-1)!;
  const before = bob.heard.length;
  for (let at = 0; at < sealed.length; at += 1) bob.farewells.hear(ann.seam.selfId, sealed.map((byte, index) => (index === at ? byte ^ 1 : byte)));
  for (let length = 0; length < sealed.length; length += 1) bob.farewells.hear(ann.seam.selfId, sealed.slice(0, length));
  bob.farewells.hear(ann.seam.selfId, eve.sent.at(-1)!.sealed);
  bob.farewells.hear(peerId("nobody"), sealed);
  eve.farewells.hear(ann.seam.selfId, sealed);
  expect([bob.heard.length, eve.heard.length]).toEqual([before, 0]);
});

test("a key handed over by somebody who is not who it says is not believed", async () => {
  const { bob, hub } = await table();
  const mallory = new Guest(hub, await person(8), 9, peerId("mallory"));
  const honest = new Guest(hub, await person(10), 11);
  for (const guest of [mallory, honest]) guest.goodbye = { to: bob.seam.selfId, bytes: utf8("bye") };
  const before = bob.heard.length;
  // Handed over later than the false one, and checked after it.
  await until(() => hears(honest, bob) && bob.heard.length > before);
  const believed = bob.heard.length;
  mallory.farewells.say();
  bob.farewells.hear(mallory.seam.selfId, mallory.sent.at(-1)!.sealed);
  expect(bob.heard.length).toBe(believed);
});

test("the key stays the same when a link comes again, so that whoever missed that still hears the goodbye", async () => {
  const { ann, bob, hub } = await table();
  hub.kill(bob.seam.selfId);
  const again = hub.seam(bob.seam.selfId);
  await until(() => ann.seam.peers.has(again.selfId));
  const before = bob.heard.length;
  hears(ann, bob);
  expect(bob.heard.length).toBe(before + 1);
});
