// What callers and owners of shards say to each other on a wire: requests, answers, cancellations.
import { ByteReader, ByteWriter, hasCode, MalformedError } from "../base/index.ts";
import { decodeEnvelope, encodeEnvelope, type Envelope } from "./envelope.ts";
import { EnvelopeExpiredError, HandlerFailedError, HandlerTimeoutError, MissingKeyHeaderError, NoShardSubscriberError, OverloadedError, ShardMovedError, TransportClosedError } from "./errors.ts";

/** A call, made once. `id` is the caller's own; times are relative, because clocks of two machines differ. */
export interface RequestFrame {
  readonly type: "request";
  readonly id: number;
  /** Nobody waits for the handler, only for it being handed over. */
  readonly isNotice: boolean;
  /** `ttlMs` is what is left of it when it is sent; `createdAtMs` is 0 on the wire. */
  readonly envelope: Envelope;
}

/** The one answer of a call. */
export interface AnswerFrame {
  readonly type: "answer";
  readonly id: number;
  readonly outcome: { readonly bytes: Uint8Array } | { readonly error: Error };
}

/** Nobody waits for the answer any more. */
export interface CancelFrame {
  readonly type: "cancel";
  readonly id: number;
}

export type CallFrame = RequestFrame | AnswerFrame | CancelFrame;

const REQUEST = 1;
const NOTICE = 2;
const ANSWER = 3;
const FAILURE = 4;
const CANCEL = 5;

/** Characters of a handler's message that travel. */
const MESSAGE_CHARS_MAX = 2_048;

/** Bytes of a frame. Everything but the data takes about 20 bytes and the headers. */
export function encodeCallFrame(frame: CallFrame): Uint8Array {
  switch (frame.type) {
    case "request":
      return new ByteWriter().byte(frame.isNotice ? NOTICE : REQUEST).uint(frame.id).raw(encodeEnvelope(frame.envelope)).finish();
    case "cancel":
      return new ByteWriter().byte(CANCEL).uint(frame.id).finish();
    case "answer":
      return "bytes" in frame.outcome ? new ByteWriter().byte(ANSWER).uint(frame.id).raw(frame.outcome.bytes).finish() : encodeFailure(frame.id, frame.outcome.error);
  }
}

/** The frame of these bytes; byte fields are views. Throws `MalformedError`. */
export function decodeCallFrame(bytes: Uint8Array): CallFrame {
  const reader = new ByteReader(bytes);
  const type = reader.byte();
  const id = reader.uint();
  switch (type) {
    case REQUEST:
    case NOTICE:
      return { type: "request", id, isNotice: type === NOTICE, envelope: decodeEnvelope(reader.raw(reader.remaining)) };
    case ANSWER:
      return { type: "answer", id, outcome: { bytes: reader.raw(reader.remaining) } };
    case FAILURE:
      return { type: "answer", id, outcome: { error: readFailure(reader) } };
    case CANCEL:
      reader.end();
      return { type: "cancel", id };
    default:
      throw new MalformedError(`call frame ${type} is unknown`);
  }
}

function encodeFailure(id: number, error: Error): Uint8Array {
  const code = "code" in error ? String(error.code) : "";
  const detail = numberIn(error, "shard") ?? numberIn(error, "timeoutMs") ?? numberIn(error, "limit") ?? 0;
  return new ByteWriter().byte(FAILURE).uint(id).text(code).uint(detail).text(error.message.slice(0, MESSAGE_CHARS_MAX)).finish();
}

function numberIn(error: Error, field: string): number | undefined {
  const value: unknown = Object.getOwnPropertyDescriptor(error, field)?.value;
  return Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined;
}

/** What the library says travels as its code; everything else is the handler's, with its message. */
function readFailure(reader: ByteReader): Error {
  const code = reader.text(64);
  const detail = reader.uint();
  const message = reader.text(4 * MESSAGE_CHARS_MAX);
  reader.end();
  return FAILURES[code]?.(detail) ?? new HandlerFailedError(message);
}

const FAILURES: Readonly<Record<string, ((detail: number) => Error) | undefined>> = {
  "no-shard-subscriber": (shard) => new NoShardSubscriberError(shard),
  "shard-moved": (shard) => new ShardMovedError(shard),
  "envelope-expired": () => new EnvelopeExpiredError(),
  "handler-timeout": (timeoutMs) => new HandlerTimeoutError(timeoutMs),
  "missing-key-header": () => new MissingKeyHeaderError(),
  overloaded: (limit) => new OverloadedError(limit),
  "transport-closed": () => new TransportClosedError(),
};

/** True for refusals of a receiver that took nothing: the same call may be made elsewhere. */
export function isUntouched(error: unknown): boolean {
  return hasCode(error, "no-shard-subscriber") || hasCode(error, "shard-moved");
}
