// Frames: every message survives the trip, and no bytes whatever do more than be refused.
import fc from "fast-check";
import { expect, test } from "vitest";
import { hasCode, peerId } from "../base/index.ts";
import { decodeEntry, decodeMessage, encodeEntry, encodeMessage, PROTOCOL_VERSION } from "./codec.ts";
import type { Message } from "./message.ts";
import { ENTRY_COMMAND, type Entry, type EntryKind, type Membership } from "./types.ts";

const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const bytes = fc.uint8Array({ maxLength: 40 });
const kind = fc.constantFrom<EntryKind>(0, 1, 2);
const membership: fc.Arbitrary<Membership> = fc.uniqueArray(fc.constantFrom("a", "b", "c", "ä", "z9"), { minLength: 1 }).map((names) => ({
  voters: names.slice(0, 1).map((name) => peerId(name)), votersOutgoing: [], learners: names.slice(1).map((name) => peerId(name)).sort((x, y) => (x < y ? -1 : 1)), learnersNext: [],
}));

/** Commands as a writer makes them: alike at their beginning, for longer than may be left out too. */
const alike = fc.tuple(fc.uint8Array({ minLength: 120, maxLength: 140 }), fc.array(fc.tuple(fc.nat(140), fc.uint8Array({ maxLength: 4 })), { maxLength: 6 }))
  .map(([head, tails]) => tails.map(([length, tail]) => new Uint8Array([...head.subarray(0, length), ...tail])));

/** Entries as an append carries them: contiguous, terms and times never falling. */
const append: fc.Arbitrary<Message> = fc.record({ prevIndex: fc.nat(1e9), prevTerm: fc.nat(1e9), commit: count, term: count, steps: fc.array(fc.tuple(fc.nat(3), kind, fc.nat(1e12), bytes), { maxLength: 8 }) })
  .map(({ prevIndex, prevTerm, commit, term, steps }) => {
    let entryTerm = prevTerm;
    let time = 0;
    const entries: Entry[] = steps.map(([step, entryKind, later, data], i) => ({ index: prevIndex + i + 1, term: (entryTerm += step), kind: entryKind, time: (time += later), data }));
    return { type: "append", term, prevIndex, prevTerm, commit, entries };
  });

/** Any message a correct peer can send. */
const message: fc.Arbitrary<Message> = fc.oneof(
  append,
  fc.record({ type: fc.constant("pre-vote" as const), term: count, lastIndex: count, lastTerm: count }),
  fc.record({ type: fc.constant("pre-vote-reply" as const), term: count, granted: fc.boolean() }),
  fc.record({ type: fc.constant("vote" as const), term: count, lastIndex: count, lastTerm: count, transfer: fc.boolean() }),
  fc.record({ type: fc.constant("vote-reply" as const), term: count, granted: fc.boolean() }),
  fc.record({ type: fc.constant("append-reply" as const), term: count, ok: fc.boolean(), index: count, hintIndex: count, hintTerm: count }),
  fc.record({ type: fc.constant("heartbeat" as const), term: count, commit: count, round: count }),
  fc.record({ type: fc.constant("heartbeat-reply" as const), term: count, round: count }),
  fc.record({ type: fc.constant("snapshot-chunk" as const), term: count, index: count, indexTerm: count, time: count, membership, total: count, digest: bytes, offset: count, bytes }),
  fc.record({ type: fc.constant("snapshot-reply" as const), term: count, index: count, offset: count, installed: fc.boolean() }),
  fc.record({ type: fc.constant("forward" as const), term: count, commands: fc.oneof(fc.array(bytes, { maxLength: 5 }), alike) }),
  fc.record({ type: fc.constant("forward-reply" as const), term: count, accepted: count, refused: count, reason: fc.constantFrom("not-leader" as const, "busy" as const, "transferring" as const) }),
  fc.record({ type: fc.constant("read" as const), term: count, id: count }),
  fc.record({ type: fc.constant("read-reply" as const), term: count, id: count, ok: fc.boolean(), index: count }),
  fc.record({ type: fc.constant("timeout-now" as const), term: count }),
  fc.record({ type: fc.constant("parting-grant" as const), term: count, lastIndex: count, lastTerm: count, commit: count }),
);

/** Decodes; anything but a message or `malformed` fails the test. */
function attempt(frame: Uint8Array): Message | undefined {
  try {
    return decodeMessage(frame);
  } catch (error) {
    if (!hasCode(error, "malformed")) throw error;
    return undefined;
  }
}

test("[RF4] every message survives encoding and decoding", () => {
  fc.assert(fc.property(message, (sent) => {
    expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
  }), { numRuns: 2000 });
});

test("[RF4] random bytes are refused as malformed or are a message; nothing else happens", () => {
  let refused = 0;
  fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (frame) => {
    if (attempt(frame) === undefined) refused += 1;
    const versioned = new Uint8Array([PROTOCOL_VERSION, frame[0] ?? 0, ...frame.subarray(1)]);
    attempt(versioned);
  }), { numRuns: 5000 });
  expect(refused).toBeGreaterThan(0);
});

test("[RF4] cut, changed and lengthened frames are refused or decode to some other message", () => {
  fc.assert(fc.property(message, fc.nat(), fc.nat(255), (sent, at, byte) => {
    const frame = encodeMessage(sent);
    const cuts = Array.from({ length: Math.min(frame.length, 40) }, (_, length) => attempt(frame.slice(0, length)));
    expect([...cuts, attempt(new Uint8Array([...frame, byte]))].filter((found) => found !== undefined)).toEqual([]);
    const changed = frame.slice();
    changed[at % frame.length] = byte;
    attempt(changed);
  }), { numRuns: 1000 });
});

test("[RF4] a frame of another protocol version is refused", () => {
  const frame = encodeMessage({ type: "timeout-now", term: 1 });
  frame[0] = PROTOCOL_VERSION + 1;
  expect(() => decodeMessage(frame)).toThrow(/version/);
});

test("[RF4] a claimed length is checked before anything grows", () => {
  expect(attempt(new Uint8Array([PROTOCOL_VERSION, 4, 1, 0, 0, 0, 255, 255, 3]))).toBeUndefined();
  expect(attempt(new Uint8Array([PROTOCOL_VERSION, 10, 1, 255, 255, 3]))).toBeUndefined();
});

test("[RF4] an entry of two hundred bytes costs at most a few more", () => {
  const entries: Entry[] = Array.from({ length: 100 }, (_, i) => ({ index: 1001 + i, term: 77, kind: ENTRY_COMMAND, time: 1_700_000_000_000 + i, data: new Uint8Array(200) }));
  const frame = encodeMessage({ type: "append", term: 77, prevIndex: 1000, prevTerm: 77, commit: 1000, entries });
  expect(frame.length).toBeLessThan(100 * 206 + 30);
});

test("[RF95] commands of one writer cost their own part and a few bytes more, forwarded and appended", () => {
  const head = new Uint8Array(40).fill(9);
  const commands = Array.from({ length: 64 }, (_, i) => new Uint8Array([...head, i + 1, ...new Uint8Array(64)]));
  expect(encodeMessage({ type: "forward", term: 7, commands }).length).toBeLessThan(64 * (65 + 2) + 60);
  const entries = commands.map((data, i): Entry => ({ index: 10 + i, term: 7, kind: ENTRY_COMMAND, time: 1_700_000_000_000, data }));
  expect(encodeMessage({ type: "append", term: 7, prevIndex: 9, prevTerm: 7, commit: 9, entries }).length).toBeLessThan(64 * (65 + 5) + 80);
});

test("[RF95] a string has one way to be written: sharing less than it could, more than there is, more than 127 bytes or another total is malformed", () => {
  const forward = (...bytes: number[]): Uint8Array => new Uint8Array([PROTOCOL_VERSION, 10, 1, ...bytes]);
  expect(attempt(forward(2, 2, 1, 5, 1, 1, 6))).toEqual({ type: "forward", term: 1, commands: [Uint8Array.of(5), Uint8Array.of(5, 6)] });
  expect(attempt(forward(2, 2, 1, 5, 0, 2, 5, 6)), "less than it could").toBeUndefined();
  expect(attempt(forward(2, 3, 1, 5, 2, 1, 6)), "more than there is").toBeUndefined();
  expect(attempt(forward(2, 3, 1, 5, 1, 1, 6)), "a total of more").toBeUndefined();
  expect(attempt(forward(2, 1, 1, 5, 1, 1, 6)), "a total of less").toBeUndefined();
  const long = Array.from({ length: 127 }, () => 3);
  expect(attempt(forward(2, 127, 127, ...long, 127, 0))).toMatchObject({ commands: [{ length: 127 }, { length: 127 }] });
  expect(attempt(forward(2, 128, 1, 128, 1, ...long, 3, 128, 0)), "more than may be shared").toBeUndefined();
});

test("[RF95] a frame that is read takes at most 127 bytes more per string than it has", () => {
  expect(attempt(new Uint8Array([PROTOCOL_VERSION, 10, 1, 2, 255, 255, 255, 127, 1, 5, 1, 1, 6]))).toBeUndefined();
});

test("[RF4] a single entry survives encoding and decoding", () => {
  fc.assert(fc.property(fc.record({ index: count, term: count, kind, time: count, data: bytes }), (entry: Entry) => {
    expect(decodeEntry(entry.index, encodeEntry(entry))).toEqual(entry);
  }));
});
