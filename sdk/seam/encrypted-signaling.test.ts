// Signaling under a key: the contract still holds, and the carrier is left with nothing.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, toHex, utf8, type PeerId } from "../base/index.ts";
import { describeContract } from "../testing/contract.ts";
import { BroadcastChannelSignaling } from "./broadcast-channel-signaling.ts";
import { combineSignaling } from "./combined-signaling.ts";
import { ENCRYPTED_SIGNALING_BYTES_MAX, encryptedSignaling, type EncryptedSignaling } from "./encrypted-signaling.ts";
import { MemorySignalingHub } from "./memory-signaling.ts";
import { seal, SEAL_BYTES, SEAL_VERSION, sealKey, unseal } from "./sealing.ts";
import { signalingKey, type SignalingKey, type SignalingSecret } from "./signaling-key.ts";
import { signalingContract, type SignalingHarness } from "./signaling.contract.ts";
import type { Signaling } from "./signaling.ts";

const nextTask = (): Promise<void> => new Promise((done) => setTimeout(done, 1));
const random = seededRandom(11);
const SECRET = "0123456789abcdefghjkmnpqrs";
const [ANN, BOB, CEM] = ["ann", "bob", "cem"].map((name) => peerId(name)) as [PeerId, PeerId, PeerId];

function harness(join: (options: { readonly selfId: PeerId; readonly room: string }) => Signaling): SignalingHarness {
  return {
    join: async (room, selfId) => {
      const key = await signalingKey({ room, secret: SECRET });
      return encryptedSignaling(join({ selfId, room: key.place }), key, random);
    },
    turn: nextTask,
    payloadBytesMax: ENCRYPTED_SIGNALING_BYTES_MAX,
  };
}

const hub = new MemorySignalingHub();
const [hubOne, hubTwo] = [new MemorySignalingHub(), new MemorySignalingHub()];
describeContract("[EN1] encrypted MemorySignaling keeps the signaling contract", signalingContract, harness(hub.join));
describeContract("[EN1] encrypted BroadcastChannelSignaling keeps it in Node", signalingContract, harness((options) => new BroadcastChannelSignaling(options)));
describeContract("[EN1] several channels at once under one key keep it", signalingContract, harness((options) => combineSignaling([hubOne.join(options), hubTwo.join(options)])));

class Room {
  readonly hub = new MemorySignalingHub();

  /** What the carrier sees of this peer's messages, and sends in its name. */
  carrier(selfId: PeerId, place: string): Signaling {
    return this.hub.join({ selfId, room: place });
  }

  async join(selfId: PeerId, secret: SignalingSecret): Promise<EncryptedSignaling> {
    const key = await signalingKey(secret);
    return encryptedSignaling(this.hub.join({ selfId, room: key.place }), key, random);
  }
}

function heardBy(place: EncryptedSignaling): { readonly messages: string[]; readonly unreadable: PeerId[] } {
  const heard = { messages: [] as string[], unreadable: [] as PeerId[] };
  place.on("message", (from, payload) => heard.messages.push(`${from} ${payload.join()}`));
  place.on("unreadable", (from) => heard.unreadable.push(from));
  return heard;
}

describe("an encrypted channel", () => {
  const secret: SignalingSecret = { room: "r", secret: SECRET };

  test("[EN1] has sent before the call returns", async () => {
    const sent: Uint8Array[] = [];
    const base = new MemorySignalingHub().join({ selfId: ANN, room: "r" });
    const inner: Signaling = { selfId: ANN, on: (event, listener) => base.on(event, listener), announce: () => base.announce(), send: (_, payload) => void sent.push(payload), close: () => base.close() };
    const place = encryptedSignaling(inner, await signalingKey(secret), random);
    place.send(BOB, Uint8Array.of(1));
    expect(sent.map((bytes) => bytes.length)).toEqual([1 + SEAL_BYTES]);
  });

  test("[EN2] drops and counts what the carrier made up, changed, repeated to another, or said in another's name", async () => {
    const room = new Room();
    const key = await signalingKey(secret);
    const [ann, bob, cem] = await Promise.all([ANN, BOB, CEM].map((id) => room.join(id, secret))) as [EncryptedSignaling, EncryptedSignaling, EncryptedSignaling];
    const tapped: Uint8Array[] = [];
    room.carrier(BOB, key.place).on("message", (_, bytes) => tapped.push(bytes));
    const [atAnn, atBob, atCem] = [heardBy(ann), heardBy(bob), heardBy(cem)];
    ann.send(BOB, utf8("hello"));
    await nextTask();
    expect(atBob.messages).toHaveLength(1);
    const whole = tapped[0]!;
    const [asAnn, asCem, asBob] = [ANN, CEM, BOB].map((id) => room.carrier(id, key.place)) as [Signaling, Signaling, Signaling];
    for (let at = 0; at < whole.length; at += 1) asAnn.send(BOB, whole.map((byte, i) => (i === at ? byte ^ 1 : byte)));
    asCem.send(BOB, whole);
    asAnn.send(CEM, whole);
    asBob.send(ANN, whole);
    for (const rubbish of [new Uint8Array(0), whole.subarray(0, SEAL_BYTES - 1), new Uint8Array(100).fill(SEAL_VERSION)]) asAnn.send(BOB, rubbish);
    await nextTask();
    expect([atAnn.messages, atBob.messages.length, atCem.messages]).toEqual([[], 1, []]);
    expect([ann.unreadableDropped, bob.unreadableDropped, cem.unreadableDropped]).toEqual([1, whole.length + 1 + 3, 1]);
    // Of what is no seal of this version nobody can say that a key is wrong.
    expect(atBob.unreadable).toHaveLength(whole.length - 1 + 1 + 1);
  });

  test("[EN3] shows the carrier neither payload nor code nor secret, and nothing twice", async () => {
    const room = new Room();
    const key = await signalingKey(secret);
    const bytes: Uint8Array[] = [];
    room.carrier(BOB, key.place).on("message", (_, payload) => bytes.push(payload));
    const ann = await room.join(ANN, secret);
    const payload = utf8("a=candidate:1 1 udp 2113937151 192.168.1.7 50000 typ host");
    ann.send(BOB, payload);
    ann.send(BOB, payload);
    await nextTask();
    expect(bytes).toHaveLength(2);
    expect(toHex(bytes[0]!.subarray(SEAL_BYTES))).not.toBe(toHex(bytes[1]!.subarray(SEAL_BYTES)));
    const seen = [key.place, ...bytes.map(toHex)].join(" ");
    for (const text of ["192.168", SECRET, "candidate"]) expect(seen).not.toContain(toHex(utf8(text)));
    expect(key.place).toMatch(/^[0-9a-f]{32}$/);
  });

  test("[EN5] tells somebody with another password from nobody, both ways, and hears nothing of another secret", async () => {
    const room = new Room();
    const [ann, bob, cem] = [await room.join(ANN, { ...secret, password: "tide" }), await room.join(BOB, { ...secret, password: "ebb" }), await room.join(CEM, { ...secret, secret: `${SECRET}x`, password: "tide" })];
    const heard = [ann, bob, cem].map(heardBy);
    ann.announce();
    for (const to of [BOB, CEM]) ann.send(to, Uint8Array.of(1));
    bob.send(ANN, Uint8Array.of(2));
    await nextTask();
    expect(heard).toEqual([{ messages: [], unreadable: [BOB] }, { messages: [], unreadable: [ANN] }, { messages: [], unreadable: [] }]);
  });
});

describe("a key", () => {
  const facts = ({ place, key }: SignalingKey): string => `${place} ${toHex(key.sealing)}`;

  test("[EN4] is the same for the same words and another for any other", async () => {
    const all: readonly SignalingSecret[] = [{ room: "r" }, { room: "R" }, { room: "r", secret: "r" }, { room: "r", secret: SECRET }, { room: "r2", secret: SECRET }, { room: "", secret: `r${SECRET}` }];
    const keys = (await Promise.all(all.map(signalingKey))).map(facts);
    expect(new Set(keys.flatMap((key) => key.split(" "))).size).toBe(all.length * 2);
    expect((await Promise.all(all.map(signalingKey))).map(facts)).toEqual(keys);
    expect(facts(await signalingKey({ room: "r", secret: SECRET }))).toMatchInlineSnapshot(`"ce5299028ae900b7440c7fbeb0ea3387 ee9591fc1f2b22fea6343433d38954a284024b350018d60748e5a001d71e4dd3"`);
  });

  test("[EN5] of a password lies at the same place; the same password typed in another way is the same", async () => {
    const [none, one, composed, decomposed] = (await Promise.all([undefined, "tide", "\u00e9", "e\u0301"].map((password) => signalingKey({ room: "r", secret: SECRET, password })))) as [SignalingKey, SignalingKey, SignalingKey, SignalingKey];
    expect(new Set([none.place, one.place, composed.place]).size).toBe(1);
    expect(new Set([none, one, composed].map(facts)).size).toBe(3);
    expect(facts(composed)).toBe(facts(decomposed));
  });

  test("[EN5] of a password is the same where there is no WebCrypto", async () => {
    const secret: SignalingSecret = { room: "r", secret: SECRET, password: "tide" };
    const there = facts(await signalingKey(secret));
    const real = Object.getOwnPropertyDescriptor(globalThis, "crypto")!;
    Object.defineProperty(globalThis, "crypto", { configurable: true, value: {} });
    try {
      expect(facts(await signalingKey(secret))).toBe(there);
    } finally {
      Object.defineProperty(globalThis, "crypto", real);
    }
  });
});

describe("sealing", () => {
  const key = sealKey(new Uint8Array(32).fill(3));

  test("[EN2] opens to what was sealed, of any length, and for its context alone", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (bytes, context, other) => {
        const sealed = seal(key, bytes, context, random);
        expect(unseal(key, sealed, context)).toEqual(bytes);
        expect(unseal(key, sealed, other) === undefined).toBe(toHex(other) !== toHex(context));
        expect(unseal(sealKey(new Uint8Array(32)), sealed, context)).toBeUndefined();
      }),
    );
  });

  test("[EN2] is the same on every engine", () => {
    const sealed = seal(key, utf8("the quick brown fox jumps over the lazy dog, and then again over the other lazy dog"), utf8("context"), seededRandom(5));
    expect(toHex(sealed)).toMatchInlineSnapshot(`"028b5238f5d826bd3115691a6143624c8cb233e693a002fc7170f9a484def39752501a847332941c165574717f80bb1fadab502db427de73f6e448940dd3394798167affb4e984e25b7cab10c7f18b7324669b053117a7d79dd4e23a131b856028cdf10235c65498defcd48d7d85802b70c62a6d04345a1a3f0bce14"`);
  });
});
