// The rules of speculation, one by one, over a log whose fate the test writes.
import { expect, test, vi } from "vitest";
import { peerId, PayloadTooLargeError, SdkError } from "../base/index.ts";
import { encodeGameSection } from "./game-section.ts";
import { ScriptedLog } from "./scripted-log.ts";
import { PENDING_MAX, UNKNOWN_RETRIES_MAX } from "./speculative-sequencer.ts";
import { counterRules, COUNTER_MAX, lineRules, NOT_AN_ACTION, openTable, settle, sumRules, timeout, type CounterAction } from "./test-fixtures.ts";

const add = (by: number): CounterAction => ({ type: "add", by });

test("[GA30] an action is in the speculative state when propose returns, and not in the confirmed one", () => {
  const { speculative, log, states } = openTable(counterRules);
  void speculative.propose(add(3));
  expect(speculative.speculativeState).toEqual({ sum: 3, trail: ["0+3"] });
  expect(speculative.confirmedState).toEqual({ sum: 0, trail: [] });
  expect(speculative.pending).toMatchObject([{ action: add(3), dedupKey: { clientId: log.clientId, requestId: 1 }, isUnknown: false }]);
  expect(states).toEqual([speculative.speculativeState]);
});

test("[GA30] what is predicted is what the bytes decode to", () => {
  const seen: unknown[] = [];
  const { speculative } = openTable({ ...counterRules, apply: (state, action, context) => (seen.push(action), counterRules.apply(state, action, context)) });
  const action = { type: "add", by: 1, extra: undefined } as const;
  void speculative.propose(action);
  expect(seen).toEqual([{ type: "add", by: 1 }]);
  expect(Object.keys(seen[0] as object)).toEqual(["type", "by"]);
});

test("[GA31] an illegal action is rejected with the game's reason, and nothing is proposed", async () => {
  const { speculative, log, states } = openTable(counterRules);
  const before = speculative.speculativeState;
  await expect(speculative.propose(add(COUNTER_MAX + 1))).resolves.toEqual({ outcome: "rejected", reason: "over the top" });
  expect([log.proposals.length, states.length, speculative.pendingCount]).toEqual([0, 0, 0]);
  expect(speculative.speculativeState).toBe(before);
});

test("[GA31] without a seat, with no action, and after close, a reason is all there is", async () => {
  const unseated = openTable(counterRules, { player: () => undefined });
  await expect(unseated.speculative.propose(add(1))).resolves.toMatchObject({ outcome: "rejected", reason: "not-seated" });
  const { speculative, log } = openTable(counterRules);
  await expect(speculative.propose(undefined as never)).resolves.toMatchObject({ outcome: "rejected", reason: "invalid-action", cause: { code: "invalid-argument" } });
  speculative.close();
  await expect(speculative.propose(add(1))).resolves.toMatchObject({ outcome: "rejected", reason: "closed" });
  expect(log.proposals).toEqual([]);
});

test("[GA32] a refused action is rolled back alone, and the others are replayed", async () => {
  const { speculative, log, reports } = openTable(counterRules);
  const [first, second, third] = [speculative.propose(add(1)), speculative.propose(add(2)), speculative.propose(add(3))];
  log.fail(1, new PayloadTooLargeError(2, 1));
  await expect(second).resolves.toMatchObject({ outcome: "rejected", reason: "payload-too-large" });
  expect(speculative.speculativeState).toEqual({ sum: 4, trail: ["0+1", "0+3"] });
  expect(reports.map(({ kind }) => kind)).toEqual(["proposal-failed"]);
  log.commit(0);
  log.commit(2);
  await expect(first).resolves.toEqual({ outcome: "committed", index: 1, judged: true });
  await expect(third).resolves.toEqual({ outcome: "committed", index: 2, judged: true });
  expect(speculative.confirmedState).toBe(speculative.speculativeState);
});

test("[GA32] an action that only stood on the refused one leaves with it", async () => {
  const { speculative, log, left } = openTable(lineRules, { seats: 1 });
  const [first, second] = [speculative.propose({ cell: 4 }), speculative.propose({ cell: 5 })];
  void first;
  void second;
  expect(speculative.pendingCount).toBe(2);
  const counter = openTable({ ...counterRules, check: (state, action) => (action.type === "stamp" && state.sum === 0 ? "nothing to stamp" : undefined) });
  void counter.speculative.propose(add(1));
  void counter.speculative.propose({ type: "stamp" });
  counter.log.fail(0, new SdkError("busy", "later"));
  await settle();
  expect(counter.left).toEqual([{ action: { type: "stamp" }, reason: "nothing to stamp" }]);
  expect(counter.speculative.pendingCount).toBe(0);
  expect([log.proposals.length, left.length]).toEqual([2, 0]);
});

test("[GA32] a log that refuses before it stamps a key shows nothing and takes no later key", async () => {
  const { speculative, log, states } = openTable(counterRules);
  log.refusal = new SdkError("busy", "later");
  const refused = speculative.propose(add(1));
  log.refusal = undefined;
  const accepted = speculative.propose(add(2));
  expect(speculative.speculativeState.sum).toBe(2);
  log.commit(0);
  await expect(refused).resolves.toMatchObject({ outcome: "rejected", reason: "busy" });
  await expect(accepted).resolves.toMatchObject({ outcome: "committed" });
  expect([speculative.confirmedState.sum, states.length]).toEqual([2, 1]);
});

test("[GA33] the commit of the oldest pending action confirms it without a new speculative state", async () => {
  const { speculative, log, states } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  void speculative.propose(add(2));
  const shown = speculative.speculativeState;
  log.commit(0);
  expect(speculative.speculativeState).toBe(shown);
  expect(states.length).toBe(2);
  expect(speculative.confirmedState).toEqual({ sum: 1, trail: ["0+1"] });
  expect([speculative.pendingCount, speculative.confirmedCount, speculative.confirmedIndex]).toEqual([1, 1, 1]);
  await expect(outcome).resolves.toEqual({ outcome: "committed", index: 1, judged: true });
  log.commit(1);
  expect(speculative.confirmedState).toBe(shown);
});

test("[GA34] a foreign action goes under the pending ones", () => {
  const { speculative, foreign, states } = openTable(counterRules);
  void speculative.propose(add(1));
  foreign(add(5));
  expect(speculative.confirmedState).toEqual({ sum: 5, trail: ["1+5"] });
  expect(speculative.speculativeState).toEqual({ sum: 6, trail: ["1+5", "0+1"] });
  expect(states.length).toBe(2);
});

test("[GA35] two players want one cell: the loser's mark leaves with the reason, and the log's verdict follows", async () => {
  const { speculative, log, left, foreign } = openTable({ ...lineRules, check: (state, action) => (state.cells[action.cell] === null ? undefined : "taken") });
  const outcome = speculative.propose({ cell: 4 });
  foreign({ cell: 4 });
  expect(left).toEqual([{ action: { cell: 4 }, reason: "taken" }]);
  expect(speculative.speculativeState.cells[4]).toBe(1);
  expect(speculative.speculativeState).toBe(speculative.confirmedState);
  expect(speculative.pendingCount).toBe(0);
  log.commit(0);
  await expect(outcome).resolves.toEqual({ outcome: "rejected", reason: "taken" });
  expect(speculative.confirmedState.cells[4]).toBe(1);
});

test("[GA35] an action that left and turns out legal at its place in the log is committed, and its promise says so", async () => {
  const { speculative, log, foreign, left } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  foreign(add(COUNTER_MAX));
  expect(left).toEqual([{ action: add(1), reason: "over the top" }]);
  foreign(add(-5));
  log.commit(0);
  await expect(outcome).resolves.toEqual({ outcome: "committed", index: 3, judged: true });
  expect(speculative.confirmedState.sum).toBe(COUNTER_MAX - 4);
});

test("[GA36] own actions committed in another order are taken in the log's order", async () => {
  const { speculative, log } = openTable(counterRules);
  const outcomes = [speculative.propose(add(1)), speculative.propose(add(2))];
  log.commit(1);
  expect(speculative.confirmedState.trail).toEqual(["0+2"]);
  expect(speculative.speculativeState.trail).toEqual(["0+2", "0+1"]);
  log.commit(0);
  expect(speculative.confirmedState.trail).toEqual(["0+2", "0+1"]);
  expect(await Promise.all(outcomes)).toEqual([{ outcome: "committed", index: 2, judged: true }, { outcome: "committed", index: 1, judged: true }]);
});

test("[GA36] where the order makes no difference, what is shown stays the same value", () => {
  const { speculative, log, states } = openTable(sumRules);
  void speculative.propose({ by: 1 });
  void speculative.propose({ by: 2 });
  const shown = speculative.speculativeState;
  log.commit(1);
  expect([speculative.speculativeState === shown, speculative.confirmedState.sum]).toEqual([true, 2]);
  log.commit(0);
  expect([speculative.speculativeState === shown, speculative.confirmedState === shown, states.length]).toEqual([true, true, 2]);
});

test("[GA37] a duplicate has no effect and is counted", async () => {
  const { speculative, log, game, states } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  log.commit(0);
  const { key, payload } = log.proposals[0]!;
  log.append({ payload, key, duplicate: true });
  log.append({ payload: game.actions.encode(add(2)), duplicate: true });
  expect(speculative.confirmedState.sum).toBe(1);
  expect([speculative.confirmedCount, states.length]).toEqual([3, 1]);
  await expect(outcome).resolves.toMatchObject({ outcome: "committed", index: 1 });
});

test("[GA37] a duplicate whose key is pending settles it: its first copy is in the state already", async () => {
  const { speculative, log, game } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  log.install(7, new Map([[1, encodeGameSection(game, { state: { sum: 1, trail: ["0+1"] }, count: 4, time: 900 })]]));
  const { key, payload } = log.proposals[0]!;
  log.append({ payload, key, duplicate: true });
  await expect(outcome).resolves.toMatchObject({ outcome: "committed", judged: false });
  expect([speculative.speculativeState.sum, speculative.confirmedCount, speculative.pendingCount]).toEqual([1, 5, 0]);
});

test("[GA38] a reset rebuilds from the snapshot and keeps what is open on top", () => {
  const { speculative, log, game, foreign } = openTable(counterRules);
  void speculative.propose(add(1));
  foreign(add(2));
  log.install(40, new Map([[1, encodeGameSection(game, { state: { sum: 7, trail: ["x"] }, count: 31, time: 5 })]]));
  expect(speculative.confirmedState).toEqual({ sum: 7, trail: ["x"] });
  expect(speculative.speculativeState).toEqual({ sum: 8, trail: ["x", "0+1"] });
  expect([speculative.confirmedCount, speculative.confirmedIndex, speculative.pendingCount]).toEqual([31, 40, 1]);
  log.commit(0);
  expect(speculative.confirmedState.sum).toBe(8);
});

test("[GA38] a reset without a game section starts the game from its beginning", () => {
  const { speculative, log, foreign } = openTable(counterRules);
  foreign(add(2));
  log.install(9, new Map());
  expect([speculative.confirmedState.sum, speculative.confirmedCount]).toEqual([0, 0]);
});

test("[GA38] [GA44] a reset to an equal state keeps the identity of what is shown", () => {
  const { speculative, log, foreign, states } = openTable(counterRules);
  foreign(add(2));
  const shown = speculative.speculativeState;
  log.install(9, new Map([[1, speculative.section()]]));
  expect([speculative.speculativeState === shown, states.length, speculative.confirmedCount]).toEqual([true, 1, 1]);
});

test.each(["before", "after"])("[GA39] an action inside an installed snapshot is settled when the log says so %s the install", async (when) => {
  const { speculative, log, game } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  const say = (): void => log.proposals[0]!.resolve({ index: 3, key: log.proposals[0]!.key });
  if (when === "before") {
    say();
    await settle();
    expect(speculative.pendingCount).toBe(1);
  }
  log.install(5, new Map([[1, encodeGameSection(game, { state: { sum: 1, trail: ["0+1"] }, count: 1, time: 5 })]]));
  if (when === "after") say();
  await expect(outcome).resolves.toEqual({ outcome: "committed", index: 3, judged: false });
  expect(speculative.speculativeState).toEqual({ sum: 1, trail: ["0+1"] });
  expect([speculative.pendingCount, speculative.speculativeState === speculative.confirmedState]).toEqual([0, true]);
});

test.each(["proposal-timeout", "leadership-lost"])("[GA40] after %s the action stays shown, the promise says unknown, and settled follows the log", async (code) => {
  const { speculative, log, reports } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  log.fail(0, new SdkError(code, "who knows"));
  const error = await outcome.catch((thrown: unknown) => thrown as { code: string; dedupKey: unknown; settled: Promise<unknown> });
  expect(error).toMatchObject({ name: "OutcomeUnknownError", code: "outcome-unknown", dedupKey: { clientId: log.clientId, requestId: 1 } });
  expect(speculative.speculativeState.sum).toBe(1);
  expect(speculative.pending).toMatchObject([{ isUnknown: true }]);
  expect(reports.map(({ kind }) => kind)).toEqual(["outcome-unknown"]);
  log.commit(0);
  await expect((error as { settled: Promise<unknown> }).settled).resolves.toEqual({ outcome: "committed", index: 1, judged: true });
  expect(speculative.pendingCount).toBe(0);
});

test("[GA40] a closed log leaves the outcome open and is not asked again", async () => {
  const { speculative, log } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  log.fail(0, new SdkError("closed", "closed"));
  await expect(outcome).rejects.toMatchObject({ code: "outcome-unknown" });
  expect([log.proposals.length, speculative.pendingCount]).toEqual([1, 1]);
});

test("[GA41] an unknown action is proposed again under its own key, and commits once", async () => {
  const { speculative, log } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  log.fail(0, timeout());
  await expect(outcome).rejects.toMatchObject({ code: "outcome-unknown" });
  expect(log.proposals.map(({ key }) => key.requestId)).toEqual([1, 1]);
  log.commit(1);
  const { key, payload } = log.proposals[0]!;
  log.append({ payload, key, duplicate: true });
  expect([speculative.confirmedState.sum, speculative.confirmedCount, speculative.pendingCount]).toEqual([1, 2, 0]);
});

test("[GA41] retries by itself end at their limit; retryUnknown and propose with the same requestId ask again", async () => {
  const { speculative, log } = openTable(counterRules);
  speculative.propose(add(1)).catch(() => {});
  for (let at = 0; at <= UNKNOWN_RETRIES_MAX; at += 1) {
    log.fail(at, timeout());
    await settle();
  }
  expect(log.proposals.length).toBe(UNKNOWN_RETRIES_MAX + 1);
  speculative.retryUnknown();
  speculative.retryUnknown();
  expect(log.proposals.length).toBe(UNKNOWN_RETRIES_MAX + 2);
  log.fail(UNKNOWN_RETRIES_MAX + 1, timeout());
  await settle();
  const again = speculative.propose(add(1), { requestId: 1 });
  expect([log.proposals.length, speculative.pendingCount]).toEqual([UNKNOWN_RETRIES_MAX + 3, 1]);
  log.commit(UNKNOWN_RETRIES_MAX + 2);
  await expect(again).resolves.toMatchObject({ outcome: "committed" });
});

test("[GA41] an unknown action that was given up for the moment is proposed again when the log moves", async () => {
  const { speculative, log, foreign } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  log.fail(0, timeout());
  await outcome.catch(() => {});
  log.fail(1, new SdkError("busy", "later"));
  await settle();
  expect(log.proposals.length).toBe(2);
  foreign({ type: "pass" });
  foreign({ type: "pass" });
  await settle();
  expect(log.proposals.map(({ key }) => key.requestId)).toEqual([1, 1, 1]);
  log.commit(2);
  expect([speculative.confirmedState.sum, speculative.pendingCount]).toEqual([1, 0]);
});

test("[GA41] the refusal of a retry rolls nothing back: the first attempt may still commit", async () => {
  const { speculative, log } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  log.fail(0, timeout());
  await outcome.catch(() => {});
  log.fail(1, new SdkError("busy", "later"));
  await settle();
  expect([speculative.speculativeState.sum, speculative.pendingCount, log.proposals.length]).toEqual([1, 1, 2]);
  log.commit(0);
  expect(speculative.confirmedState.sum).toBe(1);
});

test("[GA42] an illegal committed action changes nothing and is reported", async () => {
  const { speculative, foreign, reports, states } = openTable(counterRules);
  const before = speculative.confirmedState;
  foreign(add(COUNTER_MAX + 1));
  expect(speculative.confirmedState).toBe(before);
  expect(reports).toMatchObject([{ kind: "illegal", index: 1, player: 1 }]);
  expect([states.length, speculative.confirmedCount]).toEqual([0, 1]);
});

test("[GA42] [GA23] an action of somebody without a seat does nothing and is reported", () => {
  const { speculative, foreign, reports } = openTable(counterRules);
  foreign(add(1), { proposer: peerId("stranger") });
  expect(speculative.confirmedState.sum).toBe(0);
  expect(reports).toMatchObject([{ kind: "illegal", message: expect.stringContaining("not-seated") as string }]);
});

test("[GA13] [GA42] a committed payload that is no action does nothing and is reported", () => {
  const { speculative, log, reports } = openTable(counterRules);
  log.append({ payload: NOT_AN_ACTION });
  log.append({ payload: new Uint8Array([0xff, 0xfe]) });
  expect([speculative.confirmedState.sum, speculative.confirmedCount]).toEqual([0, 2]);
  expect(reports.map(({ kind, index }) => [kind, index])).toEqual([["undecodable", 1], ["undecodable", 2]]);
});

test("[GA43] awaitConfirmedCount resolves when the count is there, and gives way to its signal", async () => {
  const { speculative, foreign } = openTable(counterRules);
  await speculative.awaitConfirmedCount(0);
  const controller = new AbortController();
  const two = speculative.awaitConfirmedCount(2);
  const three = speculative.awaitConfirmedCount(3, controller.signal);
  const reached = vi.fn();
  void two.then(reached);
  foreign(add(1));
  await settle();
  expect(reached).not.toHaveBeenCalled();
  foreign(add(COUNTER_MAX + 1));
  await two;
  controller.abort(new Error("enough"));
  await expect(three).rejects.toThrow("enough");
  await expect(speculative.awaitConfirmedCount(9, controller.signal)).rejects.toThrow("enough");
});

test("[GA43] too many waiters are refused with busy", async () => {
  const { speculative } = openTable(counterRules);
  const waiting = Array.from({ length: 1024 }, () => speculative.awaitConfirmedCount(1));
  await expect(speculative.awaitConfirmedCount(1)).rejects.toMatchObject({ code: "busy" });
  speculative.close();
  await Promise.all(waiting.map((each) => expect(each).rejects.toMatchObject({ code: "closed" })));
});

test("[GA44] one change, one notification; a pass keeps every identity but the count", () => {
  const { speculative, foreign, states } = openTable(counterRules);
  const changed = vi.fn();
  speculative.on("change", changed);
  void speculative.propose(add(1));
  expect(changed).toHaveBeenCalledTimes(1);
  const { pending, speculativeState } = speculative;
  foreign({ type: "pass" });
  expect(changed).toHaveBeenCalledTimes(2);
  expect([speculative.pending === pending, speculative.speculativeState === speculativeState, states.length]).toEqual([true, true, 1]);
});

test("[GA45] a log that commits inside propose shows the action once and confirms it", async () => {
  const { speculative, log, states } = openTable(counterRules);
  log.isImmediate = true;
  const changes: string[] = [];
  speculative.on("change", () => changes.push(`${speculative.speculativeState.sum}/${speculative.confirmedState.sum}/${speculative.pendingCount}`));
  await expect(speculative.propose(add(2))).resolves.toEqual({ outcome: "committed", index: 1, judged: true });
  expect(changes).toEqual(["2/0/1", "2/2/0"]);
  expect(states.length).toBe(1);
});

test("[GA46] a prediction that did not look at index or time is confirmed without running the game", () => {
  const apply = vi.fn(counterRules.apply);
  const { speculative, log } = openTable({ ...counterRules, apply });
  void speculative.propose(add(1));
  log.skip(5);
  log.commit(0);
  expect([apply.mock.calls.length, speculative.confirmedIndex]).toEqual([1, 6]);
});

test("[GA46] dice are rolled again when the entry stands elsewhere than predicted, and kept when it does not", () => {
  const { speculative, log, states } = openTable(counterRules);
  void speculative.propose({ type: "roll" });
  const shown = speculative.speculativeState;
  log.commit(0);
  expect([speculative.confirmedState === shown, states.length]).toEqual([true, 1]);
  const elsewhere = new Set<number>();
  for (let entries = 1; entries <= 8; entries += 1) {
    const other = openTable(counterRules);
    void other.speculative.propose({ type: "roll" });
    const predicted = other.speculative.speculativeState;
    other.log.skip(entries);
    other.log.commit(0);
    elsewhere.add(other.speculative.confirmedState.sum);
    const isSame = other.speculative.confirmedState.sum === predicted.sum;
    expect([other.speculative.confirmedState === predicted, other.states.length]).toEqual(isSame ? [true, 1] : [false, 2]);
  }
  expect(elsewhere.size).toBeGreaterThan(2);
});

test("[GA46] a logged time that differs from the predicted one counts", () => {
  const { speculative, log, foreign } = openTable(counterRules);
  foreign({ type: "pass" }, { time: 77 });
  void speculative.propose({ type: "stamp" });
  expect(speculative.speculativeState.trail).toEqual(["0@77"]);
  log.append({ ...log.proposals[0]!, time: 88 });
  expect(speculative.speculativeState.trail).toEqual(["0@88"]);
});

test("[GA47] more than the limit of open actions is rejected", async () => {
  const { speculative, log } = openTable(sumRules);
  for (let at = 0; at < PENDING_MAX; at += 1) void speculative.propose({ by: 1 });
  await expect(speculative.propose({ by: 1 })).resolves.toMatchObject({ outcome: "rejected", reason: "too-many-pending" });
  expect([log.proposals.length, speculative.pendingCount]).toEqual([PENDING_MAX, PENDING_MAX]);
  log.commit(0);
  void speculative.propose({ by: 1 });
  expect(speculative.pendingCount).toBe(PENDING_MAX);
});

test("[GA48] close ends what waits, follows nothing and may be called twice", async () => {
  const { speculative, log, foreign } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  const waiting = speculative.awaitConfirmedCount(5);
  speculative.close();
  speculative.close();
  const error = await outcome.catch((thrown: unknown) => thrown as { settled: Promise<unknown> });
  expect(error).toMatchObject({ code: "outcome-unknown" });
  await expect((error as { settled: Promise<unknown> }).settled).rejects.toMatchObject({ code: "closed" });
  await expect(waiting).rejects.toMatchObject({ code: "closed" });
  await expect(speculative.awaitConfirmedCount(5)).rejects.toMatchObject({ code: "closed" });
  foreign(add(2));
  expect([log.followers, speculative.confirmedState.sum]).toEqual([0, 0]);
});

test("[GA49] another action under our key counts, ours is rejected, and it is reported", async () => {
  const { speculative, log, game, reports } = openTable(counterRules);
  const outcome = speculative.propose(add(1));
  log.append({ payload: game.actions.encode(add(4)), key: log.proposals[0]!.key, proposer: peerId("other") });
  await expect(outcome).resolves.toMatchObject({ outcome: "rejected", reason: "key-taken" });
  expect([speculative.confirmedState, speculative.speculativeState === speculative.confirmedState]).toEqual([{ sum: 4, trail: ["1+4"] }, true]);
  expect(reports.map(({ kind }) => kind)).toEqual(["key-collision"]);
});

test("[GA51] a snapshot of other rules stops play with a named failure, and what was shown stays", async () => {
  const { speculative, log, game, foreign, reports } = openTable(counterRules);
  foreign(add(2));
  const outcome = speculative.propose(add(1));
  log.install(9, new Map([[1, encodeGameSection({ ...game, rules: "counter@2" }, { state: { sum: 0, trail: [] }, count: 0, time: 0 })]]));
  expect(speculative.failure).toMatchObject({ name: "RulesMismatchError", expected: "counter@1", actual: "counter@2" });
  expect(reports.map(({ kind }) => kind)).toEqual(["snapshot-unreadable"]);
  await expect(outcome).rejects.toMatchObject({ code: "outcome-unknown" });
  await expect(speculative.propose(add(1))).resolves.toMatchObject({ outcome: "rejected", reason: "closed", cause: speculative.failure });
  expect([speculative.speculativeState.sum, log.followers]).toEqual([3, 0]);
});

test.each([new Uint8Array([9]), new Uint8Array([1, 0, 0]), new Uint8Array(0)])("[GA51] a broken snapshot in the replay stops play from the start (%#)", (section) => {
  const log = new ScriptedLog();
  log.install(9, new Map([[1, section]]));
  const { speculative } = openTable(counterRules, { log });
  expect([speculative.failure?.name, log.followers, speculative.speculativeState.sum]).toEqual([expect.stringMatching(/Malformed|Mismatch/), 0, 0]);
});

test("[GA52] snapshots are handed in as often as asked, and playing on from one gives the same state", async () => {
  const { speculative, log, foreign } = openTable(counterRules, { snapshotEvery: 10 });
  for (let turn = 0; turn < 35; turn += 1) {
    foreign(add(turn % 2 === 0 ? 1 : -1));
    await settle();
  }
  expect(log.snapshots.map(({ through }) => through)).toEqual([10, 20, 30]);
  const resumed = new ScriptedLog();
  resumed.install(30, new Map([[1, log.snapshots[2]!.section]]));
  const later = openTable(counterRules, { log: resumed });
  for (let turn = 30; turn < 35; turn += 1) later.foreign(add(turn % 2 === 0 ? 1 : -1));
  expect(later.speculative.section()).toEqual(speculative.section());
});

test("[GA52] a snapshot the log does not take is reported, and play goes on", async () => {
  const { log, foreign, reports, speculative } = openTable(counterRules, { snapshotEvery: 1 });
  log.snapshot = () => Promise.reject(new SdkError("closed", "no"));
  foreign(add(1));
  await settle();
  expect(reports.map(({ kind }) => kind)).toEqual(["snapshot-failed"]);
  expect(speculative.confirmedState.sum).toBe(1);
});

test("[GA53] a listener that throws is reported, and the others hear all the same", () => {
  const onTurn = (): never => {
    throw new Error("recorder");
  };
  const { speculative, foreign, reports } = openTable(counterRules, { onTurn });
  speculative.on("change", () => {
    throw new Error("view");
  });
  const heard = vi.fn();
  const off = speculative.on("change", heard);
  foreign(add(1));
  off();
  foreign(add(1));
  expect([heard.mock.calls.length, speculative.confirmedState.sum]).toEqual([1, 2]);
  expect(reports.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
    'listener-threw: a listener of "change" threw: view',
    "listener-threw: onTurn threw: recorder",
    'listener-threw: a listener of "change" threw: view',
    "listener-threw: onTurn threw: recorder",
  ]);
});

test.each([false, true])("[GA53] a listener may propose in answer to what it sees (immediate log: %s)", (isImmediate) => {
  const { speculative, log, foreign } = openTable(counterRules);
  log.isImmediate = isImmediate;
  speculative.on("state", ({ sum }) => {
    if (sum < 5) void speculative.propose(add(1));
  });
  foreign(add(1));
  expect(speculative.speculativeState.sum).toBe(5);
  expect(speculative.confirmedState.sum).toBe(isImmediate ? 5 : 1);
});

test("[GA55] a signal ends the waiting, not the action", async () => {
  const { speculative, log } = openTable(counterRules);
  const controller = new AbortController();
  const outcome = speculative.propose(add(1), { signal: controller.signal });
  controller.abort(new Error("bored"));
  await expect(outcome).rejects.toThrow("bored");
  expect([speculative.speculativeState.sum, speculative.pending[0]?.isUnknown, log.proposals.length]).toEqual([1, true, 1]);
  log.commit(0);
  expect([speculative.confirmedState.sum, speculative.pendingCount]).toEqual([1, 0]);
  await expect(speculative.propose(add(1), { signal: controller.signal })).rejects.toThrow("bored");
  expect(log.proposals.length).toBe(1);
});
