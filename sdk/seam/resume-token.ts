// What a server hands a client so that it is known again after its socket was lost: short, signed, and good for one peer in one room for some time.
import { authCode, ByteReader, ByteWriter, concatBytes, digest, InvalidArgumentError, isPeerId, MalformedError, utf8, type PeerId } from "../base/index.ts";

/** Largest token, bytes: a version, a moment, a peer id and a room's name as long as they may be, and the code. */
export const RESUME_TOKEN_BYTES_MAX: number = 1024;
/** Shortest cluster secret, bytes: 128 bits that nobody guesses. */
export const CLUSTER_SECRET_BYTES_MIN = 16;

const VERSION = 1;
const CODE_BYTES = 32;
const KEY_BYTES = 64;
const PEER_ID_BYTES_MAX = 384;
/** Bytes of a room's name in a token. */
const ROOM_BYTES_MAX = 512;
/** Names what the key is for, so that a secret used elsewhere too makes no token there. */
const DOMAIN = utf8("flotilla/resume-token/1\0");

/** Whom a token is for. */
export interface ResumeClaim {
  readonly peer: PeerId;
  readonly room: string;
  /** From then on it is void; whole ms since 1970. */
  readonly expiresAt: number;
}

/** Why a token says nothing: not a token at all, not signed with this secret, another peer's, for another room, or too old. All of them mean: join fresh. */
export type ResumeRefusal = "malformed" | "forged" | "other-peer" | "other-room" | "expired";

/** What a token turned out to be. */
export type ResumeVerdict = { readonly isGood: true; readonly claim: ResumeClaim } | { readonly isGood: false; readonly reason: ResumeRefusal };

/**
 * A token that only who holds `secret` can make. The servers of one core share it, so that each believes what another gave. A token is no secret key: it stands beside the proof of
 * identity that a connection begins with, never for it. Throws `InvalidArgumentError` for a secret under {@link CLUSTER_SECRET_BYTES_MIN} bytes or a name too long to fit.
 */
export function makeResumeToken(secret: Uint8Array, { peer, room, expiresAt }: ResumeClaim): Uint8Array {
  if (!Number.isSafeInteger(expiresAt) || expiresAt < 0) throw new InvalidArgumentError(`expiresAt is a moment in whole ms, got ${expiresAt}`);
  if (utf8(room).length > ROOM_BYTES_MAX) throw new InvalidArgumentError(`a room in a token has at most ${ROOM_BYTES_MAX} bytes, got ${utf8(room).length}`);
  const body = new ByteWriter().byte(VERSION).uint(expiresAt).text(peer).text(room).finish();
  return concatBytes(body, codeOf(secret, body));
}

/** Judges a token that `peer`, proven, presents in `room` at `now` (ms since 1970). Never throws for what a client sent; takes as long for a code that is nearly right as for any other. */
export function checkResumeToken(secret: Uint8Array, token: Uint8Array, { peer, room, now }: { readonly peer: PeerId; readonly room: string; readonly now: number }): ResumeVerdict {
  if (token.length > RESUME_TOKEN_BYTES_MAX || token.length <= CODE_BYTES) return refused("malformed");
  const body = token.subarray(0, token.length - CODE_BYTES);
  // Nothing of the body is looked at before it is known to be ours.
  if (!isSameCode(codeOf(secret, body), token.subarray(token.length - CODE_BYTES))) return refused("forged");
  const claim = readClaim(body);
  if (claim === undefined) return refused("malformed");
  if (claim.peer !== peer) return refused("other-peer");
  if (claim.room !== room) return refused("other-room");
  return now < claim.expiresAt ? { isGood: true, claim } : refused("expired");
}

function refused(reason: ResumeRefusal): ResumeVerdict {
  return { isGood: false, reason };
}

function codeOf(secret: Uint8Array, body: Uint8Array): Uint8Array {
  if (secret.length < CLUSTER_SECRET_BYTES_MIN) throw new InvalidArgumentError(`a cluster secret has at least ${CLUSTER_SECRET_BYTES_MIN} bytes, got ${secret.length}`);
  return authCode(digest(concatBytes(DOMAIN, secret), KEY_BYTES), body, CODE_BYTES);
}

/** Looks at every byte, whatever the ones before were: how long it takes says nothing. */
function isSameCode(expected: Uint8Array, given: Uint8Array): boolean {
  let difference = expected.length ^ given.length;
  for (let at = 0; at < expected.length; at += 1) difference |= (expected[at] ?? 0) ^ (given[at] ?? 0);
  return difference === 0;
}

function readClaim(body: Uint8Array): ResumeClaim | undefined {
  try {
    const reader = new ByteReader(body);
    if (reader.byte() !== VERSION) return undefined;
    const expiresAt = reader.uint();
    const peer = reader.text(PEER_ID_BYTES_MAX);
    const room = reader.text(ROOM_BYTES_MAX);
    reader.end();
    return isPeerId(peer) ? { peer, room, expiresAt } : undefined;
  } catch (error) {
    // A token of ours from another version.
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
