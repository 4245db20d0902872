// The strings two people hand each other: short, safe to type and to put into a QR code, sealed, and telling apart what may be wrong with one.
import { bytesEqual, ByteReader, ByteWriter, concatBytes, digest, digest64, hasCode, SdkError, utf8, type Random } from "../base/index.ts";
import { readDescription, writeDescription, type ManualDescription } from "./manual-description.ts";
import { seal, sealKey, unseal, type SealKey } from "./sealing.ts";

/** History: 1, the first. */
const STRING_VERSION = 1;
/** Longest string that is looked at, in characters: more than any of ours has. */
const MANUAL_CHARS_MAX = 4_096;
const TAG_BYTES = 4;
const CHECK_BYTES = 4;
const ID_BYTES = 8;
// Crockford's: no letters one takes for digits, and all of them fit QR's compact mode, at 5 bits in 5.5.
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const MISREAD: Readonly<Record<string, string>> = { O: "0", I: "1", L: "1" };

/** What may be wrong with a string that was pasted. */
export type ManualStringFault = "string-damaged" | "string-of-another-room" | "string-misplaced" | "string-used";

/**
 * A string that can not be used here; nothing changed. `code` says why: `string-damaged` (not whole, or not one of ours), `string-of-another-room` (made with
 * another secret), `string-misplaced` (an invitation where a reply belongs, or the reverse, or a reply to somebody else's invitation), `string-used` (it was taken
 * before, or its invitation was replaced).
 */
export class ManualStringError extends SdkError {
  constructor(code: ManualStringFault, message: string) {
    super(code, message);
    this.name = "ManualStringError";
  }
}

/** What a string is for. */
export type ManualStringKind = "invitation" | "reply";

/** What stands in a string. */
export interface ManualWord {
  readonly kind: ManualStringKind;
  /** Of the invitation, and of its reply. */
  readonly id: Uint8Array;
  readonly description: ManualDescription;
}

/** What both ends hold, as it is used. */
export interface ManualSecret {
  readonly key: SealKey;
  /** Tells rooms apart without telling what the secret is. */
  readonly tag: Uint8Array;
}

/** Works it out of a text only the two know. */
export function manualSecret(secret: string): ManualSecret {
  const root = digest(concatBytes(utf8("flotilla/manual/1\0"), utf8(secret)), 32);
  return { key: sealKey(root), tag: digest64(concatBytes(utf8("flotilla/manual/tag/1\0"), root)).slice(0, TAG_BYTES) };
}

const KINDS: readonly ManualStringKind[] = ["invitation", "reply"];
const CONTEXT = utf8("flotilla/manual");

/** The string of a word: digits and capital letters, 1.6 to a byte. */
export function writeManualString({ kind, id, description }: ManualWord, { key, tag }: ManualSecret, random: Random): string {
  const writer = new ByteWriter().byte(KINDS.indexOf(kind)).raw(id);
  writeDescription(writer, description);
  const body = concatBytes(Uint8Array.of(STRING_VERSION), tag, seal(key, writer.finish(), CONTEXT, random));
  return toText(concatBytes(body, checkOf(body)));
}

/** The word in a string, white space and small letters forgiven. Throws `ManualStringError`. */
export function readManualString(text: string, { key, tag }: ManualSecret): ManualWord {
  const bytes = toBytes(text);
  const body = bytes?.subarray(0, -CHECK_BYTES);
  if (bytes === undefined || body === undefined || body.length <= 1 + TAG_BYTES || !bytesEqual(checkOf(body), bytes.subarray(-CHECK_BYTES))) throw damaged("it is not whole, or was never one of ours");
  if (body[0] !== STRING_VERSION) throw damaged(`it is of version ${body[0] ?? 0}, ${STRING_VERSION} is known here`);
  if (!bytesEqual(body.subarray(1, 1 + TAG_BYTES), tag)) throw new ManualStringError("string-of-another-room", "this string was made for another room");
  const opened = unseal(key, body.subarray(1 + TAG_BYTES), CONTEXT);
  if (opened === undefined) throw damaged("it was changed on its way");
  try {
    const reader = new ByteReader(opened);
    const kind = KINDS[reader.byte()];
    const id = reader.raw(ID_BYTES).slice();
    const description = readDescription(reader);
    reader.end();
    if (kind !== undefined) return { kind, id, description };
  } catch (error) {
    if (!hasCode(error, "malformed")) throw error;
  }
  throw damaged("what it holds makes no sense");
}

/** An id for an invitation. */
export function manualId(random: Random): Uint8Array {
  return Uint8Array.from({ length: ID_BYTES }, () => random.uint32() >>> 24);
}

function damaged(why: string): ManualStringError {
  return new ManualStringError("string-damaged", `this string can not be read: ${why}; copy it again, whole`);
}

function checkOf(body: Uint8Array): Uint8Array {
  return digest64(body).slice(0, CHECK_BYTES);
}

function toText(bytes: Uint8Array): string {
  let text = "";
  let held = 0;
  let bits = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31] ?? "";
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + (ALPHABET[(held << (5 - bits)) & 31] ?? "");
}

function toBytes(text: string): Uint8Array | undefined {
  if (text.length > 2 * MANUAL_CHARS_MAX) return undefined;
  const letters = text.replaceAll(/[\s-]/gu, "").toUpperCase();
  if (letters.length > MANUAL_CHARS_MAX) return undefined;
  const bytes: number[] = [];
  let held = 0;
  let bits = 0;
  for (const letter of letters) {
    const value = ALPHABET.indexOf(MISREAD[letter] ?? letter);
    if (value < 0) return undefined;
    held = (held << 5) | value;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push(held >> bits);
    held &= (1 << bits) - 1;
  }
  return Uint8Array.from(bytes);
}
