// The id that belongs to a public key: anybody who is shown the key can work it out, and nobody can find another key for it.
import { concatBytes, digest, InvalidArgumentError, peerId, utf8, type PeerId, type Random } from "../base/index.ts";

/** A raw public key: 4 (uncompressed) and the two coordinates of a point on P-256. */
export const PUBLIC_KEY_BYTES = 65;

// 26 characters of 5 bits: 130 bits, so a second key for an id costs 2^130 attempts.
const ID_CHARS = 26;
const ID_DIGEST_BYTES = 17;
// Names what is hashed, so that no other digest of the SDK can ever be an id.
const DOMAIN = utf8("flotilla/peer-id/1\0");
// No i, l, o, u: hard to mistake for one another when read aloud.
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** The id of a raw P-256 public key. Throws `InvalidArgumentError` when it can not be one by its length and first byte; the point itself is not checked. */
export function peerIdOfKey(publicKey: Uint8Array): PeerId {
  if (!isPublicKeyShaped(publicKey)) throw new InvalidArgumentError(`a raw P-256 public key has ${PUBLIC_KEY_BYTES} bytes and begins with 4, got ${publicKey.length} bytes`);
  return peerId(firstChars(digest(concatBytes(DOMAIN, publicKey), ID_DIGEST_BYTES)));
}

/** An id that belongs to no key. */
export function randomPeerId(random: Random): PeerId {
  let id = "";
  for (let at = 0; at < ID_CHARS; at += 1) id += ALPHABET[random.uint32() & 31] ?? "";
  return peerId(id);
}

/** Whether the length and the first byte are those of a raw public key. */
export function isPublicKeyShaped(bytes: Uint8Array): boolean {
  return bytes.length === PUBLIC_KEY_BYTES && bytes[0] === 4;
}

function firstChars(bytes: Uint8Array): string {
  let id = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffff;
    bits += 8;
    for (; bits >= 5 && id.length < ID_CHARS; bits -= 5) id += ALPHABET[(held >> (bits - 5)) & 31] ?? "";
  }
  return id;
}
