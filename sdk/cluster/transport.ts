// The port: carries envelopes to whoever serves their shard, and answers back.
import type { Envelope } from "./envelope.ts";

/** Serves one shard. The answer goes back to a request; for a notification it is ignored. `signal` fires when nobody waits any more. */
export type ShardHandler = (envelope: Envelope, signal: AbortSignal) => Promise<Uint8Array | undefined>;

/** How one call is made. */
export interface CallOptions {
  /** Stops waiting; the call rejects with the signal's reason and the handler's own signal fires. */
  readonly signal?: AbortSignal | undefined;
}

/** Rules CT1… in SPEC.md hold for every implementation. */
export interface Transport {
  /**
   * Delivers to one subscriber of the envelope's shard and resolves to its answer. Rejects with `NoShardSubscriberError`, `EnvelopeExpiredError`,
   * `HandlerTimeoutError`, `HandlerFailedError` (with the handler's message), `OverloadedError`, `ShardMovedError`, `TransportClosedError`, `InvalidArgumentError`;
   * over a wire also with `OwnerGoneError` (whether it was handled is unknown) and `PayloadTooLargeError`.
   */
  request(envelope: Envelope, options?: CallOptions): Promise<Uint8Array>;
  /** Delivers without an answer. Resolves when it was handed over; rejects like `request`, but never with the handler's own error. */
  notify(envelope: Envelope, options?: CallOptions): Promise<void>;
  /** Serves a shard until the returned function is called; a later subscription of the same shard takes over. Resolves when requests will arrive. */
  subscribe(shard: number, handler: ShardHandler): Promise<() => Promise<void>>;
  /** Takes no new calls, lets running handlers finish up to their time limit, and ends. Idempotent. */
  close(): Promise<void>;
}

/** Limits of a transport. */
export interface TransportLimits {
  /** Handlers running at once; more requests wait. Default 100; -1 for no limit. */
  readonly maxConcurrentHandlers?: number | undefined;
  /** Longest run of a handler, ms. Default 30,000; -1 for no limit. */
  readonly handlerTimeoutMs?: number | undefined;
}

/** Requests that wait for a free handler at most; one more is refused with `OverloadedError`. */
export const WAITING_REQUESTS_MAX = 10_000;

/** Calls of one transport without an answer at most; one more is refused with `OverloadedError`. */
export const OPEN_CALLS_MAX = 10_000;

/** Unanswered calls one caller may have at one receiver; more are refused with `OverloadedError`, so that a flood costs only who makes it. */
export const CALLS_PER_CALLER_MAX = 2_000;
