// Atoms over a sequencer: what a view sees, and how often.
import { expect, test, vi } from "vitest";
import { createGameStore } from "./store.ts";
import { counterRules, openTable, settle } from "./test-fixtures.ts";
import { SdkError } from "../base/index.ts";

const open = () => {
  const table = openTable(counterRules);
  const store = createGameStore(table.speculative);
  const heard: string[] = [];
  store.state.listen(({ sum }) => void heard.push(`state ${sum}`));
  store.confirmed.listen(({ sum }) => void heard.push(`confirmed ${sum}`));
  store.pending.listen((actions) => void heard.push(`pending ${actions.length}`));
  return { ...table, store, heard };
};

test("[GA60] a move is two changes: shown, then confirmed; each atom is assigned once per change", () => {
  const { store, heard, log, speculative } = open();
  void speculative.propose({ type: "add", by: 1 });
  expect(heard.splice(0)).toEqual(["pending 1", "state 1"]);
  const shown = store.state.get();
  log.commit(0);
  expect(heard.splice(0)).toEqual(["pending 0", "confirmed 1"]);
  expect([store.state.get() === shown, store.confirmed.get() === shown]).toEqual([true, true]);
});

test("[GA60] a foreign move, a no-op and a rollback each tell only what changed", async () => {
  const { store, heard, log, foreign, speculative } = open();
  foreign({ type: "add", by: 2 });
  expect(heard.splice(0)).toEqual(["confirmed 2", "state 2"]);
  foreign({ type: "pass" });
  foreign({ type: "add", by: 99 });
  expect(heard.splice(0)).toEqual([]);
  void speculative.propose({ type: "add", by: 1 });
  const { pending } = store;
  expect([pending.get(), pending.get() === pending.get()]).toEqual([[{ type: "add", by: 1 }], true]);
  heard.splice(0);
  log.fail(0, new SdkError("busy", "later"));
  await settle();
  expect(heard).toEqual(["pending 0", "state 2"]);
  expect(store.state.get()).toBe(store.confirmed.get());
});

test("[GA60] a listener sees the other atoms of the same change in place", () => {
  const { store, foreign } = open();
  const seen = vi.fn();
  store.state.listen((state) => seen(store.confirmed.get() === state));
  foreign({ type: "add", by: 2 });
  expect(seen.mock.calls).toEqual([[true]]);
});

test("[GA60] a closed store keeps its last values and follows nothing", () => {
  const { store, heard, foreign } = open();
  store.close();
  store.close();
  foreign({ type: "add", by: 2 });
  expect([heard, store.state.get().sum]).toEqual([[], 0]);
});
