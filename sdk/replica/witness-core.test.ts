// A witness's node behind frames: what it takes, what it drops, and that it lets go of what is committed.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, utf8, type PeerId } from "../base/index.ts";
import { bootstrapState, decodeMessage, encodeMessage, LAN_CONFIG, Raft, witnessId, type Message } from "../raft/index.ts";
import { encodeFrame, frameHeader, messagesOf } from "./frame.ts";
import { WitnessCore, witnessGroupOf } from "./witness-core.ts";

const [A, B] = [peerId("a"), peerId("b")];
const W = witnessId("w");
const HEADER = frameHeader("group");

function witness(): WitnessCore {
  return new WitnessCore({ id: W, group: witnessGroupOf("group"), config: LAN_CONFIG, random: seededRandom(1), restored: bootstrapState(W, [A, B, W]) });
}

const frameOf = (...messages: readonly Message[]): Uint8Array => encodeFrame(HEADER, messages.map((message) => encodeMessage(message)));

/** Does all there is to do; what was said, by whom it was said to. */
function settle(core: WitnessCore): { readonly to: PeerId; readonly message: Message }[] {
  const said: { to: PeerId; message: Message }[] = [];
  while (core.hasWork()) {
    const { frames, write } = core.takeWork();
    for (const { to, bytes } of frames) for (const message of messagesOf(bytes)) said.push({ to, message: decodeMessage(message) });
    if (write !== undefined) core.writeDone(write.id);
  }
  return said;
}

describe("a witness's node", () => {
  test("[RN17] hears its group's frames and answers, several messages to one peer in one frame", () => {
    const core = witness();
    core.receive(A, frameOf({ type: "append", term: 2, prevIndex: 1, prevTerm: 1, commit: 1, entries: [{ index: 2, term: 2, kind: 1, time: 5, data: utf8("secret") }] }, { type: "heartbeat", term: 2, commit: 1, round: 3 }));
    expect(settle(core)).toEqual([
      { to: A, message: { type: "heartbeat-reply", term: 2, round: 3 } },
      { to: A, message: { type: "append-reply", term: 2, ok: true, index: 2, hintIndex: 0, hintTerm: 0 } },
    ]);
  });

  test("[RN17] drops and counts what is another group's, of another version, or nonsense", () => {
    const core = witness();
    core.receive(A, encodeFrame(frameHeader("another"), [encodeMessage({ type: "heartbeat", term: 2, commit: 0, round: 1 })]));
    core.receive(A, Uint8Array.of(9, 9, 9));
    core.receive(A, Uint8Array.of(9, ...HEADER.subarray(1), 1, 1));
    core.receive(A, Uint8Array.of(...HEADER, 40, 1, 2));
    expect(core.dropped).toEqual({ "foreign-group": 1, "foreign-version": 1, malformed: 2 });
    expect(settle(core)).toEqual([]);
  });

  test("[RN17] lets go of what is committed by itself, so that what it holds does not grow with the match", () => {
    const core = witness();
    for (let index = 2; index <= 3_000; index += 1) {
      core.receive(A, frameOf({ type: "append", term: 2, prevIndex: index - 1, prevTerm: index === 2 ? 1 : 2, commit: index - 1, entries: [{ index, term: 2, kind: 1, time: 5, data: utf8("move") }] }));
      settle(core);
      expect(core.entriesHeld).toBeLessThan(600);
    }
    expect(core.appliedIndex).toBe(2_999);
    expect(core.raft.lastIndex).toBe(3_000);
  });

  test("[RN17] is nobody's but a witness's, of a group named as it stands in its frames", () => {
    const options = { config: LAN_CONFIG, random: seededRandom(1) };
    expect(() => new WitnessCore({ ...options, id: A, group: witnessGroupOf("group") })).toThrow(/not a witness/);
    expect(() => new WitnessCore({ ...options, id: W, group: "ab" })).toThrow(/hexadecimal/);
    expect(() => new WitnessCore({ ...options, id: W, group: "no hex" })).toThrow(/hexadecimal/);
    expect(new Raft({ ...options, id: W, restored: bootstrapState(W, [A, B, W]) }).role).toBe("follower");
  });
});
