// Turns a clock into ticks. Late timers are normal in tabs: a hidden page wakes once a second, a frozen one after minutes.
import type { Clock } from "../base/index.ts";

/** How a {@link Ticker} is made. */
export interface TickerOptions {
  readonly clock: Clock;
  readonly tickMs: number;
  /** A gap longer than this means that this node was away: the others were not silent, nobody listened. It counts as one tick. */
  readonly awayMs: number;
  readonly tick: () => void;
}

/** Calls `tick` once per `tickMs` on average, until stopped. */
export class Ticker {
  readonly #options: TickerOptions;
  #last: number;
  #cancel: () => void = () => {};

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#last = options.clock.now();
    this.#arm(options.tickMs);
  }

  /** Nothing is called from now on. */
  stop(): void {
    this.#cancel();
  }

  #arm(ms: number): void {
    this.#cancel = this.#options.clock.after(ms, () => this.#fire());
  }

  #fire(): void {
    const { clock, tickMs } = this.#options;
    const gap = clock.now() - this.#last;
    // Frames that queued up while the page slept stand behind this timer in the event loop: they are to be heard before anybody's silence is counted.
    if (gap >= 2 * tickMs) this.#cancel = clock.after(0, () => this.#catchUp());
    else this.#catchUp();
  }

  #catchUp(): void {
    const { clock, tickMs, awayMs, tick } = this.#options;
    const now = clock.now();
    const gap = now - this.#last;
    const wasAway = gap > awayMs;
    const ticks = wasAway ? 1 : Math.floor(gap / tickMs);
    this.#last = wasAway ? now : this.#last + ticks * tickMs;
    this.#arm(Math.max(0, this.#last + tickMs - now));
    for (let i = 0; i < ticks; i += 1) tick();
  }
}
