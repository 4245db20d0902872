// What every Signaling promises, as data.
import { assert, hasCode, peerId, type PeerId } from "../base/index.ts";
import type { Obligation } from "../testing/contract.ts";
import { SIGNALING_BYTES_MAX, type Signaling } from "./signaling.ts";

/** How the suite gets places in rooms and lets time pass. */
export interface SignalingHarness {
  /** Joins a room; resolves when messages can flow. Rooms of one test share nothing with those of another. */
  readonly join: (room: string, selfId: PeerId) => Promise<Signaling>;
  /** Lets a little time pass. */
  readonly turn: () => Promise<void>;
  /** Largest message the channel takes, in bytes. Default {@link SIGNALING_BYTES_MAX}; less where it adds something of its own. */
  readonly payloadBytesMax?: number | undefined;
  /** Turns to wait for something that should come. Default 200. */
  readonly patience?: number | undefined;
}

interface Heard {
  readonly announced: PeerId[];
  readonly left: PeerId[];
  readonly messages: { readonly from: PeerId; readonly payload: Uint8Array }[];
}

function listen(place: Signaling): Heard {
  const heard: Heard = { announced: [], left: [], messages: [] };
  place.on("announced", (peer) => void heard.announced.push(peer));
  place.on("left", (peer) => void heard.left.push(peer));
  place.on("message", (from, payload) => void heard.messages.push({ from, payload }));
  return heard;
}

async function until(harness: SignalingHarness, what: string, holds: () => boolean): Promise<void> {
  for (let turns = harness.patience ?? 200; turns > 0; turns -= 1) {
    if (holds()) return;
    await harness.turn();
  }
  assert(holds(), `in time: ${what}`);
}

function equal<T>(actual: T, expected: T, what: string): void {
  assert(JSON.stringify(actual) === JSON.stringify(expected), `${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

function thrownBy(call: () => void): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

const NAMES = ["ann", "bob", "cem"].map((name) => peerId(name));
const [ANN, BOB] = NAMES as [PeerId, PeerId];
let rooms = 0;

interface Places {
  readonly ann: Signaling;
  readonly bob: Signaling;
  readonly cem: Signaling;
  readonly room: string;
}

async function withRoom(harness: SignalingHarness, check: (places: Places) => Promise<void>): Promise<void> {
  rooms += 1;
  const room = `contract-${rooms}`;
  const [ann, bob, cem] = (await Promise.all(NAMES.map((name) => harness.join(room, name)))) as [Signaling, Signaling, Signaling];
  try {
    await check({ ann, bob, cem, room });
  } finally {
    await Promise.all([ann, bob, cem].map((place) => place.close()));
  }
}

/** Sends a last message to each listener and waits for it: what was sent before has then arrived. */
async function settled(harness: SignalingHarness, from: Signaling, to: readonly (readonly [Signaling, Heard])[]): Promise<void> {
  for (const [place] of to) from.send(place.selfId, Uint8Array.of(255));
  await until(harness, "the last message", () => to.every(([, heard]) => heard.messages.some(({ payload }) => payload[0] === 255)));
  await harness.turn();
}

const addressed: Obligation<SignalingHarness> = {
  id: "SG1",
  says: "a message reaches its addressee, once, with its bytes, and nobody else",
  check: (harness) =>
    withRoom(harness, async ({ ann, bob, cem }) => {
      const [atAnn, atBob, atCem] = [listen(ann), listen(bob), listen(cem)];
      const payload = Uint8Array.of(1, 2, 3);
      ann.send(BOB, payload);
      payload.fill(9);
      await settled(harness, ann, [[bob, atBob], [cem, atCem]]);
      equal(atBob.messages.map((message) => [message.from, ...message.payload]), [[ANN, 1, 2, 3], [ANN, 255]], "what bob heard");
      equal([atCem.messages.length, atAnn.messages.length], [1, 0], "how much the others heard");
    }),
};

const ordered: Obligation<SignalingHarness> = {
  id: "SG2",
  says: "messages of one sender arrive in order",
  check: (harness) =>
    withRoom(harness, async ({ ann, bob }) => {
      const atBob = listen(bob);
      for (let i = 0; i < 50; i += 1) ann.send(BOB, new Uint8Array(i % 7 === 0 ? 30_000 : 3).fill(i));
      await settled(harness, ann, [[bob, atBob]]);
      equal(atBob.messages.slice(0, 50).map(({ payload }) => payload[0]), Array.from({ length: 50 }, (_, i) => i), "what bob heard");
    }),
};

const announcements: Obligation<SignalingHarness> = {
  id: "SG3",
  says: "those in the room hear of a newcomer, and the newcomer of those who were announced",
  check: (harness) =>
    withRoom(harness, async ({ ann, bob, cem }) => {
      const [atAnn, atBob, atCem] = [listen(ann), listen(bob), listen(cem)];
      ann.announce();
      await until(harness, "ann is known", () => atBob.announced.includes(ANN) && atCem.announced.includes(ANN));
      bob.announce();
      await until(harness, "bob is known", () => atAnn.announced.includes(BOB) && atCem.announced.includes(BOB));
      const before = atCem.announced.length;
      cem.announce();
      await until(harness, "cem learns of both", () => [ANN, BOB].every((peer) => atCem.announced.slice(before).includes(peer)));
    }),
};

const notSelf: Obligation<SignalingHarness> = {
  id: "SG4",
  says: "nobody hears its own announcement or message, and announcing again is harmless",
  check: (harness) =>
    withRoom(harness, async ({ ann, bob }) => {
      const [atAnn, atBob] = [listen(ann), listen(bob)];
      for (let i = 0; i < 3; i += 1) ann.announce();
      ann.send(ANN, Uint8Array.of(1));
      await settled(harness, ann, [[bob, atBob]]);
      bob.announce();
      await until(harness, "ann hears bob", () => atAnn.announced.includes(BOB));
      assert(!atAnn.announced.includes(ANN) && atAnn.messages.length === 0, "ann did not hear itself");
      assert(atBob.announced.every((peer) => peer === ANN), "bob heard ann alone");
    }),
};

const leaving: Obligation<SignalingHarness> = {
  id: "SG5",
  says: "who closes is told to the others as left",
  check: (harness) =>
    withRoom(harness, async ({ ann, bob, cem }) => {
      const [atBob, atCem] = [listen(bob), listen(cem)];
      ann.announce();
      await until(harness, "ann is known", () => atBob.announced.includes(ANN) && atCem.announced.includes(ANN));
      await ann.close();
      await until(harness, "the others are told", () => atBob.left.includes(ANN) && atCem.left.includes(ANN));
    }),
};

const limits: Obligation<SignalingHarness> = {
  id: "SG6",
  says: "a message over the limit is refused, one to nobody is lost silently, one of the limit's size passes",
  check: (harness) =>
    withRoom(harness, async ({ ann, bob }) => {
      const atBob = listen(bob);
      const { payloadBytesMax = SIGNALING_BYTES_MAX } = harness;
      const error = thrownBy(() => ann.send(BOB, new Uint8Array(payloadBytesMax + 1)));
      assert(hasCode(error, "payload-too-large"), "over the limit is too large");
      ann.send(peerId("nobody"), Uint8Array.of(1));
      ann.send(BOB, new Uint8Array(payloadBytesMax));
      await settled(harness, ann, [[bob, atBob]]);
      equal(atBob.messages.map(({ payload }) => payload.length), [payloadBytesMax, 1], "the sizes bob heard");
    }),
};

const closed: Obligation<SignalingHarness> = {
  id: "SG7",
  says: "after close, send and announce throw ClosedError, nothing is heard, and closing again is no error",
  check: (harness) =>
    withRoom(harness, async ({ ann, bob, cem }) => {
      const [atAnn, atCem] = [listen(ann), listen(cem)];
      await ann.close();
      await ann.close();
      assert(hasCode(thrownBy(() => ann.send(BOB, Uint8Array.of(1))), "closed"), "send is refused");
      assert(hasCode(thrownBy(() => ann.announce()), "closed"), "announce is refused");
      bob.send(ANN, Uint8Array.of(1));
      bob.announce();
      await settled(harness, bob, [[cem, atCem]]);
      equal([atAnn.messages.length, atAnn.announced.length], [0, 0], "what ann heard after closing");
    }),
};

const rooms8: Obligation<SignalingHarness> = {
  id: "SG8",
  says: "rooms do not hear each other",
  check: (harness) =>
    withRoom(harness, async ({ ann, bob, room }) => {
      const elsewhere = await harness.join(`${room}-other`, BOB);
      const [atBob, atElse] = [listen(bob), listen(elsewhere)];
      ann.announce();
      ann.send(BOB, Uint8Array.of(1));
      await settled(harness, ann, [[bob, atBob]]);
      equal([atElse.announced.length, atElse.messages.length], [0, 0], "what the other room heard");
      await elsewhere.close();
    }),
};

/** Every promise of the port; the ids are rules of SPEC.md. */
export const signalingContract: readonly Obligation<SignalingHarness>[] = [addressed, ordered, announcements, notSelf, leaving, limits, closed, rooms8];
