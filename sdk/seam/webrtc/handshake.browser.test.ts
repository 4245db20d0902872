// Proofs of identity with real keys on real RTCPeerConnections, and signaling that lies.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { systemRandom } from "../../platform/index.ts";
import { identityOf as identityOfKeys, makeKeyPair, verified, type Identity } from "../../identity/identity.ts";
import type { Clock } from "../../base/index.ts";
import { describeContract } from "../../testing/contract.ts";
import { MemorySignalingHub } from "../memory-signaling.ts";
import { seamContract } from "../seam.contract.ts";
import type { Seam } from "../seam.ts";
import type { Signaling } from "../signaling.ts";
import { decodeDialMessage, encodeDialMessage } from "./dial-message.ts";
import { fingerprintOf } from "./fingerprint.ts";
import type { LinkIdentity } from "./handshake.ts";
import { decodeLinkControl, encodeLinkControl, isLinkControl, type LinkControl } from "./link-control.ts";
import type { Link, LinkFactory, LinkListener, Negotiation } from "./link.ts";
import { openPeerLink } from "./peer-link.ts";
import { WebRtcSeam, type WebRtcSeamOptions } from "./webrtc-seam.ts";

const { subtle } = globalThis.crypto;
const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

interface Person extends Identity {
  readonly link: LinkIdentity;
}

async function newPerson(): Promise<Person> {
  const identity = identityOfKeys(await makeKeyPair(subtle), subtle);
  return { ...identity, link: { publicKey: identity.publicKey, sign: identity.sign, verify: (proof, bytes) => verified(proof, bytes, subtle) } };
}

/** By rising id: of two the first dials. */
let people: Person[] = [];
beforeAll(async () => {
  people = (await Promise.all(Array.from({ length: 5 }, newPerson))).sort((a, b) => (a.peerId < b.peerId ? -1 : 1));
});

const opened: { close(): unknown }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});

function make({ peerId, link }: Pick<Person, "peerId" | "link">, signaling: Signaling, options: Partial<WebRtcSeamOptions> = {}): WebRtcSeam {
  return new WebRtcSeam({ selfId: peerId, signaling, clock, random: systemRandom(), iceServers: [], identity: link, ...options });
}

function open(who: Pick<Person, "peerId" | "link">, hub: MemorySignalingHub, options: Partial<WebRtcSeamOptions> = {}, over: (base: Signaling) => Signaling = (base) => base): WebRtcSeam {
  const seam = make(who, over(hub.join({ selfId: who.peerId, room: "r" })), options);
  opened.push(seam);
  return seam;
}

function rosterOf(seam: Seam, size: number): Promise<void> {
  return new Promise((done) => {
    const look = (): void => {
      if (seam.peers.size === size) done();
    };
    seam.on("peers", look);
    look();
  });
}

/** Resolves when the seam has refused somebody this many times; until then, and since, nobody may ever have been in `peers`. */
function refusals(seam: WebRtcSeam, times: number): Promise<void> {
  return new Promise((done, fail) => {
    seam.on("peers", () => fail(new Error("somebody got in")));
    seam.on("trouble", (error) => {
      if ("code" in error && error.code === "peer-not-proven" && seam.unprovenDropped >= times) done();
    });
  });
}

describeContract("WebRtcSeam keeps the seam contract in Chromium where everybody proves an identity", seamContract, {
  open: async (n) => {
    const hub = new MemorySignalingHub();
    const seams = people.slice(0, n).map((person) => make(person, hub.join({ selfId: person.peerId, room: "r" })));
    await Promise.all(seams.map((seam) => rosterOf(seam, n)));
    return seams;
  },
  leave: (seam) => seam.close(),
  turn: () => new Promise((done) => setTimeout(done, 5)),
  patience: 1_000,
});

/** Links on which what one side says of itself is changed on the way out. */
function saying(over: (control: LinkControl) => LinkControl | undefined): LinkFactory {
  return (options, listener) => {
    const link = openPeerLink(options, listener);
    return {
      get bufferedBytes() {
        return link.bufferedBytes;
      },
      get fingerprints() {
        return link.fingerprints;
      },
      signal: (step) => link.signal(step),
      close: () => link.close(),
      sendLossy: (bytes) => link.sendLossy(bytes),
      send: (bytes) => {
        const control = isLinkControl(bytes) ? over(decodeLinkControl(bytes)) : undefined;
        if (isLinkControl(bytes) && control === undefined) return true;
        return link.send(control === undefined ? bytes : encodeLinkControl(control));
      },
    };
  };
}

describe("a proof of identity in Chromium", () => {
  test("[WR14] both sides get in, also when both announce themselves at once and again, and after the link broke", async () => {
    const hub = new MemorySignalingHub();
    const chatty = (base: Signaling): Signaling => ({ selfId: base.selfId, on: (event, listener) => base.on(event, listener), announce: () => [1, 2, 3].forEach(() => base.announce()), send: (to, payload) => base.send(to, payload), close: () => base.close() });
    const [a, b] = people.slice(0, 2).map((person) => open(person, hub, {}, chatty)) as [WebRtcSeam, WebRtcSeam];
    await Promise.all([rosterOf(a, 2), rosterOf(b, 2)]);
    for (const [breaker, other] of [[a, b], [b, a]] as const) {
      const lost = Promise.all([rosterOf(a, 1), rosterOf(b, 1)]);
      breaker.breakLink(other.selfId);
      await lost;
      await Promise.all([rosterOf(a, 2), rosterOf(b, 2)]);
    }
    const heard = new Promise((done) => b.on("frame", (from, bytes) => done([from, ...bytes])));
    a.sendTo(b.selfId, Uint8Array.of(1, 2));
    expect(await heard).toEqual([a.selfId, 1, 2]);
    expect([a.unprovenDropped, b.unprovenDropped]).toEqual([0, 0]);
  });

  test("[WR14] a peer that comes back under its id in a new life proves itself anew", async () => {
    const hub = new MemorySignalingHub();
    const [ann, bob] = people as [Person, Person];
    const stays = open(ann, hub);
    let isMuted = false;
    const old = make(bob, mutable(hub.join({ selfId: bob.peerId, room: "r" }), () => isMuted));
    await Promise.all([rosterOf(stays, 2), rosterOf(old, 2)]);
    isMuted = true;
    const gone = rosterOf(stays, 1);
    const back = open(bob, hub);
    await gone;
    await Promise.all([rosterOf(stays, 2), rosterOf(back, 2)]);
    expect([stays.unprovenDropped, back.unprovenDropped]).toEqual([0, 0]);
    await old.close();
  });

  const thieves: readonly (readonly [string, (thief: Person, victim: Person) => readonly [Pick<Person, "peerId" | "link">, Partial<WebRtcSeamOptions>]])[] = [
    ["signs with a key that is not the one it shows", (thief, victim) => [{ peerId: victim.peerId, link: { ...victim.link, sign: thief.sign } }, {}]],
    ["shows its own key for another's id", (thief, victim) => [{ peerId: victim.peerId, link: thief.link }, {}]],
    ["has no key at all", (_, victim) => [victim, { identity: undefined }]],
    ["is silent", (_, victim) => [victim, { openLink: saying(() => undefined) }]],
    ["greets and is silent then", (_, victim) => [victim, { openLink: saying((control) => (control.kind === "hello" ? control : undefined)) }]],
    ["shows again, on a second link, the proof that was good for the first", (_, victim) => {
      let first: LinkControl | undefined;
      return [victim, { openLink: saying((control) => {
        if (control.kind !== "proof") return control;
        const isFirst = first === undefined;
        first ??= control;
        return isFirst ? undefined : first;
      }) }];
    }],
  ];
  test.each(thieves)("[WR15] nobody gets in who %s, whichever side dials", async (_, thief) => {
    const [low, eve, high] = people as [Person, Person, Person];
    for (const [honest, victim] of [[low, high], [high, low]] as const) {
      const hub = new MemorySignalingHub();
      const seam = open(honest, hub, { dialTimeoutMs: 800 });
      const [who, options] = thief(eve, victim);
      const refused = refusals(seam, 2);
      open(who, hub, options);
      await refused;
      expect(seam.peers.size).toBe(1);
    }
  });
});

describe("signaling that puts itself between two peers", () => {
  test("links them when they prove nothing: the attack works", async () => {
    const [ann, bob] = people as [Person, Person];
    const middle = new Middle();
    const [a, b] = [ann, bob].map((person) => open(person, middle.hub, { identity: undefined }, middle.between)) as [WebRtcSeam, WebRtcSeam];
    await Promise.all([rosterOf(a, 2), rosterOf(b, 2)]);
    const heard = new Promise((done) => b.on("frame", (_, bytes) => done([...bytes])));
    a.sendTo(b.selfId, Uint8Array.of(1, 2, 3));
    expect(await heard).toEqual([1, 2, 3]);
    expect(middle.overheard.length).toBeGreaterThan(0);
  });

  test("[WR16] links nobody who proves an identity", async () => {
    const [ann, bob] = people as [Person, Person];
    const middle = new Middle();
    const [a, b] = [ann, bob].map((person) => open(person, middle.hub, {}, middle.between)) as [WebRtcSeam, WebRtcSeam];
    await Promise.all([refusals(a, 1), refusals(b, 1)]);
    expect([a.peers.size, b.peers.size]).toEqual([1, 1]);
    expect(middle.overheard.length, "the two did speak through the middle").toBeGreaterThan(0);
  });

  test("[WR17] the descriptions this browser makes name one certificate", async () => {
    const connection = new RTCPeerConnection();
    connection.createDataChannel("x");
    const { sdp } = await connection.createOffer();
    expect(fingerprintOf(sdp ?? "")).toMatch(/^sha-256 [0-9A-F:]{95}$/);
    connection.close();
  });
});

type Pass = (step: Negotiation) => void;

/** The middle's end towards one of the two. */
class Leg implements LinkListener {
  readonly link: Link;
  readonly overheard: Uint8Array[];
  other: Leg | undefined;
  readonly #held: Negotiation[] = [];
  readonly #waiting: Uint8Array[] = [];
  #pass: Pass = (step) => void this.#held.push(step);
  #isOpen = false;

  constructor(initiator: boolean, overheard: Uint8Array[]) {
    this.overheard = overheard;
    this.link = openPeerLink({ initiator, iceServers: [], relayOnly: false }, this);
    opened.push(this.link);
  }

  /** How to reach whom this end is for, known once the other of the two has spoken. */
  reach(pass: Pass): void {
    this.#pass = pass;
    this.#held.splice(0).forEach(pass);
  }

  say(bytes: Uint8Array): void {
    if (this.#isOpen) this.link.send(bytes);
    else this.#waiting.push(bytes);
  }

  negotiate(step: Negotiation): void {
    this.#pass(step);
  }

  open(): void {
    this.#isOpen = true;
    this.#waiting.splice(0).forEach((bytes) => this.link.send(bytes));
  }

  message(bytes: Uint8Array): void {
    this.overheard.push(bytes);
    this.other?.say(bytes.slice());
  }

  lossy(): void {}

  drained(): void {}

  unsteady(): void {}

  closed(): void {
    this.other?.link.close();
  }
}

/** A server that makes two links of its own where two peers want one, and passes on whatever they say. */
class Middle {
  readonly hub = new MemorySignalingHub();
  readonly overheard: Uint8Array[] = [];
  readonly #calls = new Map<string, { readonly dialler: Leg; readonly answerer: Leg }>();

  /** What two peers negotiate ends in the middle; everything else passes as it is. */
  readonly between = (base: Signaling): Signaling => ({
    selfId: base.selfId,
    on: (event, listener) => base.on(event, listener),
    announce: () => base.announce(),
    send: (to, payload) => {
      const message = decodeDialMessage(payload);
      if (message.kind !== "negotiate") return base.send(to, payload);
      const { dialler, answerer } = this.#call(`${[base.selfId, to].sort().join()} ${message.attempt}`);
      const [mine, other] = base.selfId < to ? [dialler, answerer] : [answerer, dialler];
      other.reach((step) => base.send(to, encodeDialMessage({ ...message, step })));
      mine.link.signal(message.step);
    },
    close: () => base.close(),
  });

  #call(name: string): { readonly dialler: Leg; readonly answerer: Leg } {
    const known = this.#calls.get(name);
    if (known !== undefined) return known;
    const call = { dialler: new Leg(false, this.overheard), answerer: new Leg(true, this.overheard) };
    call.dialler.other = call.answerer;
    call.answerer.other = call.dialler;
    this.#calls.set(name, call);
    return call;
  }
}

/** A place in a room that can fall silent without a word, as a crashed tab does. */
function mutable(base: Signaling, isMuted: () => boolean): Signaling {
  return {
    selfId: base.selfId,
    on: (event, listener) => {
      const hear = listener as (...args: unknown[]) => void;
      return base.on(event, (...args: unknown[]) => {
        if (!isMuted()) hear(...args);
      });
    },
    announce: () => isMuted() || base.announce(),
    send: (to, payload) => isMuted() || base.send(to, payload),
    close: () => (isMuted() ? Promise.resolve() : base.close()),
  };
}
