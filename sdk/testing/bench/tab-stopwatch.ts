// Counts operations and their latencies in a page.

/** What one round in a tab gave; latencies in milliseconds. */
export interface TabSample {
  readonly perSecond: number;
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

/** Begins to count when it is made. */
export class Stopwatch {
  readonly #start = performance.now();
  readonly #took: number[] = [];
  #count = 0;

  get elapsedMs(): number {
    return performance.now() - this.#start;
  }

  /** `count` operations ended together after `ms`. */
  took(ms: number, count = 1): void {
    this.#took.push(ms);
    this.#count += count;
  }

  sample(): TabSample {
    const seconds = this.elapsedMs / 1000;
    const sorted = Float64Array.from(this.#took).sort();
    const quantile = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
    return { perSecond: this.#count / seconds, count: this.#count, p50: quantile(0.5), p99: quantile(0.99) };
  }
}
