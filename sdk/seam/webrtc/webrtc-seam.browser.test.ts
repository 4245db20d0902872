// The mesh on real RTCPeerConnections in one page.
import { afterEach, describe, expect, test } from "vitest";
import { peerId, seededRandom, type Clock, type PeerId } from "../../base/index.ts";
import { MemorySignalingHub } from "../memory-signaling.ts";
import type { Signaling } from "../signaling.ts";
import { WebRtcSeam, type WebRtcSeamOptions } from "./webrtc-seam.ts";

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

const opened: WebRtcSeam[] = [];
let seed = 1;

function open(signaling: Signaling, options: Partial<WebRtcSeamOptions> = {}): WebRtcSeam {
  const seam = new WebRtcSeam({ selfId: signaling.selfId, signaling, clock, random: seededRandom((seed += 1)), iceServers: [], ...options });
  opened.push(seam);
  return seam;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((seam) => seam.close()));
});

/** Resolves once `seam.peers` has this many members. */
function rosterOf(seam: WebRtcSeam, size: number): Promise<void> {
  return new Promise((done) => {
    const look = (): void => {
      if (seam.peers.size === size) done();
    };
    seam.on("peers", look);
    look();
  });
}

const ids = (n: number): PeerId[] => Array.from({ length: n }, (_, i) => peerId(`peer-${i}`));

describe("WebRtcSeam in Chromium", () => {
  test.each([2, 3, 5])("%i tabs' worth of seams find each other and a broadcast reaches each exactly once", async (n) => {
    const hub = new MemorySignalingHub();
    const seams = ids(n).map((selfId) => open(hub.join({ selfId, room: "r" })));
    await Promise.all(seams.map((seam) => rosterOf(seam, n)));
    const heard: string[] = [];
    const all = new Promise<void>((done) => {
      for (const seam of seams) {
        seam.on("frame", (from, bytes) => {
          heard.push(`${from}>${seam.selfId}:${bytes[0]}`);
          if (heard.length === n * (n - 1)) done();
        });
      }
    });
    seams.forEach((seam, i) => seam.broadcast(Uint8Array.of(i)));
    await all;
    const expected = ids(n).flatMap((from, i) => ids(n).filter((to) => to !== from).map((to) => `${from}>${to}:${i}`));
    expect(heard.sort()).toEqual(expected.sort());
  });
});
