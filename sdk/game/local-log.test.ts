// The whole game layer over a real one-player log: moves, snapshots, a late follower, close.
import { expect, test } from "vitest";
import { peerId } from "../base/index.ts";
import { LocalLog } from "../replica/index.ts";
import { defineGame } from "./define-game.ts";
import { stateDigest } from "./digest.ts";
import { SpeculativeSequencer } from "./speculative-sequencer.ts";
import { counterRules, settle, type CounterAction, type CounterState } from "./test-fixtures.ts";
import { TurnSequencer } from "./turn-sequencer.ts";

const game = defineGame(counterRules);

function open(log: LocalLog, snapshotEvery?: number): SpeculativeSequencer<CounterState, CounterAction> {
  const sequencer = new TurnSequencer<CounterAction>({ log, actions: game.actions, playerOf: () => 0 });
  return new SpeculativeSequencer({ sequencer, game, seats: 1, player: () => 0, snapshotEvery, development: true });
}

test("[GA30] [GA33] over a local log a move is shown at once and committed soon", async () => {
  const log = new LocalLog({ id: peerId("ada") });
  const speculative = open(log);
  const first = speculative.propose({ type: "add", by: 2 });
  const second = speculative.propose({ type: "roll" });
  expect([speculative.speculativeState.trail.length, speculative.confirmedCount]).toEqual([2, 0]);
  await expect(Promise.all([first, second])).resolves.toEqual([{ outcome: "committed", index: 1, judged: true }, { outcome: "committed", index: 2, judged: true }]);
  expect(speculative.confirmedState).toBe(speculative.speculativeState);
  await speculative.awaitConfirmedCount(2);
});

test("[GA52] a late follower of a compacted log ends in the same state", async () => {
  const log = new LocalLog({ id: peerId("ada") });
  const speculative = open(log, 10);
  for (let turn = 0; turn < 25; turn += 1) await speculative.propose({ type: "add", by: turn % 2 === 0 ? 1 : -1 });
  await settle();
  const late = open(log);
  expect([stateDigest(game, late.confirmedState), late.confirmedCount]).toEqual([stateDigest(game, speculative.confirmedState), 25]);
});

test("[GA40] [GA48] a closed log takes no more, and what it left open is unknown", async () => {
  const log = new LocalLog({ id: peerId("ada") });
  const speculative = open(log);
  const left = speculative.propose({ type: "add", by: 1 });
  await log.close();
  await expect(left).rejects.toMatchObject({ code: "outcome-unknown" });
  await expect(speculative.propose({ type: "add", by: 1 })).resolves.toMatchObject({ outcome: "rejected", reason: "closed" });
});
