// Small draws from a random stream, and the hash that says two runs were the same.
import { below, fraction, seededRandom, type Random } from "../../base/index.ts";

/** One stream per concern, so that drawing more for one does not reshuffle the others. */
export const STREAM = { plan: 1, faults: 2, network: 3, disk: 4, workload: 5, keeper: 6, witness: 7, peers: 100 } as const;

/** The stream of one concern under one seed. */
export function stream(seed: number, concern: number): Random {
  return seededRandom(seed, concern);
}

/** True with probability `p`. */
export function chance(random: Random, p: number): boolean {
  return fraction(random) < p;
}

/** A whole number from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + below(random, Math.max(1, Math.floor(high) - Math.ceil(low) + 1));
}

/** One of a non-empty list. */
export function pick<T>(random: Random, items: readonly T[]): T {
  return items[below(random, items.length)] as T;
}

/** The list in a random order. */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i -= 1) {
    const j = below(random, i + 1);
    [order[i], order[j]] = [order[j] as T, order[i] as T];
  }
  return order;
}

/** A running 64-bit hash of whole numbers and bytes; the same on every engine (32-bit arithmetic only). */
export class EventHash {
  #a = 0x811c9dc5;
  #b = 0x9e3779b9;

  /** Mixes in a number's low 32 bits. */
  add(value: number): void {
    this.#a = Math.imul(this.#a ^ (value | 0), 0x01000193);
    this.#b = Math.imul((this.#b << 13) | (this.#b >>> 19), 5) + (this.#a ^ (this.#a >>> 15));
    this.#b |= 0;
  }

  /** Mixes in bytes. */
  addBytes(bytes: Uint8Array): void {
    this.add(hashBytes(bytes));
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    return [this.#a, this.#b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/** A 32-bit hash of bytes (FNV-1a): for noticing differences, not for security. */
export function hashBytes(bytes: Uint8Array, start = 0x811c9dc5): number {
  let hash = start | 0;
  for (let i = 0; i < bytes.length; i += 1) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  return hash;
}

/** A 32-bit hash of a short string. */
export function hashText(text: string, start = 0x811c9dc5): number {
  let hash = start | 0;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
