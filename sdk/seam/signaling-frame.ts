// What signaling channels put on their wire: one small binary format for tabs, the server and tests.
import { ByteReader, ByteWriter, isPeerId, MalformedError, type PeerId } from "../base/index.ts";
import { SIGNALING_BYTES_MAX } from "./signaling.ts";

/** One message of a signaling channel. `to` left out: everybody in the room. */
export type SignalingFrame =
  | { readonly kind: "announce"; readonly from: PeerId; readonly to: PeerId | undefined }
  | { readonly kind: "message"; readonly from: PeerId; readonly to: PeerId; readonly payload: Uint8Array }
  | { readonly kind: "left"; readonly from: PeerId }
  | { readonly kind: "ping" }
  | { readonly kind: "pong" };

/** History: 1, the first. A frame of another version is refused. */
export const SIGNALING_VERSION: number = 1;

/** The largest frame on the wire: a full payload, two ids of three UTF-8 bytes per unit, and the header. */
export const SIGNALING_FRAME_BYTES_MAX: number = SIGNALING_BYTES_MAX + 1024;

const KINDS = ["announce", "message", "left", "ping", "pong"] as const;
const ID_BYTES_MAX = 512;

/** The bytes of a frame. */
export function encodeSignalingFrame(frame: SignalingFrame): Uint8Array {
  const writer = new ByteWriter().byte(SIGNALING_VERSION).byte(KINDS.indexOf(frame.kind));
  if (frame.kind === "announce") writer.text(frame.from).text(frame.to ?? "");
  if (frame.kind === "message") writer.text(frame.from).text(frame.to).bytes(frame.payload);
  if (frame.kind === "left") writer.text(frame.from);
  return writer.finish();
}

/** The frame of some bytes; throws `MalformedError` for anything {@link encodeSignalingFrame} would not write. The payload is a copy. */
export function decodeSignalingFrame(bytes: Uint8Array): SignalingFrame {
  if (bytes.length > SIGNALING_FRAME_BYTES_MAX) throw new MalformedError(`a signaling frame of ${bytes.length} bytes`);
  const reader = new ByteReader(bytes);
  const version = reader.byte();
  if (version !== SIGNALING_VERSION) throw new MalformedError(`signaling version ${version}`);
  const frame = decodeBody(KINDS[reader.byte()], reader);
  reader.end();
  return frame;
}

function decodeBody(kind: (typeof KINDS)[number] | undefined, reader: ByteReader): SignalingFrame {
  switch (kind) {
    case "announce": {
      const from = readPeer(reader);
      const to = reader.text(ID_BYTES_MAX);
      return { kind, from, to: to === "" ? undefined : checkedPeer(to) };
    }
    case "message":
      return { kind, from: readPeer(reader), to: readPeer(reader), payload: reader.bytes(SIGNALING_BYTES_MAX).slice() };
    case "left":
      return { kind, from: readPeer(reader) };
    case "ping":
    case "pong":
      return { kind };
    case undefined:
      throw new MalformedError("a signaling frame of unknown kind");
  }
}

function readPeer(reader: ByteReader): PeerId {
  return checkedPeer(reader.text(ID_BYTES_MAX));
}

function checkedPeer(text: string): PeerId {
  if (!isPeerId(text)) throw new MalformedError("not a peer id");
  return text;
}
