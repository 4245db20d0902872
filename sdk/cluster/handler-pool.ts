// Runs shard handlers within limits: so many at once, so long each, the rest waiting in order.
import type { Clock } from "../base/index.ts";
import { EnvelopeExpiredError, HandlerFailedError, HandlerTimeoutError, OverloadedError, TransportClosedError } from "./errors.ts";
import { expired, ttl, type Envelope } from "./envelope.ts";
import { WAITING_REQUESTS_MAX, type ShardHandler, type TransportLimits } from "./transport.ts";

/** What a pool needs of its surroundings. */
export interface HandlerPoolOptions extends TransportLimits {
  readonly clock: Clock;
  /** Wall clock, ms since 1970: envelopes carry the sender's. */
  readonly wallClock: () => number;
}

interface Waiting {
  readonly start: () => void;
  readonly refuse: (error: Error) => void;
}

/** One receiver's handlers. */
export class HandlerPool {
  readonly #options: HandlerPoolOptions;
  readonly #limit: number;
  readonly #timeoutMs: number;
  readonly #waiting: Waiting[] = [];
  readonly #idle = new Set<() => void>();
  #running = 0;
  #closed = false;

  constructor(options: HandlerPoolOptions) {
    this.#options = options;
    this.#limit = options.maxConcurrentHandlers === -1 ? Number.POSITIVE_INFINITY : (options.maxConcurrentHandlers ?? 100);
    this.#timeoutMs = options.handlerTimeoutMs === -1 ? Number.POSITIVE_INFINITY : (options.handlerTimeoutMs ?? 30_000);
  }

  /** Handlers running now. */
  get running(): number {
    return this.#running;
  }

  /** Runs `handler` when its turn comes. Rejects as `Transport.request` does; a handler's own error becomes `HandlerFailedError` unless it is one of the library's. */
  async run(handler: ShardHandler, envelope: Envelope, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    await this.#turn(signal);
    try {
      // Waiting may have used up its time.
      if (expired(envelope, this.#options.wallClock())) throw new EnvelopeExpiredError();
      return await this.#limited(handler, envelope, signal);
    } finally {
      this.#running -= 1;
      this.#next();
    }
  }

  /** Refuses what waits and lets what runs finish. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { refuse } of this.#waiting.splice(0)) refuse(new TransportClosedError());
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    if (this.#closed) throw new TransportClosedError();
    signal?.throwIfAborted();
    if (this.#running < this.#limit) {
      this.#running += 1;
      return;
    }
    if (this.#waiting.length >= WAITING_REQUESTS_MAX) throw new OverloadedError(WAITING_REQUESTS_MAX);
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal?.reason);
      };
      const waiting: Waiting = {
        start: () => {
          signal?.removeEventListener("abort", leave);
          this.#running += 1;
          resolve();
        },
        refuse: (error) => {
          signal?.removeEventListener("abort", leave);
          reject(error);
        },
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #next(): void {
    if (this.#running < this.#limit) this.#waiting.shift()?.start();
    if (this.#running > 0) return;
    for (const idle of this.#idle) idle();
    this.#idle.clear();
  }

  #limited(handler: ShardHandler, envelope: Envelope, outer: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    const { clock, wallClock } = this.#options;
    const left = ttl(envelope, wallClock());
    const abort = new AbortController();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        stop();
        outer?.removeEventListener("abort", onAbort);
        settle();
      };
      const fail = (error: unknown): void => end(() => {
        abort.abort(error);
        reject(error);
      });
      const onAbort = (): void => fail(outer?.reason);
      const limit = Math.min(this.#timeoutMs, left);
      const stop = limit === Number.POSITIVE_INFINITY ? () => {} : clock.after(limit, () => fail(left <= this.#timeoutMs ? new EnvelopeExpiredError() : new HandlerTimeoutError(this.#timeoutMs)));
      outer?.addEventListener("abort", onAbort, { once: true });
      // A handler may throw before its first await.
      void (async () => checkedAnswer(await handler(envelope, abort.signal)))().then((answer) => end(() => resolve(answer)), (error: unknown) => end(() => reject(asHandlerError(error))));
    });
  }
}

/** Handlers are other people's code, and not all of it is typed. */
function checkedAnswer(answer: unknown): Uint8Array | undefined {
  if (answer === undefined || answer instanceof Uint8Array) return answer;
  throw new HandlerFailedError(`the handler answered with ${answer === null ? "null" : `a ${typeof answer}`} where bytes are expected`);
}

const OWN_CODES = new Set(["shard-moved", "missing-key-header", "overloaded", "envelope-expired", "no-shard-subscriber", "transport-closed"]);

/** The library's own refusals pass as they are; everything else is the handler's failure, with its message. */
function asHandlerError(error: unknown): Error {
  if (error instanceof Error && "code" in error && OWN_CODES.has(String(error.code))) return error;
  return new HandlerFailedError(error instanceof Error ? error.message : String(error));
}
