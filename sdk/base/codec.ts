// Bytes on the wire and on disk: a writer and a checked reader over lib0. Not for text formats.
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import { assert } from "./assert.ts";
import { fromUtf8, utf8 } from "./bytes.ts";
import { MalformedError } from "./errors.ts";

/** Turns values into bytes and back. `decode` throws `MalformedError` for bytes `encode` could not have made. */
export interface Codec<T> {
  /** The bytes of `value`. May throw for a value the codec can not express. */
  encode(value: T): Uint8Array;
  /** The value behind `bytes`. Throws `MalformedError` for bytes `encode` could not have made. */
  decode(bytes: Uint8Array): T;
}

// A new encoder allocates a buffer outside the JavaScript heap; making and dropping one per message cost a third of all time at one
// proposal in flight. Finished ones are used again: up to eight, and none that has grown large.
const IDLE_ENCODERS_MAX = 8;
const IDLE_BUFFER_BYTES_MAX = 64 * 1024;
const idleEncoders: encoding.Encoder[] = [];

function retire(encoder: encoding.Encoder): void {
  if (idleEncoders.length >= IDLE_ENCODERS_MAX || encoder.cbuf.length > IDLE_BUFFER_BYTES_MAX) return;
  encoder.cpos = 0;
  encoder.bufs = [];
  idleEncoders.push(encoder);
}

const OVER: encoding.Encoder = encoding.createEncoder();

/** Up to here bytes are copied one by one. */
const SHORT_BYTES = 96;
/** The same of a whole result, which would need a view first. */
const SHORT_RESULT_BYTES = 192;

/** Appends fields to a growing buffer. `finish()` copies the result out and ends the writer: using it again is a programmer error. */
export class ByteWriter {
  #encoder: encoding.Encoder = idleEncoders.pop() ?? encoding.createEncoder();
  #finished = false;

  /** Bytes written so far. */
  get length(): number {
    return encoding.length(this.#encoder);
  }

  /** One byte, 0 to 255. */
  byte(value: number): this {
    encoding.write(this.#encoder, value);
    return this;
  }

  /** A whole number from 0 to 2^53 - 1, in 1 to 8 bytes. */
  uint(value: number): this {
    encoding.writeVarUint(this.#encoder, value);
    return this;
  }

  /** A boolean in one byte. */
  bool(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  /** Bytes with their length in front. */
  bytes(value: Uint8Array): this {
    return this.uint(value.length).raw(value);
  }

  /** Bytes as they are, from `from` on; the reader must know how many. */
  raw(value: Uint8Array, from = 0): this {
    const encoder = this.#encoder;
    const length = value.length - from;
    encoding.verifyLen(encoder, length);
    const { cbuf, cpos } = encoder;
    // Making a view costs more than copying a few bytes one by one.
    if (length < SHORT_BYTES) for (let at = 0; at < length; at += 1) cbuf[cpos + at] = value[from + at] ?? 0;
    else cbuf.set(from === 0 ? value : value.subarray(from), cpos);
    encoder.cpos += length;
    return this;
  }

  /** A string as UTF-8 with its byte length in front. */
  text(value: string): this {
    return this.bytes(utf8(value));
  }

  /** A list with its length in front. */
  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.uint(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** A copy of everything written; the writer is over. */
  finish(): Uint8Array {
    assert(!this.#finished, "a writer finishes once");
    const bytes = encoding.toUint8Array(this.#encoder);
    this.#end();
    return bytes;
  }

  /** Copies everything written into `target` from `at` on, where `length` bytes must be free; the writer is over. */
  finishInto(target: Uint8Array, at: number): void {
    assert(!this.#finished, "a writer finishes once");
    const { bufs, cbuf, cpos } = this.#encoder;
    let end = at;
    for (const full of bufs) {
      target.set(full, end);
      end += full.length;
    }
    if (cpos <= SHORT_RESULT_BYTES) for (let byte = 0; byte < cpos; byte += 1) target[end + byte] = cbuf[byte] ?? 0;
    else target.set(cbuf.subarray(0, cpos), end);
    this.#end();
  }

  #end(): void {
    this.#finished = true;
    retire(this.#encoder);
    // A later write goes to an encoder nobody reads, never into somebody else's message.
    this.#encoder = OVER;
  }
}

/** Reads fields back. Every method throws `MalformedError` when the bytes end early or do not fit; nothing else is ever thrown. */
export class ByteReader {
  readonly #decoder: decoding.Decoder;
  readonly #length: number;

  /** Reads `bytes` from `start` on. */
  constructor(bytes: Uint8Array, start = 0) {
    this.#decoder = decoding.createDecoder(bytes);
    this.#decoder.pos = start;
    this.#length = bytes.length;
  }

  /** Bytes not yet read. */
  get remaining(): number {
    return this.#length - this.#decoder.pos;
  }

  /** One byte, 0 to 255. */
  byte(): number {
    this.#need(1);
    return decoding.readUint8(this.#decoder);
  }

  /** A whole number from 0 to 2^53 - 1. */
  uint(): number {
    const { arr, pos } = this.#decoder;
    const byte = arr[pos];
    // Most are small, and stand in the message of every commit.
    if (byte !== undefined && byte < 128) {
      this.#decoder.pos = pos + 1;
      return byte;
    }
    try {
      const value = decoding.readVarUint(this.#decoder);
      if (Number.isSafeInteger(value)) return value;
    } catch (cause) {
      throw new MalformedError("a whole number ends early or is too large", { cause });
    }
    throw new MalformedError("a whole number is too large");
  }

  /** A boolean; any byte but 0 and 1 is malformed. */
  bool(): boolean {
    const value = this.byte();
    if (value > 1) throw new MalformedError(`a boolean is 0 or 1, got ${value}`);
    return value === 1;
  }

  /** Length-prefixed bytes, at most `max` of them: a view on the input, not a copy. */
  bytes(max: number = Number.MAX_SAFE_INTEGER): Uint8Array {
    const length = this.uint();
    if (length > max) throw new MalformedError(`${length} bytes where at most ${max} may stand`);
    return this.raw(length);
  }

  /** Exactly `length` bytes: a view on the input, not a copy. */
  raw(length: number): Uint8Array {
    this.#need(length);
    return decoding.readUint8Array(this.#decoder, length);
  }

  /** Passes over exactly `length` bytes and returns where in the input they begin. */
  skip(length: number): number {
    this.#need(length);
    const { pos } = this.#decoder;
    this.#decoder.pos = pos + length;
    return pos;
  }

  /** Copies exactly `length` bytes into `target` from `at` on, where there must be room. */
  copyTo(target: Uint8Array, at: number, length: number): void {
    this.#need(length);
    const { arr, pos } = this.#decoder;
    if (length < SHORT_BYTES) for (let i = 0; i < length; i += 1) target[at + i] = arr[pos + i] ?? 0;
    else target.set(arr.subarray(pos, pos + length), at);
    this.#decoder.pos = pos + length;
  }

  /** A string of at most `maxBytes` UTF-8 bytes. */
  text(maxBytes: number = Number.MAX_SAFE_INTEGER): string {
    const bytes = this.bytes(maxBytes);
    try {
      return fromUtf8(bytes);
    } catch (cause) {
      throw new MalformedError("text is not valid UTF-8", { cause });
    }
  }

  /** A list of at most `max` items. The length is checked against what could still follow before anything is allocated. */
  list<T>(read: () => T, max: number): T[] {
    const length = this.uint();
    if (length > max) throw new MalformedError(`a list of ${length} where at most ${max} may stand`);
    if (length > this.remaining) throw new MalformedError(`a list of ${length} in ${this.remaining} bytes`);
    const items: T[] = [];
    for (let i = 0; i < length; i += 1) items.push(read());
    return items;
  }

  /** States that everything was read; trailing bytes are malformed. */
  end(): void {
    if (this.remaining !== 0) throw new MalformedError(`${this.remaining} bytes after the end`);
  }

  #need(length: number): void {
    if (length > this.remaining) throw new MalformedError(`${length} bytes wanted, ${this.remaining} left`);
  }
}

/** A codec for any JSON value: UTF-8 of `JSON.stringify`. Good enough for most games; write your own for speed or for Maps and dates. */
export function jsonCodec<T>(): Codec<T> {
  return {
    encode: (value) => utf8(JSON.stringify(value)),
    decode: (bytes) => {
      try {
        const value: T = JSON.parse(fromUtf8(bytes));
        return value;
      } catch (cause) {
        throw new MalformedError("bytes are not JSON", { cause });
      }
    },
  };
}
