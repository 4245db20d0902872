// Room codes and invitation links. Works without a page: then there is only the code.
import { InvalidArgumentError, type Random } from "./base/index.ts";
import { randomId } from "./platform/index.ts";

/** Longest room code, in UTF-16 units. */
export const ROOM_CHARS_MAX = 64;
// 8 characters of 5 bits: nobody hits on a room by trying, and one can still read it out.
const CODE_CHARS = 8;

/** What a match's invitation is made of. */
export interface Invite {
  readonly room: string;
  readonly url: string;
}

/** The room asked for, else the one in the page's address (`#room=…`), else a new one. Throws `InvalidArgumentError` for a code that can not be one. */
export function roomFrom(room: string | undefined, random: Random): string {
  const code = room ?? roomInUrl() ?? randomId(CODE_CHARS, random);
  if (code.length === 0 || code.length > ROOM_CHARS_MAX || /[\p{Cc}\p{Cs}]/u.test(code)) {
    throw new InvalidArgumentError(`a room code has 1 to ${ROOM_CHARS_MAX} characters and no control characters, got ${JSON.stringify(code.slice(0, ROOM_CHARS_MAX + 1))}`);
  }
  return code;
}

/** The link that leads here; without a page only its fragment. */
export function inviteTo(room: string): Invite {
  const page = typeof location === "undefined" ? "" : `${location.origin === "null" ? "file://" : location.origin}${location.pathname}${location.search}`;
  return { room, url: `${page}#room=${encodeURIComponent(room)}` };
}

function roomInUrl(): string | undefined {
  if (typeof location === "undefined") return undefined;
  return new URLSearchParams(location.hash.replace(/^#/u, "")).get("room") || undefined;
}
