// Actions validated by the libraries people use, as they come from their packages.
import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { jsonCodec } from "../base/index.ts";
import { defineGame } from "./define-game.ts";
import type { Game } from "./game.ts";
import type { StandardSchema } from "./standard-schema.ts";
import { openTable } from "./test-fixtures.ts";

interface Place {
  readonly cell: number;
  readonly mark: "X" | "O";
}

const marks: Omit<Game<readonly string[], Place>, "schema"> = { setup: () => [], apply: (state, { cell, mark }) => [...state, `${mark}${cell}`] };

const zodPlace: StandardSchema<Place> = z.object({ cell: z.number().int().min(0).max(8), mark: z.enum(["X", "O"]) });
const valibotPlace: StandardSchema<Place> = v.object({ cell: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8)), mark: v.picklist(["X", "O"]) });
const arktypePlace: StandardSchema<Place> = type({ cell: "0 <= number.integer <= 8", mark: "'X' | 'O'" });

describe.each([["zod", zodPlace], ["valibot", valibotPlace], ["arktype", arktypePlace]])("a schema of %s", (vendor, schema) => {
  const game: Game<readonly string[], Place> = { ...marks, schema };
  const wrong = { cell: 12, mark: "Z" } as unknown as Place;

  test("[GA12] lets a right action through", async () => {
    expect(schema["~standard"].vendor).toBe(vendor);
    const { speculative, log } = openTable(game);
    const outcome = speculative.propose({ cell: 3, mark: "X" });
    expect(speculative.speculativeState).toEqual(["X3"]);
    log.commit(0);
    await expect(outcome).resolves.toMatchObject({ outcome: "committed" });
  });

  test("[GA12] rejects a wrong action here, with the field and the library's words as reason, and nothing is proposed", async () => {
    const { speculative, log } = openTable(game);
    const outcome = await speculative.propose(wrong);
    expect(outcome).toMatchObject({ outcome: "rejected", reason: expect.stringContaining("cell") as string, cause: { code: "invalid-action" } });
    expect(outcome).toMatchObject({ reason: expect.stringContaining("mark") as string });
    expect(log.proposals).toEqual([]);
    expect(speculative.pendingCount).toBe(0);
  });

  test("[GA12] makes what a modified client committed a reported no-op, with the issues beside it", () => {
    const { speculative, log, reports } = openTable(game);
    log.append({ payload: jsonCodec<unknown>().encode(wrong) });
    log.append({ payload: jsonCodec<unknown>().encode({ cell: 1, mark: "O" }) });
    expect(speculative.confirmedState).toEqual(["O1"]);
    expect(speculative.confirmedCount).toBe(2);
    expect(reports).toMatchObject([{ kind: "undecodable", index: 1, message: expect.stringContaining("cell") as string, cause: { code: "invalid-action" } }]);
  });
});

test("[GA12] valibot's asynchronous schema is refused when the game is defined", () => {
  const schema = v.objectAsync({ cell: v.pipeAsync(v.number(), v.checkAsync(() => Promise.resolve(true))), mark: v.picklist(["X", "O"]) });
  expect(() => defineGame<readonly string[], Place>({ ...marks, schema })).toThrow(expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining("synchronous") as string }));
});

test("[GA12] zod's asynchronous check, which shows only at a value that fits, refuses every action and says why", async () => {
  const schema = z.object({ cell: z.number().refine(() => Promise.resolve(true)), mark: z.enum(["X", "O"]) });
  const { speculative } = openTable<readonly string[], Place>({ ...marks, schema });
  await expect(speculative.propose({ cell: 1, mark: "X" })).resolves.toMatchObject({ outcome: "rejected", reason: expect.stringContaining("asynchronous") as string });
});
