// Words and emotes as they travel, and what is made of a flood of them or of nonsense.
import { describe, expect, test } from "vitest";
import { cleanText, decodeRemark, EMOTES, encodeRemark, TEXT_CHARS_MAX, Turnstile } from "./talk.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("remarks", () => {
  test("a line and every emote arrive as they were sent", () => {
    expect(decodeRemark(encodeRemark({ type: "say", text: "Well <b>played</b>, Zoë 🎉" }))).toEqual({ type: "say", text: "Well <b>played</b>, Zoë 🎉" });
    for (const emote of EMOTES) expect(decodeRemark(encodeRemark({ type: "emote", emote }))).toEqual({ type: "emote", emote });
    expect(new Set(EMOTES.map(({ id }) => id)).size).toBe(EMOTES.length);
  });

  test("the longest line of the largest characters still fits a frame", () => {
    const text = "漢".repeat(TEXT_CHARS_MAX);
    expect(decodeRemark(encodeRemark({ type: "say", text }))).toEqual({ type: "say", text });
  });

  test("a line is plain text of bounded length, whatever was sent", () => {
    expect(cleanText("  two\n\nlines\tand\u0000 more ")).toBe("two lines and more");
    expect(cleanText("safe\u202eexe.txt")).toBe("safe exe.txt");
    expect(cleanText("ä".repeat(3 * TEXT_CHARS_MAX))).toHaveLength(TEXT_CHARS_MAX);
    expect(cleanText(`a${"🎉".repeat(TEXT_CHARS_MAX)}`), "no half of a character is left").toBe(`a${"🎉".repeat(TEXT_CHARS_MAX / 2 - 1)}`);
    expect(decodeRemark(bytes(JSON.stringify({ say: "x".repeat(TEXT_CHARS_MAX + 50) })))).toEqual({ type: "say", text: "x".repeat(TEXT_CHARS_MAX) });
  });

  test("what says nothing we know is dropped", () => {
    for (const odd of ["", "null", "7", "[]", "{", '{"say":""}', '{"say":"  "}', '{"say":7}', '{"emote":"constructor"}', '{"emote":{}}', '"say"']) expect(decodeRemark(bytes(odd)), odd).toBeUndefined();
    expect(decodeRemark(Uint8Array.of(0xff, 0xfe))).toBeUndefined();
    expect(decodeRemark(bytes(JSON.stringify({ say: "x".repeat(100_000) })))).toBeUndefined();
  });
});

describe("the turnstile", () => {
  test("lets a few remarks through at once, then one every so often", () => {
    const turnstile = new Turnstile();
    const through = Array.from({ length: 20 }, () => turnstile.admits("bo", 1000)).filter(Boolean);
    expect(through).toHaveLength(6);
    expect(turnstile.admits("bo", 2199)).toBe(false);
    expect(turnstile.admits("bo", 2200)).toBe(true);
    expect(turnstile.admits("bo", 2200)).toBe(false);
  });

  test("is full again after a while, and one person's flood is not another's", () => {
    const turnstile = new Turnstile();
    for (let at = 0; at < 10; at += 1) turnstile.admits("bo", 0);
    expect(turnstile.admits("cy", 0)).toBe(true);
    expect(Array.from({ length: 20 }, () => turnstile.admits("bo", 60_000)).filter(Boolean)).toHaveLength(6);
  });

  test("remembers the flood of somebody whom a crowd of others does not outnumber", () => {
    const turnstile = new Turnstile();
    for (let at = 0; at < 6; at += 1) turnstile.admits("bo", 0);
    for (let other = 0; other < 63; other += 1) turnstile.admits(`other-${other}`, 0);
    expect(turnstile.admits("bo", 0)).toBe(false);
  });
});
