// PBKDF2 in JavaScript, for pages that the browser keeps WebCrypto from.
import { pbkdf2Async } from "@noble/hashes/pbkdf2.js";
import { sha256 } from "@noble/hashes/sha2.js";

/** How long it works before the page gets its turn, ms: half a frame. */
const TURN_MS = 8;

/** 32 bytes by PBKDF2 with SHA-256. Costs about 4 µs a round on a desktop, and lets the page work meanwhile. */
export function slowHash(typed: Uint8Array, salt: Uint8Array, rounds: number): Promise<Uint8Array> {
  return pbkdf2Async(sha256, typed, salt, { c: rounds, dkLen: 32, asyncTick: TURN_MS });
}
