// Taking own actions back before they have left.
import { expect, test } from "vitest";
import { COUNTER_MAX, counterRules, openTable, settle, timeout } from "./test-fixtures.ts";

test("[GA80] what has not left is taken back at once, and never commits", async () => {
  const { speculative, log, states } = openTable(counterRules);
  log.isHeld = true;
  const outcome = speculative.propose({ type: "add", by: 3 });
  expect(speculative.speculativeState.sum).toBe(3);
  expect(speculative.undo()).toMatchObject({ undone: true, action: { type: "add", by: 3 }, dedupKey: { requestId: 1 } });
  expect(speculative.speculativeState).toBe(speculative.confirmedState);
  expect([speculative.pendingCount, states.length, log.proposals.length]).toEqual([0, 2, 0]);
  await expect(outcome).resolves.toMatchObject({ outcome: "rejected", reason: "undone" });
  expect(speculative.undo()).toEqual({ undone: false, reason: "nothing" });
});

test("[GA80] what was proposed after it is predicted anew without it, and what it made possible leaves with a reason", async () => {
  const { speculative, log, left } = openTable(counterRules);
  log.isHeld = true;
  const first = speculative.propose({ type: "add", by: -4 });
  const second = speculative.propose({ type: "add", by: COUNTER_MAX });
  const third = speculative.propose({ type: "add", by: 4 });
  expect(speculative.speculativeState.sum).toBe(COUNTER_MAX);
  expect(speculative.undo(1).undone).toBe(true);
  await expect(first).resolves.toMatchObject({ reason: "undone" });
  expect(speculative.speculativeState.sum).toBe(COUNTER_MAX);
  expect(left).toEqual([{ action: { type: "add", by: 4 }, reason: "over the top" }]);
  expect(log.proposals.map(({ key }) => key.requestId)).toEqual([2, 3]);
  // One that is not shown any more, and has not left, can be taken back all the same.
  expect(speculative.undo(3).undone).toBe(true);
  await expect(third).resolves.toMatchObject({ reason: "undone" });
  log.isHeld = false;
  log.commit(0);
  await expect(second).resolves.toMatchObject({ outcome: "committed" });
});

test("[GA81] what was sent or is settled can not be taken back, and nothing changes", async () => {
  const { speculative, log } = openTable(counterRules);
  const outcome = speculative.propose({ type: "add", by: 1 });
  const shown = speculative.speculativeState;
  expect(speculative.undo(1)).toEqual({ undone: false, reason: "sent" });
  log.fail(0, timeout());
  await settle();
  await expect(outcome).rejects.toMatchObject({ code: "outcome-unknown" });
  expect(speculative.undo()).toEqual({ undone: false, reason: "sent" });
  expect(speculative.speculativeState).toBe(shown);
  log.commit(1);
  expect(speculative.undo(1)).toEqual({ undone: false, reason: "settled" });
  expect(speculative.undo(7)).toEqual({ undone: false, reason: "nothing" });
});

test("[GA81] what an earlier incarnation proposed can not be taken back", () => {
  const before = openTable(counterRules);
  void before.speculative.propose({ type: "add", by: 2 });
  before.log.isHeld = true;
  const { speculative } = openTable(counterRules, { log: before.log, resumed: [before.log.resume(before.log.proposals[0]!)] });
  expect(speculative.undo()).toEqual({ undone: false, reason: "sent" });
  expect(speculative.speculativeState.sum).toBe(2);
});
