// The owner's side of a wire: takes calls of many callers, runs them within limits, and answers each once.
import { hasCode, NO_BYTES, PayloadTooLargeError } from "../base/index.ts";
import type { RequestFrame } from "./call-frames.ts";
import type { Envelope } from "./envelope.ts";
import { HandlerFailedError, NoShardSubscriberError, OverloadedError, TransportClosedError } from "./errors.ts";
import { clocked, HandlerPool, type HandlerPoolOptions } from "./handler-pool.ts";
import { CALLS_PER_CALLER_MAX, type ShardHandler } from "./transport.ts";

/** What came of a call. */
export type CallOutcome = { readonly bytes: Uint8Array } | { readonly error: Error };

interface Subscription {
  readonly handler: ShardHandler;
}

/** One transport's subscriptions and the calls it runs. */
export class CallDesk {
  readonly #wallClock: () => number;
  readonly #pool: HandlerPool;
  readonly #subscriptions = new Map<number, Subscription[]>();
  /** Caller → its calls that are not answered yet. */
  readonly #open = new Map<string, Map<number, AbortController>>();
  /** Caller → its notifications that are not over yet. */
  readonly #notices = new Map<string, number>();
  #isClosed = false;

  constructor(options: HandlerPoolOptions) {
    this.#wallClock = clocked(options).wallClock;
    this.#pool = new HandlerPool(options);
  }

  /** Whether anybody serves the shard here. */
  serves(shard: number): boolean {
    return this.#subscriptions.has(shard);
  }

  /** Serves a shard until the returned function is called; a later one takes over. Throws `TransportClosedError`. */
  subscribe(shard: number, handler: ShardHandler): () => void {
    if (this.#isClosed) throw new TransportClosedError();
    const subscription = { handler };
    this.#subscriptions.set(shard, [...(this.#subscriptions.get(shard) ?? []), subscription]);
    return () => {
      const left = (this.#subscriptions.get(shard) ?? []).filter((other) => other !== subscription);
      if (left.length > 0) this.#subscriptions.set(shard, left);
      else this.#subscriptions.delete(shard);
    };
  }

  /** Runs a call of this process. Rejects as `Transport.request` does. */
  async run(envelope: Envelope, signal: AbortSignal | undefined): Promise<Uint8Array> {
    return (await this.#pool.run(this.#handlerOf(envelope), envelope, signal)) ?? NO_BYTES;
  }

  /** Hands over a notification of this process. */
  notice(envelope: Envelope): void {
    this.#pool.notice(this.#handlerOf(envelope), envelope);
  }

  /** Takes a call of `caller`, and calls `answer` once; not when the caller has gone. */
  take(caller: string, { id, isNotice, envelope: sent }: RequestFrame, answer: (outcome: CallOutcome) => void): void {
    const calls = this.#open.get(caller) ?? new Map<number, AbortController>();
    const notices = this.#notices.get(caller) ?? 0;
    // An id stands for one call: said twice while that is open, it is answered once.
    if (calls.has(id)) return undefined;
    if (calls.size + notices >= CALLS_PER_CALLER_MAX) return answer({ error: new OverloadedError(CALLS_PER_CALLER_MAX) });
    const { ttlMs = 0 } = sent;
    const { createdAtMs: _, ...rest } = sent;
    const envelope = ttlMs > 0 ? { ...rest, createdAtMs: this.#wallClock() } : rest;
    try {
      const handler = this.#handlerOf(envelope);
      if (isNotice) {
        this.#pool.notice(handler, envelope, () => this.#noticeEnded(caller));
        this.#notices.set(caller, notices + 1);
        return answer({ bytes: NO_BYTES });
      }
      const abort = new AbortController();
      this.#open.set(caller, calls.set(id, abort));
      const settle = (outcome: CallOutcome): void => {
        if (this.#forget(caller, id, abort)) answer(outcome);
      };
      this.#pool.run(handler, envelope, abort.signal).then((bytes = NO_BYTES) => settle({ bytes }), (error: unknown) => settle({ error: asAnswer(error, envelope) }));
    } catch (error) {
      answer({ error: asAnswer(error, envelope) });
    }
    return undefined;
  }

  /** Nobody waits for this call any more. */
  cancel(caller: string, id: number, reason: Error): void {
    const abort = this.#open.get(caller)?.get(id);
    if (abort !== undefined && this.#forget(caller, id, abort)) abort.abort(reason);
  }

  /** Nobody waits for any call of a caller that has gone. */
  drop(caller: string, reason: Error): void {
    for (const id of this.#open.get(caller)?.keys() ?? []) this.cancel(caller, id, reason);
  }

  /** Takes no new calls, refuses those that wait, and resolves when the running ones are answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#pool.close();
    this.#subscriptions.clear();
  }

  #handlerOf({ shard }: Envelope): ShardHandler {
    if (this.#isClosed) throw new TransportClosedError();
    const subscription = this.#subscriptions.get(shard)?.at(-1);
    if (subscription === undefined) throw new NoShardSubscriberError(shard);
    return subscription.handler;
  }

  #noticeEnded(caller: string): void {
    const left = (this.#notices.get(caller) ?? 0) - 1;
    if (left > 0) this.#notices.set(caller, left);
    else this.#notices.delete(caller);
  }

  #forget(caller: string, id: number, abort: AbortController): boolean {
    const calls = this.#open.get(caller);
    if (calls?.get(id) !== abort) return false;
    calls.delete(id);
    if (calls.size === 0) this.#open.delete(caller);
    return true;
  }
}

/** An answer that does not fit is the handler's failure. */
export function tooLargeToSend(bytes: number, max: number): Error {
  return new HandlerFailedError(new PayloadTooLargeError(bytes, max, "answer").message);
}

/** That this end closes is no news of the caller's own: to it, nobody serves the shard here any more, and its call was not handled. */
function asAnswer(error: unknown, { shard }: Envelope): Error {
  if (hasCode(error, "transport-closed")) return new NoShardSubscriberError(shard);
  return error instanceof Error ? error : new HandlerFailedError(String(error));
}
