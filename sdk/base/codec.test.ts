// The words every wire format is made of: what is written is read, and nothing else is.
import fc from "fast-check";
import { expect, test } from "vitest";
import { fromUtf8, utf8 } from "./bytes.ts";
import { ByteReader, ByteWriter, jsonCodec } from "./codec.ts";

const fields = fc.array(fc.oneof(
  fc.record({ kind: fc.constant("uint" as const), value: fc.maxSafeNat() }),
  fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 300 }) }),
  fc.record({ kind: fc.constant("text" as const), value: fc.string({ maxLength: 40, unit: "binary" }) }),
  fc.record({ kind: fc.constant("bool" as const), value: fc.boolean() }),
));

test("whatever is written is read back, also by writers that take turns", () => {
  fc.assert(fc.property(fields, fields, (one, two) => {
    const writers = [new ByteWriter(), new ByteWriter()];
    const lists = [one, two];
    for (let at = 0; at < Math.max(one.length, two.length); at += 1) {
      for (const [which, list] of lists.entries()) {
        const field = list[at];
        const writer = writers[which]!;
        if (field?.kind === "uint") writer.uint(field.value);
        else if (field?.kind === "bytes") writer.bytes(field.value);
        else if (field?.kind === "text") writer.text(field.value);
        else if (field?.kind === "bool") writer.bool(field.value);
      }
    }
    const results = writers.map((writer) => writer.finish());
    for (const [which, list] of lists.entries()) {
      const reader = new ByteReader(results[which]!);
      for (const { kind, value } of list) {
        const read = kind === "uint" ? reader.uint() : kind === "bytes" ? reader.bytes() : kind === "text" ? reader.text() : reader.bool();
        expect(read).toEqual(value);
      }
      reader.end();
    }
  }));
});

test("random bytes give values or a malformed error, never anything else and never bytes from outside the view", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), fc.array(fc.constantFrom("uint", "bytes", "text", "bool", "byte", "list")), (bytes, reads) => {
    const secret = new Uint8Array(bytes.length + 64).fill(0x5a);
    secret.set(bytes, 32);
    const reader = new ByteReader(secret.subarray(32, 32 + bytes.length));
    try {
      for (const read of reads) {
        if (read === "uint") expect(Number.isSafeInteger(reader.uint())).toBe(true);
        else if (read === "bytes") expect(reader.bytes().length).toBeLessThanOrEqual(bytes.length);
        else if (read === "text") reader.text();
        else if (read === "bool") reader.bool();
        else if (read === "byte") reader.byte();
        else reader.list(() => reader.byte(), 10);
        expect(reader.remaining).toBeGreaterThanOrEqual(0);
      }
    } catch (error) {
      expect(error).toMatchObject({ code: "malformed" });
    }
  }), { numRuns: 2_000 });
});

test("text is the UTF-8 that the platform makes of it, short or long, ASCII or not", () => {
  fc.assert(fc.property(fc.oneof(fc.string({ maxLength: 80, unit: "binary" }), fc.string({ maxLength: 80, unit: "binary-ascii" })), (text) => {
    expect(utf8(text)).toEqual(new Uint8Array(new TextEncoder().encode(text)));
    expect(fromUtf8(utf8(text))).toBe(text);
  }), { numRuns: 1_000 });
});

test("a finished writer is over, and what it wrote stays as it was", () => {
  const writer = new ByteWriter().text("first");
  const first = writer.finish();
  expect(() => writer.finish()).toThrow(/finishes once/);
  writer.text("too late");
  const second = new ByteWriter().text("second").finish();
  expect(new ByteReader(first).text()).toBe("first");
  expect(new ByteReader(second).text()).toBe("second");
});

test("trailing bytes, long lists and bytes over a limit are malformed", () => {
  expect(() => new ByteReader(Uint8Array.of(1, 2)).end()).toThrow(/after the end/);
  expect(() => new ByteReader(new ByteWriter().uint(1_000_000).finish()).list(() => 0, 10)).toThrow(/at most 10/);
  expect(() => new ByteReader(new ByteWriter().uint(9).finish()).list(() => 0, 10)).toThrow(/a list of 9/);
  expect(() => new ByteReader(new ByteWriter().bytes(new Uint8Array(9)).finish()).bytes(8)).toThrow(/at most 8/);
  expect(() => new ByteReader(Uint8Array.of(1, 0xff)).text()).toThrow(/UTF-8/);
});

test("JSON goes through and anything else is malformed", () => {
  const codec = jsonCodec<unknown>();
  expect(codec.decode(codec.encode({ a: [1, null, "é"] }))).toEqual({ a: [1, null, "é"] });
  expect(() => codec.decode(Uint8Array.of(0xff))).toThrow(/not JSON/);
});
