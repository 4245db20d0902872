import fc from "fast-check";
import { expect, test } from "vitest";
import { peerId } from "../base/index.ts";
import { decodeEnvelope, encodeEnvelope, envelopeOverheadMax } from "./envelope.ts";

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const drawn = fc.record({
  lane: fc.nat(255), clientId: fc.constantFrom("x", "player one", "é".repeat(32)), requestId: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  lowest: whole, birth: whole, payload: fc.uint8Array({ maxLength: 300 }),
});

test("an envelope read back is the one written, and adds no more than it says", () => {
  fc.assert(
    fc.property(drawn, ({ lowest, ...rest }) => {
      const envelope = { ...rest, lowestOutstanding: Math.min(lowest, rest.requestId), proposer: peerId("ünïcode") };
      const bytes = encodeEnvelope(envelope);
      expect(decodeEnvelope(bytes)).toEqual(envelope);
      expect(bytes.length).toBeLessThanOrEqual(envelope.payload.length + envelopeOverheadMax(envelope.clientId, envelope.proposer));
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
