// What an author writes: a game as pure functions over plain immutable state. Not for rendering, timing or networking.
import type { Codec, LogIndex, Random } from "../base/index.ts";
import type { StandardSchema } from "./standard-schema.ts";

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
  /** Seeded by the entry's index and key: the same numbers on every peer, from their start in `check` and in `apply` alike. Its prediction is provisional. */
  readonly random: Random;
}

/** A game. Every function is pure and deterministic: no clocks, no randomness but `context.random`, and no mutation of its arguments. */
export interface Game<State, Action> {
  /** What the game is called. Default: "game". */
  readonly name?: string | undefined;
  /** Of the rules; change it whenever the same actions would lead elsewhere. Peers whose name or version differ refuse each other. Default: "1". */
  readonly version?: string | undefined;
  /** The state before the first action. */
  setup(context: SetupContext): State;
  /** Why the action is illegal (a short reason to show), or undefined when it is legal. Total: never throws, whatever decodes. Default: everything is legal. */
  check?(state: State, action: Action, context: ActionContext): string | undefined;
  /** The state after a legal action, as a new value; return `state` itself when nothing changes. */
  apply(state: State, action: Action, context: ActionContext): State;
  /** Actions on the wire. Default: JSON. */
  readonly actions?: Codec<Action> | undefined;
  /** State in snapshots and digests. Default: JSON. */
  readonly states?: Codec<State> | undefined;
  /**
   * What an action may look like: any synchronous Standard Schema (zod, valibot, arktype). Actions are validated when they are proposed
   * and, since peers can lie, whenever they are decoded. A schema that transforms must accept its own output.
   */
  readonly schema?: StandardSchema<Action> | undefined;
}

/** A game with every default filled in, as `defineGame` returns it. Frozen. */
export interface DefinedGame<State, Action> extends Game<State, Action> {
  readonly name: string;
  readonly version: string;
  /** `name@version`: what two peers compare before they play. */
  readonly rules: string;
  check(state: State, action: Action, context: ActionContext): string | undefined;
  /** Validates with the schema on `decode`. */
  readonly actions: Codec<Action>;
  readonly states: Codec<State>;
}
