// The browser's cryptographic generator as a Random, and ids made from it.
import type { Random } from "../base/index.ts";

/** A {@link Random} on `crypto.getRandomValues`, drawn in blocks: fit for secrets and ids. */
export function systemRandom(): Random {
  const block = new Uint32Array(64);
  let at = block.length;
  return {
    uint32: () => {
      if (at === block.length) {
        crypto.getRandomValues(block);
        at = 0;
      }
      const value = block[at] ?? 0;
      // A number handed out is not kept where a later bug could find it.
      block[at] = 0;
      at += 1;
      return value;
    },
  };
}

// 32 letters and digits that are hard to mistake for one another (no i, l, o, u), so 5 bits a character without bias.
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** A random id of `length` characters, each worth 5 bits; 26 characters are as good as a UUID. Default 26. */
export function randomId(length = 26, random: Random = systemRandom()): string {
  let id = "";
  for (let i = 0; i < length; i += 1) id += ALPHABET[random.uint32() & 31] ?? "";
  return id;
}
