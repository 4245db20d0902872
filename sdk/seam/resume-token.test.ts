// Tokens of clients that come back: believed from the peer and in the room they were made for, in time and untouched; else a reason.
import fc from "fast-check";
import { expect, test } from "vitest";
import { hasCode, peerId, utf8 } from "../base/index.ts";
import { checkResumeToken, CLUSTER_SECRET_BYTES_MIN, makeResumeToken, RESUME_TOKEN_BYTES_MAX } from "./resume-token.ts";

const secret = utf8("a secret of the three servers");
const [ann, bob] = [peerId("ann"), peerId("bob")] as const;
const claim = { peer: ann, room: "den", expiresAt: 5_000 };
const token = makeResumeToken(secret, claim);
const check = (presented: Uint8Array, change: Partial<Parameters<typeof checkResumeToken>[2]> = {}): unknown => {
  const verdict = checkResumeToken(secret, presented, { peer: ann, room: "den", now: 4_999, ...change });
  return verdict.isGood ? verdict.claim : verdict.reason;
};

test("[RT1] a token is believed from its peer, in its room, until it expires; any server with the secret believes it", () => {
  expect(check(token)).toEqual(claim);
  expect(check(makeResumeToken(secret.slice(), claim))).toEqual(claim);
});

test("[RT2] a token of another peer, for another room, or too old says so", () => {
  expect(check(token, { peer: bob })).toBe("other-peer");
  expect(check(token, { room: "hall" })).toBe("other-room");
  expect(check(token, { now: 5_000 })).toBe("expired");
});

test("[RT3] a token with any bit changed, cut short, lengthened, or made with another secret is forged or malformed, and never throws", () => {
  for (let bit = 0; bit < token.length * 8; bit += 1) {
    const tampered = token.slice();
    tampered[bit >> 3]! ^= 1 << (bit & 7);
    expect(check(tampered)).toBe("forged");
  }
  for (let length = 0; length < token.length; length += 1) expect(check(token.slice(0, length))).toMatch(/^(forged|malformed)$/u);
  expect(check(Uint8Array.of(...token, 0))).toBe("forged");
  expect(check(makeResumeToken(utf8("another secret, as long"), claim))).toBe("forged");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => typeof check(bytes) === "string"));
});

test("[RT4] what is larger than any token is not even hashed", () => {
  expect(check(new Uint8Array(RESUME_TOKEN_BYTES_MAX + 1))).toBe("malformed");
  const longest = makeResumeToken(secret, { peer: peerId("ü".repeat(100)), room: "ü".repeat(256), expiresAt: Number.MAX_SAFE_INTEGER });
  expect(longest.length).toBeLessThanOrEqual(RESUME_TOKEN_BYTES_MAX);
});

test("[RT5] a secret that could be guessed, a name that does not fit and a moment that is none are refused where the token is made", () => {
  const refusal = (make: () => unknown): unknown => {
    try {
      return make();
    } catch (error) {
      return hasCode(error, "invalid-argument");
    }
  };
  expect(refusal(() => makeResumeToken(new Uint8Array(CLUSTER_SECRET_BYTES_MIN - 1), claim))).toBe(true);
  expect(refusal(() => makeResumeToken(secret, { ...claim, room: "r".repeat(513) }))).toBe(true);
  expect(refusal(() => makeResumeToken(secret, { ...claim, expiresAt: -1 }))).toBe(true);
});
