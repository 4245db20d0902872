// Names for ids, so that one kind of string is not passed for another.
import { InvalidArgumentError } from "./errors.ts";

declare const brand: unique symbol;

/** A `T` that only its own constructor function makes. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** One peer on a seam and one Raft identity: a string of 1 to {@link PEER_ID_CHARS_MAX} UTF-16 units without control characters. */
export type PeerId = Brand<string, "PeerId">;

/** A Raft term: a whole number from 0, never decreasing on a node. Plain `number`, because it is counted with. */
export type Term = number;

/** A log position: a whole number from 0 (0 is before the first entry). Plain `number`, because it is counted with. */
export type LogIndex = number;

/** Limit of a peer id; a longer one on the wire is refused. 128 leaves room for a base64url key hash and a suffix. */
export const PEER_ID_CHARS_MAX = 128;

// eslint-style ranges would hide it: every C0 control, DEL and the line separators.
const CONTROL = /[\p{Cc}\u2028\u2029]/u;

/** True when `text` can be a peer id. */
export function isPeerId(text: string): text is PeerId {
  return text.length > 0 && text.length <= PEER_ID_CHARS_MAX && !CONTROL.test(text);
}

/** Checks and brands a peer id. Throws `InvalidArgumentError` for an empty, oversized or control-character id. */
export function peerId(text: string): PeerId {
  if (!isPeerId(text)) throw new InvalidArgumentError(`a peer id has 1 to ${PEER_ID_CHARS_MAX} characters and no control characters, got ${JSON.stringify(text.slice(0, 140))}`);
  return text;
}
