// Bytes that only who holds a key can read or make. Done in the task it began in: a page that is going away has no later one, and WebCrypto only answers later.
import { authCode, bytesEqual, ByteWriter, concatBytes, utf8, type Random } from "../base/index.ts";

/** History: 1, the first. Bytes of another version are not opened. */
export const SEAL_VERSION: number = 1;

const NONCE_BYTES = 24;
const TAG_BYTES = 16;
const BLOCK_BYTES = 64;

/** What sealing adds. */
export const SEAL_BYTES: number = 1 + NONCE_BYTES + TAG_BYTES;

/** The two keys that one is made into, so that what hides and what vouches never meet. */
export interface SealKey {
  readonly hiding: Uint8Array;
  readonly vouching: Uint8Array;
}

/** The pair of a 32-byte key. */
export function sealKey(key: Uint8Array): SealKey {
  return { hiding: authCode(key, utf8("flotilla/seal-hiding/1\0"), 32), vouching: authCode(key, utf8("flotilla/seal-vouching/1\0"), 32) };
}

/**
 * Hides `bytes` and binds them to `context`: keyed BLAKE2b over a counter as the key stream, then keyed BLAKE2b over context, nonce and what came out.
 * That is encrypt-then-authenticate with one pseudorandom function under two keys, safe as long as nonces do not repeat; they have 192 random bits.
 * Costs about 50 ns a byte.
 */
export function seal({ hiding, vouching }: SealKey, bytes: Uint8Array, context: Uint8Array, random: Random): Uint8Array {
  const nonce = Uint8Array.from({ length: NONCE_BYTES }, () => random.uint32() >>> 24);
  const hidden = masked(hiding, nonce, bytes);
  return concatBytes(Uint8Array.of(SEAL_VERSION), nonce, tagOf(vouching, nonce, hidden, context), hidden);
}

/** What was sealed with this key for this context; undefined for anything else. */
export function unseal({ hiding, vouching }: SealKey, sealed: Uint8Array, context: Uint8Array): Uint8Array | undefined {
  if (!isSealed(sealed)) return undefined;
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  const hidden = sealed.subarray(SEAL_BYTES);
  if (!bytesEqual(sealed.subarray(1 + NONCE_BYTES, SEAL_BYTES), tagOf(vouching, nonce, hidden, context))) return undefined;
  return masked(hiding, nonce, hidden);
}

/** Whether these bytes look like something that was sealed, by whatever key. */
export function isSealed(bytes: Uint8Array): boolean {
  return bytes.length >= SEAL_BYTES && bytes[0] === SEAL_VERSION;
}

function masked(key: Uint8Array, nonce: Uint8Array, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length);
  const input = concatBytes(nonce, new Uint8Array(4));
  const counter = new DataView(input.buffer, NONCE_BYTES);
  for (let at = 0, block = 0; at < bytes.length; at += BLOCK_BYTES, block += 1) {
    counter.setUint32(0, block);
    const mask = authCode(key, input, BLOCK_BYTES);
    for (let i = at; i < Math.min(at + BLOCK_BYTES, bytes.length); i += 1) out[i] = (bytes[i] ?? 0) ^ (mask[i - at] ?? 0);
  }
  return out;
}

function tagOf(key: Uint8Array, nonce: Uint8Array, hidden: Uint8Array, context: Uint8Array): Uint8Array {
  return authCode(key, concatBytes(new ByteWriter().bytes(context).finish(), nonce, hidden), TAG_BYTES);
}
