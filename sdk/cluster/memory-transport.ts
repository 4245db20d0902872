// Envelopes inside one process: for tests, for a single tab, and as the measure the other transports are held to.
import { NO_BYTES } from "../base/index.ts";
import { EnvelopeExpiredError, NoShardSubscriberError, TransportClosedError } from "./errors.ts";
import { decodeEnvelope, encodeEnvelope, expired, validateEnvelope, type Envelope } from "./envelope.ts";
import { HandlerPool, type HandlerPoolOptions } from "./handler-pool.ts";
import type { CallOptions, ShardHandler, Transport } from "./transport.ts";

interface Subscription {
  readonly handler: ShardHandler;
}

/** A {@link Transport} whose callers and subscribers are in one process. Envelopes are encoded and decoded on the way, as on a real wire. */
export class MemoryTransport implements Transport {
  readonly #options: HandlerPoolOptions;
  readonly #pool: HandlerPool;
  readonly #subscriptions = new Map<number, Subscription[]>();
  #closed = false;

  constructor(options: HandlerPoolOptions) {
    this.#options = options;
    this.#pool = new HandlerPool(options);
  }

  async request(envelope: Envelope, options: CallOptions = {}): Promise<Uint8Array> {
    const handler = this.#accept(envelope);
    const answer = await this.#pool.run(handler, decodeEnvelope(encodeEnvelope(envelope)), options.signal);
    return answer?.slice() ?? NO_BYTES;
  }

  async notify(envelope: Envelope, options: CallOptions = {}): Promise<void> {
    const handler = this.#accept(envelope);
    options.signal?.throwIfAborted();
    // Nobody waits for a notification: how it ends is the handler's own affair.
    void this.#pool.run(handler, decodeEnvelope(encodeEnvelope(envelope))).catch(() => {});
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

  #accept(envelope: Envelope): ShardHandler {
    if (this.#closed) throw new TransportClosedError();
    validateEnvelope(envelope);
    if (expired(envelope, this.#options.wallClock())) throw new EnvelopeExpiredError();
    const subscription = this.#subscriptions.get(envelope.shard)?.at(-1);
    if (subscription === undefined) throw new NoShardSubscriberError(envelope.shard);
    return subscription.handler;
  }
}
