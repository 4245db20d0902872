// Splitting, taking turns, joining; and what a hostile sender gets.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MalformedError } from "../base/index.ts";
import { FrameJoiner, FrameSplitter, PIECE_BYTES_MAX } from "./framing.ts";

const MiB = 1024 * 1024;

function drain(splitter: FrameSplitter): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let piece = splitter.next(); piece !== undefined; piece = splitter.next()) pieces.push(piece);
  return pieces;
}

describe("framing", () => {
  test("[WR5] any frames of any streams come out whole and in order per stream", () => {
    const frames = fc.array(fc.record({ stream: fc.integer({ min: 0, max: 3 }), length: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 16_000, max: 70_000 })) }), { maxLength: 12 });
    fc.assert(
      fc.property(frames, (list) => {
        const splitter = new FrameSplitter(64 * MiB);
        list.forEach(({ stream, length }, i) => splitter.push(new Uint8Array(length).fill(i + 1), stream));
        const pieces = drain(splitter);
        expect(splitter.queuedBytes).toBe(0);
        expect(pieces.every((piece) => piece.length <= PIECE_BYTES_MAX)).toBe(true);
        const joiner = new FrameJoiner(MiB, 16 * MiB);
        const out = new Map<number, string[]>();
        for (const piece of pieces) {
          const frame = joiner.accept(piece);
          if (frame === undefined) continue;
          const stream = piece[1] ?? -1;
          out.set(stream, [...(out.get(stream) ?? []), `${frame.length}:${frame[0]}:${frame.at(-1)}`]);
        }
        for (const stream of new Set(list.map((frame) => frame.stream))) {
          const sent = list.flatMap((frame, i) => (frame.stream === stream ? [frame.length === 0 ? "0:undefined:undefined" : `${frame.length}:${i + 1}:${i + 1}`] : []));
          expect(out.get(stream)).toEqual(sent);
        }
      }),
      { numRuns: 100 },
    );
  });

  test("[WR5] [MX8] a small frame of another stream waits for at most one piece of a large one", () => {
    const splitter = new FrameSplitter(64 * MiB);
    splitter.push(new Uint8Array(MiB), 3);
    splitter.push(Uint8Array.of(1), 1);
    const streams = drain(splitter).map((piece) => piece[1]);
    expect(streams.indexOf(1)).toBeLessThanOrEqual(1);
    expect(streams.length).toBeGreaterThan(64);
  });

  test("[WR6] a frame over the queue's limit is refused whole", () => {
    const splitter = new FrameSplitter(100);
    expect(splitter.push(new Uint8Array(90), 0)).toBe(true);
    const before = splitter.queuedBytes;
    expect(splitter.push(new Uint8Array(90), 1)).toBe(false);
    expect(splitter.queuedBytes).toBe(before);
    expect(drain(splitter)).toHaveLength(1);
  });

  test("[WR7] a broken sequence of pieces is malformed, never anything worse", () => {
    const first = (stream: number, total: number, body: number): Uint8Array => {
      const piece = new Uint8Array(6 + body);
      piece.set([1, stream]);
      new DataView(piece.buffer).setUint32(2, total);
      return piece;
    };
    const cases: readonly (readonly Uint8Array[])[] = [
      [new Uint8Array(0)],
      [Uint8Array.of(0)],
      [Uint8Array.of(9, 0, 1)],
      [Uint8Array.of(2, 0, 1)],
      [first(0, 100, 0)],
      [first(0, 100, 200)],
      [first(0, 2 * MiB, 10)],
      [first(0, 100, 10), first(0, 100, 10)],
      [first(0, 100, 10), Uint8Array.of(0, 0, 1)],
      [first(0, 20, 10), new Uint8Array(2 + 11).fill(2, 0, 1)],
      [first(0, 20, 10), Uint8Array.of(2, 0)],
      [first(0, MiB, 10), first(1, MiB, 10), first(2, MiB, 10)],
    ];
    for (const pieces of cases) {
      const joiner = new FrameJoiner(MiB, 2 * MiB);
      expect(() => pieces.forEach((piece) => joiner.accept(piece))).toThrow(MalformedError);
    }
  });

  test("[WR7] random bytes never do anything but join or be malformed", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (pieces) => {
        const joiner = new FrameJoiner(1000, 2000);
        for (const piece of pieces) {
          try {
            joiner.accept(piece);
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedError);
          }
        }
      }),
    );
  });
});
