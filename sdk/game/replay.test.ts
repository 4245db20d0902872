// Recordings: written while playing, replayed anywhere, exported and read back; and digests that compare states.
import fc from "fast-check";
import { expect, test } from "vitest";
import { defineGame } from "./define-game.ts";
import { stateDigest } from "./digest.ts";
import { Recorder } from "./recorder.ts";
import { cutRecording, decodeRecording, encodeRecording, type Recording } from "./recording.ts";
import { replay, replaySteps } from "./replay.ts";
import { counterRules, NOT_AN_ACTION, openTable, type CounterAction, type CounterState } from "./test-fixtures.ts";

const game = defineGame(counterRules);

/** A match with every kind of turn, and the state after each. */
function play(turnsMax?: number): { recording: Recording; states: Map<number, CounterState>; recorder: Recorder<CounterState, CounterAction> } {
  const recorder = new Recorder({ game, seats: 2, turnsMax });
  const table = openTable(counterRules, { onTurn: recorder.add });
  const states = new Map<number, CounterState>();
  table.speculative.on("change", () => states.set(table.speculative.confirmedIndex, table.speculative.confirmedState));
  table.foreign({ type: "add", by: 2 });
  table.foreign({ type: "roll" }, { time: 1234 });
  void table.speculative.propose({ type: "stamp" });
  table.log.commit(0);
  table.log.append({ payload: NOT_AN_ACTION });
  table.log.append({ ...table.log.proposals[0]!, duplicate: true });
  table.foreign({ type: "add", by: 1 }, { proposer: "nobody" as never });
  table.foreign({ type: "add", by: 99 });
  table.foreign({ type: "add", by: -3 });
  return { recording: recorder.recording, states, recorder };
}

test("[GA71] a recording replays to the state the match had, at every index", () => {
  const { recording, states } = play();
  expect(recording.turns.length).toBe(8);
  for (const [index, state] of states) if (index > 0) expect(replay(game, recording, index)).toMatchObject({ index, state, count: index });
  expect(replay(game, recording)).toMatchObject({ index: 8, count: 8, state: states.get(8) });
  expect(replay(game, recording, 0)).toMatchObject({ index: 0, count: 0, state: game.setup({ seats: 2 }) });
});

test("[GA71] step by step, each turn says what it was and why it did nothing", () => {
  const steps = [...replaySteps(game, play().recording)];
  expect(steps.map(({ reason }) => reason)).toEqual([undefined, undefined, undefined, undefined, "invalid-action", "duplicate", "not-seated", "over the top", undefined]);
  expect(steps.map(({ action }) => action?.type)).toEqual([undefined, "add", "roll", "stamp", undefined, "stamp", "add", "add", "add"]);
  expect(steps.map(({ turn }) => turn?.player)).toEqual([undefined, 1, 1, 0, 1, 0, undefined, 1, 1]);
});

test("[GA71] a cut recording is where another match branches off", () => {
  const { recording, states } = play();
  const cut = cutRecording(recording, 2);
  expect([cut.turns.length, replay(game, cut).state]).toEqual([2, states.get(2)]);
});

test("[GA71] a recording that begins with a reset replays from its snapshot", () => {
  const source = openTable(counterRules);
  source.foreign({ type: "add", by: 4 });
  const recorder = new Recorder({ game, seats: 2 });
  const table = openTable(counterRules, { onTurn: recorder.add });
  table.foreign({ type: "add", by: 9 });
  table.log.install(20, new Map([[1, source.speculative.section()]]));
  table.foreign({ type: "roll" });
  const back = decodeRecording(encodeRecording(recorder.recording));
  expect(replay(game, back)).toMatchObject({ index: 21, count: 2, state: table.speculative.confirmedState });
  expect(back.turns.length).toBe(1);
});

test("[GA72] a recording survives export and import", () => {
  const { recording } = play();
  const back = decodeRecording(encodeRecording(recording));
  expect(back).toEqual(recording);
  expect(stateDigest(game, replay(game, back).state)).toBe(stateDigest(game, replay(game, recording).state));
});

test("[GA72] bytes that are no recording are refused, whatever they are", () => {
  const bytes = encodeRecording(play().recording);
  for (let length = 0; length < bytes.length; length += 1) expect(() => decodeRecording(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: "malformed" }));
  fc.assert(
    fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
      const changed = bytes.slice();
      changed[at] = value;
      try {
        replay(game, decodeRecording(changed));
      } catch (error) {
        expect(error).toMatchObject({ code: expect.stringMatching(/^(malformed|rules-mismatch)$/) as string });
      }
    }),
  );
  const { recording } = play();
  const reversed = { ...recording, turns: [...recording.turns].reverse() };
  expect(() => decodeRecording(encodeRecording(reversed))).toThrow(expect.objectContaining({ code: "malformed" }));
});

test("[GA72] a recording of other rules is refused by name", () => {
  const other = defineGame({ ...counterRules, version: "2" });
  expect(() => replay(other, play().recording)).toThrow(expect.objectContaining({ code: "rules-mismatch", expected: "counter@2", actual: "counter@1" }));
});

test("[GA73] a recorder folds older turns into its start and ends in the same state", () => {
  const { recording: whole } = play();
  const { recording } = play(3);
  expect(recording.turns.length).toBeLessThanOrEqual(3);
  expect(recording.start.index).toBe(8 - recording.turns.length);
  expect(replay(game, recording)).toMatchObject({ ...replay(game, whole), turn: expect.anything() as object });
  expect(() => new Recorder({ game, seats: 2, turnsMax: 1 })).toThrow(expect.objectContaining({ code: "invalid-argument" }));
});

test("[GA70] equal states have equal digests, others have others", () => {
  const digest = (sum: number): string => stateDigest(game, { sum, trail: ["x"] });
  expect(digest(1)).toBe(digest(1));
  expect(digest(1)).toMatch(/^[0-9a-f]{16}$/);
  expect(new Set([digest(1), digest(2), digest(3)]).size).toBe(3);
});
