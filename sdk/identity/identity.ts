// Who a peer is: a key pair whose private half never leaves the browser, and an id that anybody can check against the public half.
import { concatBytes, utf8, type PeerId } from "../base/index.ts";
import { isPublicKeyShaped, peerIdOfKey } from "./peer-id.ts";
import type * as SoftKeys from "./soft-keys.ts";

/** Somebody who can prove to be `peerId`. */
export interface Identity {
  /** 26 characters, a digest of the public key: see {@link peerIdOfKey}. */
  readonly peerId: PeerId;
  /** The raw P-256 point, 65 bytes. */
  readonly publicKey: Uint8Array;
  /**
   * An ECDSA signature (P-256, SHA-256) of `bytes`, 64 bytes; a prefix keeps it from meaning anything outside this SDK. Callers name what the
   * bytes are for in the bytes themselves. Signing twice gives two different signatures. Costs about 0.2 ms, without WebCrypto about 2.
   */
  readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
}

/** What somebody shows to prove an id. */
export interface IdentityProof {
  readonly peerId: PeerId;
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}

/** What every key here is. */
export const CURVE = { name: "ECDSA", namedCurve: "P-256" };
const SIGNING = { name: "ECDSA", hash: "SHA-256" };
/** Length of a signature. */
export const SIGNATURE_BYTES = 64;
const DOMAIN = utf8("flotilla/identity/1\0");

/** The two halves of an identity, as they are stored: the private one can be used and never read. */
export interface KeyPair {
  readonly privateKey: CryptoKey;
  readonly publicKey: Uint8Array;
}

/** A new key pair. Rejects where the browser has none to give. */
export async function makeKeyPair(subtle: SubtleCrypto): Promise<KeyPair> {
  const { privateKey, publicKey } = await subtle.generateKey(CURVE, false, ["sign", "verify"]);
  return { privateKey, publicKey: new Uint8Array(await subtle.exportKey("raw", publicKey)) };
}

/** The identity of a key pair. */
export function identityOf(keys: KeyPair, subtle: SubtleCrypto): Identity {
  return {
    peerId: peerIdOfKey(keys.publicKey),
    publicKey: keys.publicKey.slice(),
    sign: async (bytes) => new Uint8Array(await subtle.sign(SIGNING, keys.privateKey, signed(bytes))),
  };
}

/** A new identity without WebCrypto, of the same kind, which ends with the page. Rejects when the code for it can not be loaded. */
export async function makeSoftIdentity(): Promise<Identity> {
  const { makeSoftKeyPair } = await softKeys();
  return softIdentityOf(makeSoftKeyPair());
}

/** The identity of a key pair that JavaScript holds. */
export function softIdentityOf({ publicKey, sign }: SoftKeys.SoftKeyPair): Identity {
  return { peerId: peerIdOfKey(publicKey), publicKey: publicKey.slice(), sign: (bytes) => Promise.resolve(sign(signed(bytes))) };
}

/**
 * Whether the holder of the key behind `proof.peerId` signed `bytes`, wherever it was signed. False for anything malformed and for an id that is not
 * the key's; never rejects. Costs about 0.3 ms, on a page without WebCrypto about 5.
 */
export async function verifySignature(proof: IdentityProof, bytes: Uint8Array): Promise<boolean> {
  return verified(proof, bytes, globalThis.crypto?.subtle);
}

/** {@link verifySignature} with WebCrypto handed in, or undefined where there is none. */
export async function verified({ peerId, publicKey, signature }: IdentityProof, bytes: Uint8Array, subtle: SubtleCrypto | undefined): Promise<boolean> {
  if (!isPublicKeyShaped(publicKey) || signature.length !== SIGNATURE_BYTES) return false;
  if (peerIdOfKey(publicKey) !== peerId) return false;
  try {
    if (subtle === undefined) return (await softKeys()).softVerify(publicKey, signature, signed(bytes));
    const key = await subtle.importKey("raw", publicKey.slice(), CURVE, false, ["verify"]);
    return await subtle.verify(SIGNING, key, signature.slice(), signed(bytes));
  } catch {
    // Not a point of the curve.
    return false;
  }
}

/** Whether both halves still work and belong together: a key that came back from storage may not. */
export async function isUsable(keys: KeyPair, subtle: SubtleCrypto): Promise<boolean> {
  try {
    const { peerId, publicKey, sign } = identityOf(keys, subtle);
    const probe = utf8("probe");
    return await verified({ peerId, publicKey, signature: await sign(probe) }, probe, subtle);
  } catch {
    return false;
  }
}

/** Loaded where it is needed and nowhere else: it is as large as all other cryptography here together. */
function softKeys(): Promise<typeof SoftKeys> {
  return import("./soft-keys.ts");
}

function signed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes(DOMAIN, bytes).slice();
}
