// Envelopes inside one process: for tests, for a single tab, and as the measure the other transports are held to.
import { NO_BYTES } from "../base/index.ts";
import { asCall, EnvelopeExpiredError, NoShardSubscriberError, TransportClosedError } from "./errors.ts";
import { dated, decodeEnvelope, encodeEnvelope, expired, validateEnvelope, type Envelope } from "./envelope.ts";
import { clocked, HandlerPool, type HandlerPoolOptions } from "./handler-pool.ts";
import type { CallOptions, ShardHandler, Transport } from "./transport.ts";

interface Subscription {
  readonly handler: ShardHandler;
}

/** A {@link Transport} whose callers and subscribers are in one process. Envelopes are encoded and decoded on the way, as on a real wire. */
export class MemoryTransport implements Transport {
  readonly #wallClock: () => number;
  readonly #pool: HandlerPool;
  readonly #subscriptions = new Map<number, Subscription[]>();
  #closed = false;

  constructor(options: HandlerPoolOptions = {}) {
    this.#wallClock = clocked(options).wallClock;
    this.#pool = new HandlerPool(options);
  }

  request(envelope: Envelope, options: CallOptions = {}): Promise<Uint8Array> {
    return asCall(this.#request(envelope, options));
  }

  notify(envelope: Envelope, options: CallOptions = {}): Promise<void> {
    return asCall(this.#notify(envelope, options));
  }

  async subscribe(shard: number, handler: ShardHandler): Promise<() => Promise<void>> {
    if (this.#closed) throw new TransportClosedError();
    const subscription = { handler };
    this.#subscriptions.set(shard, [...(this.#subscriptions.get(shard) ?? []), subscription]);
    return async () => {
      const left = (this.#subscriptions.get(shard) ?? []).filter((other) => other !== subscription);
      if (left.length > 0) this.#subscriptions.set(shard, left);
      else this.#subscriptions.delete(shard);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pool.close();
    this.#subscriptions.clear();
  }

  async #request(envelope: Envelope, { signal }: CallOptions): Promise<Uint8Array> {
    const { handler, sent } = this.#accept(envelope);
    const answer = await this.#pool.run(handler, sent, signal);
    return answer?.slice() ?? NO_BYTES;
  }

  async #notify(envelope: Envelope, { signal }: CallOptions): Promise<void> {
    const { handler, sent } = this.#accept(envelope);
    signal?.throwIfAborted();
    this.#pool.notice(handler, sent);
  }

  #accept(envelope: Envelope): { readonly handler: ShardHandler; readonly sent: Envelope } {
    if (this.#closed) throw new TransportClosedError();
    validateEnvelope(envelope);
    const now = this.#wallClock();
    if (expired(envelope, now)) throw new EnvelopeExpiredError();
    const subscription = this.#subscriptions.get(envelope.shard)?.at(-1);
    if (subscription === undefined) throw new NoShardSubscriberError(envelope.shard);
    return { handler: subscription.handler, sent: decodeEnvelope(encodeEnvelope(dated(envelope, now))) };
  }
}
