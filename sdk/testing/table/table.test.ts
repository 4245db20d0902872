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

test("players answer each other's moves one line after the other, three in turns and with a host that dies between them", async () => {
  const turns: Game<{ readonly left: number; readonly next: number }, number> = {
    setup: () => ({ left: 21, next: 0 }),
    check: (state, _take, { player }) => (player === state.next ? undefined : "not your turn"),
    apply: (state, take, { seats }) => ({ left: state.left - take, next: (state.next + 1) % seats }),
  };
  const table = await openTable(turns, { players: 3 });
  for (let turn = 0; turn < 9; turn += 1) {
    expect(await table.player(turn % 3).play(1)).toMatchObject({ outcome: "committed" });
    if (turn === 4) await table.leader.reload();
  }
  await table.settled();
  expect(table.players.map(({ state }) => state.left)).toEqual([12, 12, 12]);
  await table.close();
});

test.each<readonly [how: string, apply: () => unknown, says: RegExp]>([
  ["draws its own numbers", () => Math.random(), /reports impure/],
  ["loses its state in its codec", () => 5n, /reports unserialisable: the state does not go through its codec/],
  ["throws", () => { throw new Error("boom"); }, /reports apply-failed: apply threw: boom/],
])("waiting for everybody to agree on a game that %s names the fault instead of waiting", async (_how, apply, says) => {
  const table = await openTable<unknown, number>({ setup: () => 0, apply });
  await table.player(0).play(1);
  await expect(table.settled()).rejects.toThrow(says);
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
