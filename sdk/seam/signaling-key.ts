// From what an invitation says to what signaling needs: the name under which a room is found, and the key that its messages are sealed with.
import { authCode, ByteWriter, concatBytes, digest, toHex, utf8 } from "../base/index.ts";
import { PasswordUnavailableError } from "./errors.ts";
import { sealKey, type SealKey } from "./sealing.ts";

/** How often a password is hashed (PBKDF2 with SHA-256): what OWASP asked for in 2023; a desktop takes 0.2 s, a phone one. */
export const PASSWORD_ROUNDS: number = 600_000;

/** What people must share to meet. */
export interface SignalingSecret {
  readonly room: string;
  /** The secret of the invitation's link, at least 128 random bits as text. Undefined: the room's code is all there is, and all is as secret as that. */
  readonly secret?: string | undefined;
  /** On top of it, something people tell each other. */
  readonly password?: string | undefined;
}

/** A room as signaling sees it. */
export interface SignalingKey {
  /** The name to meet under: a digest, so that the server knows neither code nor secret. Passwords do not change it. */
  readonly place: string;
  readonly key: SealKey;
}

/**
 * Works it out. From a secret of 128 bits nothing leads back to it, whatever the server tries. From a code alone the server can find the code by
 * trying codes, at one digest each: 40 bits for a code of our making. A password is hashed slowly, with a salt made from secret and room, so who
 * holds the link and not the password pays 600 000 rounds of PBKDF2 per guess, and who lacks the link can not guess at all. Rejects with
 * `PasswordUnavailableError` where there is a password and no WebCrypto.
 */
export async function signalingKey({ room, secret, password }: SignalingSecret): Promise<SignalingKey> {
  // A code and a secret of the same letters are different things.
  const root = digest(new ByteWriter().text("flotilla/signaling/1").bool(secret !== undefined).text(room).text(secret ?? "").finish(), 32);
  const key = password === undefined ? root : await stretched(root, password);
  return { place: toHex(authCode(root, utf8("place"), 16)), key: sealKey(authCode(key, utf8("key"), 32)) };
}

async function stretched(root: Uint8Array, password: string): Promise<Uint8Array> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (subtle === undefined) throw new PasswordUnavailableError();
  const salt = authCode(root, utf8("password"), 16).slice();
  // People type the same letters in different ways.
  const typed = await subtle.importKey("raw", utf8(password.normalize("NFKC")).slice(), "PBKDF2", false, ["deriveBits"]);
  const bits = await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: PASSWORD_ROUNDS }, typed, 256);
  return authCode(root, concatBytes(utf8("password key"), new Uint8Array(bits)), 32);
}
