// Bytes that only who holds a key can read or make. Done in the task it began in: a page that is going away has no later one, and WebCrypto only answers later.
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { authCode, concatBytes, utf8, type Random } from "../base/index.ts";

/** History: 1, keyed BLAKE2b over a counter, then over the result. 2, XChaCha20-Poly1305. Bytes of another version are not opened. */
export const SEAL_VERSION: number = 2;

const NONCE_BYTES = 24;
const TAG_BYTES = 16;

/** What sealing adds. */
export const SEAL_BYTES: number = 1 + NONCE_BYTES + TAG_BYTES;

/** A key to seal with, and for nothing else. */
export interface SealKey {
  /** 32 bytes. */
  readonly sealing: Uint8Array;
}

/** The one of a 32-byte key. */
export function sealKey(key: Uint8Array): SealKey {
  return { sealing: authCode(key, utf8("flotilla/seal/2\0"), 32) };
}

/**
 * Hides `bytes` and binds them to `context`: XChaCha20-Poly1305 with the context as associated data. Safe as long as nonces do not repeat; they have
 * 192 random bits. Costs about 50 ns a byte.
 */
export function seal({ sealing }: SealKey, bytes: Uint8Array, context: Uint8Array, random: Random): Uint8Array {
  const nonce = Uint8Array.from({ length: NONCE_BYTES }, () => random.uint32() >>> 24);
  return concatBytes(Uint8Array.of(SEAL_VERSION), nonce, xchacha20poly1305(sealing, nonce, context).encrypt(bytes));
}

/** What was sealed with this key for this context; undefined for anything else. */
export function unseal({ sealing }: SealKey, sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined {
  if (!isSealed(sealed)) return undefined;
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  try {
    return xchacha20poly1305(sealing, nonce, context).decrypt(sealed.subarray(1 + NONCE_BYTES));
  } catch {
    return undefined;
  }
}

/** Whether these bytes look like something that was sealed, by whatever key. */
export function isSealed(bytes: Uint8Array): boolean {
  return bytes.length >= SEAL_BYTES && bytes[0] === SEAL_VERSION;
}

/** What {@link sealAt} adds. */
export const SEAL_AT_BYTES: number = TAG_BYTES;

/** The `count`th message under a key that nothing else was sealed with: the count is the nonce, so it is not sent, and no other place in the order opens it. */
export function sealAt({ sealing }: SealKey, bytes: Uint8Array, count: number): Uint8Array {
  return xchacha20poly1305(sealing, nonceOf(count)).encrypt(bytes);
}

/** The message sealed as the `count`th with this key; undefined for anything else. */
export function unsealAt({ sealing }: SealKey, sealed: Uint8Array, count: number): Uint8Array | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  try {
    return xchacha20poly1305(sealing, nonceOf(count)).decrypt(sealed);
  } catch {
    return undefined;
  }
}

function nonceOf(count: number): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  new DataView(nonce.buffer).setBigUint64(NONCE_BYTES - 8, BigInt(count));
  return nonce;
}
