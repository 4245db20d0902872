// The caller's side of a wire: which calls are open, whom they were sent to, and how each of them ends exactly once.
import type { Clock } from "../base/index.ts";
import type { CallOutcome } from "./call-desk.ts";
import { afterAtMost } from "./handler-pool.ts";
import { ttl, type Envelope } from "./envelope.ts";
import { EnvelopeExpiredError, HandlerTimeoutError, OverloadedError, OwnerGoneError } from "./errors.ts";
import { OPEN_CALLS_MAX, type CallOptions } from "./transport.ts";

/** How long a caller waits for an answer beyond what a handler may take, ms: on the way there and back. */
export const ANSWER_GRACE_MS = 5_000;

interface OpenCall {
  readonly to: string;
  readonly settle: (outcome: CallOutcome) => void;
}

export interface CallBookOptions {
  readonly clock: Clock;
  /** ms since 1970. */
  readonly wallClock: () => number;
  /** Longest run of a handler there, ms; -1: no limit. */
  readonly handlerTimeoutMs: number;
  /** Tells `to` that nobody waits for the call. Must not throw. */
  readonly cancel: (to: string, id: number) => void;
}

/** One transport's own calls. */
export class CallBook {
  readonly #options: CallBookOptions;
  readonly #open = new Map<number, OpenCall>();
  #dropped = 0;
  #lastId: number;

  constructor(options: CallBookOptions) {
    this.#options = options;
    // Above every id of an earlier life of the same peer, whose late answers must not be taken for those of this one.
    this.#lastId = Math.floor(options.wallClock()) * 1_024;
  }

  /** Answers to no open call: late, doubled, or from somebody who was not asked. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Calls without an answer. */
  get openCount(): number {
    return this.#open.size;
  }

  /**
   * Makes a call: `send` puts it on the wire, and throws when it can not. Rejects with what `send` throws, the signal's reason, `EnvelopeExpiredError`,
   * `HandlerTimeoutError`, `OverloadedError`, or the answer's error.
   */
  call(to: string, envelope: Envelope, { signal }: CallOptions, send: (id: number) => void): Promise<Uint8Array> {
    signal?.throwIfAborted();
    if (this.#open.size >= OPEN_CALLS_MAX) throw new OverloadedError(OPEN_CALLS_MAX);
    const { clock, wallClock, handlerTimeoutMs } = this.#options;
    const left = ttl(envelope, wallClock());
    const patience = handlerTimeoutMs === -1 ? Number.POSITIVE_INFINITY : handlerTimeoutMs + ANSWER_GRACE_MS;
    const id = (this.#lastId += 1);
    return new Promise((resolve, reject) => {
      const giveUp = (error: unknown): void => {
        if (!this.#open.has(id)) return;
        end();
        this.#options.cancel(to, id);
        reject(error);
      };
      const end = (): void => {
        this.#open.delete(id);
        stop();
        signal?.removeEventListener("abort", onAbort);
      };
      const onAbort = (): void => giveUp(signal?.reason);
      const limit = Math.min(left, patience);
      const stop = afterAtMost(clock, limit, () => giveUp(left <= patience ? new EnvelopeExpiredError() : new HandlerTimeoutError(handlerTimeoutMs)));
      const settle = (outcome: CallOutcome): void => {
        end();
        if ("bytes" in outcome) resolve(outcome.bytes);
        else reject(outcome.error);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#open.set(id, { to, settle });
      try {
        send(id);
      } catch (error) {
        if (this.#open.has(id)) end();
        reject(error);
      }
    });
  }

  /** The answer `from` gave to call `id`; counted and dropped when it is not the answer of an open one. Undefined: the wire says that it is from who was asked. */
  answered(from: string | undefined, id: number, outcome: CallOutcome): void {
    const call = this.#open.get(id);
    if (call === undefined || (from !== undefined && call.to !== from)) this.#dropped += 1;
    else call.settle(outcome);
  }

  /** The wire says that call `id` reached nobody; late ones are no news. */
  refused(id: number, error: (to: string) => Error): void {
    const call = this.#open.get(id);
    call?.settle({ error: error(call.to) });
  }

  /** Nobody is at `to` any more: whether its calls were handled is unknown. */
  gone(to: string): void {
    for (const call of this.#open.values()) if (call.to === to) call.settle({ error: new OwnerGoneError(to) });
  }

  /** Every open call fails with `error`. */
  failAll(error: Error): void {
    for (const call of this.#open.values()) call.settle({ error });
  }
}
