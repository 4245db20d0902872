// Exported identities: what opens them, what they prove, and what they must not.
import { describe, expect, test } from "vitest";
import { utf8 } from "../base/index.ts";
import { identityOf, makeKeyPair, verifySignature, type Identity } from "./identity.ts";
import { exportIdentity, importIdentity, verifyFormer } from "./index.ts";
import { makeSoftSecret, pkcs8Of, secretIn } from "./soft-keys.ts";

const { subtle } = globalThis.crypto;
const message = utf8("my seat, please");
const somebody = async (): Promise<Identity> => identityOf(await makeKeyPair(subtle), subtle);

async function proofOf({ peerId, publicKey, sign }: Identity): Promise<{ peerId: Identity["peerId"]; publicKey: Uint8Array; signature: Uint8Array }> {
  return { peerId, publicKey, signature: await sign(message) };
}

/** As on a page that the browser keeps WebCrypto from: randomness is all there is. */
async function withoutWebCrypto<T>(work: () => Promise<T>): Promise<T> {
  const real = Object.getOwnPropertyDescriptor(globalThis, "crypto")!;
  const { crypto } = globalThis;
  Object.defineProperty(globalThis, "crypto", { configurable: true, value: { getRandomValues: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes) } });
  try {
    return await work();
  } finally {
    Object.defineProperty(globalThis, "crypto", real);
  }
}

describe("an exported identity", () => {
  test("[ID13] proves who one was, for the words signed and no others", async () => {
    const ann = await somebody();
    const former = await importIdentity(await exportIdentity(ann, "open sesame"), "open sesame");
    expect([former.peerId, former.publicKey]).toEqual([ann.peerId, ann.publicKey]);
    const proof = await proofOf(former);
    expect(await verifyFormer(proof, message)).toBe(true);
    expect(await verifyFormer(proof, utf8("another seat"))).toBe(false);
    expect(await verifyFormer(await proofOf(ann), message)).toBe(true);
  });

  test("[ID13] proves nothing of who one is", async () => {
    const former = await importIdentity(await exportIdentity(await somebody(), ""), "");
    expect(await verifySignature(await proofOf(former), message)).toBe(false);
  });

  test("[ID13] is of no use for anybody else's id, and with any byte changed of none at all", async () => {
    const [ann, bob] = [await somebody(), await somebody()];
    const proof = await proofOf(await importIdentity(await exportIdentity(ann, "a"), "a"));
    expect(await verifyFormer({ ...proof, peerId: bob.peerId, publicKey: bob.publicKey }, message)).toBe(false);
    expect(await verifyFormer({ ...proof, peerId: bob.peerId }, message)).toBe(false);
    // Bob gives his word for a key, and says it was Ann's word.
    const bobs = await proofOf(await importIdentity(await exportIdentity(bob, "b"), "b"));
    expect(await verifyFormer({ ...proof, signature: bobs.signature }, message)).toBe(false);
    for (let at = 0; at < proof.signature.length; at += 1) {
      expect(await verifyFormer({ ...proof, signature: proof.signature.map((byte, i) => (i === at ? byte ^ 1 : byte)) }, message)).toBe(false);
    }
    for (const length of [0, 63, 65, 192, 194]) expect(await verifyFormer({ ...proof, signature: new Uint8Array(length) }, message)).toBe(false);
  });

  test("[ID13] opens with its passphrase alone; what is damaged or no such file is refused by name", async () => {
    const file = await exportIdentity(await somebody(), "caf\u00e9");
    await expect(importIdentity(file, "cafe")).rejects.toMatchObject({ code: "wrong-passphrase" });
    await expect(importIdentity(file, "cafe\u0301")).resolves.toBeDefined();
    await expect(importIdentity(file.map((byte, at) => (at === file.length - 1 ? byte ^ 1 : byte)), "caf\u00e9")).rejects.toMatchObject({ code: "wrong-passphrase" });
    for (const other of [new Uint8Array(0), file.subarray(0, 30), new Uint8Array(9_000), utf8("a text that is no identity"), file.map((byte, at) => (at === 5 ? byte ^ 1 : byte))]) {
      await expect(importIdentity(other, "caf\u00e9")).rejects.toMatchObject({ code: "malformed" });
    }
  });

  test("[ID13] is made and opened without WebCrypto as with it, and what the one made the other opens", async () => {
    const ann = await somebody();
    const made = await exportIdentity(ann, "caf\u00e9");
    const { file, opened, wrong } = await withoutWebCrypto(async () => ({
      file: await exportIdentity(ann, "a"),
      opened: await importIdentity(made, "cafe\u0301"),
      wrong: await importIdentity(made, "b").catch((error: unknown) => error),
    }));
    expect(wrong).toMatchObject({ code: "wrong-passphrase" });
    for (const former of [opened, await importIdentity(file, "a")]) {
      expect([former.peerId, former.publicKey]).toEqual([ann.peerId, ann.publicKey]);
      const proof = await withoutWebCrypto(() => proofOf(former));
      expect([await verifyFormer(proof, message), await withoutWebCrypto(() => verifyFormer(proof, message))]).toEqual([true, true]);
      expect(await withoutWebCrypto(() => verifyFormer(proof, utf8("another seat")))).toBe(false);
    }
  }, 120_000);

  test("[ID13] a private half is written as WebCrypto writes it, and found in what any browser writes", async () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const secret = makeSoftSecret();
      const written = pkcs8Of(secret);
      const key = await subtle.importKey("pkcs8", written.slice(), { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
      expect(Array.from(new Uint8Array(await subtle.exportKey("pkcs8", key)))).toEqual(Array.from(written));
      expect(secretIn(written)).toEqual(secret);
      // Without the public half, as some write it.
      const short = Uint8Array.of(0x30, 0x41, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 4, 0x27, 0x30, 0x25, 2, 1, 1, 4, 0x20, ...secret);
      expect(secretIn(short)).toEqual(secret);
    }
    expect([secretIn(new Uint8Array(0)), secretIn(pkcs8Of(makeSoftSecret()).slice(0, 60)), secretIn(Uint8Array.of(2, 1, 1, 4, 0x20, ...new Uint8Array(32)))]).toEqual([undefined, undefined, undefined]);
  });

  test("[ID13] holds neither of its keys in clear, and is another file each time", async () => {
    const ann = await somebody();
    const files = [await exportIdentity(ann, "a"), await exportIdentity(ann, "a")] as const;
    const text = (bytes: Uint8Array): string => Array.from(bytes).join();
    expect(text(files[0])).not.toBe(text(files[1]));
    for (const file of files) expect(text(file)).not.toContain(text(ann.publicKey));
  });
});
