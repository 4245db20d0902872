// What travels between replicas: a header that keeps groups and versions apart, and every message of one turn to one peer.
import { ByteWriter, digest64, MalformedError, utf8 } from "../base/index.ts";
import { writeMessage, type Message } from "../raft/index.ts";
import { Slabs } from "./slab.ts";

/**
 * First byte of every frame. The messages inside carry the machine's own version. History:
 * - 1: the first one.
 */
export const FRAME_VERSION = 1;

const DIGEST_BYTES = 8;
/** Version byte and the digest of the group id: enough to tell groups apart that meet by accident; who may speak at all is the channel's business. */
export const HEADER_BYTES: number = 1 + DIGEST_BYTES;
/** Messages in one frame at most. */
const MESSAGES_MAX = 4096;

/** The header of a group's frames. */
export function frameHeader(groupId: string): Uint8Array {
  const header = new Uint8Array(HEADER_BYTES);
  header[0] = FRAME_VERSION;
  header.set(digest64(utf8(groupId)), 1);
  return header;
}

/** Bytes a message of this size takes in a frame. */
export function framedSize(length: number): number {
  return length + (length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x20_0000 ? 3 : length < 0x1000_0000 ? 4 : 5);
}

/** One frame with these messages. */
export function encodeFrame(header: Uint8Array, messages: readonly Uint8Array[]): Uint8Array {
  let size = header.length;
  for (const { length } of messages) size += framedSize(length);
  const frame = new Uint8Array(size);
  frame.set(header);
  let at = header.length;
  for (const message of messages) {
    at = writeLength(frame, at, message.length);
    frame.set(message, at);
    at += message.length;
  }
  return frame;
}

const slabs = new Slabs();

/** One frame with this message alone, encoded right behind the header: most frames at a low rate are like that. The result may be a view on a buffer that other frames share. */
export function encodeFrameOf(header: Uint8Array, message: Message): Uint8Array {
  const writer = new ByteWriter();
  writeMessage(writer, message);
  const { length } = writer;
  const frame = slabs.take(header.length + framedSize(length));
  for (let at = 0; at < header.length; at += 1) frame[at] = header[at] ?? 0;
  writer.finishInto(frame, writeLength(frame, header.length, length));
  return frame;
}

/** Writes a message's length and returns where the message begins. */
function writeLength(frame: Uint8Array, start: number, length: number): number {
  let at = start;
  let rest = length;
  while (rest >= 128) {
    frame[at] = (rest % 128) + 128;
    rest = Math.floor(rest / 128);
    at += 1;
  }
  frame[at] = rest;
  return at + 1;
}

/** Why a frame is not for this replica. */
export type FrameFault = "foreign-version" | "foreign-group" | "malformed";

/** What is wrong with a frame's header, or undefined. */
export function headerFault(header: Uint8Array, frame: Uint8Array): FrameFault | undefined {
  if (frame.length < HEADER_BYTES) return "malformed";
  if (frame[0] !== FRAME_VERSION) return "foreign-version";
  for (let at = 1; at < HEADER_BYTES; at += 1) if (frame[at] !== header[at]) return "foreign-group";
  return undefined;
}

/** Where the only message of a frame begins, in one whose header was found good; undefined when it has several messages, or is not well formed. */
export function onlyMessageAt(frame: Uint8Array): number | undefined {
  const low = frame[HEADER_BYTES] ?? 0;
  if (low < 128) return frame.length === HEADER_BYTES + 1 + low ? HEADER_BYTES + 1 : undefined;
  const high = frame[HEADER_BYTES + 1] ?? 0;
  // Two bytes of length: up to 16 KiB. Above that a view is not what costs.
  return high < 128 && frame.length === HEADER_BYTES + 2 + (low - 128) + high * 128 ? HEADER_BYTES + 2 : undefined;
}

/** The messages of a frame whose header was found good, as views. Throws `MalformedError`. */
export function messagesOf(frame: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  let at = HEADER_BYTES;
  while (at < frame.length) {
    let length = 0;
    let scale = 1;
    let byte = 128;
    while (byte >= 128) {
      byte = frame[at] ?? 0;
      if (at >= frame.length || scale > 0x1000_0000) throw new MalformedError("a message's length ends early or is too large");
      length += (byte & 127) * scale;
      scale *= 128;
      at += 1;
    }
    if (length > frame.length - at || messages.length >= MESSAGES_MAX) throw new MalformedError(`a message of ${length} bytes in ${frame.length - at}`);
    messages.push(frame.subarray(at, at + length));
    at += length;
  }
  return messages;
}
