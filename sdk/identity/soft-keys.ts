// The same keys made, used and checked in JavaScript: for pages that the browser keeps WebCrypto from, as it does over plain http from another machine.
import { p256 } from "@noble/curves/nist.js";

/** A P-256 key pair whose private half is in the page's memory, and nowhere else. */
export interface SoftKeyPair {
  readonly publicKey: Uint8Array;
  /** ECDSA with SHA-256 over `bytes`, r and s, 64 bytes. Costs about 2 ms, the first one a tenth of a second. */
  readonly sign: (bytes: Uint8Array) => Uint8Array;
}

/** A new key pair, from `crypto.getRandomValues`. */
export function makeSoftKeyPair(): SoftKeyPair {
  const { secretKey } = p256.keygen();
  // Randomness on top of what RFC 6979 derives: WebCrypto's signatures of the same bytes differ as well, and a fault in one gives no key away.
  return { publicKey: p256.getPublicKey(secretKey, false), sign: (bytes) => p256.sign(bytes, secretKey, { extraEntropy: true }) };
}

/** Whether the key made this signature over `bytes`. Throws for what is no point of the curve. Costs about 5 ms. */
export function softVerify(publicKey: Uint8Array, signature: Uint8Array, bytes: Uint8Array): boolean {
  // WebCrypto makes either of the two values of s.
  return p256.verify(signature, bytes, publicKey, { lowS: false });
}
