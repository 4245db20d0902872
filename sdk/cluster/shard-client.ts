// The caller's side: routes by key or by shard, and asks again where a shard moved.
import { hasCode, InvalidArgumentError, jsonCodec, MalformedError, type Clock } from "../base/index.ts";
import { isUntouched } from "./call-frames.ts";
import { NODE_INFO_TYPE, requiredKey, type NodeInfo } from "./cluster-node.ts";
import { KEY_HEADER, RESERVED_HEADER_PREFIX, setHeader, type Envelope, type EnvelopeOption } from "./envelope.ts";
import { asCall, ReservedHeaderError } from "./errors.ts";
import { clocked, type Clocked } from "./handler-pool.ts";
import { noMetrics, type ClusterMetrics } from "./metrics.ts";
import { shardFromString } from "./shard.ts";
import type { CallOptions, Transport } from "./transport.ts";

/** How a client is made. */
export interface ShardClientOptions {
  readonly transport: Transport;
  readonly numShards: number;
  /** Default none. The same for all callers and owners. */
  readonly seed?: string | undefined;
  /** Applied to every envelope, in order. */
  readonly envelopeOptions?: readonly EnvelopeOption[] | undefined;
  readonly metrics?: ClusterMetrics | undefined;
  /** Default: the page's own. */
  readonly clock?: Clock | undefined;
  /** Stamped on envelopes as `createdAtMs`, ms since 1970. Default: the system's. */
  readonly wallClock?: (() => number) | undefined;
  /** How often a request is made again after `shard-moved` or `no-shard-subscriber`. Default 3. */
  readonly movedRetries?: number | undefined;
  /** Pause before such a retry, ms; doubled each time. Default 50. */
  readonly movedBackoffMs?: number | undefined;
  /** No pause is longer, ms. Default: no limit. */
  readonly movedBackoffMsMax?: number | undefined;
}

/** How one call is made. */
export interface ShardCallOptions extends CallOptions {
  /** Message type; default: the payload's `messageType`, else its class name. Required for a bare object. */
  readonly type?: string | undefined;
  /** It may be handled twice, as a question may: then it is also made again where its outcome is unknown because the owner left (`owner-gone`). Default false. */
  readonly repeatable?: boolean | undefined;
  /** Applied after the client's own. */
  readonly envelopeOptions?: readonly EnvelopeOption[] | undefined;
}

/** A client bound to one key or shard. Payloads and answers are JSON. */
export interface ScopedClient {
  /**
   * Asks the owner and resolves to its decoded answer, undefined for none. Rejects as `Transport.request` does, as {@link messageTypeOf} throws, and with
   * `MalformedError` where the answer is not JSON.
   */
  request(payload: unknown, options?: ShardCallOptions): Promise<unknown>;
  /** Tells the owner; resolves when it was handed over. Rejects as `Transport.notify` does, and as {@link messageTypeOf} throws. */
  notify(payload: unknown, options?: ShardCallOptions): Promise<void>;
  /** Who owns the shard, and what else it owns. Rejects as `request` does. */
  getNodeInfo(options?: CallOptions): Promise<NodeInfo>;
}

/** The message type of a payload: its `messageType`, else its class name. Throws `InvalidArgumentError` for bare objects and values without a class. */
export function messageTypeOf(payload: unknown): string {
  if (typeof payload === "object" && payload !== null) {
    if ("messageType" in payload && typeof payload.messageType === "string" && payload.messageType !== "") return payload.messageType;
    const { constructor } = payload;
    if (typeof constructor === "function" && constructor !== Object && constructor !== Array && constructor.name !== "") return constructor.name;
  }
  throw new InvalidArgumentError("a bare payload has no message type: pass { type }, or give it a messageType");
}

const json = jsonCodec<unknown>();

/** Routes requests to the owners of shards. */
export class ShardClient {
  readonly #options: Clocked<ShardClientOptions>;
  readonly #metrics: ClusterMetrics;

  constructor(options: ShardClientOptions) {
    if (!Number.isSafeInteger(options.numShards) || options.numShards < 1) throw new InvalidArgumentError(`a client needs at least one shard, got ${options.numShards}`);
    this.#options = clocked(options);
    this.#metrics = options.metrics ?? noMetrics;
  }

  /** The shard of a key: one hash. */
  shardOf(key: string): number {
    return shardFromString(key, this.#options.numShards, this.#options.seed);
  }

  /** Asks the owner of `key`. Throws `KeyRequiredError` and what `Transport.request` throws. */
  async requestKey(key: string, payload: unknown, options: ShardCallOptions = {}): Promise<unknown> {
    return decoded(await this.#request(this.#keyed(key, payload, options), options));
  }

  /** Asks the owner of `shard`. Throws `InvalidArgumentError` where there is no such shard. */
  async requestShard(shard: number, payload: unknown, options: ShardCallOptions = {}): Promise<unknown> {
    return decoded(await this.#request(this.#envelope(shard, payload, options), options));
  }

  /** Tells the owner of `key`. */
  async notifyKey(key: string, payload: unknown, options: ShardCallOptions = {}): Promise<void> {
    await this.#notify(this.#keyed(key, payload, options), options);
  }

  /** Tells the owner of `shard`. */
  async notifyShard(shard: number, payload: unknown, options: ShardCallOptions = {}): Promise<void> {
    await this.#notify(this.#envelope(shard, payload, options), options);
  }

  /** A client bound to `key`. Throws `KeyRequiredError` when it is empty. */
  key(key: string): ScopedClient {
    requiredKey(key);
    return {
      request: (payload, options) => this.requestKey(key, payload, options),
      notify: (payload, options) => this.notifyKey(key, payload, options),
      getNodeInfo: (options) => this.#nodeInfo(this.shardOf(key), options),
    };
  }

  /** A client bound to `shard`; its calls reject with `InvalidArgumentError` where there is no such shard. */
  shard(shard: number): ScopedClient {
    return {
      request: (payload, options) => this.requestShard(shard, payload, options),
      notify: (payload, options) => this.notifyShard(shard, payload, options),
      getNodeInfo: (options) => this.#nodeInfo(shard, options),
    };
  }

  async #nodeInfo(shard: number, options: CallOptions = {}): Promise<NodeInfo> {
    return asNodeInfo(decoded(await this.#request(this.#envelope(shard, {}, { type: NODE_INFO_TYPE }), { ...options, repeatable: true })));
  }

  #keyed(key: string, payload: unknown, options: ShardCallOptions): Envelope {
    return setHeader(this.#envelope(this.shardOf(requiredKey(key)), payload, options), KEY_HEADER, key);
  }

  #envelope(shard: number, payload: unknown, { type, envelopeOptions = [] }: ShardCallOptions): Envelope {
    const { numShards, wallClock } = this.#options;
    if (!Number.isSafeInteger(shard) || shard < 0 || shard >= numShards) throw new InvalidArgumentError(`a shard is a whole number from 0 to ${numShards - 1}, got ${shard}`);
    const data = json.encode(payload ?? null);
    const made: Envelope = { shard, type: type ?? messageTypeOf(payload), data, createdAtMs: wallClock() };
    const changed = [...(this.#options.envelopeOptions ?? []), ...envelopeOptions].reduce((envelope, change) => change(envelope), made);
    const reserved = Object.keys(changed.headers ?? {}).find((name) => name.toLowerCase().startsWith(RESERVED_HEADER_PREFIX));
    if (reserved !== undefined) throw new ReservedHeaderError(reserved);
    return changed;
  }

  async #request(envelope: Envelope, options: ShardCallOptions): Promise<Uint8Array> {
    const { clock, transport } = this.#options;
    const began = clock.now();
    let ok = false;
    try {
      const answer = await asCall(this.#retried(() => transport.request(envelope, options), options));
      ok = true;
      return answer;
    } finally {
      this.#metrics.request(envelope.type, ok, (clock.now() - began) / 1000);
    }
  }

  async #notify(envelope: Envelope, options: ShardCallOptions): Promise<void> {
    let ok = false;
    try {
      await asCall(this.#retried(() => this.#options.transport.notify(envelope, options), options));
      ok = true;
    } finally {
      this.#metrics.notify(envelope.type, ok);
    }
  }

  /** Two refusals say that nothing was handled, so asking again is safe; the third leaves that to the caller. */
  async #retried<T>(call: () => Promise<T>, { signal, repeatable = false }: ShardCallOptions): Promise<T> {
    const { movedRetries = 3, movedBackoffMs = 50, movedBackoffMsMax = Number.POSITIVE_INFINITY, clock } = this.#options;
    for (let retry = 0; ; retry += 1) {
      try {
        return await call();
      } catch (error) {
        this.#metrics.transportError(error instanceof Error && "code" in error ? String(error.code) : "unknown");
        if (retry >= movedRetries || !(isUntouched(error) || (repeatable && hasCode(error, "owner-gone")))) throw error;
        await pause(clock, Math.min(movedBackoffMsMax, movedBackoffMs * 2 ** retry), signal);
      }
    }
  }
}

/** What an owner answered; one that had nothing to say answered with no bytes. */
function decoded(answer: Uint8Array): unknown {
  return answer.length === 0 ? undefined : json.decode(answer);
}

function asNodeInfo(answer: unknown): NodeInfo {
  if (typeof answer === "object" && answer !== null && "nodeId" in answer && "shards" in answer) {
    const { nodeId, shards } = answer;
    if (typeof nodeId === "string" && Array.isArray(shards) && shards.every((shard): shard is number => Number.isSafeInteger(shard))) return { nodeId, shards };
  }
  throw new MalformedError("this does not tell which node it is");
}

function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** A typed function over a scoped client. The types are the caller's word: answers are not checked. */
export function createRequest<In, Out>(scoped: ScopedClient, type?: string): (payload: In, options?: ShardCallOptions) => Promise<Out> {
  return async (payload, options = {}) => (await scoped.request(payload, type === undefined ? options : { type, ...options })) as Out;
}
