// From what an invitation says to what signaling needs: the name under which a room is found, and the key that its messages are sealed with.
import { authCode, ByteWriter, concatBytes, digest, toHex, utf8 } from "../base/index.ts";
import { sealKey, type SealKey } from "./sealing.ts";

/** How often a password is hashed (PBKDF2 with SHA-256): what OWASP asked for in 2023; a desktop takes 0.2 s, a phone one, and ten times that without WebCrypto. */
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
 * holds the link and not the password pays 600 000 rounds of PBKDF2 per guess, and who lacks the link can not guess at all.
 */
export async function signalingKey({ room, secret, password }: SignalingSecret): Promise<SignalingKey> {
  // A code and a secret of the same letters are different things.
  const root = digest(new ByteWriter().text("flotilla/signaling/1").bool(secret !== undefined).text(room).text(secret ?? "").finish(), 32);
  const key = password === undefined ? root : await stretched(root, password);
  return { place: toHex(authCode(root, utf8("place"), 16)), key: sealKey(authCode(key, utf8("key"), 32)) };
}

async function stretched(root: Uint8Array, password: string): Promise<Uint8Array> {
  const salt = authCode(root, utf8("password"), 16);
  // People type the same letters in different ways.
  return authCode(root, concatBytes(utf8("password key"), await hashed(utf8(password.normalize("NFKC")), salt)), 32);
}

async function hashed(typed: Uint8Array, salt: Uint8Array): Promise<Uint8Array> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  // Loaded where it is needed and nowhere else.
  if (subtle === undefined) return (await import("./slow-hash.ts")).slowHash(typed, salt, PASSWORD_ROUNDS);
  const key = await subtle.importKey("raw", typed.slice(), "PBKDF2", false, ["deriveBits"]);
  return new Uint8Array(await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt: salt.slice(), iterations: PASSWORD_ROUNDS }, key, 256));
}
