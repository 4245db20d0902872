// When refusals end a client: all it heard for two rounds, or somebody else under its identity who does not give way. Pure.
import type { EndpointRefusal } from "./errors.ts";

/** So many rounds of nothing but refusals end it: a proof that came too late is refused like one that does not hold, and in a second round it comes in time. */
const ROUNDS = 2;
/** Taken over again within so many ms, it is somebody who lives: longer than two who put each other out ever pause, and much longer than a core takes to sort out two connections of one peer. */
export const TAKEN_OVER_WITHIN_MS = 60_000;

/** What has been refused so far. */
export interface Refusals {
  /** How often nobody was let in because of what it is, since it was last let in. */
  readonly invalid: number;
  /** When it was last taken over, by the clock. */
  readonly replacedAt: number | undefined;
}

/** Nothing yet. */
export const NO_REFUSALS: Refusals = { invalid: 0, replacedAt: undefined };

/** It was let in. */
export function letIn({ replacedAt }: Refusals): Refusals {
  return { invalid: 0, replacedAt };
}

/** One more refusal: what there is now, and whether it is the end. */
export function refused(before: Refusals, refusal: EndpointRefusal, { endpoints, now }: { readonly endpoints: number; readonly now: number }): Refusals & { readonly end: "refused" | "taken-over" | undefined } {
  if (refusal === "invalid") return { ...before, invalid: before.invalid + 1, end: before.invalid + 1 >= ROUNDS * endpoints ? "refused" : undefined };
  if (refusal !== "replaced") return { ...before, end: undefined };
  const isAgain = before.replacedAt !== undefined && now - before.replacedAt <= TAKEN_OVER_WITHIN_MS;
  return { ...before, replacedAt: now, end: isAgain ? "taken-over" : undefined };
}
