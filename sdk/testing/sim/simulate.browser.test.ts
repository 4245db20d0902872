import { expect, test } from "vitest";
import hashes from "./hashes.json" with { type: "json" };
import { simulate } from "./simulate.ts";

test("the same 100 seeds give the same event hashes here as in Node", { timeout: 300_000 }, () => {
  for (const [seed, hash] of Object.entries(hashes)) expect(simulate(Number(seed), { durationMs: 5_000 }).hash, `seed ${seed}`).toBe(hash);
});
