import fc from "fast-check";
import { expect, test } from "vitest";
import { peerId } from "../base/index.ts";
import { decodeEnvelope, encodeEnvelope, envelopeOverheadMax } from "./envelope.ts";

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

test("an envelope read back is the one written, and adds no more than it says", () => {
  fc.assert(
    fc.property(fc.nat(255), fc.constantFrom("x", "player one", "é".repeat(32)), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), whole, whole, fc.uint8Array({ maxLength: 300 }), (lane, clientId, requestId, lowest, birth, payload) => {
      const envelope = { lane, clientId, requestId, lowestOutstanding: Math.min(lowest, requestId), birth, proposer: peerId("ünïcode"), payload };
      const bytes = encodeEnvelope(envelope);
      expect(decodeEnvelope(bytes)).toEqual(envelope);
      expect(bytes.length).toBeLessThanOrEqual(payload.length + envelopeOverheadMax(clientId, envelope.proposer));
    }),
    { numRuns: 500 },
  );
});

test("any bytes are an envelope that encodes to the same value, or malformed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        const envelope = decodeEnvelope(bytes);
        expect(decodeEnvelope(encodeEnvelope(envelope))).toEqual(envelope);
      } catch (error) {
        expect(error).toMatchObject({ code: "malformed" });
      }
    }),
    { numRuns: 3000 },
  );
});
