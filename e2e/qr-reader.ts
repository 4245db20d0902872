// Reads a QR code from what a page draws, by the book (ISO/IEC 18004) and without the library that made it. For tests.
/** Which modules are dark, row by row. */
export type Modules = readonly (readonly boolean[])[];

const MASKS: readonly ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];
/** Where the alignment patterns of versions 2 to 6 stand, besides the corners. */
const ALIGNMENT = [0, 0, 18, 22, 26, 30, 34];
/** Data codewords of each block, by version and level (M 0, L 1, H 2, Q 3 as they are written in the format bits). */
const BLOCKS: Readonly<Record<number, readonly (readonly number[])[]>> = {
  2: [[28], [34], [16], [22]],
  3: [[44], [55], [13, 13], [17, 17]],
  4: [[32, 32], [80], [9, 9, 9, 9], [24, 24]],
  5: [[43, 43], [108], [11, 11, 12, 12], [15, 15, 16, 16]],
  6: [[27, 27, 27, 27], [68, 68], [15, 15, 15, 15], [19, 19, 19, 19]],
};

function isFunction(x: number, y: number, size: number, version: number): boolean {
  const corner = (x < 9 && y < 9) || (x < 9 && y >= size - 8) || (x >= size - 8 && y < 9);
  const middle = ALIGNMENT[version] ?? 0;
  return corner || x === 6 || y === 6 || (Math.abs(x - middle) <= 2 && Math.abs(y - middle) <= 2);
}

/** The text of a code of version 2 to 6 in byte mode. Nothing is corrected: a single wrong module would show. */
export function readQr(modules: Modules): string {
  const size = modules.length;
  const version = (size - 17) / 4;
  // Format bits around the first corner, from the highest: two of level, three of mask.
  const format = [0, 1, 2, 3, 4].reduce((bits, x) => bits * 2 + Number(modules[8]![x]), 0) ^ 0b10101;
  const mask = MASKS[format & 7]!;
  const bits: boolean[] = [];
  let isUp = true;
  for (let right = size - 1; right > 0; right -= 2, isUp = !isUp) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      const y = isUp ? size - 1 - step : step;
      for (const x of [right, right - 1]) if (!isFunction(x, y, size, version)) bits.push(modules[y]![x]! !== mask(x, y));
    }
  }
  const words = Array.from({ length: Math.floor(bits.length / 8) }, (_, at) => bits.slice(at * 8, at * 8 + 8).reduce((word, bit) => word * 2 + Number(bit), 0));
  // The blocks' codewords stand in turns; the longer blocks come last.
  const lengths = BLOCKS[version]![format >> 3]!;
  const blocks = lengths.map((): number[] => []);
  let next = 0;
  for (let at = 0; at < Math.max(...lengths); at += 1) lengths.forEach((length, block) => void (at < length && blocks[block]!.push(words[next++]!)));
  const nibbles = blocks.flat().flatMap((word) => [word >> 4, word & 15]);
  if (nibbles[0] !== 4) throw new Error("this code is not in byte mode");
  const length = nibbles[1]! * 16 + nibbles[2]!;
  return new TextDecoder().decode(Uint8Array.from({ length }, (_, at) => nibbles[3 + 2 * at]! * 16 + nibbles[4 + 2 * at]!));
}

/** The modules that a path of runs covers. */
export function drawnBy(path: string, size: number): Modules {
  const dark = Array.from({ length: size }, () => Array.from({ length: size }, () => false));
  for (const [, x, y, width] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/gu)) for (let at = 0; at < Number(width); at += 1) dark[Number(y)]![Number(x) + at] = true;
  return dark;
}
