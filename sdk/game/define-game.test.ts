// What defineGame accepts, fills in, refuses, and validates.
import { expect, test } from "vitest";
import { jsonCodec, utf8 } from "../base/index.ts";
import { defineGame } from "./define-game.ts";
import type { Game } from "./game.ts";
import type { StandardSchema } from "./standard-schema.ts";
import { counterRules, openTable } from "./test-fixtures.ts";

const minimal: Game<number, number> = { setup: () => 0, apply: (state, action) => state + action };
const context = { player: 0, seats: 1, index: 1, time: 0, random: { uint32: () => 0 } };

test("[GA11] a minimal game is completed with defaults and frozen", () => {
  const game = defineGame(minimal);
  expect(game).toMatchObject({ name: "game", version: "1", rules: "game@1" });
  expect([game.setup({ seats: 1 }), game.check(1, 2, context), game.apply(1, 2, context)]).toEqual([0, undefined, 3]);
  expect([game.actions.decode(game.actions.encode(5)), game.states.decode(game.states.encode(6)), Object.isFrozen(game)]).toEqual([5, 6, true]);
  expect(defineGame(game)).toBe(game);
  expect(defineGame({ ...counterRules, version: "1.2-beta" }).rules).toBe("counter@1.2-beta");
});

test("[GA11] a game may be an instance of a class, and its functions keep their this", () => {
  class Stepper implements Game<number, number> {
    readonly step = 10;
    setup(): number {
      return this.step;
    }
    apply(state: number): number {
      return state + this.step;
    }
  }
  const game = defineGame(new Stepper());
  expect(game.apply(game.setup({ seats: 1 }), 0, context)).toBe(20);
});

test.each([
  [undefined, "a game is an object with setup and apply, got undefined"],
  [null, "a game is an object with setup and apply, got null"],
  ["chess", 'a game is an object with setup and apply, got "chess"'],
  [{}, "a game's setup is a function, got undefined"],
  [{ setup: {} }, "a game's setup is a function, got an object with no fields"],
  [{ setup: () => 0 }, "a game's apply is a function, got undefined"],
  [{ ...minimal, check: true }, "a game's check is a function or left out, got true"],
  [{ ...minimal, name: "" }, "a game's name is a text of 1 to 64 characters without \"@\" or left out, got \"\""],
  [{ ...minimal, name: "a@b" }, "a game's name is a text of 1 to 64 characters without \"@\" or left out, got \"a@b\""],
  [{ ...minimal, version: 2 }, "a game's version is a text of 1 to 64 characters without \"@\" or left out, got 2"],
  [{ ...minimal, actions: { encode: () => utf8("") } }, "a game's actions is a codec { encode, decode } or left out, got an object with encode"],
  [{ ...minimal, states: [] }, "a game's states is a codec { encode, decode } or left out, got an array"],
  [{ ...minimal, schema: { parse: () => 1 } }, 'a game\'s schema is a Standard Schema (an object with a "~standard" field of version 1) or left out, got an object with parse'],
])("[GA10] a game of the wrong shape is refused by field (%#)", (game, message) => {
  expect(() => defineGame(game as never)).toThrow(expect.objectContaining({ code: "invalid-argument", message }));
});

test("[GA10] a setup that gives no state is refused when it is asked", () => {
  const begun = (setup: unknown): unknown => defineGame({ ...minimal, setup } as never).setup({ seats: 2 });
  expect(() => begun(() => undefined)).toThrow(expect.objectContaining({ code: "invalid-argument", message: "a game's setup returned undefined (is a return missing?)" }));
  expect(() => begun(() => Promise.resolve(0))).toThrow("a game's setup returned a promise, and it must not be async");
  expect(begun(() => null)).toBe(null);
});

/** Accepts { n } with a whole number, drops everything else. */
const schema: StandardSchema<{ readonly n: number }> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => {
      const n: unknown = typeof value === "object" && value !== null && "n" in value ? value.n : undefined;
      return typeof n === "number" && Number.isInteger(n) ? { value: { n } } : { issues: [{ message: "n is a whole number" }, { message: "and more" }] };
    },
  },
};
const validated: Game<number, { readonly n: number }> = { setup: () => 0, apply: (state, { n }) => state + n, schema };

test("[GA12] a schema refuses at the edge, with the words of its issues", async () => {
  const { speculative, log } = openTable(validated);
  await expect(speculative.propose({ n: 1.5 })).resolves.toMatchObject({ outcome: "rejected", reason: "n is a whole number; and more", cause: { code: "invalid-action", issues: [{ message: "n is a whole number" }, { message: "and more" }] } });
  expect(log.proposals).toEqual([]);
});

test("[GA12] a schema judges and shapes what comes from the log, the same for its proposer", () => {
  const { speculative, log, reports } = openTable(validated);
  const json = jsonCodec<unknown>();
  log.append({ payload: json.encode({ n: "1" }) });
  log.append({ payload: json.encode({ n: 2, cheat: true }) });
  expect(speculative.confirmedState).toBe(2);
  expect(reports.map(({ kind, index }) => [kind, index])).toEqual([["undecodable", 1]]);
  expect(defineGame(validated).actions.decode(json.encode({ n: 2, cheat: true }))).toEqual({ n: 2 });
});

test("[GA12] an asynchronous schema is refused by name, or where it only shows later refuses everything and says why", async () => {
  const always: StandardSchema<{ readonly n: number }> = { "~standard": { version: 1, vendor: "test", validate: (value) => Promise.resolve(schema["~standard"].validate(value)) } };
  expect(() => defineGame({ ...validated, schema: always })).toThrow(expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining("synchronous") as string }));
  const sometimes: StandardSchema<{ readonly n: number }> = { "~standard": { version: 1, vendor: "test", validate: (value) => (value === undefined ? { issues: [] } : Promise.reject(new Error("late"))) } };
  const { speculative } = openTable({ ...validated, schema: sometimes });
  await expect(speculative.propose({ n: 1 })).resolves.toMatchObject({ outcome: "rejected", reason: expect.stringContaining("asynchronous") as string, cause: { code: "invalid-action" } });
});
