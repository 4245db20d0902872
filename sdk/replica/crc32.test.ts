import { expect, test } from "vitest";
import { crc32, crc32Text } from "./crc32.ts";

/** One bit at a time, as the standard says it. */
function byBits(bytes: Uint8Array): number {
  let value = 0xffff_ffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb8_8320 : value >>> 1;
  }
  return ~value >>> 0;
}

const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 167 + 13) & 255);

test("the checksum of the standard's own example is the published one", () => {
  expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf4_3926);
  expect(crc32(new Uint8Array(0))).toBe(0);
});

test("taking eight bytes at a time gives what one bit at a time gives, at every length", () => {
  for (let length = 0; length < 70; length += 1) expect(crc32(bytesOf(length)), `${length} bytes`).toBe(byBits(bytesOf(length)));
});

test("the checksum of a text is that of its UTF-8 bytes, ASCII or not", () => {
  for (const text of ["", "raft/log/0000000000000001", "vote \u007f", "Zoë", "éa", "a\u0080", "🂡 x"]) {
    for (const before of [0, 0xcbf4_3926]) expect(crc32Text(text, before), text).toBe(crc32(new TextEncoder().encode(text), before));
  }
});

test("long ones, sixteen bytes at a time through a view that may begin anywhere, too", () => {
  for (let length = 500; length < 550; length += 1) {
    const whole = bytesOf(length + 3);
    expect(crc32(whole.subarray(3)), `${length} bytes`).toBe(byBits(whole.subarray(3)));
    expect(crc32(whole, 0, 3), `${length} bytes of more`).toBe(byBits(whole.subarray(3)));
  }
});

test("a checksum begins where it is told to", () => {
  expect(crc32(bytesOf(40), 7, 5)).toBe(crc32(bytesOf(40).subarray(5), 7));
});

test("a checksum goes on from the checksum of what came before, wherever the bytes are cut", () => {
  const whole = bytesOf(37);
  for (let cut = 0; cut <= whole.length; cut += 1) expect(crc32(whole.subarray(cut), crc32(whole.subarray(0, cut)))).toBe(crc32(whole));
});
