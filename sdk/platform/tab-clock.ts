// A clock for tabs: its timers keep their time while nobody looks.
import type { Clock } from "../base/index.ts";
import { pageLifecycle, type PageLifecycle } from "./page-lifecycle.ts";
import { systemClock, TIMER_MS_MAX } from "./system-clock.ts";
import { WorkerAlarms, type Alarms } from "./worker-alarms.ts";

/** A {@link Clock} that holds on to the page until it is closed. */
export interface TabClock extends Clock {
  /** Cancels every timer; none is set from now on. Idempotent. */
  close(): void;
}

/** What a {@link TabClock} is made of; the defaults are the page's own. */
export interface TabClockOptions {
  /** Timers that are right while the page is seen, and slow while it is not. */
  readonly main?: Clock | undefined;
  readonly lifecycle?: PageLifecycle | undefined;
  /** Timers that are right while the page is not seen. */
  readonly alarms?: Alarms | undefined;
}

interface Timer {
  readonly due: number;
  readonly fire: () => void;
  readonly cancelMain: () => void;
  cancelAlarm: () => void;
}

// One worker per page, whatever the number of matches in it.
const pageAlarms = new WorkerAlarms();

/**
 * A clock whose timers fire on time in hidden tabs too, where the page's own fire once a second or once a minute: while hidden each timer is also an
 * alarm in a dedicated worker, and the first of the two counts. Where workers are forbidden the slow one remains. A frozen page stands still in either.
 */
export function tabClock(options: TabClockOptions = {}): TabClock {
  return new TabTimers(options);
}

class TabTimers implements TabClock {
  readonly #main: Clock;
  readonly #lifecycle: PageLifecycle;
  readonly #alarms: Alarms;
  readonly #timers = new Set<Timer>();
  readonly #stopListening: () => void;
  #isClosed = false;

  constructor(options: TabClockOptions) {
    this.#main = options.main ?? systemClock;
    this.#lifecycle = options.lifecycle ?? pageLifecycle();
    this.#alarms = options.alarms ?? pageAlarms;
    this.#stopListening = this.#lifecycle.on("visibility", () => this.#turn());
  }

  now(): number {
    return this.#main.now();
  }

  after(ms: number, then: () => void): () => void {
    if (this.#isClosed) return () => {};
    const fire = (): void => {
      if (this.#drop(timer)) then();
    };
    const timer: Timer = { due: this.now() + ms, fire, cancelMain: this.#main.after(ms, fire), cancelAlarm: () => {} };
    this.#timers.add(timer);
    if (this.#lifecycle.isHidden) this.#alarm(timer);
    return () => void this.#drop(timer);
  }

  close(): void {
    this.#isClosed = true;
    this.#stopListening();
    for (const timer of this.#timers) this.#drop(timer);
  }

  #turn(): void {
    for (const timer of this.#timers) {
      if (this.#lifecycle.isHidden) this.#alarm(timer);
      else timer.cancelAlarm();
    }
  }

  #alarm(timer: Timer): void {
    timer.cancelAlarm();
    const ms = timer.due - this.now();
    // What is due in weeks may be a minute late.
    if (ms <= TIMER_MS_MAX) timer.cancelAlarm = this.#alarms.set(ms, timer.fire);
  }

  #drop(timer: Timer): boolean {
    if (!this.#timers.delete(timer)) return false;
    timer.cancelMain();
    timer.cancelAlarm();
    return true;
  }
}
