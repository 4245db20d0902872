// Who serves: each peer's own word, and what is made of one that has not spoken yet.
import { expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "../base/index.ts";
import { MemoryHub } from "../seam/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { ServingPeers, SILENT_MS_MAX } from "./serving-peers.ts";

const [ann, bob, cat, dan] = ["ann", "bob", "cat", "dan"].map((name) => peerId(name)) as [PeerId, PeerId, PeerId, PeerId];
const setup = { numShards: 8, seed: "s" };

test("[CL20] [CL25] who says that it serves these shards does; who serves others, or says nothing for a moment, does not; who is not met yet is away", async () => {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, random: seededRandom(1) });
  const open = (id: PeerId, mine = setup): ServingPeers => new ServingPeers({ channel: hub.seam(id), clock, setup: mine, changed: () => {} });
  const [here, other] = [open(ann), open(bob)];
  const odd = open(cat, { ...setup, numShards: 9 });
  hub.seam(dan);
  await clock.advance(10);
  expect([ann, bob, cat, dan].map((peer) => here.serves(peer, setup))).toEqual([true, true, false, false]);
  expect(other.serves(ann, { ...setup, seed: "" })).toBe(false);
  const standings = (): unknown[] => [ann, bob, cat, dan, peerId("eve")].map((peer) => here.standingOf(peer, "here"));
  expect(standings()).toEqual(["here", "here", "here", "away", "away"]);
  await clock.advance(SILENT_MS_MAX - 10);
  // One that is away meanwhile has all its time again.
  expect([here.standingOf(bob, "away"), here.standingOf(dan, "away")]).toEqual(["away", "away"]);
  await clock.advance(20);
  expect(standings()).toEqual(["here", "here", "here", "away", "here"]);
  await clock.advance(SILENT_MS_MAX);
  expect(standings()).toEqual(["here", "here", "here", "here", "here"]);
  for (const each of [here, other, odd]) each.stop();
  expect(clock.pendingTimers).toBe(0);
});

test("[CL20] whoever leads asks one that is here and did not say: what was said when they met may have been lost", async () => {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, random: seededRandom(1), faults: { delayMs: 10 } });
  const one = new ServingPeers({ channel: hub.seam(ann), clock, setup, changed: () => {} });
  const two = new ServingPeers({ channel: hub.seam(bob), clock, setup, changed: () => {} });
  hub.partition([bob]);
  await clock.advance(100);
  hub.heal();
  expect([one.serves(bob, setup), one.standingOf(bob, "here")]).toEqual([false, "away"]);
  await clock.advance(100);
  expect([one.serves(bob, setup), one.standingOf(bob, "here")]).toEqual([true, "here"]);
  for (const each of [one, two]) each.stop();
});
