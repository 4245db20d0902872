// The mesh's logic on links in memory and a virtual clock: what real connections do too seldom to wait for.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "../../base/index.ts";
import { describeContract } from "../../testing/contract.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { PIECE_BYTES_MAX } from "../framing.ts";
import { MemorySignalingHub } from "../memory-signaling.ts";
import { seamContract } from "../seam.contract.ts";
import { LOSSY_BYTES_MAX, type Seam } from "../seam.ts";
import type { Signaling } from "../signaling.ts";
import { decodeDialMessage, encodeDialMessage, type DialMessage } from "./dial-message.ts";
import { judgeNegotiation } from "./dial-rules.ts";
import { decodeLinkControl, encodeLinkControl } from "./link-control.ts";
import { MemoryNet } from "./memory-link.ts";
import { ids, inWorlds } from "./test-room.ts";
import { REMOTE_PEERS_MAX, WebRtcSeam, type WebRtcSeamOptions } from "./webrtc-seam.ts";

const [LOW, HIGH] = ids(2) as [PeerId, PeerId];

class World {
  readonly clock = new VirtualClock();
  readonly net = new MemoryNet(this.clock);
  readonly hub = new MemorySignalingHub();
  #seed = 1;

  open(selfId: PeerId, options: Partial<WebRtcSeamOptions> = {}, over: (base: Signaling) => Signaling = (base) => base): WebRtcSeam {
    this.#seed += 1;
    const signaling = over(this.hub.join({ selfId, room: "r" }));
    return new WebRtcSeam({ selfId, signaling, clock: this.clock, random: seededRandom(this.#seed), openLink: this.net.open, ...options });
  }

  /** Lets what is ready happen, then time pass: a clock alone looks for timers before promises have settled. */
  async run(ms: number): Promise<void> {
    await this.clock.advance(0);
    await this.clock.advance(ms);
  }

  async pair(options: Partial<WebRtcSeamOptions> = {}): Promise<[WebRtcSeam, WebRtcSeam]> {
    const seams: [WebRtcSeam, WebRtcSeam] = [this.open(LOW, options), this.open(HIGH, options)];
    await this.run(50);
    expect(seams.map((seam) => seam.peers.size)).toEqual([2, 2]);
    return seams;
  }
}

function heardBy(seam: Seam): number[] {
  const heard: number[] = [];
  seam.on("frame", (_, bytes) => void heard.push(bytes[0] ?? -1));
  return heard;
}

const weave = (n: number): { world: World; seams: WebRtcSeam[] } => {
  const world = new World();
  return { world, seams: ids(n).map((id) => world.open(id)) };
};
describeContract("WebRtcSeam keeps the seam contract on links in memory", seamContract, inWorlds(weave, 100));

describe("the mesh", () => {
  test("[WR1] makes one link per pair, however often and from both sides peers are announced", async () => {
    const world = new World();
    const chatty = (base: Signaling): Signaling => ({
      selfId: base.selfId,
      on: (event, listener) => base.on(event, listener),
      announce: () => [1, 2, 3].forEach(() => base.announce()),
      send: (to, payload) => [1, 2].forEach(() => base.send(to, payload)),
      close: () => base.close(),
    });
    const seams = ids(5).map((id) => world.open(id, {}, chatty));
    await world.run(100);
    expect(seams.map((seam) => seam.peers.size)).toEqual([5, 5, 5, 5, 5]);
    expect(world.net.counts.made).toBe(5 * 4);
    await world.run(120_000);
    expect(world.net.counts.made).toBe(5 * 4);
  });

  test("[WR18] a lossy frame does not wait for what is queued on the link, and is lost without harm", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    const heard = heardBy(high);
    world.net.slow = true;
    for (let i = 0; i < 200; i += 1) low.sendTo(HIGH, Uint8Array.of(i));
    low.sendTo(HIGH, Uint8Array.of(250), { lossy: true });
    await world.run(2);
    expect(heard).toContain(250);
    expect(heard.length).toBeLessThan(50);
    world.net.losing = true;
    low.sendTo(HIGH, Uint8Array.of(251), { lossy: true });
    await world.run(300);
    expect(heard.filter((byte) => byte !== 250)).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(world.net.lossySent).toBe(2);
  });

  test("[WR18] a lossy frame goes with the rest when it is more than one message, or when the link has no way for it", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    const sizes: number[] = [];
    high.on("frame", (_, bytes) => void sizes.push(bytes.length));
    low.sendTo(HIGH, new Uint8Array(LOSSY_BYTES_MAX + 1), { lossy: true });
    world.net.lossyLanes = false;
    low.broadcast(new Uint8Array(3), { lossy: true });
    await world.run(100);
    expect(sizes).toEqual([LOSSY_BYTES_MAX + 1, 3]);
    expect(world.net.lossySent).toBe(0);
  });

  test("[WR2] keeps candidates that come before their offer, up to a limit", async () => {
    const world = new World();
    // Candidates overtake descriptions on the way to HIGH.
    const reordering = (base: Signaling): Signaling => {
      let held: Uint8Array | undefined;
      return {
        selfId: base.selfId,
        on: (event, listener) => base.on(event, listener),
        announce: () => base.announce(),
        send: (to, payload) => {
          const message = decodeDialMessage(payload);
          if (message.kind === "negotiate" && message.step.kind === "description") held = payload;
          else {
            base.send(to, payload);
            if (held !== undefined) base.send(to, held);
            held = undefined;
          }
        },
        close: () => base.close(),
      };
    };
    const [low, high] = [world.open(LOW, {}, reordering), world.open(HIGH)];
    await world.run(100);
    expect([low.peers.size, high.peers.size]).toEqual([2, 2]);
    expect(world.net.links.map((link) => link.candidates)).toEqual([["of 1"], ["of 0"]]);
  });

  test("[WR2] a flood of early candidates holds no more than the limit", async () => {
    const world = new World();
    const high = world.open(HIGH);
    const rogue = world.hub.join({ selfId: LOW, room: "r" });
    const negotiate = (step: DialMessage & { kind: "negotiate" }): void => rogue.send(HIGH, encodeDialMessage(step));
    const head = { kind: "negotiate", incarnation: "0123456789abcdef", toIncarnation: "", attempt: 1 } as const;
    for (let i = 0; i < 500; i += 1) negotiate({ ...head, step: { kind: "candidate", candidate: `c${i}`, sdpMid: "0", sdpMLineIndex: 0 } });
    negotiate({ ...head, step: { kind: "description", type: "offer", sdp: "0" } });
    await world.run(5);
    expect(world.net.links[0]?.candidates.length).toBe(64);
    expect(world.net.links[0]?.candidates.at(-1)).toBe("c499");
    await high.close();
  });

  test.each([
    ["the dialling side", 0],
    ["the answering side", 1],
  ])("[WR3] dials again when %s alone sees the link fail, and delivers nothing twice", async (_, side) => {
    const world = new World();
    const [low, high] = await world.pair();
    const heard = heardBy(high);
    for (let round = 0; round < 4; round += 1) {
      low.sendTo(HIGH, Uint8Array.of(round));
      await world.run(5);
      world.net.links.at(-2 + side)?.fail("wire cut");
      await world.run(15_000);
      expect([low.peers.size, high.peers.size]).toEqual([2, 2]);
    }
    expect(heard).toEqual([0, 1, 2, 3]);
    expect(world.net.counts).toEqual({ made: 10, open: 2 });
  });

  test("[WR3] backs off while a peer can not be reached, stops after some tries, and starts again at a sign of life", async () => {
    const world = new World();
    world.net.paths = false;
    const troubles: string[] = [];
    const [low, high] = [world.open(LOW), world.open(HIGH)];
    low.on("trouble", (error) => void troubles.push(error.name));
    await world.run(4_000);
    const early = world.net.counts.made;
    expect(early).toBeGreaterThan(2);
    expect(troubles[0]).toBe("NatTraversalError");
    world.net.paths = true;
    await world.run(15_000);
    expect([low.peers.size, high.peers.size]).toEqual([2, 2]);
    expect(world.net.counts.open).toBe(2);
  });

  test("[WR4] replaces the link of a peer that came back, whichever side it is, and drops what is late from the old life", async () => {
    for (const returning of [LOW, HIGH]) {
      const world = new World();
      const stayId = returning === LOW ? HIGH : LOW;
      const sent: Uint8Array[] = [];
      const recording = (base: Signaling): Signaling => ({
        selfId: base.selfId,
        on: (event, listener) => (event === "status" ? base.on(event, listener) : base.on(event, (...args: unknown[]) => !muted && (listener as (...all: unknown[]) => void)(...args))),
        announce: () => muted || base.announce(),
        send: (to, payload) => {
          sent.push(payload);
          if (!muted) base.send(to, payload);
        },
        close: () => Promise.resolve(),
      });
      let muted = false;
      const stay = world.open(stayId);
      world.open(returning, {}, recording);
      await world.run(50);
      expect(stay.peers.size).toBe(2);
      muted = true;
      const rosters: number[] = [];
      stay.on("peers", (peers) => void rosters.push(peers.size));
      const back = world.open(returning);
      await world.run(200);
      expect(rosters).toEqual([1, 2]);
      expect(back.peers.size).toBe(2);
      const heard = heardBy(stay);
      back.sendTo(stayId, Uint8Array.of(7));
      const rogue = world.hub.join({ selfId: returning, room: "r" });
      for (const late of sent) rogue.send(stayId, late);
      await world.run(200);
      expect([heard, rosters]).toEqual([[7], [1, 2]]);
    }
  });

  test("[WR6] a slow link queues up to its limit, then ends and is dialled again", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    world.net.slow = true;
    const codes: unknown[] = [];
    low.on("trouble", (error) => codes.push("code" in error && error.code));
    const bytes = new Uint8Array(low.payloadBytesMax);
    let sent = 0;
    while (low.peers.has(HIGH) && sent < 100) {
      low.sendTo(HIGH, bytes);
      sent += 1;
    }
    expect([sent, codes]).toEqual([17, ["send-queue-full"]]);
    world.net.slow = false;
    await world.run(20_000);
    expect([low.peers.size, high.peers.size]).toEqual([2, 2]);
  });

  test("[WR5] a frame of the whole budget passes a slow link in pieces no larger than allowed", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    world.net.slow = true;
    let length = 0;
    high.on("frame", (_, bytes) => {
      length = bytes.length;
    });
    low.sendTo(HIGH, new Uint8Array(low.payloadBytesMax));
    expect(low.bufferedBytes(HIGH)).toBeGreaterThan(low.payloadBytesMax);
    await world.run(500);
    expect([length, low.bufferedBytes(HIGH)]).toEqual([low.payloadBytesMax, 0]);
    expect(PIECE_BYTES_MAX).toBe(16 * 1024);
  });

  test("[SM9] closing waits for a slow link as long as it moves, and no longer for a dead one", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    world.net.slow = true;
    const heard = heardBy(high);
    for (let i = 0; i < 8; i += 1) low.sendTo(HIGH, new Uint8Array(low.payloadBytesMax).fill(i));
    let closed = false;
    const done = low.close().then(() => {
      closed = true;
    });
    await world.run(8_000);
    await done;
    expect(heard).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const [again] = [world.open(LOW)];
    world.net.slow = false;
    await world.run(15_000);
    expect(again.peers.size).toBe(2);
    const far = world.net.links.at(-1);
    if (far !== undefined) far.receive = (): void => {};
    closed = false;
    void again.close().then(() => {
      closed = true;
    });
    await world.run(1_900);
    expect(closed).toBe(false);
    await world.run(200);
    expect(closed).toBe(true);
  });

  test("[WR7] a link that breaks the format is ended without an exception", async () => {
    for (const rubbish of [Uint8Array.of(2, 0, 1), Uint8Array.of(0x10, 9), Uint8Array.of(0x1f), new Uint8Array(0), Uint8Array.of(0x10, 1, 16, ...new Uint8Array(16))]) {
      const world = new World();
      const [low] = await world.pair();
      const rosters: number[] = [];
      low.on("peers", (peers) => void rosters.push(peers.size));
      world.net.links[0]?.receive(rubbish);
      expect(rosters).toEqual([1]);
      await world.run(15_000);
      expect(low.peers.size).toBe(2);
    }
  });

  test("[WR8] tells NatTraversalError with the peer's id when no path is found", async () => {
    const world = new World();
    world.net.paths = false;
    const low = world.open(LOW);
    world.open(HIGH);
    const told: unknown[] = [];
    low.on("trouble", (error) => told.push([error.name, error.message]));
    await world.run(100);
    expect(told).toEqual([["NatTraversalError", `no network path to ${HIGH} was found: add a TURN server to iceServers`]]);
  });

  test("[WR10] gives up a link that is silent for long, and one whose path stays lost, and recovers one that comes back", async () => {
    const world = new World();
    const [low, high] = await world.pair();
    world.net.links[0]?.unsteady(true);
    await world.run(3_000);
    world.net.links[0]?.unsteady(false);
    await world.run(60_000);
    expect(world.net.counts.made).toBe(2);
    expect(low.roundTripMs(HIGH)).toBe(2);
    expect(low.roundTripMs(peerId("stranger"))).toBeUndefined();
    world.net.links[0]?.unsteady(true);
    await world.run(20_000);
    expect(world.net.counts).toEqual({ made: 4, open: 2 });
    // The other end is frozen: its link stays open and nothing comes back.
    const far = world.net.links.at(-1);
    if (far !== undefined) far.receive = (): void => {};
    const rosters: number[] = [];
    low.on("peers", (peers) => void rosters.push(peers.size));
    await world.run(90_000);
    expect(rosters).toEqual([1, 2]);
    expect(high.peers.size).toBe(2);
  });

  test("[WR11] drops and counts malformed signaling, and strangers beyond the limit", async () => {
    const world = new World();
    const low = world.open(LOW);
    const rogue = world.hub.join({ selfId: HIGH, room: "r" });
    const good = encodeDialMessage({ kind: "greet", incarnation: "0123456789abcdef", lost: 0 });
    for (const payload of [new Uint8Array(0), Uint8Array.of(1), Uint8Array.of(9, 0), good.subarray(0, 5), Uint8Array.of(...good, 1)]) rogue.send(LOW, payload);
    await world.run(1);
    expect(low.malformedDropped).toBe(5);
    for (let i = 0; i < REMOTE_PEERS_MAX + 9; i += 1) world.hub.join({ selfId: peerId(`zz-${i}`), room: "r" }).send(LOW, good);
    await world.run(1);
    expect(low.strangersIgnored).toBe(9);
    await low.close();
  });

  test("[WR12] leaves no timer and no link behind after close", async () => {
    const world = new World();
    const seams = ids(4).map((id) => world.open(id));
    await world.run(100);
    const closed = Promise.all(seams.map((seam) => seam.close()));
    await world.run(5_000);
    await closed;
    expect(world.clock.pendingTimers).toBe(0);
    expect(world.net.counts.open).toBe(0);
    const lonely = world.open(LOW);
    await lonely.close();
    expect(world.clock.pendingTimers).toBe(0);
  });

  test("tears when signaling fails for good and no link is left, and not before", async () => {
    const world = new World();
    let fail: (reason: string) => void = () => {};
    const failing = (base: Signaling): Signaling => ({
      selfId: base.selfId,
      on: (event, listener) => {
        if (event === "status") fail = (reason) => (listener as (status: string, why: string) => void)("failed", reason);
        return base.on(event, listener);
      },
      announce: () => base.announce(),
      send: (to, payload) => base.send(to, payload),
      close: () => base.close(),
    });
    const [low, high] = [world.open(LOW, {}, failing), world.open(HIGH)];
    await world.run(50);
    fail("the room is full");
    expect(low.state.phase).toBe("woven");
    const closed = high.close();
    await world.run(3_000);
    await closed;
    expect(low.state).toEqual({ phase: "torn", reason: "signaling failed: the room is full" });
  });
});

describe("the wire of the mesh", () => {
  const incarnation = fc.stringMatching(/^[0-9a-f]{16}$/);
  const step = fc.oneof(
    fc.record({ kind: fc.constant("description" as const), type: fc.constantFrom("offer" as const, "answer" as const), sdp: fc.string() }),
    fc.record({ kind: fc.constant("candidate" as const), candidate: fc.string(), sdpMid: fc.option(fc.string({ maxLength: 8 })), sdpMLineIndex: fc.option(fc.nat()) }),
  );
  const message = fc.oneof(
    fc.record({ kind: fc.constant("sealed" as const), bytes: fc.uint8Array({ maxLength: 4096 }) }),
    fc.record({ kind: fc.constant("greet" as const), incarnation, lost: fc.nat() }),
    fc.record({ kind: fc.constant("negotiate" as const), incarnation, toIncarnation: fc.oneof(fc.constant(""), incarnation), attempt: fc.nat(), step }),
  );

  test("dial messages survive their codec", () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeDialMessage(encodeDialMessage(sent))).toEqual(sent);
      }),
    );
  });

  test("[WR11] random bytes are refused as malformed and as nothing else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const decode of [decodeDialMessage, decodeLinkControl]) {
          try {
            decode(bytes);
          } catch (error) {
            expect(error).toHaveProperty("code", "malformed");
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test("link controls survive their codec", () => {
    for (const control of [{ kind: "hello", incarnation: "0123456789abcdef", nonce: new Uint8Array(32).fill(7) }, { kind: "hello", incarnation: "0123456789abcdef", nonce: new Uint8Array(0) }, { kind: "proof", publicKey: Uint8Array.of(1, 2), signature: Uint8Array.of(3) }, { kind: "proven" }, { kind: "bye" }, { kind: "bye-heard" }, { kind: "ping", serial: 7 }, { kind: "pong", serial: 2 ** 40 }] as const) {
      expect(decodeLinkControl(encodeLinkControl(control))).toEqual(control);
    }
  });

  test("[WR1] [WR4] a negotiation message is placed by incarnation and attempt", () => {
    const view = { selfIncarnation: "self", initiator: false, incarnation: "theirs", retired: new Set(["old"]), attempt: 3 };
    const offer = { kind: "description", type: "offer", sdp: "" } as const;
    const candidate = { kind: "candidate", candidate: "", sdpMid: null, sdpMLineIndex: null } as const;
    const base = { kind: "negotiate", incarnation: "theirs", toIncarnation: "", attempt: 4, step: offer } as const;
    expect(judgeNegotiation(view, base)).toBe("begin");
    expect(judgeNegotiation(view, { ...base, step: candidate })).toBe("early");
    expect(judgeNegotiation(view, { ...base, attempt: 3, step: candidate })).toBe("current");
    expect(judgeNegotiation(view, { ...base, attempt: 2 })).toBe("stale");
    expect(judgeNegotiation(view, { ...base, incarnation: "old" })).toBe("stale");
    expect(judgeNegotiation(view, { ...base, incarnation: "new", attempt: 1 })).toBe("begin");
    expect(judgeNegotiation(view, { ...base, toIncarnation: "another" })).toBe("stale");
    expect(judgeNegotiation(view, { ...base, step: { ...offer, type: "answer" } })).toBe("stale");
    const dialler = { ...view, initiator: true };
    expect(judgeNegotiation(dialler, { ...base, toIncarnation: "self", attempt: 3, step: { ...offer, type: "answer" } })).toBe("current");
    expect(judgeNegotiation(dialler, { ...base, toIncarnation: "self", attempt: 3 })).toBe("stale");
    expect(judgeNegotiation(dialler, { ...base, attempt: 3, step: candidate })).toBe("stale");
  });
});

describe("sealed messages", () => {
  test("[WR13] travel by signaling, also without a link, and larger ones are refused", async () => {
    const world = new World();
    const heard: string[] = [];
    const [low, high] = await world.pair({ onSealed: (from, bytes) => heard.push(`${from} ${bytes.join()}`) });
    low.sendSealed(HIGH, Uint8Array.of(1, 2));
    await world.run(5);
    low.breakLink(HIGH);
    low.sendSealed(HIGH, Uint8Array.of(3));
    low.sendSealed(peerId("nobody"), Uint8Array.of(4));
    await world.run(5_000);
    expect(heard).toEqual([`${LOW} 1,2`, `${LOW} 3`]);
    expect(() => low.sendSealed(HIGH, new Uint8Array(4097))).toThrow(expect.objectContaining({ code: "payload-too-large" }));
    expect(high.peers.size).toBe(2);
    await Promise.all([low.close(), high.close(), world.run(3_000)]);
  });
});
