// What crosses the socket between a peer and the relay of a server: sealed bytes and whom they are for.
import { MalformedError, toHex } from "../../base/index.ts";
import { SEAL_AT_BYTES } from "../sealing.ts";
import { PIECE_BYTES_MAX } from "../framing.ts";

/** History: 1, the first. Said in the address a client opens; a server that does not speak it refuses. */
export const RELAY_VERSION: number = 1;

/** Bytes of an address: made by the server for one connection, unforeseeable, so that only who was told it (over sealed signaling) can send there. */
export const RELAY_ADDRESS_BYTES: number = 16;
/** Bytes before the sealed ones that tell the receiver which of its links they belong to. */
export const RELAY_TAG_BYTES: number = 8;
/** Bytes a message of a link says beside its content: its kind and how much was heard. */
const INNER_HEADER_BYTES_MAX = 1 + 10;

const HEADER_BYTES = 1 + RELAY_ADDRESS_BYTES;

/** The largest frame on the wire, in bytes. */
export const RELAY_FRAME_BYTES_MAX: number = HEADER_BYTES + RELAY_TAG_BYTES + SEAL_AT_BYTES + INNER_HEADER_BYTES_MAX + PIECE_BYTES_MAX;

/**
 * `welcome` is the server's first word: where this connection is reached. A `frame` names its addressee on the way in and its sender on the way out.
 * `gone`: nobody is at that address, or what was said to it was too much to hold; whoever was linked to it is not any more.
 */
export type RelayFrame =
  | { readonly kind: "ping" }
  | { readonly kind: "pong" }
  | { readonly kind: "welcome"; readonly address: Uint8Array }
  | { readonly kind: "frame"; readonly address: Uint8Array; readonly bytes: Uint8Array }
  | { readonly kind: "gone"; readonly address: Uint8Array };

const KINDS = ["ping", "pong", "welcome", "frame", "gone"] as const;

/** The bytes of a frame. */
export function encodeRelayFrame(frame: RelayFrame): Uint8Array<ArrayBuffer> {
  const address = "address" in frame ? frame.address : new Uint8Array(0);
  const bytes = frame.kind === "frame" ? frame.bytes : new Uint8Array(0);
  const out = new Uint8Array(1 + address.length + bytes.length);
  out[0] = KINDS.indexOf(frame.kind);
  out.set(address, 1);
  out.set(bytes, 1 + address.length);
  return out;
}

/** The frame of some bytes, as views on them; throws `MalformedError`. */
export function decodeRelayFrame(bytes: Uint8Array): RelayFrame {
  const kind = KINDS[bytes[0] ?? KINDS.length];
  if (kind === undefined || bytes.length > RELAY_FRAME_BYTES_MAX) throw new MalformedError("not a relay frame");
  if (kind === "ping" || kind === "pong") {
    if (bytes.length !== 1) throw new MalformedError("a relay frame too long");
    return { kind };
  }
  if (kind === "frame" ? bytes.length < HEADER_BYTES : bytes.length !== HEADER_BYTES) throw new MalformedError("a relay frame of a wrong length");
  const address = bytes.subarray(1, HEADER_BYTES);
  return kind === "frame" ? { kind, address, bytes: bytes.subarray(HEADER_BYTES) } : { kind, address };
}

/** An address as the key of a map. */
export function addressName(address: Uint8Array): string {
  return toHex(address);
}
