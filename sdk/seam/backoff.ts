// How long to wait before trying again: exponential, jittered, bounded.
import { fraction, type Random } from "../base/index.ts";

/** Bounds of a backoff, in milliseconds. */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** The pause before attempt `tries` + 1 (0 is the first): between half and the whole of `firstMs * 2^tries`, at most `maxMs`. Half is kept so that a storm thins out even when the dice are low. */
export function backoffMs(tries: number, limits: BackoffLimits, random: Random): number {
  const whole = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(tries, 30));
  return whole / 2 + (whole / 2) * fraction(random);
}
