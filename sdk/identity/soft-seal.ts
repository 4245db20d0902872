// Files sealed and opened with a passphrase in JavaScript, byte for byte as WebCrypto would: for pages that the browser keeps WebCrypto from.
import { gcm } from "@noble/ciphers/aes.js";
import { pbkdf2Async } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** How long it works before the page gets its turn, ms: half a frame. */
const TURN_MS = 8;

/** A key for {@link softSeal} and {@link softUnseal}. Costs about 4 µs a round on a desktop, several times that on a phone, and lets the page work meanwhile. */
export function softFileKey(typed: Uint8Array, salt: Uint8Array, rounds: number): Promise<Uint8Array> {
  return pbkdf2Async(sha256, typed, salt, { c: rounds, dkLen: 32, asyncTick: TURN_MS });
}

/** AES-GCM with a tag of 16 bytes behind the text. */
export function softSeal(key: Uint8Array, { iv, head, plain }: { readonly iv: Uint8Array; readonly head: Uint8Array; readonly plain: Uint8Array }): Uint8Array {
  return gcm(key, iv, head).encrypt(plain);
}

/** Throws when the key, the head or any byte is another one. */
export function softUnseal(key: Uint8Array, { iv, head, sealed }: { readonly iv: Uint8Array; readonly head: Uint8Array; readonly sealed: Uint8Array }): Uint8Array {
  return gcm(key, iv, head).decrypt(sealed);
}
