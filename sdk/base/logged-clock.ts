// What time it is by the log: the wall clock's, and where that is behind what others have logged, theirs going on.
import type { Clock } from "./clock.ts";

/** What a {@link LoggedClock} is made from. */
export interface LoggedClockOptions {
  /** Whole ms since 1970. May be wrong, and may be set back. */
  readonly wallClock: () => number;
  /** Measures what has passed. */
  readonly clock: Pick<Clock, "now">;
}

/**
 * The time whoever leads stamps entries with. Logged time never falls; where the wall clock is behind it, it would stand still until that has caught up, and
 * every deadline with it. So it goes on from what was logged last, at the pace of `clock`. A peer whose clock is ahead moves the log's time forward for good.
 */
export class LoggedClock {
  readonly #options: LoggedClockOptions;
  /** The latest logged time that was ahead of this clock, and when it was heard. */
  #logged = 0;
  #heardAt = 0;

  constructor(options: LoggedClockOptions) {
    this.#options = options;
  }

  /** Whole ms since 1970. */
  now(): number {
    const { wallClock, clock } = this.#options;
    const wall = wallClock();
    return this.#logged === 0 ? wall : Math.max(wall, this.#logged + Math.floor(clock.now() - this.#heardAt));
  }

  /** An entry was stamped with `time`. */
  heard(time: number): void {
    if (time <= this.now()) return;
    this.#logged = time;
    this.#heardAt = this.#options.clock.now();
  }
}
