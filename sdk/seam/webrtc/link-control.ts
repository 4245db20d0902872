// The few messages a link carries for itself, beside the pieces of frames.
import { ByteReader, ByteWriter, MalformedError } from "../../base/index.ts";
import { CONTROL_KIND_MIN } from "../framing.ts";
import { readIncarnation } from "./dial-message.ts";

/** History: 1, the first. A greeting of another version ends the link. */
export const LINK_VERSION: number = 1;

/**
 * `hello` is the first message of each side, and the link counts only once both were said. `bye` says that nothing more comes;
 * `bye-heard` that everything before it was received. `ping` and `pong` measure the way there and back.
 */
export type LinkControl =
  | { readonly kind: "hello"; readonly incarnation: string }
  | { readonly kind: "bye" }
  | { readonly kind: "bye-heard" }
  | { readonly kind: "ping"; readonly serial: number }
  | { readonly kind: "pong"; readonly serial: number };

const KINDS = ["hello", "bye", "bye-heard", "ping", "pong"] as const;

/** The bytes of a control message. */
export function encodeLinkControl(control: LinkControl): Uint8Array {
  const writer = new ByteWriter().byte(CONTROL_KIND_MIN + KINDS.indexOf(control.kind));
  if (control.kind === "hello") writer.byte(LINK_VERSION).text(control.incarnation);
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
      return { kind, incarnation: readIncarnation(reader) };
    }
    case "ping":
    case "pong":
      return { kind, serial: reader.uint() };
    case "bye":
    case "bye-heard":
      return { kind };
    case undefined:
      throw new MalformedError("a control message of unknown kind");
  }
}
