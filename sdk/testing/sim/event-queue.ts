// What happens next: a binary heap keyed by (time, order of scheduling), so that a run is one total order.

interface Scheduled {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Virtual time in whole microseconds and everything scheduled in it. */
export class EventQueue {
  #now = 0;
  #order = 0;
  readonly #heap: Scheduled[] = [];

  /** Microseconds since the start. */
  get now(): number {
    return this.#now;
  }

  /** Runs `run` after `delay` microseconds (at least 0); things due together run in the order they were scheduled. */
  after(delay: number, run: () => void): void {
    this.at(this.#now + Math.max(0, Math.round(delay)), run);
  }

  /** Runs `run` at a time, or now when it has passed. */
  at(time: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at: Math.max(time, this.#now), order: (this.#order += 1), run });
    let child = heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!this.#before(child, parent)) break;
      this.#swap(child, parent);
      child = parent;
    }
  }

  /** Runs the next thing due up to `until`; false when there is none, and then it is `until`. */
  step(until: number): boolean {
    const first = this.#heap[0];
    if (first === undefined || first.at > until) {
      this.#now = until;
      return false;
    }
    this.#now = first.at;
    this.#removeFirst();
    first.run();
    return true;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    let parent = 0;
    for (;;) {
      const left = 2 * parent + 1;
      if (left >= heap.length) return;
      const child = left + 1 < heap.length && this.#before(left + 1, left) ? left + 1 : left;
      if (!this.#before(child, parent)) return;
      this.#swap(child, parent);
      parent = child;
    }
  }

  #before(a: number, b: number): boolean {
    const [x, y] = [this.#heap[a] as Scheduled, this.#heap[b] as Scheduled];
    return x.at < y.at || (x.at === y.at && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    const kept = this.#heap[a] as Scheduled;
    this.#heap[a] = this.#heap[b] as Scheduled;
    this.#heap[b] = kept;
  }
}
