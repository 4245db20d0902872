// CRC-32 (IEEE 802.3) over bytes: finds any damage of a record up to 32 bits long. Not against an adversary.

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  return value >>> 0;
});

/** The checksum of `bytes`, continuing from the checksum of what came before them (0: nothing did). */
export function crc32(bytes: Uint8Array, before = 0): number {
  let value = ~before >>> 0;
  for (let at = 0; at < bytes.length; at += 1) value = ((TABLE[(value ^ (bytes[at] ?? 0)) & 255] ?? 0) ^ (value >>> 8)) >>> 0;
  return ~value >>> 0;
}
