// Envelopes between the peers of a seam: requests ride the mesh that is there already.
import { hasCode, PayloadTooLargeError, type PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";
import { CallBook } from "./call-book.ts";
import { CallDesk, tooLargeToSend, type CallOutcome } from "./call-desk.ts";
import { decodeCallFrame, encodeCallFrame, type CallFrame } from "./call-frames.ts";
import { dated, decodeEnvelope, encodeEnvelope, expired, ttl, validateEnvelope, type Envelope } from "./envelope.ts";
import { asCall, CallCancelledError, EnvelopeExpiredError, NoShardSubscriberError, OverloadedError, OwnerGoneError, TransportClosedError } from "./errors.ts";
import { clocked, type Clocked, type HandlerPoolOptions } from "./handler-pool.ts";
import type { CallOptions, ShardHandler, Transport } from "./transport.ts";

/** What a {@link SeamTransport} is made from. */
export interface SeamTransportOptions extends HandlerPoolOptions {
  /** Carries the calls; used by nothing else. Not closed with the transport. */
  readonly seam: Seam;
  /** The peer that serves a shard, as far as is known here; undefined: nobody. This peer's own id is served without the wire. */
  readonly ownerOf: (shard: number) => PeerId | undefined;
}

/**
 * A {@link Transport} between peers. A call takes one frame there and one back; deadlines cross as what is left of them, so that the clocks of two
 * machines need not agree. A call whose owner leaves rejects with `OwnerGoneError` (whether it was handled is unknown), one whose owner is silent with
 * `HandlerTimeoutError` five seconds after the owner's own limit. Envelopes and answers larger than a frame are refused.
 */
export class SeamTransport implements Transport {
  readonly #options: Clocked<SeamTransportOptions>;
  readonly #desk: CallDesk;
  readonly #book: CallBook;
  readonly #offs: (() => void)[];
  #peers: ReadonlySet<PeerId>;
  #malformed = 0;
  #isClosed = false;

  constructor(options: SeamTransportOptions) {
    this.#options = clocked(options);
    const { seam, clock, wallClock, handlerTimeoutMs = 30_000 } = this.#options;
    this.#desk = new CallDesk(options);
    this.#book = new CallBook({ clock, wallClock, handlerTimeoutMs, cancel: (to, id) => this.#send(to, { type: "cancel", id }) });
    this.#peers = new Set(seam.peers);
    this.#offs = [seam.on("frame", (from, bytes) => this.#hear(from, bytes)), seam.on("peers", (peers) => this.#meet(peers))];
  }

  /** Frames that were none, and answers to no open call. */
  get framesDropped(): number {
    return this.#malformed + this.#book.dropped;
  }

  request(envelope: Envelope, options: CallOptions = {}): Promise<Uint8Array> {
    return asCall(this.#request(envelope, options));
  }

  notify(envelope: Envelope, options: CallOptions = {}): Promise<void> {
    return asCall(this.#notify(envelope, options));
  }

  async subscribe(shard: number, handler: ShardHandler): Promise<() => Promise<void>> {
    const off = this.#desk.subscribe(shard, handler);
    return async () => off();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#book.failAll(new TransportClosedError());
    await this.#desk.close();
    for (const off of this.#offs.splice(0)) off();
  }

  async #request(envelope: Envelope, options: CallOptions): Promise<Uint8Array> {
    const owner = this.#route(envelope);
    options.signal?.throwIfAborted();
    const sent = dated(envelope, this.#options.wallClock());
    if (owner === this.#options.seam.selfId) return (await this.#desk.run(copyOf(sent), options.signal)).slice();
    return this.#call(owner, sent, options, false);
  }

  async #notify(envelope: Envelope, options: CallOptions): Promise<void> {
    const owner = this.#route(envelope);
    options.signal?.throwIfAborted();
    const sent = dated(envelope, this.#options.wallClock());
    if (owner === this.#options.seam.selfId) this.#desk.notice(copyOf(sent));
    else await this.#call(owner, sent, options, true);
  }

  #route(envelope: Envelope): PeerId {
    if (this.#isClosed) throw new TransportClosedError();
    validateEnvelope(envelope);
    if (expired(envelope, this.#options.wallClock())) throw new EnvelopeExpiredError();
    const owner = this.#options.ownerOf(envelope.shard);
    if (owner === undefined) throw new NoShardSubscriberError(envelope.shard);
    return owner;
  }

  #call(owner: PeerId, envelope: Envelope, options: CallOptions, isNotice: boolean): Promise<Uint8Array> {
    const { wallClock, seam } = this.#options;
    const left = ttl(envelope, wallClock());
    const ttlMs = left === Number.POSITIVE_INFINITY ? undefined : Math.max(1, Math.ceil(left));
    const sent: Envelope = { ...envelope, ttlMs, createdAtMs: undefined };
    return this.#book.call(owner, envelope, options, (id) => {
      const bytes = encodeCallFrame({ type: "request", id, isNotice, envelope: sent });
      if (bytes.length > seam.payloadBytesMax) throw new PayloadTooLargeError(bytes.length, seam.payloadBytesMax, "request");
      try {
        seam.sendTo(owner, bytes);
      } catch (error) {
        throw asRefusal(error, envelope.shard);
      }
    });
  }

  #hear(from: PeerId, bytes: Uint8Array): void {
    let frame: CallFrame;
    try {
      frame = decodeCallFrame(bytes);
    } catch {
      this.#malformed += 1;
      return;
    }
    if (frame.type === "answer") this.#book.answered(from, frame.id, frame.outcome);
    else if (frame.type === "cancel") this.#desk.cancel(from, frame.id, new CallCancelledError());
    else this.#desk.take(from, frame, (outcome) => this.#answer(from, frame.id, outcome));
  }

  #answer(to: PeerId, id: number, outcome: CallOutcome): void {
    const { payloadBytesMax } = this.#options.seam;
    const bytes = encodeCallFrame({ type: "answer", id, outcome });
    if (bytes.length <= payloadBytesMax) this.#sendBytes(to, bytes);
    else this.#send(to, { type: "answer", id, outcome: { error: tooLargeToSend(bytes.length, payloadBytesMax) } });
  }

  #meet(peers: ReadonlySet<PeerId>): void {
    const before = this.#peers;
    this.#peers = new Set(peers);
    for (const peer of before) {
      if (peers.has(peer)) continue;
      this.#book.gone(peer);
      this.#desk.drop(peer, new OwnerGoneError(peer));
    }
  }

  #send(to: string, frame: CallFrame): void {
    this.#sendBytes(to as PeerId, encodeCallFrame(frame));
  }

  #sendBytes(to: PeerId, bytes: Uint8Array): void {
    try {
      this.#options.seam.sendTo(to, bytes);
    } catch {
      // It left, or does not read what is sent to it: its calls end by its own clock.
    }
  }
}

function copyOf(envelope: Envelope): Envelope {
  return decodeEnvelope(encodeEnvelope(envelope));
}

/** Nothing was sent, in the words of transports. */
function asRefusal(error: unknown, shard: number): unknown {
  if (hasCode(error, "peer-not-connected")) return new NoShardSubscriberError(shard);
  if (hasCode(error, "send-queue-full")) return new OverloadedError(0);
  return hasCode(error, "seam-torn") ? new TransportClosedError() : error;
}
