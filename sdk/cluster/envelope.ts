// What travels between a caller and the owner of a shard: where to, what, and until when.
import { ByteReader, ByteWriter, InvalidArgumentError, MalformedError } from "../base/index.ts";
import { ReservedHeaderError } from "./errors.ts";

/** Header names with this prefix belong to the library. */
export const RESERVED_HEADER_PREFIX = "x-clstr-";
/** Carries the key a keyed call was made with. */
export const KEY_HEADER = "x-clstr-key";
/** Limits of an envelope; a larger one is refused by {@link validateEnvelope}. */
export const ENVELOPE_LIMITS: { readonly typeChars: number; readonly headers: number; readonly headerChars: number } = { typeChars: 256, headers: 64, headerChars: 4096 };

/** One message to a shard. Times are ms; `createdAtMs` is the sender's wall clock. */
export interface Envelope {
  readonly shard: number;
  readonly type: string;
  readonly data: Uint8Array;
  /** Where a transport that needs an address sends the answer. */
  readonly replyTo?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Time to live from `createdAtMs`; absent or 0: for ever. */
  readonly ttlMs?: number | undefined;
  /** Default for an envelope with a time to live: when it is handed to a transport. */
  readonly createdAtMs?: number | undefined;
}

/** Changes an envelope before it is sent. */
export type EnvelopeOption = (envelope: Envelope) => Envelope;

/** The header's value, or undefined. Names are compared exactly. */
export function getHeader(envelope: Envelope, name: string): string | undefined {
  const { headers } = envelope;
  return headers !== undefined && Object.hasOwn(headers, name) ? headers[name] : undefined;
}

/** Sets a header. Throws `ReservedHeaderError` for names that belong to the library. */
export function withHeader(name: string, value: string): EnvelopeOption {
  if (name.toLowerCase().startsWith(RESERVED_HEADER_PREFIX)) throw new ReservedHeaderError(name);
  return (envelope) => setHeader(envelope, name, value);
}

/** Sets any header, the library's own included. Not for callers outside. */
export function setHeader(envelope: Envelope, name: string, value: string): Envelope {
  return { ...envelope, headers: { ...envelope.headers, [name]: value } };
}

/** Lets the envelope live for `ttlMs` from its creation. Throws `InvalidArgumentError` unless it is a number above 0. */
export function withTtl(ttlMs: number): EnvelopeOption {
  if (!(ttlMs > 0) || !Number.isFinite(ttlMs)) throw new InvalidArgumentError(`a time to live is a number of ms above 0, got ${ttlMs}`);
  return (envelope) => ({ ...envelope, ttlMs });
}

/** Time left at `nowMs`, 0 when over; infinite without a time to live or a creation time. */
export function ttl(envelope: Envelope, nowMs: number): number {
  const { ttlMs, createdAtMs } = envelope;
  if (ttlMs === undefined || ttlMs === 0 || createdAtMs === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(0, createdAtMs + ttlMs - nowMs);
}

/** True when its time is over at `nowMs`. */
export function expired(envelope: Envelope, nowMs: number): boolean {
  return ttl(envelope, nowMs) === 0;
}

/** The envelope as it is sent at `nowMs`: its time to live runs from then where it says no other time. */
export function dated(envelope: Envelope, nowMs: number): Envelope {
  return (envelope.ttlMs ?? 0) > 0 && envelope.createdAtMs === undefined ? { ...envelope, createdAtMs: Math.floor(nowMs) } : envelope;
}

/** Why the envelope can not be sent, or undefined. */
export function envelopeFault(envelope: Envelope): string | undefined {
  const { shard, type, data, headers = {}, ttlMs = 0, createdAtMs = 0 } = envelope;
  if (!Number.isSafeInteger(shard) || shard < 0) return `a shard is a whole number from 0, got ${shard}`;
  if (type.length === 0 || type.length > ENVELOPE_LIMITS.typeChars) return `a message type has 1 to ${ENVELOPE_LIMITS.typeChars} characters, got ${type.length}`;
  // Callers are not all typed.
  if (!(data instanceof Uint8Array)) return `data are bytes, got ${typeof data}`;
  if (!(ttlMs >= 0 && ttlMs <= Number.MAX_SAFE_INTEGER)) return `a time to live is a number of ms from 0, got ${ttlMs}`;
  if (!(createdAtMs >= 0 && createdAtMs <= Number.MAX_SAFE_INTEGER)) return `a time of creation is a number of ms since 1970, got ${createdAtMs}`;
  const entries = Object.entries(headers);
  const odd = entries.find(([, value]) => typeof value !== "string");
  if (odd !== undefined) return `header ${JSON.stringify(odd[0].slice(0, 40))} is text, got ${typeof odd[1]}`;
  if (entries.length > ENVELOPE_LIMITS.headers) return `at most ${ENVELOPE_LIMITS.headers} headers, got ${entries.length}`;
  const long = entries.find(([name, value]) => name.length + value.length > ENVELOPE_LIMITS.headerChars);
  return long === undefined ? undefined : `header ${JSON.stringify(long[0].slice(0, 40))} is longer than ${ENVELOPE_LIMITS.headerChars} characters`;
}

/** Throws `InvalidArgumentError` when the envelope can not be sent. */
export function validateEnvelope(envelope: Envelope): void {
  const fault = envelopeFault(envelope);
  if (fault !== undefined) throw new InvalidArgumentError(fault);
}

/** Bytes of an envelope. */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const writer = new ByteWriter().byte(1).uint(envelope.shard).text(envelope.type).bytes(envelope.data).text(envelope.replyTo ?? "");
  writer.list(Object.entries(envelope.headers ?? {}), ([name, value]) => {
    writer.text(name).text(value);
  });
  return writer.uint(Math.ceil(envelope.ttlMs ?? 0)).uint(Math.floor(envelope.createdAtMs ?? 0)).finish();
}

/** The envelope of {@link encodeEnvelope}'s bytes. Throws `MalformedError`, also for an envelope over the limits. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version !== 1) throw new MalformedError(`an envelope of version ${version} where 1 is known`);
  const shard = reader.uint();
  const type = reader.text();
  const data = reader.bytes();
  const replyTo = reader.text();
  const headers = Object.fromEntries(reader.list(() => [reader.text(), reader.text()] as const, ENVELOPE_LIMITS.headers));
  const ttlMs = reader.uint();
  const createdAtMs = reader.uint();
  reader.end();
  const envelope: Envelope = { shard, type, data, headers, ttlMs, createdAtMs, ...(replyTo === "" ? {} : { replyTo }) };
  const fault = envelopeFault(envelope);
  if (fault !== undefined) throw new MalformedError(fault);
  return envelope;
}
