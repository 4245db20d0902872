// The table itself: what it finds, what it repeats, and what it does to a network.
import { expect, test } from "vitest";
import { below } from "../../base/index.ts";
import type { Game } from "../../game/index.ts";
import { openTable } from "./table.ts";

type Add = { readonly by: number };
const sum: Game<{ readonly sum: number }, Add> = { name: "sum", setup: () => ({ sum: 0 }), apply: (state, { by }) => ({ sum: state.sum + by }) };

test("[GA50a] a game that counts outside its state is found when its first action is rolled back and replayed", async () => {
  let calls = 0;
  const table = await openTable<{ readonly sum: number }, Add>({ ...sum, apply: (state, { by }) => ({ sum: state.sum + by + (calls += 1) }) });
  await table.player(0).play({ by: 1 });
  expect(() => table.agree()).toThrow(/reports impure: .*seed 1/);
  await table.close();
});

test("[GA50a] a state that its codec loses is found", async () => {
  const table = await openTable<{ readonly seen: Set<number> }, Add>({ name: "seen", setup: () => ({ seen: new Set() }), apply: (state, { by }) => ({ seen: new Set([...(state.seen.size === undefined ? [] : state.seen), by]) }) });
  await table.player(0).play({ by: 1 });
  expect(() => table.agree()).toThrow(/reports unserialisable|reports impure/);
  await table.close();
});

test("the same seed and the same calls give the same run, to the millisecond", async () => {
  const runs: string[] = [];
  for (const seed of [3, 3, 4]) {
    const table = await openTable<{ readonly sum: number }, Add>({ ...sum, apply: (state, { by }, { random }) => ({ sum: state.sum + by + below(random, 1_000) }) }, { players: 3, seed, network: { delayMs: 10, jitterMs: 30 } });
    for (let turn = 0; turn < 6; turn += 1) await table.player(turn % 3).play({ by: turn });
    await table.settled();
    runs.push(`${table.clock.now()} ${table.leader.id} ${table.player(0).confirmed.sum} ${table.hub.counts.sent}`);
    await table.close();
  }
  expect(runs[1]).toBe(runs[0]);
  expect(runs[2]).not.toBe(runs[0]);
});

test("what the cut-off player plays shows there alone, can be taken back, and the majority goes on", async () => {
  const table = await openTable(sum, { players: 3 });
  const cutOff = table.players.find((player) => !player.isLeader)!;
  const others = table.players.filter((player) => player !== cutOff);
  table.partition([table.players.indexOf(cutOff)]);
  await table.until(() => cutOff.status.leader === undefined);
  const playing = cutOff.match.play({ by: 100 });
  expect([cutOff.state.sum, others[0]!.state.sum]).toEqual([100, 0]);
  expect(cutOff.match.undo().undone).toBe(true);
  await expect(playing).resolves.toMatchObject({ reason: "undone" });
  const late = cutOff.play({ by: 5 });
  await others[0]!.match.play({ by: 1 });
  table.heal();
  expect(await late).toMatchObject({ outcome: "committed" });
  await table.settled();
  expect(table.players.map(({ confirmed }) => confirmed.sum)).toEqual([6, 6, 6]);
  await table.close();
});
