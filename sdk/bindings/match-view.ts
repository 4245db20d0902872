// Everything a view draws of a match as one value with a stable identity, and a match that is open for as long as somebody looks at it.
import type { Match, MatchPlayer, MatchStatus } from "../index.ts";

/** What a view draws. A new object per change; each part keeps its identity while it did not change. */
export interface MatchView<State, Action> {
  /** `idle`: nobody has looked yet; `opening`; `open`, also when the match has ended (see `status`); `failed`: opening did, and `error` says why. */
  readonly phase: "idle" | "opening" | "open" | "failed";
  /** To play, leave, invite; undefined until it is open. */
  readonly match: Match<State, Action> | undefined;
  readonly error: unknown;
  readonly state: State | undefined;
  readonly confirmed: State | undefined;
  readonly status: MatchStatus | undefined;
  readonly players: readonly MatchPlayer[];
  readonly pending: readonly Action[];
}

/** A value that changes, in the shape frameworks bind to: React's external stores, Svelte's store contract, and nanostores' `listen`. */
export interface ViewSource<State, Action> {
  /** The view now. Reading it starts nothing. */
  get(): MatchView<State, Action>;
  /** Calls `listener` after each change. Returns the function that removes it. */
  listen(listener: () => void): () => void;
  /** Calls `listener` with the view now and after each change: `$source` in Svelte. Returns the function that removes it. */
  subscribe(listener: (view: MatchView<State, Action>) => void): () => void;
}

const NOBODY: readonly never[] = [];
const IDLE: MatchView<never, never> = { phase: "idle", match: undefined, error: undefined, state: undefined, confirmed: undefined, status: undefined, players: NOBODY, pending: NOBODY };

/** The view of a match that is not open (yet). */
export function closedView(phase: "idle" | "opening" | "failed", error?: unknown): MatchView<never, never> {
  return phase === "idle" ? IDLE : { ...IDLE, phase, error };
}

/** The view of an open match; the one before when it says the same. */
export function openView<State, Action>(match: Match<State, Action>, before?: MatchView<State, Action>): MatchView<State, Action> {
  const state = match.state.get();
  const confirmed = match.confirmed.get();
  const status = match.status.get();
  const players = match.players.get();
  const pending = match.pending.get();
  const isSame = before?.match === match && before.state === state && before.confirmed === confirmed && before.status === status && before.players === players && before.pending === pending;
  return isSame ? before : { phase: "open", match, error: undefined, state, confirmed, status, players, pending };
}

/** Listens to every atom of a match. Returns the function that stops it. */
export function listenTo<State, Action>(match: Match<State, Action>, changed: () => void): () => void {
  const offs = [match.state, match.confirmed, match.status, match.players, match.pending].map((atom) => atom.listen(changed));
  return () => offs.forEach((off) => off());
}
