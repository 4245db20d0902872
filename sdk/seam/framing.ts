// Frames in pieces small enough for every data channel, streams taking turns, and the pieces joined again.
import { MalformedError } from "../base/index.ts";

/** The largest piece with its header, in bytes: what every browser's data channel takes (RFC 8831 advice). */
export const PIECE_BYTES_MAX: number = 16 * 1024;

/** First bytes from here on belong to the link itself, not to frames. */
export const CONTROL_KIND_MIN: number = 0x10;

const WHOLE = 0;
const FIRST = 1;
const MORE = 2;
const SHORT_HEADER = 2;
const FIRST_HEADER = 6;

/** A frame that fits into one piece, as that piece; undefined when it does not fit. */
export function wholePiece(bytes: Uint8Array, stream: number): Uint8Array | undefined {
  if (bytes.length + SHORT_HEADER > PIECE_BYTES_MAX) return undefined;
  const piece = new Uint8Array(SHORT_HEADER + bytes.length);
  piece[0] = WHOLE;
  piece[1] = stream;
  piece.set(bytes, SHORT_HEADER);
  return piece;
}

const scratch = new Uint8Array(PIECE_BYTES_MAX);

/** {@link wholePiece} in a buffer that the next call uses again: for one who hands it to a link, which copies it, in the same breath. */
export function passingPiece(bytes: Uint8Array, stream: number): Uint8Array | undefined {
  if (bytes.length + SHORT_HEADER > PIECE_BYTES_MAX) return undefined;
  scratch[0] = WHOLE;
  scratch[1] = stream;
  scratch.set(bytes, SHORT_HEADER);
  return scratch.subarray(0, SHORT_HEADER + bytes.length);
}

/** A queue whose front leaves at the same cost however many wait; an array's own `shift` moves all the others. */
class PieceQueue {
  #pieces: Uint8Array[] = [];
  #front = 0;

  get isEmpty(): boolean {
    return this.#front === this.#pieces.length;
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece);
  }

  shift(): Uint8Array | undefined {
    const piece = this.#pieces[this.#front];
    if (piece === undefined) return undefined;
    this.#front += 1;
    // What has left is let go of once it is as much as what waits.
    if (this.#front * 2 > this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#front);
      this.#front = 0;
    }
    return piece;
  }
}

/** Cuts frames into pieces and deals them out: pieces of one stream in order, the streams in turn. */
export class FrameSplitter {
  readonly #queueBytesMax: number;
  readonly #queues = new Map<number, PieceQueue>();
  #turns: number[] = [];
  #queuedBytes = 0;

  /** `queueBytesMax`: what may wait here, in bytes with headers. */
  constructor(queueBytesMax: number) {
    this.#queueBytesMax = queueBytesMax;
  }

  /** Bytes waiting, headers included. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Copies a frame into the queue of its stream. False, and nothing queued, when it would pass the limit. */
  push(bytes: Uint8Array, stream: number): boolean {
    if (this.#queuedBytes + bytes.length > this.#queueBytesMax) return false;
    const known = this.#queues.get(stream);
    const queue = known ?? new PieceQueue();
    if (known === undefined) {
      this.#queues.set(stream, queue);
      this.#turns.push(stream);
    }
    for (const piece of pieces(bytes, stream)) {
      queue.push(piece);
      this.#queuedBytes += piece.length;
    }
    return true;
  }

  /** The next piece to send, or undefined when nothing waits. */
  next(): Uint8Array | undefined {
    const stream = this.#turns.shift();
    if (stream === undefined) return undefined;
    const queue = this.#queues.get(stream);
    const piece = queue?.shift();
    if (queue?.isEmpty === false) this.#turns.push(stream);
    else this.#queues.delete(stream);
    this.#queuedBytes -= piece?.length ?? 0;
    return piece;
  }
}

function* pieces(bytes: Uint8Array, stream: number): Generator<Uint8Array> {
  const whole = wholePiece(bytes, stream);
  if (whole !== undefined) {
    yield whole;
    return;
  }
  const head = new Uint8Array(FIRST_HEADER);
  head[0] = FIRST;
  head[1] = stream;
  new DataView(head.buffer).setUint32(2, bytes.length);
  let at = PIECE_BYTES_MAX - FIRST_HEADER;
  yield headed(head, bytes.subarray(0, at));
  while (at < bytes.length) {
    const end = at + PIECE_BYTES_MAX - SHORT_HEADER;
    yield headed(Uint8Array.of(MORE, stream), bytes.subarray(at, end));
    at = end;
  }
}

function headed(header: Uint8Array, body: Uint8Array): Uint8Array {
  const piece = new Uint8Array(header.length + body.length);
  piece.set(header);
  piece.set(body, header.length);
  return piece;
}

interface Unfinished {
  readonly whole: Uint8Array;
  filled: number;
}

/** Joins the pieces of one link. A sender that breaks the format gets a `MalformedError`, after which the link must end: a gap can not be mended. */
export class FrameJoiner {
  readonly #frameBytesMax: number;
  readonly #joinBytesMax: number;
  readonly #partials = new Map<number, Unfinished>();
  #joinBytes = 0;

  /** `frameBytesMax`: the largest frame; `joinBytesMax`: what all unfinished frames together may claim. */
  constructor(frameBytesMax: number, joinBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
    this.#joinBytesMax = joinBytesMax;
  }

  /** Takes a piece; returns a frame when it is whole. The frame may share memory with the piece. */
  accept(piece: Uint8Array): Uint8Array | undefined {
    const stream = piece[1];
    if (stream === undefined) throw new MalformedError("a piece without a header");
    if (piece[0] === WHOLE) return this.#whole(stream, piece);
    if (piece[0] === FIRST) return this.#first(stream, piece);
    if (piece[0] === MORE) return this.#more(stream, piece);
    throw new MalformedError(`a piece of unknown kind ${piece[0]}`);
  }

  #whole(stream: number, piece: Uint8Array): Uint8Array {
    if (this.#partials.has(stream)) throw new MalformedError("a frame begins inside another of its stream");
    if (piece.length - SHORT_HEADER > this.#frameBytesMax) throw new MalformedError(`a frame of ${piece.length - SHORT_HEADER} bytes`);
    return piece.subarray(SHORT_HEADER);
  }

  #first(stream: number, piece: Uint8Array): undefined {
    if (piece.length <= FIRST_HEADER || this.#partials.has(stream)) throw new MalformedError("a misplaced first piece");
    const total = new DataView(piece.buffer, piece.byteOffset).getUint32(2);
    const body = piece.subarray(FIRST_HEADER);
    if (total > this.#frameBytesMax || total <= body.length) throw new MalformedError(`a frame of ${total} bytes`);
    if (this.#joinBytes + total > this.#joinBytesMax) throw new MalformedError("too many unfinished frames");
    const whole = new Uint8Array(total);
    whole.set(body);
    this.#joinBytes += total;
    this.#partials.set(stream, { whole, filled: body.length });
    return undefined;
  }

  #more(stream: number, piece: Uint8Array): Uint8Array | undefined {
    const partial = this.#partials.get(stream);
    const body = piece.subarray(SHORT_HEADER);
    if (partial === undefined || body.length === 0 || partial.filled + body.length > partial.whole.length) {
      throw new MalformedError("a misplaced further piece");
    }
    partial.whole.set(body, partial.filled);
    partial.filled += body.length;
    if (partial.filled < partial.whole.length) return undefined;
    this.#partials.delete(stream);
    this.#joinBytes -= partial.whole.length;
    return partial.whole;
  }
}
