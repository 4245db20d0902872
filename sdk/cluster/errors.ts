// What can go wrong between a caller and the owner of a shard.
import { SdkError } from "../base/index.ts";

/** Errors that calls ended with: said of those calls, and of nothing a handler does that made one. */
const ofCalls = new WeakSet<object>();

/** The same promise; what it rejects with is remembered as the outcome of a call. */
export function asCall<T>(call: Promise<T>): Promise<T> {
  return call.catch((error: unknown) => {
    if (typeof error === "object" && error !== null) ofCalls.add(error);
    throw error;
  });
}

/** Whether a call ended with this error. */
export function isOfCall(error: object): boolean {
  return ofCalls.has(error);
}

/** The transport was closed before or while the call ran. `code` is `transport-closed`; whether the request was handled is unknown. */
export class TransportClosedError extends SdkError {
  constructor() {
    super("transport-closed", "the transport is closed");
    this.name = "TransportClosedError";
  }
}

/** Nobody owns the shard right now. `code` is `no-shard-subscriber`; the request was not handled: try again when the owners changed. */
export class NoShardSubscriberError extends SdkError {
  readonly shard: number;

  constructor(shard: number) {
    super("no-shard-subscriber", `nobody serves shard ${shard}`);
    this.name = "NoShardSubscriberError";
    this.shard = shard;
  }
}

/** The envelope's time to live was over before it was handled. `code` is `envelope-expired`; it was not handled. */
export class EnvelopeExpiredError extends SdkError {
  constructor() {
    super("envelope-expired", "the envelope expired before it was handled");
    this.name = "EnvelopeExpiredError";
  }
}

/** A header name starting with `x-clstr-` belongs to the library. `code` is `reserved-header`. */
export class ReservedHeaderError extends SdkError {
  constructor(header: string) {
    super("reserved-header", `header ${JSON.stringify(header)} is reserved: names starting with x-clstr- belong to the library`);
    this.name = "ReservedHeaderError";
  }
}

/** The handler took longer than the transport allows. `code` is `handler-timeout`; it may still finish, unheard. */
export class HandlerTimeoutError extends SdkError {
  readonly timeoutMs: number;

  constructor(timeoutMs: number) {
    super("handler-timeout", `the handler did not answer within ${timeoutMs} ms`);
    this.name = "HandlerTimeoutError";
    this.timeoutMs = timeoutMs;
  }
}

/** A call by key was made without a key. `code` is `key-required`. */
export class KeyRequiredError extends SdkError {
  constructor() {
    super("key-required", "a key of at least one character is needed");
    this.name = "KeyRequiredError";
  }
}

/** A keyed handler got an envelope without the key header: it was sent by shard. `code` is `missing-key-header`. */
export class MissingKeyHeaderError extends SdkError {
  constructor() {
    super("missing-key-header", "the envelope has no key header: call this handler by key, not by shard");
    this.name = "MissingKeyHeaderError";
  }
}

/** The handler on the other side failed. `code` is `handler-failed`; the message is the handler's own. */
export class HandlerFailedError extends SdkError {
  constructor(message: string) {
    super("handler-failed", message);
    this.name = "HandlerFailedError";
  }
}

/** The receiver does not own the shard any more, or not yet. `code` is `shard-moved`; it was not handled: clients try again at the new owner. */
export class ShardMovedError extends SdkError {
  readonly shard: number;

  constructor(shard: number) {
    super("shard-moved", `shard ${shard} moved to another owner`);
    this.name = "ShardMovedError";
    this.shard = shard;
  }
}

/** More requests wait for this receiver than it takes. `code` is `overloaded`; it was not handled: slow down. */
export class OverloadedError extends SdkError {
  readonly limit: number;

  constructor(limit: number) {
    super("overloaded", limit > 0 ? `${limit} requests are waiting already` : "the way to the owner is full");
    this.name = "OverloadedError";
    this.limit = limit;
  }
}

/** The other side left while a call was under way. `code` is `owner-gone`; whether it was handled is unknown: ask again only what may be done twice. */
export class OwnerGoneError extends SdkError {
  constructor(peer: string) {
    super("owner-gone", `${peer} left while the request was under way: whether it was handled is unknown`);
    this.name = "OwnerGoneError";
  }
}

/** Why a handler's signal fires when its caller gave up. `code` is `call-cancelled`. */
export class CallCancelledError extends SdkError {
  constructor() {
    super("call-cancelled", "the caller does not wait any more");
    this.name = "CallCancelledError";
  }
}
