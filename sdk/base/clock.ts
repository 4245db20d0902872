// Time as a parameter: the system's clock lives in platform, a virtual one in testing.

/** A source of time and of one-shot timers. */
export interface Clock {
  /** Milliseconds from some fixed start; never goes backwards. */
  now(): number;
  /** Calls `then` once, at least `ms` milliseconds from now. Returns a function that cancels it (harmless when too late). */
  after(ms: number, then: () => void): () => void;
}
