// Room codes, the secret that belongs to one, and invitation links. Works without a page: then there is only the code.
import { digestHex, InvalidArgumentError, utf8, type Random } from "./base/index.ts";
import { randomId } from "./platform/index.ts";

/** Longest room code, in UTF-16 units. */
export const ROOM_CHARS_MAX = 64;
/** A secret is 22 characters of base64url (128 bits) or more. */
const KEY = /^[\w-]{22,64}$/u;
// 8 characters of 5 bits: enough to tell rooms apart.
const ROOM_CHARS = 8;
// 26 characters of 5 bits: nobody ever guesses it.
const KEY_CHARS = 26;
/** What one types or reads out: name and secret of our making in one word. */
const CODE = new RegExp(`^([0-9a-z]{${ROOM_CHARS}})-([0-9a-z]{${KEY_CHARS}})$`, "iu");

/** Which room a match is played in. */
export interface RoomAddress {
  readonly room: string;
  /** The secret of its invitation; undefined: whoever knows the room's name may come, and the server may find it by trying. */
  readonly key: string | undefined;
}

/** What a match's invitation is made of. */
export interface Invite {
  /** What to type or read out, as good as the link: name and secret in one word. The link itself where those are not of our making. */
  readonly code: string;
  /** The room's name. Not secret. */
  readonly room: string;
  /** The link. Its secrets are behind the `#`, which browsers do not send to servers. */
  readonly url: string;
}

/**
 * The room asked for, else the one in the page's address (`#room=…&key=…`), else a new one with a secret of its own. A room may be given as what
 * invites to it: a whole code, or a link. Throws `InvalidArgumentError` for what can not be a room or a secret.
 */
export function roomFrom(asked: { readonly room?: string | undefined; readonly key?: string | undefined }, random: Random): RoomAddress {
  if (asked.room === undefined && asked.key !== undefined) throw new InvalidArgumentError("a key belongs to a room: give both, or neither");
  const { room, key } = asked.room === undefined ? (addressInUrl() ?? { room: randomId(ROOM_CHARS, random), key: randomId(KEY_CHARS, random) }) : addressIn(asked.room, asked.key);
  if (room.length === 0 || room.length > ROOM_CHARS_MAX || /[\p{Cc}\p{Cs}]/u.test(room)) {
    throw new InvalidArgumentError(`a room code has 1 to ${ROOM_CHARS_MAX} characters and no control characters, got ${JSON.stringify(room.slice(0, ROOM_CHARS_MAX + 1))}`);
  }
  if (key !== undefined && !KEY.test(key)) throw new InvalidArgumentError("a room's key has 22 to 64 characters of base64url: at least 128 random bits");
  return { room, key };
}

/** The invitation that leads here; without a page its link is only a fragment. */
export function inviteTo({ room, key }: RoomAddress): Invite {
  const page = typeof location === "undefined" ? "" : `${location.origin === "null" ? "file://" : location.origin}${location.pathname}${location.search}`;
  const secret = key === undefined ? "" : `&key=${key}`;
  const isOurs = key !== undefined && CODE.test(`${room}-${key}`);
  const url = `${page}#room=${encodeURIComponent(room)}${secret}`;
  return { code: key === undefined ? room : isOurs ? `${room}-${key}` : url, room, url };
}

/** What this browser keeps the room's records under: rooms of one name with different secrets share nothing. */
export function storageNameOf({ room, key }: RoomAddress): string {
  return key === undefined ? room : `${room}~${digestHex(utf8(`flotilla/storage-name/1\0${key}`))}`;
}

/** What was asked for, taken apart where it is a whole code or a link. */
function addressIn(room: string, key: string | undefined): RoomAddress {
  if (key !== undefined) return { room, key };
  const mark = room.indexOf("#room=");
  if (mark >= 0) return addressInHash(room.slice(mark)) ?? { room: "", key };
  // Taken as a name it would be a room of its own, in which nobody waits.
  if (/^(?:https?|file):\/\//u.test(room)) throw new InvalidArgumentError("this link invites to no room: it has lost what stands behind its #");
  const [, roomOfCode, keyOfCode] = CODE.exec(room) ?? [];
  return roomOfCode === undefined || keyOfCode === undefined ? { room, key } : { room: roomOfCode.toLowerCase(), key: keyOfCode.toLowerCase() };
}

function addressInHash(hash: string): RoomAddress | undefined {
  const said = new URLSearchParams(hash.replace(/^#/u, ""));
  const room = said.get("room") || undefined;
  return room === undefined ? undefined : addressIn(room, said.get("key") || undefined);
}

function addressInUrl(): RoomAddress | undefined {
  return typeof location === "undefined" ? undefined : addressInHash(location.hash);
}
