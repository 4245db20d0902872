// Who could not hear whom, and for how long: what a rule needs to know before it blames the session.
import type { PeerId } from "../../base/index.ts";

interface Span {
  since: number;
  /** undefined: still blocked. */
  until: number | undefined;
}

/** Two peers that were heard of each other for less than this between two blocks were not heard at all, ms: probes go once a second. */
const BREATH_MS = 2_500;

/** Blocks of directed links, counted for both their ends. */
export class Disturbances {
  readonly #now: () => number;
  readonly #spans = new Map<string, Span>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Frames from one to the other are lost from now on. */
  block(from: PeerId, to: PeerId): void {
    const key = `${from}\n${to}`;
    const before = this.#spans.get(key);
    if (before !== undefined && (before.until === undefined || this.#now() - before.until < BREATH_MS)) before.until = undefined;
    else this.#spans.set(key, { since: this.#now(), until: undefined });
  }

  /** Frames from one to the other arrive again. */
  heal(from: PeerId, to: PeerId): void {
    const span = this.#spans.get(`${from}\n${to}`);
    if (span !== undefined) span.until ??= this.#now();
  }

  /** The longest time one of `id`'s links was blocked without a breath, of what ended less than `withinMs` ago. */
  longestOf(id: PeerId, withinMs: number): number {
    let longest = 0;
    for (const [key, { since, until }] of this.#spans) {
      if (!key.startsWith(`${id}\n`) && !key.endsWith(`\n${id}`)) continue;
      const end = until ?? this.#now();
      if (this.#now() - end <= withinMs) longest = Math.max(longest, end - since);
    }
    return longest;
  }

  /** Whether the two heard each other, both ways, all the time since `since`. */
  inTouch(a: PeerId, b: PeerId, since: number): boolean {
    return [`${a}\n${b}`, `${b}\n${a}`].every((key) => {
      const span = this.#spans.get(key);
      return span === undefined || (span.until !== undefined && span.until < since);
    });
  }
}
