// Randomness as a parameter: a port, and a seeded generator for tests, simulation and replicated dice.

/** A source of uniformly distributed 32-bit whole numbers. */
export interface Random {
  /** A whole number from 0 to 2^32 - 1. */
  uint32(): number;
}

/** A whole number from 0 to `bound` - 1 without modulo bias; `bound` is from 1 to 2^32. */
export function below(random: Random, bound: number): number {
  const limit = Math.floor(0x1_0000_0000 / bound) * bound;
  let value = random.uint32();
  while (value >= limit) value = random.uint32();
  return value % bound;
}

/** A number from 0 (inclusive) to 1 (exclusive) with 32 bits of it random. */
export function fraction(random: Random): number {
  return random.uint32() / 0x1_0000_0000;
}

/**
 * A small, fast, seedable generator (sfc32, from PractRand): the same seed gives the same numbers on every engine,
 * because it uses 32-bit integer arithmetic only. Not for secrets.
 */
export function seededRandom(seed: number, stream = 0): Random {
  let a = seed >>> 0;
  let b = Math.floor(seed / 0x1_0000_0000) >>> 0;
  let c = stream >>> 0;
  let counter = 1;
  const next = (): number => {
    const result = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + result;
    c |= 0;
    return result >>> 0;
  };
  for (let i = 0; i < 15; i += 1) next();
  return { uint32: next };
}
