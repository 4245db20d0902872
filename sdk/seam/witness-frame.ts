// What a tab and the server say to each other on the way to a witness: who is there, who proves it, and the group's frames.
import { ByteReader, ByteWriter, concatBytes, isPeerId, MalformedError, utf8, type PeerId } from "../base/index.ts";

/** One message on a witness's WebSocket. */
export type WitnessFrame =
  /** To the witness and from it: a frame of the group. */
  | { readonly kind: "frame"; readonly bytes: Uint8Array }
  /** Server → tab, first: sign this. */
  | { readonly kind: "challenge"; readonly nonce: Uint8Array }
  /** Tab → server: it is who it says, by the signature of {@link witnessProofText}. */
  | { readonly kind: "proof"; readonly publicKey: Uint8Array; readonly signature: Uint8Array }
  /** Server → tab, when the proof holds: the witness is there, under this id. */
  | { readonly kind: "welcome"; readonly witness: PeerId }
  /** Server → tab: whether the witness's own log says that it is a member. Holding that entry it holds what precedes it. */
  | { readonly kind: "member"; readonly isMember: boolean }
  | { readonly kind: "ping" }
  | { readonly kind: "pong" };

const KINDS = ["frame", "challenge", "proof", "welcome", "member", "ping", "pong"] as const satisfies readonly WitnessFrame["kind"][];

/** Largest message either way, bytes: 65 536 entries without content are half of it. */
export const WITNESS_FRAME_BYTES_MAX: number = 256 * 1024;
/** Bytes of a challenge. */
export const WITNESS_NONCE_BYTES = 32;
/** Bytes of a key or signature at most. */
const PROOF_BYTES_MAX = 256;
const PEER_ID_BYTES_MAX = 384;

/** What a tab signs to be let in: only for this group, this peer and this connection. */
export function witnessProofText(nonce: Uint8Array, { group, peer }: { readonly group: string; readonly peer: PeerId }): Uint8Array {
  return concatBytes(utf8(`flotilla/witness/1\0${group}\0${peer}\0`), nonce);
}

/** The message's bytes. */
export function encodeWitnessFrame(frame: WitnessFrame): Uint8Array {
  const writer = new ByteWriter().byte(KINDS.indexOf(frame.kind));
  switch (frame.kind) {
    case "frame":
      return concatBytes(writer.finish(), frame.bytes);
    case "challenge":
      return writer.bytes(frame.nonce).finish();
    case "proof":
      return writer.bytes(frame.publicKey).bytes(frame.signature).finish();
    case "welcome":
      return writer.text(frame.witness).finish();
    case "member":
      return writer.bool(frame.isMember).finish();
    case "ping":
    case "pong":
      return writer.finish();
  }
}

/** The message of these bytes; byte fields are views. Throws `MalformedError`. */
export function decodeWitnessFrame(bytes: Uint8Array): WitnessFrame {
  if (bytes.length > WITNESS_FRAME_BYTES_MAX) throw new MalformedError(`a message of ${bytes.length} bytes`);
  const reader = new ByteReader(bytes);
  const kind = KINDS[reader.byte()];
  if (kind === "frame") return { kind, bytes: bytes.subarray(1) };
  const frame = readFrame(reader, kind);
  reader.end();
  return frame;
}

function readFrame(reader: ByteReader, kind: Exclude<WitnessFrame["kind"], "frame"> | undefined): WitnessFrame {
  switch (kind) {
    case "challenge":
      return { kind, nonce: reader.bytes(WITNESS_NONCE_BYTES) };
    case "proof":
      return { kind, publicKey: reader.bytes(PROOF_BYTES_MAX), signature: reader.bytes(PROOF_BYTES_MAX) };
    case "welcome": {
      const witness = reader.text(PEER_ID_BYTES_MAX);
      if (!isPeerId(witness)) throw new MalformedError("a witness's id is malformed");
      return { kind, witness };
    }
    case "member":
      return { kind, isMember: reader.bool() };
    case "ping":
    case "pong":
      return { kind };
    case undefined:
      throw new MalformedError("a message of an unknown kind");
  }
}
