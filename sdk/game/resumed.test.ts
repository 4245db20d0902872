// Moves in flight when the tab died: shown again by the next incarnation, and proposed by nobody here.
import { describe, expect, test } from "vitest";
import { ClosedError, SdkError } from "../base/index.ts";
import { encodeGameSection } from "./game-section.ts";
import { OutcomeUnknownError } from "./errors.ts";
import { ScriptedLog } from "./scripted-log.ts";
import { counterRules, lineRules, NOT_AN_ACTION, openTable, settle, type CounterAction, type CounterState, type Table } from "./test-fixtures.ts";

type Counters = Table<CounterState, CounterAction>;

const add = (by: number): CounterAction => ({ type: "add", by });

/** The tab dies with everything it proposed in flight, and comes back over the same log. */
function reload({ log, speculative }: Counters, options: Partial<Parameters<typeof openTable<CounterState, CounterAction>>[1]> = {}): Counters {
  speculative.close();
  return openTable(counterRules, { log, resumed: log.proposals.map((each) => log.resume(each)), ...options });
}

function played(...actions: readonly CounterAction[]): Counters {
  const table = openTable(counterRules);
  for (const action of actions) void table.speculative.propose(action).catch(() => {});
  return table;
}

const proposed = (log: ScriptedLog): number => log.proposals.length;

test("[GA56] what was in flight is shown from the first moment, on top of what the log holds, in the order it was proposed", () => {
  const table = played(add(1), add(2));
  table.foreign(add(4));
  const again = reload(table);
  expect(again.speculative.confirmedState).toEqual({ sum: 4, trail: ["1+4"] });
  expect(again.speculative.speculativeState).toEqual({ sum: 7, trail: ["1+4", "0+1", "0+2"] });
  expect(again.speculative.pending.map(({ action, dedupKey, isUnknown }) => [action, dedupKey.requestId, isUnknown])).toEqual([[add(1), 1, false], [add(2), 2, false]]);
});

test("[GA56] it is not proposed again here, not even when the log moves or a retry is asked for, and settles when its key commits", async () => {
  const table = played(add(1), add(2));
  const again = reload(table);
  again.foreign(add(3));
  again.speculative.retryUnknown();
  await settle();
  expect(proposed(table.log)).toBe(2);
  const shown = again.speculative.pending.length;
  table.log.commit(0);
  expect([shown, again.speculative.pendingCount]).toEqual([2, 1]);
  table.log.commit(1);
  expect(await Promise.all(again.speculative.resumed.map(({ outcome }) => outcome))).toEqual([{ outcome: "committed", index: 2, judged: true }, { outcome: "committed", index: 3, judged: true }]);
  expect(again.speculative.speculativeState).toBe(again.speculative.confirmedState);
});

test("[GA56] a new action goes on top of it, and asking for its serial gives its own promise", async () => {
  const table = played(add(1));
  const again = reload(table);
  void again.speculative.propose(add(2)).catch(() => {});
  expect(again.speculative.pending.map(({ dedupKey }) => dedupKey.requestId)).toEqual([1, 2]);
  const asked = again.speculative.propose(add(1), { requestId: 1 });
  expect(proposed(table.log)).toBe(2);
  table.log.commit(0);
  expect(await asked).toEqual(await again.speculative.resumed[0]!.outcome);
});

test("[GA56] another lane's commands are passed over; bytes that are no action any more are reported and not shown", () => {
  const table = played(add(1));
  table.speculative.close();
  const [first] = table.log.proposals;
  const resumed = [{ ...first!, lane: 2 }, { ...first!, payload: NOT_AN_ACTION }].map((each) => table.log.resume(each));
  const again = openTable(counterRules, { log: table.log, resumed });
  expect(again.speculative.resumed).toEqual([]);
  expect(again.speculative.pendingCount).toBe(0);
  expect(again.reports.map(({ kind }) => kind)).toEqual(["resumed-unreadable"]);
});

test("[GA57] one that the log holds already is not shown on top of itself, whether as a turn or inside a snapshot", async () => {
  const table = played(add(1), add(2), add(3));
  table.log.commit(0);
  const again = reload(table);
  expect(again.speculative.speculativeState.trail).toEqual(["0+1", "0+2", "0+3"]);
  expect(await again.speculative.resumed[0]!.outcome).toEqual({ outcome: "committed", index: 1, judged: true });
  const section = encodeGameSection(again.game, { state: { sum: 3, trail: ["0+1", "0+2"] }, count: 2, time: 1000 });
  again.log.install(2, new Map([[1, section]]));
  again.log.tell(table.log.proposals[1]!.key, 2);
  await settle();
  expect(again.speculative.speculativeState.trail).toEqual(["0+1", "0+2", "0+3"]);
  expect(await again.speculative.resumed[1]!.outcome).toEqual({ outcome: "committed", index: 2, judged: false });
  expect(again.speculative.pendingCount).toBe(1);
});

test("[GA57] a long replay runs the game once per turn, however much was in flight", () => {
  const table = played(...Array.from({ length: 20 }, (): CounterAction => ({ type: "pass" })));
  for (let turn = 0; turn < 200; turn += 1) table.foreign({ type: "add", by: 0 });
  table.speculative.close();
  let runs = 0;
  const counted: typeof counterRules = { ...counterRules, apply: (...args) => ((runs += 1), counterRules.apply(...args)) };
  const again = openTable(counted, { log: table.log, resumed: table.log.proposals.map((each) => table.log.resume(each)) });
  expect(again.speculative.pendingCount).toBe(20);
  expect(runs).toBe(220);
});

test("[GA57] a duplicate that the log delivers settles it and changes nothing", async () => {
  const table = played(add(1));
  const { key, payload } = table.log.proposals[0]!;
  table.log.append({ key, payload });
  table.log.append({ key, payload, duplicate: true });
  const again = reload(table);
  expect(again.speculative.speculativeState.trail).toEqual(["0+1"]);
  expect(again.speculative.confirmedCount).toBe(2);
  expect(await again.speculative.resumed[0]!.outcome).toMatchObject({ outcome: "committed", index: 1 });
});

test("[GA58] one that is illegal by now leaves with a reason, told to whoever listens at once, and the log has the last word", async () => {
  const table = played(add(6));
  table.foreign(add(7));
  const again = reload(table);
  expect(again.speculative.pendingCount).toBe(0);
  await settle();
  expect(again.left).toEqual([{ action: add(6), reason: "over the top" }]);
  again.foreign(add(-7));
  again.log.commit(0);
  expect(await again.speculative.resumed[0]!.outcome).toMatchObject({ outcome: "committed", judged: true });
  expect(again.speculative.confirmedState.sum).toBe(6);
});

test("[GA58] without its seat it is not shown, and its entry is judged like any other", async () => {
  const table = played(add(6));
  const again = reload(table, { player: () => undefined });
  await settle();
  expect(again.left).toEqual([{ action: add(6), reason: "not-seated" }]);
  again.log.commit(0);
  expect(await again.speculative.resumed[0]!.outcome).toMatchObject({ outcome: "committed" });
});

describe("[GA58a] while the log may know less to be committed than the tab had seen", () => {
  /** Seat 0 marks 0, seat 1 marks 1, seat 0 marks 2 and dies; its log is opened again where nothing is known to be committed. */
  function behind() {
    const before = openTable(lineRules);
    void before.speculative.propose({ cell: 0 });
    before.log.commit(0);
    before.foreign({ cell: 1 });
    void before.speculative.propose({ cell: 2 }).catch(() => {});
    before.speculative.close();
    const log = new ScriptedLog();
    log.isBehind = true;
    const resumed = [before.log.proposals[1]!].map((each) => log.resume(each));
    const table = openTable(lineRules, { log, resumed });
    const cells = (): string => table.speculative.speculativeState.cells.map((cell) => cell ?? "-").join("");
    return { ...table, log, cells, first: before.log.proposals[0]! };
  }

  test("what is illegal in between is held back, and shown once it is legal again", async () => {
    const { log, cells, first, foreign, left, speculative } = behind();
    expect(cells()).toBe("--0------");
    log.append(first);
    expect(cells()).toBe("0--------");
    expect(speculative.pendingCount).toBe(0);
    foreign({ cell: 1 });
    expect(cells()).toBe("010------");
    log.catchUp();
    await settle();
    expect([cells(), left]).toEqual(["010------", []]);
  });

  test("what is illegal when it has caught up leaves, and does not come back", async () => {
    const { log, cells, first, foreign, left, speculative } = behind();
    log.append(first);
    foreign({ cell: 2 });
    expect([cells(), left]).toEqual(["0-1------", []]);
    log.catchUp();
    await settle();
    expect(left).toEqual([{ action: { cell: 2 }, reason: "taken" }]);
    log.append(log.resumed[0]!);
    expect(await speculative.resumed[0]!.outcome).toMatchObject({ outcome: "rejected", reason: "taken" });
  });

  test("a seat that is not known yet is waited for", async () => {
    const before = openTable(lineRules);
    void before.speculative.propose({ cell: 4 }).catch(() => {});
    before.speculative.close();
    const log = new ScriptedLog();
    log.isBehind = true;
    let player: number | undefined;
    const table = openTable(lineRules, { log, resumed: before.log.proposals.map((each) => log.resume(each)), player: () => player });
    expect(table.speculative.pendingCount).toBe(0);
    player = 0;
    log.catchUp();
    await settle();
    expect(table.speculative.pending.map(({ action }) => action)).toEqual([{ cell: 4 }]);
    log.append(log.resumed[0]!);
    expect(await table.speculative.resumed[0]!.outcome).toMatchObject({ outcome: "committed", judged: true });
  });

  test("a read nobody answers is asked again when the log moves", async () => {
    const { log, first, foreign, left } = behind();
    log.failReads(new SdkError("proposal-timeout", "nobody leads"));
    await settle();
    log.append(first);
    foreign({ cell: 2 });
    log.catchUp();
    await settle();
    expect(left.map(({ reason }) => reason)).toEqual(["taken"]);
  });
});

test("[GA58] one the log refuses for good is rolled back; one that is open at close stays unknown", async () => {
  const table = played(add(1), add(2));
  const again = reload(table);
  again.log.resumed[0]!.reject(new SdkError("client-session-expired", "forgotten"));
  await settle();
  expect(again.speculative.speculativeState.trail).toEqual(["0+2"]);
  expect(await again.speculative.resumed[0]!.outcome).toMatchObject({ outcome: "rejected", reason: "client-session-expired" });
  again.log.resumed[1]!.reject(new ClosedError("the log"));
  await settle();
  expect(again.speculative.pendingCount).toBe(1);
  again.speculative.close();
  await expect(again.speculative.resumed[1]!.outcome).rejects.toBeInstanceOf(OutcomeUnknownError);
});
