// BLAKE2b from @noble/hashes: digests of state and of shard keys.
import { blake2b } from "@noble/hashes/blake2.js";
import { toHex } from "./bytes.ts";

/** An 8-byte BLAKE2b digest of `bytes`: for comparing states and spreading keys, not against an adversary. */
export function digest64(bytes: Uint8Array): Uint8Array {
  return blake2b(bytes, { dkLen: 8 });
}

/** {@link digest64} as 16 hexadecimal digits. */
export function digestHex(bytes: Uint8Array): string {
  return toHex(digest64(bytes));
}
