// The few messages a link carries for itself, beside the pieces of frames.
import { ByteReader, ByteWriter, MalformedError } from "../../base/index.ts";
import { CONTROL_KIND_MIN } from "../framing.ts";
import { readIncarnation } from "./dial-message.ts";

/** History: 1, the first; 2, proofs of identity. A greeting of another version ends the link. */
export const LINK_VERSION: number = 2;

/**
 * `hello` is the first message of each side, and the link counts only once both were said; where its nonce is not empty, only once each has given a
 * `proof` of who it is and heard `proven`. `bye` says that nothing more comes; `bye-heard` that everything before it was received. `ping` and `pong`
 * measure the way there and back.
 */
export type LinkControl =
  | { readonly kind: "hello"; readonly incarnation: string; readonly nonce: Uint8Array }
  | { readonly kind: "bye" }
  | { readonly kind: "bye-heard" }
  | { readonly kind: "ping"; readonly serial: number }
  | { readonly kind: "pong"; readonly serial: number }
  | { readonly kind: "proof"; readonly publicKey: Uint8Array; readonly signature: Uint8Array }
  | { readonly kind: "proven" };

const KINDS = ["hello", "bye", "bye-heard", "ping", "pong", "proof", "proven"] as const;
/** Bytes of a nonce, new for every link; none where no proof is asked for. */
export const NONCE_BYTES = 32;
/** Limit of a public key and of a signature: those of P-256 have 65 and 64 bytes. */
const PROOF_PART_BYTES_MAX = 256;

/** The bytes of a control message. */
export function encodeLinkControl(control: LinkControl): Uint8Array {
  const writer = new ByteWriter().byte(CONTROL_KIND_MIN + KINDS.indexOf(control.kind));
  if (control.kind === "hello") writer.byte(LINK_VERSION).text(control.incarnation).bytes(control.nonce);
  if (control.kind === "proof") writer.bytes(control.publicKey).bytes(control.signature);
  if (control.kind === "ping" || control.kind === "pong") writer.uint(control.serial);
  return writer.finish();
}

/** True when a message is the link's own. */
export function isLinkControl(bytes: Uint8Array): boolean {
  return (bytes[0] ?? 0) >= CONTROL_KIND_MIN;
}

/** The control message of some bytes; throws `MalformedError`. */
export function decodeLinkControl(bytes: Uint8Array): LinkControl {
  const reader = new ByteReader(bytes);
  const kind = KINDS[reader.byte() - CONTROL_KIND_MIN];
  const control = decodeBody(kind, reader);
  reader.end();
  return control;
}

function decodeBody(kind: (typeof KINDS)[number] | undefined, reader: ByteReader): LinkControl {
  switch (kind) {
    case "hello": {
      const version = reader.byte();
      if (version !== LINK_VERSION) throw new MalformedError(`link version ${version}`);
      return { kind, incarnation: readIncarnation(reader), nonce: readNonce(reader) };
    }
    case "ping":
    case "pong":
      return { kind, serial: reader.uint() };
    case "bye":
    case "bye-heard":
    case "proven":
      return { kind };
    case "proof":
      return { kind, publicKey: reader.bytes(PROOF_PART_BYTES_MAX).slice(), signature: reader.bytes(PROOF_PART_BYTES_MAX).slice() };
    case undefined:
      throw new MalformedError("a control message of unknown kind");
  }
}

function readNonce(reader: ByteReader): Uint8Array {
  const nonce = reader.bytes(NONCE_BYTES);
  if (nonce.length !== 0 && nonce.length !== NONCE_BYTES) throw new MalformedError(`a nonce of ${nonce.length} bytes`);
  return nonce.slice();
}
