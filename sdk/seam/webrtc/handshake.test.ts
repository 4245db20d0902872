// Proofs of identity on links in memory: who gets in, and everybody who must not.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, utf8, type PeerId } from "../../base/index.ts";
import { describeContract } from "../../testing/contract.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { MemorySignalingHub } from "../memory-signaling.ts";
import { seamContract } from "../seam.contract.ts";
import { decodeDialMessage, encodeDialMessage, type DialMessage } from "./dial-message.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { proofText, type ProofSide } from "./handshake.ts";
import { decodeLinkControl, encodeLinkControl, isLinkControl, type LinkControl } from "./link-control.ts";
import type { LinkFactory } from "./link.ts";
import { MemoryNet, type MemoryLink } from "./memory-link.ts";
import { identityOf, ids, inWorlds } from "./test-room.ts";
import { WebRtcSeam, type WebRtcSeamOptions } from "./webrtc-seam.ts";

const [LOW, HIGH] = ids(2) as [PeerId, PeerId];

class World {
  readonly clock = new VirtualClock();
  readonly net = new MemoryNet(this.clock);
  readonly hub = new MemorySignalingHub();
  #seed = 1;

  open(selfId: PeerId, options: Partial<WebRtcSeamOptions> = {}): WebRtcSeam {
    this.#seed += 1;
    const signaling = this.hub.join({ selfId, room: "r" });
    return new WebRtcSeam({ selfId, signaling, clock: this.clock, random: seededRandom(this.#seed), openLink: this.net.open, identity: identityOf(selfId), ...options });
  }

  async run(ms: number): Promise<void> {
    await this.clock.advance(0);
    await this.clock.advance(ms);
  }
}

/** Everything a seam ever had in `peers`, and every trouble by its code. */
function watch(seam: WebRtcSeam): { readonly seen: Set<PeerId>; readonly troubles: Set<unknown>; readonly frames: number[] } {
  const watched = { seen: new Set(seam.peers), troubles: new Set<unknown>(), frames: [] as number[] };
  seam.on("peers", (peers) => peers.forEach((peer) => watched.seen.add(peer)));
  seam.on("trouble", (error) => watched.troubles.add("code" in error ? error.code : error.message));
  seam.on("frame", (_, bytes) => watched.frames.push(bytes[0] ?? -1));
  return watched;
}

/** Links whose every message to the other side passes through `over`; undefined: it is not sent. */
function tampering(net: MemoryNet, over: (control: LinkControl, link: MemoryLink) => readonly LinkControl[]): LinkFactory {
  return (options, listener) => {
    const link = net.open(options, listener) as MemoryLink;
    const send = link.send.bind(link);
    link.send = (bytes) => (isLinkControl(bytes) ? over(decodeLinkControl(bytes), link).every((control) => send(encodeLinkControl(control))) : send(bytes));
    return link;
  };
}

const weave = (n: number): { world: World; seams: WebRtcSeam[] } => {
  const world = new World();
  return { world, seams: ids(n).map((id) => world.open(id)) };
};
describeContract("WebRtcSeam keeps the seam contract where everybody proves an identity", seamContract, inWorlds(weave, 100));

describe("a proof of identity", () => {
  test("[WR14] lets both in at once, and again after the link was lost", async () => {
    const world = new World();
    const seams = [world.open(LOW), world.open(HIGH)];
    const watched = seams.map(watch);
    await world.run(50);
    expect(seams.map((seam) => seam.peers.size)).toEqual([2, 2]);
    world.net.links[0]?.fail("wire cut");
    await world.run(5_000);
    expect(seams.map((seam) => [seam.peers.size, seam.unprovenDropped])).toEqual([[2, 0], [2, 0]]);
    expect(world.net.counts).toEqual({ made: 4, open: 2 });
    expect(watched.flatMap(({ troubles }) => [...troubles])).toEqual([]);
  });

  test("[WR14] names both ids, incarnations, certificates and nonces, and whose they are", () => {
    const side = (name: string): ProofSide => ({ peerId: peerId(name), incarnation: `i-${name}`, nonce: utf8(`n-${name}`), fingerprint: `f-${name}` });
    const [ann, bob] = [side("ann"), side("bob")];
    const texts = [proofText(ann, bob), proofText(bob, ann)];
    for (const changed of [{ peerId: peerId("eve") }, { incarnation: "other" }, { nonce: utf8("other") }, { fingerprint: "other" }]) {
      texts.push(proofText({ ...ann, ...changed }, bob), proofText(ann, { ...bob, ...changed }));
    }
    expect(new Set(texts.map((text) => text.join())).size).toBe(texts.length);
  });

  const proofOf = (change: (proof: Extract<LinkControl, { kind: "proof" }>, link: MemoryLink) => LinkControl | undefined) => (control: LinkControl, link: MemoryLink): readonly LinkControl[] => {
    const changed = control.kind === "proof" ? change(control, link) : control;
    return changed === undefined ? [] : [changed];
  };
  const thieves: readonly (readonly [string, (world: World, id: PeerId) => Partial<WebRtcSeamOptions>])[] = [
    ["signs with a key that is not its id's", (_, id) => ({ identity: { ...identityOf(id), sign: identityOf(peerId("eve")).sign } })],
    ["shows another id's key, rightly used", () => ({ identity: identityOf(peerId("eve")) })],
    ["has no key", () => ({ identity: undefined })],
    ["greets without a nonce", ({ net }) => ({ openLink: tampering(net, (control) => [control.kind === "hello" ? { ...control, nonce: new Uint8Array(0) } : control]) })],
    ["sends the proof it made for its first link on every later one", ({ net }) => {
      let first: LinkControl | undefined;
      return { openLink: tampering(net, proofOf((proof, link) => ((first ??= proof) === proof && link.serial < 2 ? { ...proof, signature: new Uint8Array(32) } : first))) };
    }],
    ["sends back the proof it was given", ({ net }) => {
      let given: LinkControl | undefined;
      const openLink: LinkFactory = (options, listener) => tampering(net, proofOf(() => given))(options, {
        negotiate: (step) => listener.negotiate(step),
        open: () => listener.open(),
        lossy: (bytes) => listener.lossy(bytes),
        drained: () => listener.drained(),
        unsteady: (unsteady) => listener.unsteady(unsteady),
        closed: (end) => listener.closed(end),
        message: (bytes) => {
          const control = isLinkControl(bytes) ? decodeLinkControl(bytes) : undefined;
          if (control?.kind === "proof") given = control;
          listener.message(bytes);
        },
      });
      return { openLink };
    }],
    ["says nothing", ({ net }) => ({ openLink: tampering(net, () => []) })],
    ["greets and says nothing more", ({ net }) => ({ openLink: tampering(net, proofOf(() => undefined)) })],
    ["skips its proof and says that it is satisfied", ({ net }) => ({ openLink: tampering(net, proofOf(() => ({ kind: "proven" }))) })],
  ];

  test.each(thieves)("[WR15] nobody gets in who %s, whichever side dials", async (_, thief) => {
    for (const [honestId, thiefId] of [[HIGH, LOW], [LOW, HIGH]] as const) {
      const world = new World();
      const honest = world.open(honestId, { dialTimeoutMs: 2_000 });
      const watched = watch(honest);
      world.open(thiefId, thief(world, thiefId));
      await world.run(10_000);
      expect([...watched.seen]).toEqual([honestId]);
      expect(honest.unprovenDropped).toBeGreaterThan(0);
      expect(watched.troubles).toContain("peer-not-proven");
      const closed = honest.close();
      await world.run(3_000);
      await closed;
    }
  });

  test("[WR15] frames that come before the proof are nobody's, and cost the link", async () => {
    const world = new World();
    const honest = world.open(HIGH);
    const watched = watch(honest);
    const openLink: LinkFactory = (options, listener) => {
      const link = world.net.open(options, listener);
      const send = link.send.bind(link);
      // A whole piece of stream 0 with one byte in it, ahead of everything.
      link.send = (bytes) => send(Uint8Array.of(0, 0, 66)) && send(bytes);
      return link;
    };
    world.open(LOW, { openLink });
    await world.run(10_000);
    expect([watched.frames, [...watched.seen]]).toEqual([[], [HIGH]]);
    expect(honest.unprovenDropped).toBeGreaterThan(0);
  });

  test("[WR15] neither do frames of the lossy way count before the proof", async () => {
    const world = new World();
    const honest = world.open(HIGH);
    const watched = watch(honest);
    const openLink: LinkFactory = (options, listener) => {
      const link = world.net.open(options, listener);
      link.send = () => link.sendLossy(Uint8Array.of(66));
      return link;
    };
    world.open(LOW, { openLink });
    await world.run(20_000);
    expect([watched.frames, [...watched.seen]]).toEqual([[], [HIGH]]);
    expect(honest.unprovenDropped).toBeGreaterThan(0);
  });

  test("[WR15] a key that can not sign keeps its own peer out, without an exception", async () => {
    const world = new World();
    const [low, high] = [world.open(LOW, { identity: { ...identityOf(LOW), sign: () => Promise.reject(new Error("the key is gone")) } }), world.open(HIGH)];
    await world.run(10_000);
    expect([low.peers.size, high.peers.size]).toEqual([1, 1]);
    expect(low.unprovenDropped).toBeGreaterThan(0);
  });

  test("[WR15] [WR12] what is still being signed or checked when a seam closes leaves nothing behind", async () => {
    const world = new World();
    let finish: (is: boolean) => void = () => {};
    const slow = { ...identityOf(LOW), verify: () => new Promise<boolean>((done) => (finish = done)) };
    const [low, high] = [world.open(LOW, { identity: slow }), world.open(HIGH)];
    await world.run(20);
    const closed = [low.close(), high.close()];
    finish(true);
    await world.run(3_000);
    await Promise.all(closed);
    expect(low.peers.size).toBe(1);
    expect([world.clock.pendingTimers, world.net.counts.open]).toEqual([0, 0]);
  });

  test("[WR15] the right peer gets in after somebody else has tried in its name", async () => {
    const world = new World();
    const honest = world.open(HIGH, { dialTimeoutMs: 1_000 });
    const thief = world.open(LOW, { identity: identityOf(peerId("eve")) });
    await world.run(2_000);
    expect([honest.peers.size, honest.unprovenDropped > 0]).toEqual([1, true]);
    const closed = thief.close();
    await world.run(3_000);
    await closed;
    const right = world.open(LOW);
    await world.run(15_000);
    expect([...honest.peers].sort()).toEqual([LOW, HIGH]);
    expect([...right.peers].sort()).toEqual([LOW, HIGH]);
  });
});

describe("a proven link", () => {
  /** What `selfId` and the other said to each other last: everybody who has the room's key can read along and speak in their names. */
  function overhear(world: World, at: PeerId): { incarnation: string; toIncarnation: string; attempt: number } {
    const said = { incarnation: "", toIncarnation: "", attempt: 0 };
    world.hub.join({ selfId: at, room: "r" }).on("message", (_, bytes) => {
      const message = decodeDialMessage(bytes);
      if (message.kind === "negotiate") Object.assign(said, { incarnation: message.incarnation, toIncarnation: message.toIncarnation, attempt: message.attempt });
    });
    return said;
  }

  const otherLife = "00112233445566ff";
  type Said = ReturnType<typeof overhear>;
  const offer = (life: { readonly incarnation: string; readonly toIncarnation: string; readonly attempt: number }): DialMessage => ({ kind: "negotiate", ...life, step: { kind: "description", type: "offer", sdp: "999" } });
  const attacks: readonly (readonly [string, (said: Said) => DialMessage])[] = [
    ["a new life", () => ({ kind: "greet", incarnation: otherLife, lost: 0 })],
    ["a lost link", ({ incarnation, attempt }) => ({ kind: "greet", incarnation, lost: attempt })],
    ["a new life whose link is lost", ({ attempt }) => ({ kind: "greet", incarnation: otherLife, lost: attempt })],
    ["the offer of a new life", () => offer({ incarnation: otherLife, toIncarnation: "", attempt: 1 })],
    ["a newer offer of this life", ({ incarnation, toIncarnation, attempt }) => offer({ incarnation, toIncarnation, attempt: attempt + 5 })],
  ];

  test.each([LOW, HIGH].flatMap((victim) => attacks.map(([what, message]) => ({ victim, what, message }))))("[WR19] of $victim stands when somebody else speaks of $what in the other's name, again and again", async ({ victim, message }) => {
    const world = new World();
    const said = overhear(world, victim);
    const seams = [world.open(LOW), world.open(HIGH)] as const;
    await world.run(100);
    const [there, here] = victim === LOW ? [seams[1], seams[0]] : seams;
    const rosters: number[] = [];
    for (const seam of seams) seam.on("peers", (peers) => void rosters.push(peers.size));
    const heard = [watch(here), watch(there)] as const;
    const rogue = world.hub.join({ selfId: there.selfId, room: "r" });
    for (let round = 0; round < 4; round += 1) {
      rogue.send(victim, encodeDialMessage(message(said)));
      here.sendTo(there.selfId, Uint8Array.of(round));
      there.sendTo(victim, Uint8Array.of(round));
      await world.run(round === 3 ? 60_000 : 500);
    }
    here.sendTo(there.selfId, Uint8Array.of(4));
    await world.run(10);
    expect(rosters).toEqual([]);
    expect([heard[0].frames, heard[1].frames]).toEqual([[0, 1, 2, 3], [0, 1, 2, 3, 4]]);
    // Nothing of the attack is left, and the peer can still come back under its id.
    expect(world.net.counts.open).toBe(2);
    const closed = there.close();
    await world.run(3_000);
    await closed;
    const back = world.open(there.selfId);
    await world.run(20_000);
    expect([here, back].map(({ peers }) => peers.size)).toEqual([2, 2]);
  });

  test.each([LOW, HIGH])("[WR4] [WR19] gives way to the same peer in a new life, once that is proven", async (returning) => {
    const world = new World();
    const stay = world.open(returning === LOW ? HIGH : LOW);
    const before = world.open(returning);
    await world.run(100);
    const rosters: number[] = [];
    stay.on("peers", (peers) => void rosters.push(peers.size));
    const back = world.open(returning);
    await world.run(5_000);
    expect(rosters.slice(0, 2)).toEqual([1, 2]);
    const heard = watch(stay);
    back.sendTo(stay.selfId, Uint8Array.of(7));
    await world.run(10);
    expect(heard.frames).toEqual([7]);
    expect(before.selfId).toBe(returning);
  });

  test.each([["the dialling side", 0], ["the answering side", 1]] as const)("[WR3] [WR19] that %s alone sees fail is doubted, found dead and replaced", async (_, side) => {
    const world = new World();
    const [low, high] = [world.open(LOW), world.open(HIGH)];
    await world.run(100);
    for (let round = 0; round < 3; round += 1) {
      world.net.links.at(-2 + side)?.fail("wire cut");
      await world.run(15_000);
      expect([low.peers.size, high.peers.size]).toEqual([2, 2]);
    }
    expect(world.net.counts.open).toBe(2);
  });
});

describe("the certificate of a description", () => {
  const hex = (byte: string): string => Array.from({ length: 32 }, () => byte).join(":");
  const line = (byte: string, hash = "sha-256"): string => `a=fingerprint:${hash} ${hex(byte)}`;
  const sdp = (...lines: readonly string[]): string => ["v=0", ...lines, "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", ""].join("\r\n");

  test("[WR17] is the one it names, once or often, in either case", () => {
    expect(fingerprintOf(sdp(line("AB")))).toBe(`sha-256 ${hex("AB")}`);
    expect(fingerprintOf(sdp(line("AB"), line("ab", "SHA-256")))).toBe(`sha-256 ${hex("AB")}`);
  });

  test("[WR17] is none where there are two, none, a weak one, or one that is written in another way", () => {
    for (const lines of [[], [line("AB"), line("CD")], [line("AB"), line("AB", "sha-512")], [line("AB", "sha-1")], [line("AB", "md5")], [`${line("AB")} `], [line("AB"), ` ${line("CD")}`], [line("AB"), "a=Fingerprint:sha-256"], ["a=fingerprint:sha-256 AB:CD"]]) {
      expect(fingerprintOf(sdp(...lines))).toBeUndefined();
    }
  });
});
