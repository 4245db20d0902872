// The relay over real sockets: who meets through it, what the server can see, and what happens to who is too much.
import { afterEach, describe, expect, test } from "vitest";
import { seededRandom, type Clock, type PeerId } from "../base/index.ts";
import { identityOf, makeKeyPair, verifySignature, type Identity } from "../identity/identity.ts";
import { openNodeSocket } from "../node/index.ts";
import { MemorySignalingHub, type Seam } from "../seam/index.ts";
import { RelayLane } from "../seam/relay/index.ts";
import { WebRtcSeam, type WebRtcSeamOptions } from "../seam/webrtc/index.ts";
import { startServer, type RunningServer, type ServerOptions } from "./server.ts";

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(options: ServerOptions = {}): Promise<RunningServer> {
  const server = await startServer({ port: 0, ...options });
  ends.push(() => server.close());
  return server;
}

const somebody = async (): Promise<Identity> => identityOf(await makeKeyPair(crypto.subtle), crypto.subtle);
let seed = 1;

interface Group {
  readonly server: RunningServer;
  readonly hub: MemorySignalingHub;
}

function open({ server, hub }: Group, identity: Identity, options: Partial<WebRtcSeamOptions> = {}): WebRtcSeam {
  const random = seededRandom((seed += 1));
  const lane = (): RelayLane => new RelayLane({ url: server.url, room: "r", clock, random, openSocket: openNodeSocket });
  const signaling = hub.join({ selfId: identity.peerId, room: "r" });
  const seam = new WebRtcSeam({ selfId: identity.peerId, identity: { ...identity, verify: verifySignature }, signaling, clock, random, relay: { links: lane }, ...options });
  ends.push(() => seam.close());
  return seam;
}

const until = (seam: Seam, size: number): Promise<void> =>
  new Promise((done) => {
    const look = (): void => {
      if (seam.peers.size === size) done();
    };
    seam.on("peers", look);
    look();
  });

async function meet(n: number, group: Group, options: Partial<WebRtcSeamOptions> = {}): Promise<WebRtcSeam[]> {
  const seams: WebRtcSeam[] = [];
  for (let i = 0; i < n; i += 1) seams.push(open(group, await somebody(), options));
  await Promise.all(seams.map((seam) => until(seam, n)));
  return seams;
}

const heardBy = (seam: Seam): { readonly frames: (readonly [PeerId, Uint8Array])[]; readonly count: (n: number) => Promise<void> } => {
  const frames: (readonly [PeerId, Uint8Array])[] = [];
  const waiting = new Set<() => void>();
  seam.on("frame", (from, bytes) => {
    frames.push([from, bytes]);
    for (const look of waiting) look();
  });
  const count = (n: number): Promise<void> =>
    new Promise((done) => {
      const look = (): void => {
        if (frames.length < n) return;
        waiting.delete(look);
        done();
      };
      waiting.add(look);
      look();
    });
  return { frames, count };
};

describe("two seams in Node", () => {
  test("meet through the relay, both proven, and carry frames of every size", async () => {
    const group = { server: await serve(), hub: new MemorySignalingHub() };
    const [ann, bob] = (await meet(2, group)) as [WebRtcSeam, WebRtcSeam];
    expect([ann.laneOf(bob.selfId), bob.laneOf(ann.selfId)]).toEqual(["relay", "relay"]);
    const heard = heardBy(bob);
    const sizes = [0, 1, 16_000, 16_384, 900_000, 3];
    for (const size of sizes) ann.sendTo(bob.selfId, new Uint8Array(size).fill(7));
    await heard.count(sizes.length);
    expect(heard.frames.map(([from, bytes]) => [from, bytes.length])).toEqual(sizes.map((size) => [ann.selfId, size]));
    expect(group.server.counts.relayedBytesTotal).toBeGreaterThan(900_000);
  });
});

