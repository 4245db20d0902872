// The same keys made, used and checked in JavaScript: for pages that the browser keeps WebCrypto from, as it does over plain http from another machine.
import { p256 } from "@noble/curves/nist.js";
import { concatBytes } from "../base/index.ts";

/** A P-256 key pair whose private half is in the page's memory, and nowhere else. */
export interface SoftKeyPair {
  readonly publicKey: Uint8Array;
  /** ECDSA with SHA-256 over `bytes`, r and s, 64 bytes. Costs about 2 ms, the first one a tenth of a second. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

/** A new key pair, from `crypto.getRandomValues`. */
export function makeSoftKeyPair(): SoftKeyPair {
  return softKeyPairOf(makeSoftSecret());
}

/** The private half of a new key pair, 32 bytes: for a file that takes it along. */
export function makeSoftSecret(): Uint8Array {
  return p256.keygen().secretKey;
}

/** The pair of this private half. Throws for what is none. */
export function softKeyPairOf(secretKey: Uint8Array): SoftKeyPair {
  // Randomness on top of what RFC 6979 derives: WebCrypto's signatures of the same bytes differ as well, and a fault in one gives no key away.
  return { publicKey: p256.getPublicKey(secretKey, false), sign: (bytes) => p256.sign(bytes, secretKey, { extraEntropy: true }) };
}

/** Whether the key made this signature over `bytes`. Throws for what is no point of the curve. Costs about 5 ms. */
export function softVerify(publicKey: Uint8Array, signature: Uint8Array, bytes: Uint8Array): boolean {
  // WebCrypto makes either of the two values of s.
  return p256.verify(signature, bytes, publicKey, { lowS: false });
}

/** What stands before the private half in PKCS #8 (RFC 5958) as WebCrypto writes it: version 0, a key of P-256, and in it an ECPrivateKey (RFC 5915) of version 1. */
const PKCS8_HEAD = Uint8Array.of(0x30, 0x81, 0x87, 2, 1, 0, 0x30, 0x13, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 4, 0x6d, 0x30, 0x6b, 2, 1, 1, 4, 0x20);
/** And what stands between it and the public half. */
const PKCS8_MIDDLE = Uint8Array.of(0xa1, 0x44, 3, 0x42, 0);
/** An ECPrivateKey of version 1 whose private half has 32 bytes, wherever it begins: the public half behind it may be left out, and then the lengths before it differ. */
const SECRET_HEAD = Uint8Array.of(2, 1, 1, 4, 0x20);
const SECRET_BYTES = 32;

/** The private half as WebCrypto exports and imports it. */
export function pkcs8Of(secretKey: Uint8Array): Uint8Array {
  return concatBytes(PKCS8_HEAD, secretKey, PKCS8_MIDDLE, p256.getPublicKey(secretKey, false));
}

/** The private half in what WebCrypto exported; undefined for anything else. */
export function secretIn(pkcs8: Uint8Array): Uint8Array | undefined {
  for (let at = 0; at + SECRET_HEAD.length + SECRET_BYTES <= pkcs8.length; at += 1) {
    if (!SECRET_HEAD.every((byte, i) => pkcs8[at + i] === byte)) continue;
    const secret = pkcs8.slice(at + SECRET_HEAD.length, at + SECRET_HEAD.length + SECRET_BYTES);
    return p256.utils.isValidSecretKey(secret) ? secret : undefined;
  }
  return undefined;
}
