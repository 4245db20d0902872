// Two ways as one channel: who is reached over which, and whose frames count.
import { afterEach, describe, expect, test } from "vitest";
import { peerId, seededRandom, utf8, type PeerId } from "../base/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { joinChannels } from "./joined-channel.ts";
import { MemoryHub } from "./memory-seam.ts";

const [ann, bob, wit, eve] = ["ann", "bob", "wit", "eve"].map((id) => peerId(id)) as [PeerId, PeerId, PeerId, PeerId];
const clock = new VirtualClock();
const mesh = new MemoryHub({ clock, random: seededRandom(1) });
const side = new MemoryHub({ clock, random: seededRandom(2) });
afterEach(() => clock.advance(10));

describe("two channels as one", () => {
  test("frames go the way their addressee is on, and come from both", async () => {
    const [main, aside, other, far] = [mesh.seam(ann), side.seam(ann), mesh.seam(bob), side.seam(wit)];
    const heard: string[] = [];
    other.on("frame", (from, bytes) => heard.push(`bob ${from} ${bytes.length}`));
    far.on("frame", (from, bytes) => heard.push(`wit ${from} ${bytes.length}`));
    const joined = joinChannels(main, aside, (peer) => peer === wit);
    const off = joined.on("frame", (from, bytes) => heard.push(`ann ${from} ${bytes.length}`));
    expect([...joined.peers].sort()).toEqual([ann, bob, wit]);
    joined.sendTo(bob, utf8("a"));
    joined.sendTo(wit, utf8("ab"));
    other.sendTo(ann, utf8("abc"));
    far.sendTo(ann, utf8("abcd"));
    await clock.advance(10);
    expect(heard.sort()).toEqual(["ann bob 3", "ann wit 4", "bob ann 1", "wit ann 2"]);
    off();
    far.sendTo(ann, utf8("x"));
    await clock.advance(10);
    expect(heard).toHaveLength(4);
  });

  test("who can not be there is not: a stranger on the side way is neither seen nor heard, nor can it stand in for somebody of the mesh", async () => {
    const joined = joinChannels(mesh.seam(ann), side.seam(ann), (peer) => peer === wit || peer === bob);
    const heard: string[] = [];
    joined.on("frame", (from) => heard.push(from));
    side.seam(eve).sendTo(ann, utf8("x"));
    side.seam(bob).sendTo(ann, utf8("x"));
    await clock.advance(10);
    expect(heard).toEqual([]);
    expect(joined.peers.has(eve)).toBe(false);
  });
});
