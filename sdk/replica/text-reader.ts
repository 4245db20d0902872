// Turns short UTF-8 ids into strings without decoding the same few again and again.
import { MalformedError } from "../base/index.ts";

/** Ids remembered; a group has a handful of writers. */
const SLOTS = 64;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

interface Slot {
  readonly bytes: Uint8Array;
  readonly text: string;
}

/** A small direct-mapped cache from bytes to the string they are. */
export class TextReader {
  readonly #slots: (Slot | undefined)[] = Array.from({ length: SLOTS });
  /** What was read last but one, and last, by turns. */
  readonly #latest: (Slot | undefined)[] = [undefined, undefined];
  #turn = 0;

  /** The string in `length` bytes from `start`. Throws `MalformedError` when they are not there or no UTF-8. */
  read(bytes: Uint8Array, start: number, length: number): string {
    const end = start + length;
    if (end > bytes.length) throw new MalformedError("text ends early");
    // Mostly it is one of the two before: a command's writer, and its proposer.
    const turn = this.#turn;
    const before = this.#latest[turn];
    this.#turn = 1 - turn;
    if (before !== undefined && same(before.bytes, bytes, start, length)) return before.text;
    let hash = length;
    for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
    const place = (hash ^ (hash >>> 16)) & (SLOTS - 1);
    const slot = this.#slots[place];
    if (slot === undefined || !same(slot.bytes, bytes, start, length)) return this.#decode(bytes.slice(start, end), place);
    this.#latest[turn] = slot;
    return slot.text;
  }

  #decode(own: Uint8Array, place: number): string {
    try {
      const text = decoder.decode(own);
      this.#slots[place] = { bytes: own, text };
      return text;
    } catch (cause) {
      throw new MalformedError("text is not valid UTF-8", { cause });
    }
  }
}

function same(own: Uint8Array, bytes: Uint8Array, start: number, length: number): boolean {
  if (own.length !== length) return false;
  for (let at = 0; at < length; at += 1) if (own[at] !== bytes[start + at]) return false;
  return true;
}
