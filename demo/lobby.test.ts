// What counts as an invitation when somebody types or pastes one.
import { expect, test } from "vitest";
import { codeOf, hashOf } from "./lobby.ts";

test("a link, its hash alone and a bare code all name the room", () => {
  expect(hashOf("https://example.org/play/#room=K7QX2P")).toBe("#room=K7QX2P");
  expect(hashOf("  #room=K7QX2P ")).toBe("#room=K7QX2P");
  expect(hashOf(" K7QX2P\n")).toBe("#room=K7QX2P");
  expect(codeOf(hashOf("https://example.org/#room=K7QX2P"))).toBe("K7QX2P");
});

test("whatever else the hash of a link carries is kept", () => {
  expect(hashOf("https://example.org/#room=K7QX2P&key=abc")).toBe("#room=K7QX2P&key=abc");
});

test("a link without a room, a sentence or nothing names no room", () => {
  for (const text of ["", "   ", "https://example.org/", "https://example.org/#top", "come and play", "a/b"]) expect(hashOf(text)).toBe("");
});
