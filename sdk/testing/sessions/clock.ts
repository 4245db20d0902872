// The clock of a simulated gathering: a heap of timers. After each one the event loop turns once, so that every chain of promises has run to its end. For Node.
import type { Clock } from "../../base/index.ts";

declare const setImmediate: (run: () => void) => unknown;

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly fire: () => void;
  isCancelled: boolean;
}

/** Virtual time that moves only when told. Timers due at the same time fire in the order they were set. */
export class EventClock implements Clock {
  readonly #heap: Timer[] = [];
  #now = 0;
  #order = 0;
  #pending = 0;
  /** Timers fired so far. */
  events = 0;

  now(): number {
    return this.#now;
  }

  after(ms: number, fire: () => void): () => void {
    const timer: Timer = { due: this.#now + Math.max(0, ms), order: (this.#order += 1), fire, isCancelled: false };
    this.#push(timer);
    this.#pending += 1;
    return () => {
      if (timer.isCancelled) return;
      timer.isCancelled = true;
      this.#pending -= 1;
    };
  }

  /** Timers neither fired nor cancelled. */
  get pendingTimers(): number {
    return this.#pending;
  }

  /** Moves time forward by `ms`, firing what falls due. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await turn();
    for (let next = this.#heap[0]; next !== undefined && next.due <= end; next = this.#heap[0]) {
      this.#pop();
      if (next.isCancelled) continue;
      next.isCancelled = true;
      this.#pending -= 1;
      this.#now = next.due;
      this.events += 1;
      next.fire();
      await turn();
    }
    this.#now = end;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    for (;;) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (at === 0 || above === undefined || isBefore(above, timer)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const child = right !== undefined && left !== undefined && isBefore(right, left) ? right : left;
      if (child === undefined || isBefore(last, child)) break;
      heap[at] = child;
      at = child === left ? 2 * at + 1 : 2 * at + 2;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.due < b.due || (a.due === b.due && a.order < b.order);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** One tab's timers on a clock everybody shares, counted, so that a tab can be shown to have left none. */
export class TabClock implements Clock {
  readonly #clock: Clock;
  #pending = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  after(ms: number, fire: () => void): () => void {
    let isOver = false;
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      this.#pending -= 1;
      return true;
    };
    this.#pending += 1;
    const cancel = this.#clock.after(ms, () => void (end() && fire()));
    return () => void (end() && cancel());
  }

  /** Timers this tab set that neither fired nor were cancelled. */
  get pendingTimers(): number {
    return this.#pending;
  }
}
