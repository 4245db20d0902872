// Envelopes over NATS subjects: the way out when one mesh is too small. Brings no library along: it is given a connection.
import { InvalidArgumentError, PayloadTooLargeError } from "../base/index.ts";
import { CallBook } from "./call-book.ts";
import { CallDesk, tooLargeToSend, type CallOutcome } from "./call-desk.ts";
import { decodeCallFrame, encodeCallFrame, type CallFrame } from "./call-frames.ts";
import { dated, expired, ttl, validateEnvelope, type Envelope } from "./envelope.ts";
import { asCall, CallCancelledError, EnvelopeExpiredError, NoShardSubscriberError, TransportClosedError } from "./errors.ts";
import { clocked, type Clocked, type HandlerPoolOptions } from "./handler-pool.ts";
import type { CallOptions, ShardHandler, Transport } from "./transport.ts";

/** A message as `@nats-io/nats-core` delivers it; the part that is used. */
export interface NatsMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly reply?: string | undefined;
  readonly headers?: { readonly code: number } | undefined;
}

/** A subscription; the part that is used. */
export interface NatsSubscription {
  /** Hears no more. */
  unsubscribe(): void;
}

/** What is used of a `NatsConnection`: one made by `wsconnect` of `@nats-io/nats-core` (browsers, Node 22) or by `@nats-io/transport-node` fits as it is. */
export interface NatsLike {
  /** What the server said of itself when it was connected to. */
  readonly info?: { readonly max_payload: number } | undefined;
  /** Sends bytes to a subject. */
  publish(subject: string, payload: Uint8Array, options?: { reply?: string }): void;
  /** Hears a subject, or a pattern of subjects. */
  subscribe(subject: string, options: { callback: (error: Error | null, message: NatsMessage) => void; queue?: string }): NatsSubscription;
  /** Resolves once the server has taken everything before it. */
  flush(): Promise<void>;
  /** Whether it has ended for good. */
  isClosed(): boolean;
}

/** What a {@link NatsTransport} is made from. */
export interface NatsTransportOptions extends HandlerPoolOptions {
  /** Not closed with the transport. */
  readonly connection: NatsLike;
  /** This transport's id, unlike any other's on the server: 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly id: string;
  /** First part of every subject; the same for callers and owners. Default `clstr`. */
  readonly prefix?: string | undefined;
}

const SUBJECT_PART = /^[\w-]{1,64}$/u;
/** The status with which a server says that nobody hears a subject. */
const NO_RESPONDERS = 503;
const DEFAULT_PAYLOAD_MAX = 1024 * 1024;

/**
 * A {@link Transport} over a NATS server, also between machines. A shard is a subject (`clstr.shard.7`), served by one queue group, so that a call reaches one
 * of its subscribers; who serves what is for the assignment to decide. A subject nobody hears is refused by the server as `no-shard-subscriber`. NATS
 * delivers at most once: a call whose owner dies rejects with `HandlerTimeoutError` five seconds after the owner's own limit, or at its deadline.
 */
export class NatsTransport implements Transport {
  readonly #options: Clocked<NatsTransportOptions>;
  readonly #prefix: string;
  readonly #desk: CallDesk;
  readonly #book: CallBook;
  readonly #inbox: NatsSubscription;
  readonly #heard = new Map<number, { readonly subscription: NatsSubscription; uses: number }>();
  #malformed = 0;
  #isClosed = false;

  constructor(options: NatsTransportOptions) {
    this.#options = clocked(options);
    const { connection, clock, wallClock, handlerTimeoutMs = 30_000, id, prefix = "clstr" } = this.#options;
    for (const part of [id, ...prefix.split(".")]) if (!SUBJECT_PART.test(part)) throw new InvalidArgumentError(`a part of a subject is 1 to 64 of A-Z a-z 0-9 _ -, got ${JSON.stringify(part)}`);
    this.#prefix = prefix;
    this.#desk = new CallDesk(options);
    this.#book = new CallBook({ clock, wallClock, handlerTimeoutMs, cancel: (to, call) => this.#publish(to, { type: "cancel", id: call }) });
    // An answer's subject ends with its call, so that the server's word that nobody is there can be told apart, too.
    this.#inbox = connection.subscribe(`${prefix}.caller.${id}.*`, { callback: (error, message) => error === null && this.#answered(message) });
  }

  /** Messages that were none, and answers to no open call. */
  get messagesDropped(): number {
    return this.#malformed + this.#book.dropped;
  }

  request(envelope: Envelope, options: CallOptions = {}): Promise<Uint8Array> {
    return asCall(this.#call(envelope, options, false));
  }

  async notify(envelope: Envelope, options: CallOptions = {}): Promise<void> {
    await asCall(this.#call(envelope, options, true));
  }

  async subscribe(shard: number, handler: ShardHandler): Promise<() => Promise<void>> {
    const off = this.#desk.subscribe(shard, handler);
    const { connection } = this.#options;
    const known = this.#heard.get(shard);
    if (known !== undefined) known.uses += 1;
    else {
      const subscription = connection.subscribe(this.#subject(shard), { queue: "owner", callback: (error, message) => error === null && this.#hear(message) });
      this.#heard.set(shard, { subscription, uses: 1 });
    }
    await connection.flush();
    let isOff = false;
    return async () => {
      if (isOff) return;
      isOff = true;
      off();
      const heard = this.#heard.get(shard);
      if (heard === undefined || (heard.uses -= 1) > 0) return;
      this.#heard.delete(shard);
      quietly(() => heard.subscription.unsubscribe());
      await this.#flush();
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#book.failAll(new TransportClosedError());
    // First of all, so that calls go to whoever else serves these shards, or are told that nobody does.
    for (const { subscription } of this.#heard.values()) quietly(() => subscription.unsubscribe());
    this.#heard.clear();
    await this.#desk.close();
    quietly(() => this.#inbox.unsubscribe());
    await this.#flush();
  }

  async #call(given: Envelope, options: CallOptions, isNotice: boolean): Promise<Uint8Array> {
    if (this.#isClosed || this.#options.connection.isClosed()) throw new TransportClosedError();
    validateEnvelope(given);
    const { wallClock, id: self, connection } = this.#options;
    const envelope = dated(given, wallClock());
    if (expired(envelope, wallClock())) throw new EnvelopeExpiredError();
    const left = ttl(envelope, wallClock());
    const sent: Envelope = { ...envelope, ttlMs: left === Number.POSITIVE_INFINITY ? undefined : Math.max(1, Math.ceil(left)), createdAtMs: undefined };
    const to = this.#subject(envelope.shard);
    return this.#book.call(to, envelope, options, (id) => {
      const bytes = encodeCallFrame({ type: "request", id, isNotice, envelope: sent });
      if (bytes.length > this.#payloadMax) throw new PayloadTooLargeError(bytes.length, this.#payloadMax, "request");
      try {
        connection.publish(to, bytes, { reply: `${this.#prefix}.caller.${self}.${id}` });
      } catch {
        // It ended meanwhile, or is about to.
        throw new TransportClosedError();
      }
    });
  }

  get #payloadMax(): number {
    return this.#options.connection.info?.max_payload ?? DEFAULT_PAYLOAD_MAX;
  }

  #subject(shard: number): string {
    return `${this.#prefix}.shard.${shard}`;
  }

  /** What comes to a shard: calls, and their cancellations behind them. */
  #hear({ data, reply }: NatsMessage): void {
    const frame = this.#decoded(data);
    const caller = reply?.slice(0, reply.lastIndexOf(".")) ?? "";
    if (frame?.type === "request" && reply !== undefined) this.#desk.take(caller, frame, (outcome) => this.#answer(reply, frame.id, outcome));
    else if (frame?.type === "cancel") this.#desk.cancel(caller, frame.id, new CallCancelledError());
    else this.#malformed += 1;
  }

  #answered({ subject, data, headers }: NatsMessage): void {
    const id = Number(subject.slice(subject.lastIndexOf(".") + 1));
    if (data.length === 0 && headers?.code === NO_RESPONDERS) return this.#book.refused(id, (to) => new NoShardSubscriberError(Number(to.slice(to.lastIndexOf(".") + 1))));
    const frame = this.#decoded(data);
    // Whoever serves the shard answers; the id is the caller's own and on no other subject.
    if (frame?.type === "answer" && frame.id === id) this.#book.answered(undefined, id, frame.outcome);
    else this.#malformed += 1;
    return undefined;
  }

  #decoded(data: Uint8Array): CallFrame | undefined {
    try {
      return decodeCallFrame(data);
    } catch {
      return undefined;
    }
  }

  #answer(reply: string, id: number, outcome: CallOutcome): void {
    const bytes = encodeCallFrame({ type: "answer", id, outcome });
    const fitting = bytes.length <= this.#payloadMax ? bytes : encodeCallFrame({ type: "answer", id, outcome: { error: tooLargeToSend(bytes.length, this.#payloadMax) } });
    quietly(() => this.#options.connection.publish(reply, fitting));
  }

  #publish(to: string, frame: CallFrame): void {
    quietly(() => this.#options.connection.publish(to, encodeCallFrame(frame), { reply: `${this.#prefix}.caller.${this.#options.id}.${frame.id}` }));
  }

  /** What was said so far has arrived at the server, where there still is one. */
  async #flush(): Promise<void> {
    const { connection } = this.#options;
    // A connection may end while it is flushed.
    if (!connection.isClosed()) await connection.flush().catch(() => {});
  }
}

/** A connection that ends refuses everything: nobody is there to be told, and calls end by their own clocks. */
function quietly(act: () => void): void {
  try {
    act();
  } catch {
    // Whatever the connection has to say against it.
  }
}
