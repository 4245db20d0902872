// A log that says under which rules it is played is not played under others.
import { expect, test } from "vitest";
import { RulesMismatchError } from "./errors.ts";
import { counterRules, openTable, type CounterAction } from "./test-fixtures.ts";

const add: CounterAction = { type: "add", by: 1 };

test("[GA59] other rules stop play before anything is applied under them, also where nothing was played yet", async () => {
  const old = openTable(counterRules);
  old.foreign(add);
  for (const log of [old.log, openTable(counterRules).log]) {
    const { speculative, reports } = openTable(counterRules, { log, rulesOfLog: () => "counter@0" });
    expect(speculative.failure).toBeInstanceOf(RulesMismatchError);
    expect(speculative.failure).toMatchObject({ expected: "counter@1", actual: "counter@0" });
    expect(speculative.confirmedState).toEqual({ sum: 0, trail: [] });
    expect(reports.map(({ kind }) => kind)).toEqual(["rules-mismatch"]);
    expect(await speculative.propose(add)).toMatchObject({ outcome: "rejected", reason: "closed" });
  }
});

test("[GA59] the same rules, or a log that says nothing, are played", () => {
  for (const rulesOfLog of [undefined, () => undefined, () => "counter@1"]) {
    const table = openTable(counterRules, { rulesOfLog });
    table.foreign(add);
    expect(table.speculative.confirmedState.sum).toBe(1);
  }
});

test("[GA59] rules that the log tells later stop play there, and listeners are told once", () => {
  let rules: string | undefined;
  const table = openTable(counterRules, { rulesOfLog: () => rules });
  const failures: Error[] = [];
  table.speculative.on("failed", (failure) => failures.push(failure));
  table.foreign(add);
  rules = "another@1";
  table.foreign(add);
  table.foreign(add);
  expect(table.speculative.confirmedState.sum).toBe(1);
  expect(failures).toEqual([table.speculative.failure]);
  expect(table.log.followers).toBe(0);
});
