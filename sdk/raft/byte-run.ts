// A run of byte strings on the wire, each without the beginning it shares with the one before it: commands of one writer begin alike.
import { MalformedError, NO_BYTES, type ByteReader, type ByteWriter } from "../base/index.ts";

/** A string leaves out at most this many bytes: a frame can not grow to more than this many times its own length when it is read. */
const SHARED_BYTES_MAX = 127;

/**
 * Writes a run of {@link RunReader}'s: first {@link start}, then each string where its place is. The first one stands whole; of each later one how many
 * bytes it begins with like the one before it, the length of the rest, and the rest.
 */
export class RunWriter {
  readonly #writer: ByteWriter;
  #before: Uint8Array | undefined;

  constructor(writer: ByteWriter) {
    this.#writer = writer;
  }

  /** How many strings follow, and of how many bytes all but the first are together, so that a reader can make room once. */
  start(length: number, laterBytes: number): void {
    this.#writer.uint(length);
    if (length > 1) this.#writer.uint(laterBytes);
  }

  next(bytes: Uint8Array): void {
    const before = this.#before;
    this.#before = bytes;
    if (before === undefined) {
      this.#writer.bytes(bytes);
      return;
    }
    const shared = sharedBytes(before, bytes);
    this.#writer.byte(shared).uint(bytes.length - shared).raw(bytes, shared);
  }
}

function sharedBytes(a: Uint8Array, b: Uint8Array): number {
  const most = Math.min(a.length, b.length, SHARED_BYTES_MAX);
  let shared = 0;
  while (shared < most && a[shared] === b[shared]) shared += 1;
  return shared;
}

/** Reads a run. Throws `MalformedError` for what no {@link RunWriter} wrote. */
export class RunReader {
  /** How many strings there are. */
  readonly length: number;
  readonly #reader: ByteReader;
  /** All strings but the first, which is a view on the frame. */
  readonly #room: Uint8Array;
  #used = 0;
  #before: Uint8Array | undefined;

  /** Every string comes with `bytesMin` bytes at least, and there are at most `max` of them: checked before anything is allocated. */
  constructor(reader: ByteReader, { max, bytesMin }: { readonly max: number; readonly bytesMin: number }) {
    this.#reader = reader;
    this.length = reader.uint();
    if (this.length > max || this.length * bytesMin > reader.remaining) throw new MalformedError(`${this.length} strings in ${reader.remaining} bytes`);
    const size = this.length < 2 ? 0 : reader.uint();
    if (size > reader.remaining + this.length * SHARED_BYTES_MAX) throw new MalformedError(`strings of ${size} bytes in ${reader.remaining}`);
    this.#room = size === 0 ? NO_BYTES : new Uint8Array(size);
  }

  next(): Uint8Array {
    const before = this.#before;
    return (this.#before = before === undefined ? this.#reader.bytes() : this.#after(before));
  }

  #after(before: Uint8Array): Uint8Array {
    const reader = this.#reader;
    const shared = reader.byte();
    const start = this.#used;
    const rest = start + shared;
    const end = rest + reader.uint();
    if (shared > SHARED_BYTES_MAX || shared > before.length || end > this.#room.length) throw new MalformedError("a string shares more than there is");
    for (let at = 0; at < shared; at += 1) this.#room[start + at] = before[at] ?? 0;
    reader.copyTo(this.#room, rest, end - rest);
    if (end > rest && shared < SHARED_BYTES_MAX && this.#room[rest] === before[shared]) throw new MalformedError("a string shares less than it could");
    this.#used = end;
    return this.#room.subarray(start, end);
  }

  /** States that every string was read. */
  end(): void {
    if (this.#used !== this.#room.length) throw new MalformedError(`${this.#room.length - this.#used} bytes of strings are missing`);
  }
}
