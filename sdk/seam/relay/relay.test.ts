// Relayed links on a relay in memory: the same promises as any link, and nothing for whoever sits in the middle.
import { describe, expect, test } from "vitest";
import { bytesEqual, concatBytes, fromUtf8, MalformedError, peerId, seededRandom, utf8, type PeerId } from "../../base/index.ts";
import { describeContract } from "../../testing/contract.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { MemorySignalingHub } from "../memory-signaling.ts";
import { seamContract } from "../seam.contract.ts";
import type { Signaling } from "../signaling.ts";
import { decodeDialMessage, encodeDialMessage } from "../webrtc/dial-message.ts";
import { laneOf } from "../webrtc/lane-rules.ts";
import { MemoryNet } from "../webrtc/memory-link.ts";
import { identityOf, ids, inWorlds } from "../webrtc/test-room.ts";
import { WebRtcSeam, type WebRtcSeamOptions } from "../webrtc/webrtc-seam.ts";
import { agree, makeAgreementKey } from "./agreement.ts";
import { MemoryRelay } from "./memory-relay.ts";
import { decodeRelayFrame, encodeRelayFrame, RELAY_FRAME_BYTES_MAX } from "./relay-frame.ts";
import { RelayLane } from "./relay-lane.ts";
import { RELAY_WINDOW_BYTES } from "./relay-link.ts";

const [LOW, HIGH] = ids(2) as [PeerId, PeerId];

type Way = "relayed" | "fallback" | "direct only";

class World {
  readonly clock = new VirtualClock();
  readonly net = new MemoryNet(this.clock);
  readonly hub = new MemorySignalingHub();
  readonly relay = new MemoryRelay(this.clock);
  readonly lanes: RelayLane[] = [];
  #seed = 1;

  open(selfId: PeerId, way: Way = "relayed", options: Partial<WebRtcSeamOptions> = {}, over: (base: Signaling) => Signaling = (base) => base): WebRtcSeam {
    const random = seededRandom((this.#seed += 1));
    const links = (): RelayLane => {
      const lane = new RelayLane({ url: "http://relay.example", room: "r", clock: this.clock, random, openSocket: this.relay.openSocket });
      this.lanes.push(lane);
      return lane;
    };
    const relay = way === "direct only" ? undefined : { links, mode: way === "relayed" ? "always" : "fallback" } as const;
    const signaling = over(this.hub.join({ selfId, room: "r" }));
    return new WebRtcSeam({ selfId, signaling, clock: this.clock, random, openLink: this.net.open, identity: identityOf(selfId), relay, ...options });
  }

  async run(ms: number): Promise<void> {
    await this.clock.advance(0);
    await this.clock.advance(ms);
  }

  async pair(ways: readonly [Way, Way] = ["relayed", "relayed"], options: Partial<WebRtcSeamOptions> = {}): Promise<[WebRtcSeam, WebRtcSeam]> {
    const seams: [WebRtcSeam, WebRtcSeam] = [this.open(LOW, ways[0], options), this.open(HIGH, ways[1], options)];
    await this.run(100);
    return seams;
  }
}

interface Watched {
  readonly troubles: unknown[];
  readonly frames: number[];
  readonly rosters: number[];
}

function watch(seam: WebRtcSeam): Watched {
  const watched: Watched = { troubles: [], frames: [], rosters: [] };
  seam.on("peers", (peers) => void watched.rosters.push(peers.size));
  seam.on("trouble", (error) => void watched.troubles.push("code" in error ? error.code : error.message));
  seam.on("frame", (_, bytes) => void watched.frames.push(bytes[0] ?? -1));
  return watched;
}

const lanesOf = (low: WebRtcSeam, high: WebRtcSeam): unknown[] => [low.laneOf(HIGH), high.laneOf(LOW)];

for (const [title, wayOf] of [
  ["with all links relayed", (): Way => "relayed"],
  ["with some pairs direct and some relayed", (at: number): Way => (at === 0 ? "relayed" : "fallback")],
] as const) {
  const weave = (n: number): { world: World; seams: WebRtcSeam[] } => {
    const world = new World();
    return { world, seams: ids(n).map((id, at) => world.open(id, wayOf(at))) };
  };
  describeContract(`WebRtcSeam keeps the seam contract ${title}`, seamContract, inWorlds(weave, 200));
}

describe("which way a pair goes", () => {
  test("[RL1] a pair that finds no path falls back to the relay after the named failure, whichever side has none to offer but that", async () => {
    const world = new World();
    world.net.paths = false;
    const seams = await world.pair(["fallback", "fallback"]);
    const watched = seams.map(watch);
    await world.run(20_000);
    expect(lanesOf(...seams)).toEqual(["relay", "relay"]);
    expect(watched.every(({ troubles }) => troubles.every((code) => code === "nat-traversal"))).toBe(true);
  });

  test("[RL1] the failure is told before the relay is tried", async () => {
    const world = new World();
    world.net.paths = false;
    const low = world.open(LOW, "fallback");
    const watched = watch(low);
    world.open(HIGH, "fallback");
    await world.run(20_000);
    expect([watched.troubles, watched.rosters]).toEqual([["nat-traversal"], [2]]);
  });

  test.each([["relayed", "fallback"], ["fallback", "relayed"]] as const)("[RL2] one side that can only be relayed is asked for and answered over the relay: %s dials %s", async (...ways) => {
    const world = new World();
    const seams = await world.pair(ways);
    expect(lanesOf(...seams)).toEqual(["relay", "relay"]);
    expect(world.net.counts.open).toBe(0);
    await world.run(700_000);
    expect(lanesOf(...seams)).toEqual(["relay", "relay"]);
  });

  test.each([["relayed", "direct only"], ["direct only", "relayed"]] as const)("[RL2] a pair without a way in common does not meet, and nothing breaks: %s and %s", async (...ways) => {
    const world = new World();
    const seams = await world.pair(ways);
    await world.run(60_000);
    expect(seams.map((seam) => seam.peers.size)).toEqual([1, 1]);
  });

  test("[RL3] where paths are found the relay is not even connected to", async () => {
    const world = new World();
    const seams = await world.pair(["fallback", "fallback"]);
    await world.run(60_000);
    expect([lanesOf(...seams), world.lanes.length]).toEqual([["direct", "direct"], 0]);
  });

  test("[RL4] a relayed pair tries for a direct path with growing pauses; what does not work out costs it nothing, and what does replaces the link once", async () => {
    const world = new World();
    world.net.paths = false;
    const [low, high] = await world.pair(["fallback", "fallback"]);
    await world.run(20_000);
    const watched = [low, high].map(watch);
    const made = world.net.counts.made;
    for (let at = 0; at < 100; at += 1) {
      low.sendTo(HIGH, Uint8Array.of(at));
      await world.run(3_000);
    }
    const tries = (world.net.counts.made - made) / 2;
    expect(tries).toBeGreaterThanOrEqual(2);
    expect(tries).toBeLessThanOrEqual(5);
    expect(watched.map(({ rosters }) => rosters)).toEqual([[], []]);
    expect(watched[1]?.frames).toEqual(Array.from({ length: 100 }, (_, at) => at));
    world.net.paths = true;
    await world.run(700_000);
    expect(lanesOf(low, high)).toEqual(["direct", "direct"]);
    expect(watched.map(({ rosters }) => rosters)).toEqual([[1, 2], [1, 2]]);
    low.sendTo(HIGH, Uint8Array.of(7));
    await world.run(20_000);
    expect(watched[1]?.frames.slice(100)).toEqual([7]);
    expect(world.relay.size).toBe(0);
  });

  test("[RL4] a try for a direct path whose offer got lost, and that a greeting ends, is followed by another", async () => {
    const world = new World();
    world.net.paths = false;
    let isLosing = false;
    let lost = 0;
    let greetAgain = (): void => {};
    const through = (base: Signaling, send: Signaling["send"]): Signaling => ({ selfId: base.selfId, on: (event, listener) => base.on(event, listener), announce: () => base.announce(), send, close: () => base.close() });
    const low = world.open(LOW, "fallback", {}, (base) => through(base, (to, payload) => {
      if (isLosing && decodeDialMessage(payload).kind === "negotiate") lost += 1;
      else base.send(to, payload);
    }));
    const high = world.open(HIGH, "fallback", {}, (base) => through(base, (to, payload) => {
      const message = decodeDialMessage(payload);
      if ("incarnation" in message) greetAgain = () => base.send(to, encodeDialMessage({ kind: "greet", incarnation: message.incarnation, lost: 0 }));
      base.send(to, payload);
    }));
    await world.run(25_000);
    expect(lanesOf(low, high)).toEqual(["relay", "relay"]);
    isLosing = true;
    while (lost === 0) await world.run(500);
    await world.run(3_000);
    greetAgain();
    await world.run(10);
    expect(lanesOf(low, high)).toEqual(["relay", "relay"]);
    isLosing = false;
    world.net.paths = true;
    await world.run(700_000);
    expect(lanesOf(low, high)).toEqual(["direct", "direct"]);
  });

  test("[RL5] a relay that is away is tried in turn with the direct way, and found when it is back", async () => {
    const world = new World();
    world.net.paths = false;
    world.relay.isDown = true;
    const seams = await world.pair(["fallback", "fallback"]);
    await world.run(25_000);
    expect(lanesOf(...seams)).toEqual([undefined, undefined]);
    world.relay.isDown = false;
    await world.run(120_000);
    expect(lanesOf(...seams)).toEqual(["relay", "relay"]);
  });

  test("[RL5] links lost with the server are made again under the same ids", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    const watched = [low, high].map(watch);
    world.relay.crash();
    await world.run(10_000);
    low.sendTo(HIGH, Uint8Array.of(3));
    await world.run(50);
    expect([lanesOf(low, high), watched.map(({ rosters }) => rosters), watched[1]?.frames]).toEqual([["relay", "relay"], [[1, 2], [1, 2]], [3]]);
  });

  test("[RL1] what is decided is decided by the last failures alone", () => {
    const view = { canDirect: true, canRelay: true, onlyRelayed: false, foundNoPath: false, relayFailed: false };
    expect(laneOf(view)).toBe("direct");
    expect(laneOf({ ...view, foundNoPath: true })).toBe("relay");
    expect(laneOf({ ...view, foundNoPath: true, relayFailed: true })).toBe("direct");
    expect(laneOf({ ...view, onlyRelayed: true, relayFailed: true })).toBe("relay");
    expect(laneOf({ ...view, canDirect: false, relayFailed: true })).toBe("relay");
    expect(laneOf({ ...view, canRelay: false, onlyRelayed: true, foundNoPath: true })).toBe("direct");
  });

  test("[RL11] after the last link the socket goes, and after close nothing is left running", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    expect(world.relay.size).toBe(2);
    const closed = Promise.all([low.close(), high.close()]);
    await world.run(5_000);
    await closed;
    expect(world.relay.size).toBe(0);
    expect(world.clock.pendingTimers).toBe(0);
  });
});

describe("who sits in the middle", () => {
  test("[RL6] reads nothing: no frame, id or key of an identity passes in the clear, and equal frames look different", async () => {
    const world = new World();
    const [low] = await world.pair();
    const secret = "the ace of spades, in my left sleeve";
    const before = world.relay.seen.length;
    low.sendTo(HIGH, utf8(secret));
    low.sendTo(HIGH, utf8(secret));
    await world.run(50);
    const [first, second] = world.relay.seen.slice(before);
    expect(first === undefined || second === undefined || bytesEqual(first, second)).toBe(false);
    const all = fromUtf8(Uint8Array.from(world.relay.seen.flatMap((bytes) => [...bytes].map((byte) => (byte < 128 ? byte : 63)))));
    for (const word of [secret, LOW, HIGH, "key of"]) expect(all).not.toContain(word);
  });

  const tricks: readonly (readonly [string, () => (bytes: Uint8Array) => readonly Uint8Array[]])[] = [
    ["changes a byte", () => (bytes) => [bytes.map((byte, at) => (at === bytes.length - 1 ? byte ^ 1 : byte))]],
    ["repeats a message", () => (bytes) => [bytes, bytes]],
    ["leaves one out", () => {
      let left = 1;
      return (bytes) => ((left -= 1) === 0 ? [] : [bytes]);
    }],
    ["swaps two", () => {
      let held: Uint8Array | undefined;
      return (bytes) => {
        if (held !== undefined) return [bytes, held];
        held = bytes;
        return [];
      };
    }],
    ["says something of its own under the link's tag", () => (bytes) => [concatBytes(bytes.slice(0, 8), new Uint8Array(40)), bytes]],
  ];
  test.each(tricks)("[RL7] ends the link when it %s, and gets no frame in, twice or out of order", async (_, trick) => {
    const world = new World();
    const [low, high] = await world.pair();
    const watched = watch(high);
    world.relay.tamper = trick();
    for (let at = 0; at < 5; at += 1) if (low.peers.has(HIGH)) low.sendTo(HIGH, Uint8Array.of(at));
    await world.run(20);
    world.relay.tamper = undefined;
    expect(watched.rosters[0]).toBe(1);
    expect(watched.frames).toEqual([...new Set(watched.frames)].sort((a, b) => a - b));
    expect(watched.frames.length).toBeLessThan(5);
    await world.run(30_000);
    low.sendTo(HIGH, Uint8Array.of(99));
    await world.run(50);
    expect(watched.frames.at(-1)).toBe(99);
  });

  test("[RL7] what was said on an earlier link is nobody's on a later one", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    const watched = watch(high);
    low.sendTo(HIGH, Uint8Array.of(1));
    await world.run(20);
    const old = world.relay.seen.map((bytes) => bytes.slice());
    low.breakLink(HIGH);
    await world.run(5_000);
    world.relay.tamper = (bytes) => [...old, bytes];
    low.sendTo(HIGH, Uint8Array.of(2));
    await world.run(20);
    expect([watched.frames, watched.rosters]).toEqual([[1, 2], [1, 2]]);
    expect(world.lanes.reduce((all, { dropped }) => all + dropped, 0)).toBeGreaterThanOrEqual(old.length);
  });

  test("[RL8] links nobody who proves an identity by putting keys of its own between them", async () => {
    const world = new World();
    const mallory = makeAgreementKey(seededRandom(99));
    const meddling = (base: Signaling): Signaling => ({
      selfId: base.selfId,
      on: (event, listener) => base.on(event, listener),
      announce: () => base.announce(),
      send: (to, payload) => {
        const message = decodeDialMessage(payload);
        const isStep = message.kind === "negotiate" && message.step.kind === "relay";
        base.send(to, isStep ? encodeDialMessage({ ...message, step: { ...message.step, key: mallory.publicKey } }) : payload);
      },
      close: () => base.close(),
    });
    const seams = [world.open(LOW, "relayed", {}, meddling), world.open(HIGH, "relayed", {}, meddling)];
    await world.run(60_000);
    expect(seams.map((seam) => seam.peers.size)).toEqual([1, 1]);
  });

  test("[RL8] who shows another's id over the relay is not let in", async () => {
    const world = new World();
    const honest = world.open(LOW);
    const watched = watch(honest);
    world.open(HIGH, "relayed", { identity: identityOf(peerId("mallory")) });
    await world.run(20_000);
    expect([watched.rosters, honest.unprovenDropped > 0]).toEqual([[], true]);
  });

  test("[RL8] keys that are no contribution are refused, and ends that heard different things share nothing", () => {
    const [own, other] = [makeAgreementKey(seededRandom(1)), makeAgreementKey(seededRandom(2))];
    const side = (key: Uint8Array, at: number): { key: Uint8Array; address: Uint8Array } => ({ key, address: new Uint8Array(16).fill(at) });
    const [a, b] = [side(own.publicKey, 1), side(other.publicKey, 2)];
    expect(agree(own, other.publicKey, a, b)).toEqual(agree(other, own.publicKey, a, b));
    expect(agree(own, other.publicKey, a, b).toInitiator).not.toEqual(agree(own, other.publicKey, a, side(other.publicKey, 3)).toInitiator);
    expect(() => agree(own, new Uint8Array(32), a, b)).toThrow("invalid");
  });
});

describe("how much is under way", () => {
  test("[RL9] never more than a window and a piece waits for a slow receiver, and what a window holds back still comes", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    const watched = watch(high);
    world.relay.delayMs = 50;
    for (let at = 0; at < 4; at += 1) low.sendTo(HIGH, new Uint8Array(1_000_000).fill(at));
    expect(low.bufferedBytes(HIGH)).toBeGreaterThan(3_900_000);
    await world.run(20_000);
    expect(watched.frames).toEqual([0, 1, 2, 3]);
    expect(world.relay.waitingBytesMax).toBeLessThan(RELAY_WINDOW_BYTES + 32 * 1024);
    expect(low.bufferedBytes(HIGH)).toBeLessThan(RELAY_WINDOW_BYTES / 4);
  });

  test("[RL9] what is urgent waits for the window at most, not for what queues behind it", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    const sizes: number[] = [];
    high.on("frame", (_, bytes) => void sizes.push(bytes.length));
    low.sendTo(HIGH, new Uint8Array(1_000_000), { stream: 1 });
    low.sendTo(HIGH, new Uint8Array(3), { stream: 2 });
    await world.run(5_000);
    expect(sizes).toEqual([3, 1_000_000]);
  });
});

describe("the frames of the relay", () => {
  test("[RL10] read back as they were written; everything else is refused", () => {
    const address = new Uint8Array(16).fill(9);
    for (const frame of [{ kind: "ping" }, { kind: "pong" }, { kind: "welcome", address }, { kind: "gone", address }, { kind: "frame", address, bytes: Uint8Array.of(1, 2) }, { kind: "frame", address, bytes: new Uint8Array(0) }] as const) {
      expect(decodeRelayFrame(encodeRelayFrame(frame))).toEqual(frame);
    }
    const whole = encodeRelayFrame({ kind: "frame", address, bytes: new Uint8Array(RELAY_FRAME_BYTES_MAX) });
    for (const bytes of [new Uint8Array(0), Uint8Array.of(5), Uint8Array.of(0, 0), Uint8Array.of(2, 1), Uint8Array.of(3, 1, 2), whole]) expect(() => decodeRelayFrame(bytes)).toThrow(MalformedError);
  });
});
