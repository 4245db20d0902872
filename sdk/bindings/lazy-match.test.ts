// When a lazy match opens, lingers and is left.
import { atom } from "nanostores";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Match } from "../index.ts";
import { lazyMatch } from "./lazy-match.ts";
import type { MatchView } from "./match-view.ts";
import { viewOf } from "./source.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** As much of a match as views touch. */
function fakeMatch(): { readonly match: Match<number, string>; readonly state: ReturnType<typeof atom<number>>; readonly left: () => number; finishLeaving(): void } {
  const state = atom(0);
  let left = 0;
  let finish: () => void = () => {};
  const leaving = new Promise<void>((resolve) => (finish = resolve));
  const leave = (): Promise<void> => ((left += 1), leaving);
  const match = { state, confirmed: atom(0), status: atom({ phase: "live" }), players: atom([]), pending: atom([]), play: () => {}, leave } as unknown as Match<number, string>;
  return { match, state, left: () => left, finishLeaving: finish };
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

test("[BI1] a view keeps its identity until something changes, and its listeners hear of nothing else", () => {
  const { match, state } = fakeMatch();
  const source = viewOf(match);
  expect(viewOf(match)).toBe(source);
  const first = source.get();
  expect(source.get()).toBe(first);
  const heard: number[] = [];
  const off = source.subscribe((view) => heard.push(view.state ?? -1));
  state.set(0);
  state.set(1);
  expect(source.get()).not.toBe(first);
  expect(source.get().players).toBe(first.players);
  off();
  state.set(2);
  expect(heard).toEqual([0, 1]);
  expect(source.get().state).toBe(2);
});

test("[BI2] [BI3] it opens with the first listener, once, lingers, and is left after the last", async () => {
  const { match, state, left, finishLeaving } = fakeMatch();
  let opened = 0;
  const second = fakeMatch();
  const lazy = lazyMatch<number, string>(() => Promise.resolve((opened += 1) === 1 ? match : second.match));
  expect(lazy.get()).toMatchObject({ phase: "idle", match: undefined, state: undefined });
  await settle();
  expect(opened).toBe(0);
  const phases: string[] = [];
  const off = lazy.subscribe((view: MatchView<number, string>) => phases.push(`${view.phase} ${view.state ?? "-"}`));
  const other = lazy.listen(() => {});
  await settle();
  state.set(7);
  expect([opened, phases]).toEqual([1, ["opening -", "open 0", "open 7"]]);
  other();
  off();
  off();
  vi.advanceTimersByTime(999);
  const again = lazy.listen(() => {});
  vi.advanceTimersByTime(5_000);
  await settle();
  expect([opened, left(), lazy.get().state]).toEqual([1, 0, 7]);
  again();
  vi.advanceTimersByTime(1_000);
  await settle();
  expect([left(), lazy.get().phase]).toEqual([1, "idle"]);
  // The next one waits until the one before is really gone.
  const late = lazy.listen(() => {});
  await settle();
  expect([opened, lazy.get().phase]).toEqual([1, "opening"]);
  finishLeaving();
  await settle();
  expect([opened, lazy.get().match === second.match]).toEqual([2, true]);
  late();
});

test("[BI4] an opening nobody waits for is aborted, and what it opened all the same is left", async () => {
  const { match, left } = fakeMatch();
  let signal: AbortSignal | undefined;
  let finish: (opened: Match<number, string>) => void = () => {};
  const lazy = lazyMatch<number, string>((given) => {
    signal = given;
    return new Promise((resolve) => (finish = resolve));
  });
  lazy.listen(() => {})();
  await settle();
  vi.advanceTimersByTime(1_000);
  expect(signal?.aborted).toBe(true);
  finish(match);
  await settle();
  expect([left(), lazy.get().phase]).toEqual([1, "idle"]);
});

test("[BI5] a failed opening is shown, and tried again when asked", async () => {
  const { match } = fakeMatch();
  let attempts = 0;
  const lazy = lazyMatch<number, string>(() => ((attempts += 1) === 1 ? Promise.reject(new Error("no room")) : Promise.resolve(match)));
  const off = lazy.listen(() => {});
  await settle();
  expect(lazy.get()).toMatchObject({ phase: "failed", error: { message: "no room" }, match: undefined });
  lazy.retry();
  lazy.retry();
  await settle();
  expect([attempts, lazy.get().phase]).toEqual([2, "open"]);
  lazy.retry();
  expect(attempts).toBe(2);
  off();
});

test("a listener that throws keeps nobody else from hearing", async () => {
  const { match, state } = fakeMatch();
  const lazy = lazyMatch<number, string>(() => Promise.resolve(match));
  const heard: string[] = [];
  lazy.listen(() => {
    heard.push("first");
    if (lazy.get().state === 3) throw new Error("a faulty view");
  });
  lazy.listen(() => heard.push("second"));
  await settle();
  heard.length = 0;
  expect(() => state.set(3)).toThrow("a faulty view");
  expect(heard).toEqual(["first", "second"]);
});
