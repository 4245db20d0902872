import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom, utf8, type PeerId } from "../base/index.ts";
import { identityOf, isUsable, makeKeyPair, makeSoftIdentity, verified, type Identity } from "./identity.ts";
import { peerIdOfKey, verifySignature, type IdentityProof } from "./index.ts";
import { randomPeerId } from "./peer-id.ts";

const { subtle } = globalThis.crypto;
const message = utf8("a message");

async function proven(bytes = message): Promise<{ proof: IdentityProof; keys: Awaited<ReturnType<typeof makeKeyPair>> }> {
  const keys = await makeKeyPair(subtle);
  const { peerId, publicKey, sign } = identityOf(keys, subtle);
  return { proof: { peerId, publicKey, signature: await sign(bytes) }, keys };
}

describe("an id", () => {
  test("[ID1] is the same for the same key, for ever", () => {
    const key = Uint8Array.from({ length: 65 }, (_, at) => (at === 0 ? 4 : at));
    expect(peerIdOfKey(key)).toMatchInlineSnapshot(`"24zzvh998g8wrvdbya2yzv0z58"`);
    expect(peerIdOfKey(key.slice())).toBe(peerIdOfKey(key));
    const other = key.slice();
    other[64] = 65;
    expect(peerIdOfKey(other)).not.toBe(peerIdOfKey(key));
  });

  test("[ID1] of something that can not be a key is refused", () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(64), new Uint8Array(65), new Uint8Array(66).fill(4)]) expect(() => peerIdOfKey(bytes)).toThrow("raw P-256 public key");
  });

  test("[ID1] without a key looks like one with a key", () => {
    expect(randomPeerId(seededRandom(1))).toMatch(/^[0-9a-hjkmnp-tv-z]{26}$/);
    expect(randomPeerId(seededRandom(1))).not.toBe(randomPeerId(seededRandom(2)));
  });
});

describe("a signature", () => {
  test("[ID1] is accepted for its bytes and its id, made twice it differs", async () => {
    const { proof, keys } = await proven();
    expect(await verifySignature(proof, message)).toBe(true);
    const again = await identityOf(keys, subtle).sign(message);
    expect(again).not.toEqual(proof.signature);
    expect(await verifySignature({ ...proof, signature: again }, message)).toBe(true);
  });

  test("[ID1] is refused for another id, another key, and both of somebody else", async () => {
    const [{ proof: ours }, { proof: theirs }] = await Promise.all([proven(), proven()]);
    expect(await verifySignature({ ...ours, peerId: theirs.peerId }, message)).toBe(false);
    expect(await verifySignature({ ...ours, publicKey: theirs.publicKey }, message)).toBe(false);
    expect(await verifySignature({ ...ours, peerId: theirs.peerId, publicKey: theirs.publicKey }, message)).toBe(false);
    expect(await verifySignature({ ...ours, peerId: "" as PeerId }, message)).toBe(false);
  });

  test("[ID1] made with the same key for something outside this SDK is refused", async () => {
    const { proof, keys } = await proven();
    const bare = new Uint8Array(await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, keys.privateKey, message.slice()));
    expect(await verifySignature({ ...proof, signature: bare }, message)).toBe(false);
  });

  describe.each([["WebCrypto", subtle, 300], ["the code for pages without it", undefined, 100]] as const)("checked by %s", (_, checker, numRuns) => {
    test("[ID1] is accepted whichever of the two made it, and then for its id and bytes alone", async () => {
      const makers: readonly (() => Promise<Identity>)[] = [async () => identityOf(await makeKeyPair(subtle), subtle), makeSoftIdentity];
      for (const make of makers) {
        const [{ peerId, publicKey, sign }, other] = await Promise.all([make(), make()]);
        expect(peerId).toBe(peerIdOfKey(publicKey));
        // Several, because WebCrypto makes one of two values, by chance.
        for (let at = 0; at < 8; at += 1) {
          const bytes = Uint8Array.from({ length: at * 20 }, (__, i) => i);
          const proof = { peerId, publicKey, signature: await sign(bytes) };
          expect(proof.signature).toHaveLength(64);
          expect(await sign(bytes)).not.toEqual(proof.signature);
          expect(await verified(proof, bytes, checker)).toBe(true);
          expect(await verified(proof, utf8("other bytes"), checker)).toBe(false);
          expect(await verified({ ...proof, peerId: other.peerId }, bytes, checker)).toBe(false);
          expect(await verified({ ...proof, publicKey: other.publicKey }, bytes, checker)).toBe(false);
          expect(await verified({ ...proof, peerId: other.peerId, publicKey: other.publicKey }, bytes, checker)).toBe(false);
        }
      }
    });

    test("[ID1] with any bit of it, of the key or of the bytes changed is refused, and nothing malformed rejects", async () => {
      const { proof } = await proven();
      const flipped = (bytes: Uint8Array, bit: number): Uint8Array => bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      await fc.assert(
        fc.asyncProperty(fc.constantFrom("signature", "publicKey", "message"), fc.nat(), async (part, bit) => {
          const whole = part === "message" ? message : proof[part as "signature"];
          const changed = flipped(whole, bit % (whole.length * 8));
          expect(await verified(part === "message" ? proof : { ...proof, [part]: changed }, part === "message" ? changed : message, checker)).toBe(false);
        }),
        { numRuns },
      );
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), fc.uint8Array({ maxLength: 80 }), fc.boolean(), async (publicKey, signature, isShaped) => {
          const key = isShaped ? Uint8Array.from({ length: 65 }, (__, at) => (at === 0 ? 4 : (publicKey[at] ?? at))) : publicKey;
          const peerId = isShaped ? peerIdOfKey(key) : proof.peerId;
          expect(await verified({ peerId, publicKey: key, signature: isShaped ? proof.signature : signature }, message, checker)).toBe(false);
        }),
        { numRuns },
      );
      for (const signature of [new Uint8Array(64), new Uint8Array(64).fill(255)]) expect(await verified({ ...proof, signature }, message, checker)).toBe(false);
    });
  });

  test("[ID1] is checked the same way by a page that has no WebCrypto", async () => {
    const { proof } = await proven();
    const real = Object.getOwnPropertyDescriptor(globalThis, "crypto")!;
    Object.defineProperty(globalThis, "crypto", { configurable: true, value: { getRandomValues: crypto.getRandomValues.bind(crypto) } });
    try {
      expect(await verifySignature(proof, message)).toBe(true);
      expect(await verifySignature(proof, utf8("other bytes"))).toBe(false);
    } finally {
      Object.defineProperty(globalThis, "crypto", real);
    }
  });
});

describe("a key pair", () => {
  test("[ID2] works after it was cloned and can not be read", async () => {
    const { keys } = await proven();
    const copy = structuredClone(keys);
    expect(await isUsable(copy, subtle)).toBe(true);
    for (const format of ["pkcs8", "jwk"] as const) await expect(subtle.exportKey(format, copy.privateKey)).rejects.toBeInstanceOf(Error);
  });

  test("[ID7] whose halves do not belong together, or whose private half is no key, is not usable", async () => {
    const [one, two] = [await makeKeyPair(subtle), await makeKeyPair(subtle)];
    expect(await isUsable({ privateKey: one.privateKey, publicKey: two.publicKey }, subtle)).toBe(false);
    expect(await isUsable({ privateKey: { type: "private" } as CryptoKey, publicKey: one.publicKey }, subtle)).toBe(false);
    expect(await isUsable({ privateKey: one.privateKey, publicKey: one.publicKey.slice(1) }, subtle)).toBe(false);
  });
});
