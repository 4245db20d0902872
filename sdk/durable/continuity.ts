// Whether a return felt like no interruption: latency and lost events against their objectives.

/** When continuity counts as kept. */
export interface ContinuityObjectives {
  /** Longest gap between losing the client and having it back, ms. */
  readonly latencyMsMax: number;
  readonly lostEventsMax: number;
}

/** Two seconds and no lost event. */
export const CONTINUITY_OBJECTIVES: ContinuityObjectives = { latencyMsMax: 2_000, lostEventsMax: 0 };

/** How a return went. */
export interface ContinuityReport {
  readonly reconnectLatencyMs: number;
  /** Deltas acknowledged before that are not in the state now; for a session found in its store, the most that can be missing. */
  readonly estimatedLostEvents: number;
  /** Both within their objectives. */
  readonly met: boolean;
}

/** Judges a return. Clock readings in ms; a clock that went backwards counts as no gap. */
export function reportContinuity(
  gap: { readonly goneAt: number; readonly backAt: number; readonly lostEvents: number },
  objectives: ContinuityObjectives = CONTINUITY_OBJECTIVES,
): ContinuityReport {
  const reconnectLatencyMs = Math.max(0, gap.backAt - gap.goneAt);
  return {
    reconnectLatencyMs,
    estimatedLostEvents: gap.lostEvents,
    met: reconnectLatencyMs <= objectives.latencyMsMax && gap.lostEvents <= objectives.lostEventsMax,
  };
}
