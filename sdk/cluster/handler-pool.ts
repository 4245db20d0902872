// Runs shard handlers within limits: so many at once, so long each, the rest waiting in order.
import { InvalidArgumentError, type Clock } from "../base/index.ts";
import { systemClock, wallClock as systemWallClock } from "../platform/index.ts";
import { EnvelopeExpiredError, HandlerFailedError, HandlerTimeoutError, isOfCall, OverloadedError, TransportClosedError } from "./errors.ts";
import { expired, ttl, type Envelope } from "./envelope.ts";
import { WAITING_REQUESTS_MAX, type ShardHandler, type TransportLimits } from "./transport.ts";

/** What a pool needs of its surroundings. */
export interface HandlerPoolOptions extends TransportLimits {
  /** Default: the page's own. */
  readonly clock?: Clock | undefined;
  /** Wall clock, ms since 1970: envelopes carry the sender's. Default: the system's. */
  readonly wallClock?: (() => number) | undefined;
}

/** The same with its clocks filled in. */
export type Clocked<Options> = Options & { readonly clock: Clock; readonly wallClock: () => number };

/** The longest timer a page has, ms; what is further away is not waited for: 24 days. */
const TIMER_MS_MAX = 2_147_483_647;

/** Calls `fire` after `ms`, or never where that is further away than any page lives. Returns the function that stops it. */
export function afterAtMost(clock: Clock, ms: number, fire: () => void): () => void {
  return ms > TIMER_MS_MAX ? () => {} : clock.after(ms, fire);
}

/** Fills in the page's clocks where none were given. */
export function clocked<Options extends { readonly clock?: Clock | undefined; readonly wallClock?: (() => number) | undefined }>(options: Options): Clocked<Options> {
  return { ...options, clock: options.clock ?? systemClock, wallClock: options.wallClock ?? systemWallClock };
}

/** A limit in the words of {@link TransportLimits}: -1 is none. */
function checkedLimit(name: string, limit: number): number {
  if (limit === -1) return Number.POSITIVE_INFINITY;
  if (!Number.isSafeInteger(limit) || limit < 1) throw new InvalidArgumentError(`${name} is a whole number from 1, or -1 for no limit, got ${limit}`);
  return limit;
}

interface Waiting {
  readonly start: () => void;
  readonly refuse: (error: Error) => void;
}

/** One receiver's handlers. */
export class HandlerPool {
  readonly #options: Clocked<HandlerPoolOptions>;
  readonly #limit: number;
  readonly #timeoutMs: number;
  readonly #waiting: Waiting[] = [];
  readonly #idle = new Set<() => void>();
  #running = 0;
  #closed = false;

  constructor(options: HandlerPoolOptions) {
    this.#options = clocked(options);
    this.#limit = checkedLimit("maxConcurrentHandlers", options.maxConcurrentHandlers ?? 100);
    this.#timeoutMs = checkedLimit("handlerTimeoutMs", options.handlerTimeoutMs ?? 30_000);
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

  /**
   * Runs `handler` for a notification, which nobody waits for: how it ends is its own affair, and `ended` is called then. Throws `OverloadedError` or
   * `TransportClosedError` where it is not taken at all.
   */
  notice(handler: ShardHandler, envelope: Envelope, ended: () => void = () => {}): void {
    if (this.#closed) throw new TransportClosedError();
    if (this.#running >= this.#limit && this.#waiting.length >= WAITING_REQUESTS_MAX) throw new OverloadedError(WAITING_REQUESTS_MAX);
    void this.run(handler, envelope).then(ended, ended);
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
      const stop = afterAtMost(clock, limit, () => fail(left <= this.#timeoutMs ? new EnvelopeExpiredError() : new HandlerTimeoutError(this.#timeoutMs)));
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

const REFUSALS = new Set(["shard-moved", "missing-key-header", "overloaded"]);

/**
 * What a handler throws to refuse its envelope passes as it is: then nothing was handled. Everything else is its failure, with its message; so is what a call
 * that it made itself met elsewhere, which says nothing about this envelope.
 */
function asHandlerError(error: unknown): Error {
  if (error instanceof Error && "code" in error && REFUSALS.has(String(error.code)) && !isOfCall(error)) return error;
  return new HandlerFailedError(error instanceof Error ? error.message : String(error));
}
