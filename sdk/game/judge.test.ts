// Verdicts: whatever a game does, an action is legal or a no-op, and never an exception.
import { expect, test } from "vitest";
import { entryRandom } from "./action-context.ts";
import { defineGame } from "./define-game.ts";
import { createDevelopmentJudge } from "./development-judge.ts";
import type { ActionContext, Game } from "./game.ts";
import { createJudge } from "./judge.ts";
import { counterRules, openTable, sumRules, type CounterState } from "./test-fixtures.ts";
import type { Turn } from "./turn.ts";

const turn = <Action>(action: Action, index = 1): Turn<Action> => ({ action, player: 0, index, time: 5, dedupKey: { clientId: "c", requestId: index } });
const sum = (change: Partial<Game<{ readonly sum: number }, { readonly by: number }>>): Game<{ readonly sum: number }, { readonly by: number }> => ({ ...sumRules, ...change });
const boom = (): never => {
  throw new Error("boom");
};

test.each([
  ["throws", boom, "check-failed", "check threw: boom; taken as illegal"],
  ["answers true", () => true as never, "illegal", "check answers a reason or undefined, got boolean; taken as illegal"],
  ["is async", (() => Promise.resolve(undefined)) as never, "illegal", "check answers a reason or undefined, got object; taken as illegal"],
])("[GA14] a check that %s makes the action illegal, and is reported", async (_how, check, reason, message) => {
  const { speculative, foreign, reports } = openTable(sum({ check }));
  foreign({ by: 1 });
  expect(speculative.confirmedState.sum).toBe(0);
  expect(reports).toMatchObject([{ kind: "check-failed", message, index: 1, player: 1 }]);
  await expect(speculative.propose({ by: 1 })).resolves.toMatchObject({ outcome: "rejected", reason });
});

test("[GA14] null is no reason, and an empty reason is one", () => {
  const judge = (check: unknown): string | undefined => createJudge(defineGame(sum({ check: (() => check) as never })), 2)({ sum: 0 }, turn({ by: 1 })).reason;
  expect([judge(null), judge(""), judge("no")]).toEqual([undefined, "illegal", "no"]);
});

test.each([
  ["throws", boom, "apply threw: boom; the action did nothing"],
  ["returns nothing", () => undefined as never, "apply returned undefined (is a return missing?); the action did nothing"],
  ["is async", (() => Promise.resolve({ sum: 1 })) as never, "apply returned a promise, and it must not be async; the action did nothing"],
])("[GA15] an apply that %s leaves the state as it was, and is reported", async (_how, apply, message) => {
  const { speculative, foreign, reports } = openTable(sum({ apply }));
  const before = speculative.confirmedState;
  foreign({ by: 1 });
  expect(speculative.confirmedState).toBe(before);
  expect(reports).toMatchObject([{ kind: "apply-failed", message, index: 1 }]);
  await expect(speculative.propose({ by: 1 })).resolves.toMatchObject({ outcome: "rejected", reason: "apply-failed" });
});

test("[GA16] an entry's context says who, where and when, and may be spread", () => {
  const seen: ActionContext[] = [];
  const game = defineGame(sum({ apply: (state, _action, context) => (seen.push({ ...context }), state) }));
  createJudge(game, 4)({ sum: 0 }, { action: { by: 1 }, player: 3, index: 12, time: 99, dedupKey: { clientId: "c", requestId: 7 } });
  expect(seen).toMatchObject([{ player: 3, seats: 4, index: 12, time: 99 }]);
  createJudge(game, 4)({ sum: 0 }, { action: { by: 1 }, player: 3, index: 12, time: 99, dedupKey: { clientId: "c", requestId: 7 } }, { index: false, time: false });
  expect(seen[1]).toMatchObject({ player: 3, seats: 4, index: 12, time: 99 });
  expect(Object.keys(seen[1] ?? {})).toEqual(Object.keys(seen[0] ?? {}));
  expect(seen[0]?.random.uint32()).toBe(entryRandom(12, { clientId: "c", requestId: 7 }).uint32());
});

test("[GA16] random numbers depend on index and key, and on nothing else", () => {
  const first = (index: number, clientId: string, requestId: number): number => entryRandom(index, { clientId, requestId }).uint32();
  const draws = [first(1, "a", 1), first(2, "a", 1), first(1, "b", 1), first(1, "a", 2), first(1, "a", 12), first(11, "a", 2)];
  expect(new Set(draws).size).toBe(draws.length);
  expect(first(1, "a", 1)).toBe(draws[0]);
  // Pinned: another engine or another version that rolls otherwise would split a match.
  expect([0, 1, 2].map((index) => first(index, "client", 1))).toMatchInlineSnapshot(`
    [
      2397272587,
      1073955790,
      3686814647,
    ]
  `);
});

test("[GA16] apply draws the same numbers however many check drew", () => {
  const roll = (draws: number): CounterState => {
    const check: typeof counterRules.check = (_state, _action, { random }) => void Array.from({ length: draws }, () => random.uint32());
    return createJudge(defineGame({ ...counterRules, check }), 2)({ sum: 0, trail: [] }, turn({ type: "roll" })).state;
  };
  expect(roll(0)).toEqual(roll(5));
});

let outside = 0;
test.each([
  ["changes the state", (state: { sum: number }, { by }: { by: number }) => ((state.sum += by), state), "the game changes its arguments (return a new state instead)"],
  ["changes the action", (state: { sum: number }, action: { by: number }) => ({ sum: state.sum + (action.by += 1) }), "the game changes its arguments (return a new state instead)"],
  ["reads a variable outside", () => ({ sum: (outside += 1) }), "the game gives different states when run twice (a clock, Math.random or a variable outside?)"],
])("[GA50] development mode reports an apply that %s", (_how, apply, message) => {
  const { foreign, reports, speculative } = openTable(sum({ apply: apply as never }), { development: true });
  foreign({ by: 1 });
  expect(reports).toMatchObject([{ kind: "impure", message, index: 1, cause: { name: "ImpureGameError", code: "impure-game" } }]);
  void speculative.propose({ by: 1 });
  expect(reports.map(({ kind }) => kind)).toEqual(["impure", "impure"]);
});

test("[GA50] development mode reports a check that answers differently, and a Map that was changed in place", () => {
  const fickle = openTable(sum({ check: () => ((outside += 1) % 3 === 0 ? "no" : undefined) }), { development: true });
  fickle.foreign({ by: 1 });
  expect(fickle.reports.some(({ kind, message }) => kind === "impure" && message.includes("answers differently"))).toBe(true);
  const judge = createDevelopmentJudge(defineGame<Map<string, number>, number>({ setup: () => new Map(), apply: (state, by) => state.set("sum", by) }), 1);
  expect(judge(new Map(), turn(1)).fault).toMatchObject({ kind: "impure", message: expect.stringContaining("changes its arguments") as string });
});

test("[GA50] development mode reports a state that its codec loses", () => {
  const { foreign, reports } = openTable<unknown, number>({ setup: () => ({}), apply: () => ({ at: new Map() }) }, { development: true });
  foreign(1);
  expect(reports).toMatchObject([{ kind: "unserialisable", message: expect.stringContaining("does not survive") as string }]);
  const cyclic = openTable<unknown, number>({ setup: () => 0, apply: () => 1n }, { development: true });
  cyclic.foreign(1);
  expect(cyclic.reports).toMatchObject([{ kind: "unserialisable", message: expect.stringContaining("does not go through its codec") as string }]);
});

test("[GA50] development mode freezes what a view gets, and changes no verdict of a pure game", () => {
  const plain = openTable(counterRules);
  const strict = openTable(counterRules, { development: true });
  for (const { speculative, foreign } of [plain, strict]) {
    foreign({ type: "roll" });
    foreign({ type: "add", by: 11 });
    void speculative.propose({ type: "roll" });
  }
  expect(strict.speculative.speculativeState).toEqual(plain.speculative.speculativeState);
  expect(strict.reports).toEqual(plain.reports);
  expect(() => (strict.speculative.speculativeState.trail as string[]).push("view")).toThrow(TypeError);
});
