// BLAKE2b from @noble/hashes: digests of state, of shard keys and of public keys.
import { blake2b } from "@noble/hashes/blake2.js";
import { toHex } from "./bytes.ts";

/** An 8-byte BLAKE2b digest of `bytes`: for comparing states and spreading keys, not against an adversary. */
export function digest64(bytes: Uint8Array): Uint8Array {
  return blake2b(bytes, { dkLen: 8 });
}

/** A BLAKE2b digest of `length` bytes (1 to 64). From 16 bytes on nobody finds a second input for the digest of a first. */
export function digest(bytes: Uint8Array, length: number): Uint8Array {
  return blake2b(bytes, { dkLen: length });
}

/** A message authentication code (keyed BLAKE2b, RFC 7693 section 2.9): `length` bytes that only who holds `key` (1 to 64 bytes) can make for `bytes`. */
export function authCode(key: Uint8Array, bytes: Uint8Array, length: number): Uint8Array {
  return blake2b(bytes, { key, dkLen: length });
}

/** {@link digest64} as 16 hexadecimal digits. */
export function digestHex(bytes: Uint8Array): string {
  return toHex(digest64(bytes));
}
