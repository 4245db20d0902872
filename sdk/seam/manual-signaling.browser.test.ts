// Signaling by hand over real RTCPeerConnections, and a mesh that meets by it.
import { afterEach, describe, expect, test } from "vitest";
import { peerId, seededRandom, utf8, type Clock, type PeerId } from "../base/index.ts";
import { describeContract } from "../testing/contract.ts";
import { combineSignaling } from "./combined-signaling.ts";
import { ManualSignaling } from "./manual-signaling.ts";
import { signalingContract, type SignalingHarness } from "./signaling.contract.ts";
import { WebRtcSeam } from "./webrtc/index.ts";

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};
const [ann, bob] = ["ann", "bob"].map((name) => peerId(name)) as [PeerId, PeerId];
let seed = 1;
const made: ManualSignaling[] = [];

function make(): ManualSignaling {
  const end = new ManualSignaling({ clock, random: seededRandom((seed += 1)), iceServers: [] });
  made.push(end);
  return end;
}

afterEach(() => {
  for (const end of made.splice(0)) end.close();
});

async function pair(): Promise<readonly [ManualSignaling, ManualSignaling]> {
  const [one, two] = [make(), make()];
  await one.accept(await two.reply(await one.invite("s"), "s"));
  await two.linked();
  return [one, two];
}

/** Every two of three people are linked by hand; each one's channels are used as one. */
function harness(): SignalingHarness {
  const rooms = new Map<string, Promise<ReadonlyMap<string, readonly ManualSignaling[]>>>();
  const openRoom = async (): Promise<ReadonlyMap<string, readonly ManualSignaling[]>> => {
    const [[a, b], [c, d], [e, f]] = await Promise.all([pair(), pair(), pair()]);
    return new Map([["ann", [a, c]], ["bob", [b, e]], ["cem", [d, f]]]);
  };
  return {
    join: async (room, selfId) => {
      const opening = rooms.get(room) ?? openRoom();
      rooms.set(room, opening);
      const [first, second] = ((await opening).get(selfId) ?? []).map(({ factory }) => factory({ selfId, room }));
      if (first === undefined || second === undefined) throw new Error(`${selfId} is nobody here`);
      return combineSignaling([first, second]);
    },
    turn: () => new Promise((resolve) => setTimeout(resolve, 5)),
  };
}

describeContract("ManualSignaling keeps the signaling contract over real links", signalingContract, harness());

describe("[MN1] strings of a real browser", () => {
  test("fit a QR code, and a mesh meets by them", async ({ annotate }) => {
    const [one, two] = [make(), make()];
    const mine = new WebRtcSeam({ selfId: ann, signaling: one.factory({ selfId: ann, room: "r" }), clock, random: seededRandom(101), iceServers: [] });
    const invitation = await one.invite("s");
    const reply = await two.reply(invitation, "s");
    await annotate(`an invitation of ${invitation.length} characters, a reply of ${reply.length}: as a QR code of digits and capitals`);
    // A QR code of version 14 takes 528 of them with correction level M.
    expect(Math.max(invitation.length, reply.length)).toBeLessThan(500);
    await one.accept(reply);
    await two.linked();
    const theirs = new WebRtcSeam({ selfId: bob, signaling: two.factory({ selfId: bob, room: "r" }), clock, random: seededRandom(102), iceServers: [] });
    const met = (seam: WebRtcSeam): Promise<void> => new Promise((done) => {
      if (seam.peers.size === 2) done();
      seam.on("peers", (peers) => peers.size === 2 && done());
    });
    await Promise.all([met(mine), met(theirs)]);
    const heard = new Promise<Uint8Array>((done) => void theirs.on("frame", (_, bytes) => done(bytes)));
    mine.sendTo(bob, utf8("hello"));
    expect(await heard).toEqual(utf8("hello"));
    await Promise.all([mine.close(), theirs.close()]);
    // The seam owns its signaling.
    expect([one.isLinked, two.isLinked]).toEqual([false, false]);
  });

  test("[MN3] an invitation nobody answers leaves nothing running", async () => {
    const one = make();
    await one.invite("s");
    const waiting = one.linked();
    one.close();
    await expect(waiting).rejects.toMatchObject({ code: "closed" });
    await expect(one.invite("s")).rejects.toMatchObject({ code: "closed" });
  });
});
