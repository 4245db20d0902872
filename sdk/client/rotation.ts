// Which endpoint is asked next, and after which pause: in order, round after round, ever more slowly until one proves good. Pure.
import { below, InvalidArgumentError, type Random } from "../base/index.ts";
import { backoffMs, type BackoffLimits } from "../seam/index.ts";

/** Bounds of the pauses between endpoints, unless told otherwise. */
export const ROTATION_BACKOFF: BackoffLimits = { firstMs: 250, maxMs: 15_000 };

/** Where a rotation stands. */
export interface Rotation {
  /** The endpoint to ask now, from 0. */
  readonly at: number;
  /** Failures since one was last good. */
  readonly failures: number;
}

/** Begins at the first endpoint, or, where clients should spread, at any. Throws `InvalidArgumentError` where there is none. */
export function beginRotation(endpoints: number, spread?: Random): Rotation {
  if (endpoints < 1) throw new InvalidArgumentError("a client needs at least one endpoint, got none");
  return { at: spread === undefined ? 0 : below(spread, endpoints), failures: 0 };
}

/**
 * The endpoint asked now could not be reached, was too slow, refused, or was lost. Lost after it was good, it is no failure: it was a server that went, and
 * the next one is asked soon. Otherwise it counts, however far it came: one that takes a client in and drops it at once is worth no more than one that never answers.
 */
export function moveOn({ at, failures }: Rotation, endpoints: number, wasGood: boolean): Rotation {
  return { at: (at + 1) % endpoints, failures: wasGood ? 0 : failures + 1 };
}

/** It has been good: the next loss begins anew. */
export function provenGood({ at }: Rotation): Rotation {
  return { at, failures: 0 };
}

/** The pause before the endpoint is asked: the same through one round of all of them, twice as long in the next. Never 0, so that the clients of a server that died do not come all at once. */
export function pauseMs({ failures }: Rotation, endpoints: number, limits: BackoffLimits, random: Random): number {
  return backoffMs(Math.floor(failures / endpoints), limits, random);
}
