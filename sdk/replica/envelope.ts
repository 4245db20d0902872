// What stands in a log entry of kind command: who asked, under which key, in which lane, and the bytes themselves.
import { isPeerId, MalformedError, type LogIndex, type PeerId } from "../base/index.ts";
import { Slabs } from "./slab.ts";
import { TextReader } from "./text-reader.ts";

/** Limit of a client id, in characters of ASCII or at most as many UTF-8 bytes. */
export const CLIENT_ID_BYTES_MAX = 64;

/** A command on its way. Made once by the proposer; its bytes never change afterwards, however often they are sent. */
export interface Envelope {
  readonly lane: number;
  readonly clientId: string;
  readonly requestId: number;
  /** The client promises never to send a serial below this one again. 0: it promises nothing. */
  readonly lowestOutstanding: number;
  /** An index that was applied where the client lived before its first command could have committed; see ClientSessionTable. */
  readonly birth: LogIndex;
  readonly proposer: PeerId;
  readonly payload: Uint8Array;
}

/** Bytes an envelope adds to its payload at most: what commandBytesMax must leave room for. */
export function envelopeOverheadMax(clientId: string, proposer: PeerId): number {
  return 1 + 1 + cachedUtf8(clientId).length + 2 + cachedUtf8(proposer).length + 3 * 8;
}

const encoder = new TextEncoder();

const slabs = new Slabs();

/**
 * Encodes envelopes. Hand-written over one buffer, because every command of every node passes through here. Layout: lane byte, client id and
 * proposer with their lengths in front, birth, lowest outstanding (0: none), serial with its highest bits first, then the payload to the end: of one
 * writer's commands only the last byte of the serial differs before the payload, and what they begin with alike travels once.
 * The result may be a view on a buffer that other envelopes share.
 */
export function encodeEnvelope(envelope: Envelope): Uint8Array {
  const client = cachedUtf8(envelope.clientId);
  const proposer = cachedUtf8(envelope.proposer);
  const { requestId, lowestOutstanding: lowest, birth, payload } = envelope;
  const size = 2 + client.length + varSize(proposer.length) + proposer.length + varSize(birth) + varSize(lowest) + varSize(requestId) + payload.length;
  const bytes = slabs.take(size);
  bytes[0] = envelope.lane;
  bytes[1] = client.length;
  bytes.set(client, 2);
  let at = writeVar(bytes, 2 + client.length, proposer.length);
  bytes.set(proposer, at);
  at = writeVar(bytes, at + proposer.length, birth);
  at = writeVar(bytes, at, lowest);
  at = writeVarHighFirst(bytes, at, requestId);
  bytes.set(payload, at);
  return bytes;
}

// The few ids of a group come back with every command.
const ids = new TextReader();

/** An envelope without a view on its payload, which begins at `payloadAt`. */
export interface EnvelopeHead extends Omit<Envelope, "payload"> {
  readonly payloadAt: number;
}

/** The envelope in these bytes; `payload` is a view. Throws `MalformedError` for anything {@link encodeEnvelope} could not have made. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const { lane, clientId, requestId, lowestOutstanding, birth, proposer, payloadAt } = decodeHead(bytes);
  return { lane, clientId, requestId, lowestOutstanding, birth, proposer, payload: bytes.subarray(payloadAt) };
}

/** What deciding about a command takes: {@link decodeEnvelope} without the view, which costs more than all the rest. Throws alike. */
export function decodeHead(bytes: Uint8Array): EnvelopeHead {
  const lane = byteAt(bytes, 0);
  const clientLength = byteAt(bytes, 1);
  if (clientLength === 0 || clientLength > CLIENT_ID_BYTES_MAX) throw new MalformedError(`a client id of ${clientLength} bytes`);
  const clientId = ids.read(bytes, 2, clientLength);
  cursor = 2 + clientLength;
  const proposerLength = readVar(bytes);
  const proposer = ids.read(bytes, cursor, proposerLength);
  if (!isPeer(proposer)) throw new MalformedError("a proposer that is no peer id");
  cursor += proposerLength;
  const birth = readVar(bytes);
  const lowestOutstanding = readVar(bytes);
  const requestId = readVarHighFirst(bytes);
  if (requestId === 0 || lowestOutstanding > requestId) throw new MalformedError("a serial out of order");
  return { lane, clientId, requestId, lowestOutstanding, birth, proposer, payloadAt: cursor };
}

let lastPeer: string | undefined;

/** {@link isPeerId} costs a regular expression; the proposer is mostly the one of the command before. */
function isPeer(text: string): text is PeerId {
  if (text === lastPeer) return true;
  if (!isPeerId(text)) return false;
  lastPeer = text;
  return true;
}

/** Remembers the bytes of the ids this process proposes under; a tab has one or two. Emptied when it grows, so that it stays small. */
const utf8Cache = new Map<string, Uint8Array>();
function cachedUtf8(text: string): Uint8Array {
  let bytes = utf8Cache.get(text);
  if (bytes === undefined) {
    bytes = encoder.encode(text);
    if (utf8Cache.size >= 64) utf8Cache.clear();
    utf8Cache.set(text, bytes);
  }
  return bytes;
}

/** True when `text` can be a client id. */
export function isClientId(text: string): boolean {
  return text.length > 0 && text.length <= CLIENT_ID_BYTES_MAX && cachedUtf8(text).length <= CLIENT_ID_BYTES_MAX;
}

let cursor = 0;

function readVar(bytes: Uint8Array): number {
  let value = 0;
  let scale = 1;
  for (;;) {
    const byte = byteAt(bytes, cursor);
    cursor += 1;
    value += (byte & 127) * scale;
    if (value > Number.MAX_SAFE_INTEGER) throw new MalformedError("a whole number is too large");
    if (byte < 128) return value;
    scale *= 128;
  }
}

function writeVar(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 128) {
    bytes[at] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
    at += 1;
  }
  bytes[at] = rest;
  return at + 1;
}

function readVarHighFirst(bytes: Uint8Array): number {
  let value = 0;
  for (;;) {
    const byte = byteAt(bytes, cursor);
    cursor += 1;
    value = value * 128 + (byte & 127);
    if (value > Number.MAX_SAFE_INTEGER) throw new MalformedError("a whole number is too large");
    if (byte < 128) return value;
  }
}

function writeVarHighFirst(bytes: Uint8Array, start: number, value: number): number {
  const size = varSize(value);
  let rest = value;
  for (let at = start + size - 1; at >= start; at -= 1) {
    bytes[at] = (rest % 128) + (at === start + size - 1 ? 0 : 128);
    rest = Math.floor(rest / 128);
  }
  return start + size;
}

function varSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size += 1;
  return size;
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new MalformedError("an envelope ends early");
  return byte;
}
