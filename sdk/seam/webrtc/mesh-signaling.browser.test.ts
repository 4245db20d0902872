// Links that carry the signaling for links: on real RTCPeerConnections, with nothing else to meet by.
import { afterEach, expect, test } from "vitest";
import { peerId, seededRandom, type Clock } from "../../base/index.ts";
import { combineSignaling } from "../combined-signaling.ts";
import { MemorySignalingHub } from "../memory-signaling.ts";
import { MeshSignaling } from "../mesh-signaling.ts";
import { MuxSeam } from "../mux.ts";
import type { Signaling } from "../signaling.ts";
import { WebRtcSeam } from "./webrtc-seam.ts";

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

const opened: WebRtcSeam[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((seam) => seam.close()));
});

function open(name: string, hubs: readonly [MemorySignalingHub, ...MemorySignalingHub[]]): WebRtcSeam {
  const selfId = peerId(name);
  const links = new MeshSignaling({ selfId, clock });
  const channels = hubs.map((hub): Signaling => hub.join({ selfId, room: "r" }));
  const signaling = combineSignaling([links, ...channels]);
  const seam = new WebRtcSeam({ selfId, signaling, clock, random: seededRandom(opened.length + 1), iceServers: [] });
  opened.push(seam);
  links.carry(new MuxSeam(seam).channel(9));
  return seam;
}

/** Resolves when the roster has this many members, which it may have lost in between. */
function rosterOf(seam: WebRtcSeam, size: number): Promise<void> {
  return new Promise((done) => {
    const look = (): void => {
      if (seam.peers.size === size) done();
    };
    seam.on("peers", look);
    look();
  });
}

test("[MG2] a link that breaks while no server can be reached is made again over whoever is linked to both", async () => {
  const hub = new MemorySignalingHub();
  const [ann, bob, cem] = ["ann", "bob", "cem"].map((name) => open(name, [hub])) as [WebRtcSeam, WebRtcSeam, WebRtcSeam];
  await Promise.all([ann, bob, cem].map((seam) => rosterOf(seam, 3)));
  hub.silent = true;
  const lost = rosterOf(ann, 2);
  ann.breakLink(bob.selfId);
  await lost;
  await Promise.all([ann, bob].map((seam) => rosterOf(seam, 3)));
  expect([...ann.peers].sort()).toEqual(["ann", "bob", "cem"]);
});

test("[MG1] who met one member alone is linked to all", async () => {
  const [main, aside] = [new MemorySignalingHub(), new MemorySignalingHub()];
  const ann = open("ann", [main, aside]);
  const bob = open("bob", [main]);
  await Promise.all([ann, bob].map((seam) => rosterOf(seam, 2)));
  main.silent = true;
  const cem = open("cem", [aside]);
  await Promise.all([ann, bob, cem].map((seam) => rosterOf(seam, 3)));
  expect([...cem.peers].sort()).toEqual(["ann", "bob", "cem"]);
});
