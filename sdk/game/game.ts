// What an author writes: a game as pure functions over plain immutable state. Not for rendering, timing or networking.
import type { Codec, LogIndex, Random } from "../base/index.ts";

/** A seat at the table, counted from 0. The acting player of an action is named by its seat. */
export type Seat = number;

/** What `setup` may know. */
export interface SetupContext {
  /** How many seats the match has. */
  readonly seats: number;
}

/** What `check` and `apply` may know besides state and action. The same on every peer for the same log entry. */
export interface ActionContext {
  /** The seat that acts. */
  readonly player: Seat;
  readonly seats: number;
  /** Index of the log entry; while an action is only predicted, the index it would have if nothing came between. */
  readonly index: LogIndex;
  /** The leader's clock when the entry was appended, ms since 1970, non-decreasing; while only predicted, the last logged time. */
  readonly time: number;
  /** Seeded by the entry's index and key: the same numbers on every peer. Its prediction is provisional. */
  readonly random: Random;
}

/** A game. Every function is pure and deterministic: no clocks, no randomness but `context.random`, and no mutation of its arguments. */
export interface Game<State, Action> {
  /** A name and rules version; peers whose value differs refuse each other. Default: "game". */
  readonly name?: string | undefined;
  /** The state before the first action. */
  setup(context: SetupContext): State;
  /** Why the action is illegal (a short reason to show), or undefined when it is legal. Total: never throws. Default: everything is legal. */
  check?(state: State, action: Action, context: ActionContext): string | undefined;
  /** The state after a legal action, as a new value; return `state` itself when nothing changes. */
  apply(state: State, action: Action, context: ActionContext): State;
  /** Actions on the wire. Default: JSON. */
  readonly actions?: Codec<Action> | undefined;
  /** State in snapshots and digests. Default: JSON. */
  readonly states?: Codec<State> | undefined;
}
