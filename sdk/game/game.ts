// What an author writes: a game as pure functions over plain immutable state. Not for rendering, timing or networking.
import type { Codec, LogIndex, Random } from "../base/index.ts";
import type { DiceState, Roll } from "./fair-dice.ts";
import type { Seat } from "./seat.ts";
import type { StandardSchema } from "./standard-schema.ts";

export type { Seat } from "./seat.ts";

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
  /**
   * The leader's clock when the entry was appended, ms since 1970, non-decreasing; while only predicted, the last logged time. Of an action that waited for
   * its roll: the time of the entry that made the roll known, since that is when it takes effect.
   */
  readonly time: number;
  /**
   * The same numbers on every peer. Where they come from is the game's to say:
   *
   * Without `dice`, seeded by the entry's index and key, from their start in `check` and in `apply` alike; the prediction is provisional. Whoever knows index
   * and key knows the numbers, so who leads, or tries out keys, can choose them: fair among people who trust each other, and nowhere else.
   *
   * With `dice`, in `apply` alone, made of contributions that every seat had promised in the log before the entry was there: see {@link GameDice}. An action
   * that draws waits at its place for its roll. In `check` and `timeout` there are no numbers: drawing throws there.
   */
  readonly random: Random;
  /** In a game with dice, once the roll of this action is known: whose contributions `random` is made of, and who kept theirs back. */
  readonly roll?: Roll | undefined;
}

/** What happens by itself may know: nobody acts. The same on every peer for the same log entry. */
export interface EventContext {
  readonly seats: number;
  /** Index of the log entry at which it happens. */
  readonly index: LogIndex;
  /** Logged time of that entry, ms since 1970: at or after what was waited for. */
  readonly time: number;
  /** In `rolled` made of every seat's contribution. In `timeout` seeded by the entry, in a game without dice; with them drawing throws. */
  readonly random: Random;
}

/**
 * Deadlines that the log enforces. Time is the log's: what the leader's clock said when an entry was appended, never falling. At the first entry of
 * the game whose time is at or after the deadline `timeout` is applied, before that entry's own action is judged; whoever leads adds an entry of its own (a
 * tick) when no action comes. So there is one timeout per deadline, however many leaders race, and a late move is judged in the state after it. A leader
 * whose clock is ahead brings everybody's deadlines forward, and the log's time goes on from there; one whose clock is behind goes on from the log's time.
 */
export interface GameClock<State> {
  /** When the state falls due (usually a logged time kept in the state, plus an allowance), ms since 1970; undefined: nothing is waited for. Pure. */
  deadline(state: State): number | undefined;
  /** The state after its deadline has passed. Has to move or lift the deadline: otherwise it does nothing, and is reported. */
  timeout(state: State, context: EventContext): State;
}

/**
 * Fair dice: a roll is made of contributions that every seat has promised in the log before anybody knew of the roll, and shows when it is asked for.
 *
 * With this field `context.random` is such a roll. An action whose `apply` draws from it is checked at its entry, as always, and then waits there: a roll
 * opens, every seat shows what it had promised, and `apply` runs with the numbers. Until then every other action is refused (`dice-rolling`) and the game's
 * clock stands still, so nothing comes between an action and its numbers. `play` resolves as committed when the entry is; the effect follows, mostly within
 * one round trip. `apply` must draw, or not, by what it is given alone: it is run once to see whether it draws, and again with the roll.
 *
 * What holds: whether there is a roll, which one it is and who is asked is decided by the log. Its numbers depend on the contributions and on nothing else:
 * not on when, how often, by whom or at which index the action was proposed, who leads, or who reloads. As long as one seat that is asked keeps its
 * contribution to itself, nobody knows them before all the others have shown theirs.
 *
 * What does not: (1) Whoever shows last sees the outcome first, and may fail to show. Once the patience has passed in logged time the roll is made without
 * that seat: one other outcome, and the seat is named as `missing`. Let that cost more than a roll is worth. (2) A leader that cheats sees what others show
 * before it is committed, and can leave them out by not committing it or by a clock that runs ahead: seat after seat, until the roll is its own alone.
 * `seats` and `missing` say whose a roll was. (3) All seats of a roll together choose it, and so does who is alone. (4) Who goes on alone
 * (`continueWithout`) has a log of its own, and rolls there by itself.
 */
export interface GameDice<State> {
  /** The dice in the state: {@link fairDice} made them in `setup`, the SDK changes them, the game only carries them along. */
  read(state: State): DiceState;
  /** The state with these dice. */
  write(state: State, dice: DiceState): State;
  /** For rolls that are no action's: true while the state waits for one; the answer comes to `rolled`. Pure. Default: never. */
  isWanted?(state: State): boolean;
  /** The state after a roll that `isWanted` asked for, which is in `context.random`. Given together with `isWanted`, or not at all. */
  rolled?(state: State, roll: Roll, context: EventContext): State;
  /** Whose contributions a roll waits for. Default: every seat. Fewer have to be there: as long as none of them has promised anything, the roll waits. */
  seats?(state: State): readonly Seat[];
  /** How long a roll waits for a seat, ms of logged time. Default 10 000. */
  readonly patienceMs?: number | undefined;
}

/**
 * A game. Every function is pure and deterministic: no clocks, no randomness but `context.random`, and no mutation of its arguments. Of `Math`, what
 * ECMAScript leaves to the engine (`sin`, `cos`, `exp`, `log`, `pow` and their like) gives other last digits on other engines: keep it out of the state;
 * `+ - * /` and `sqrt` are exact everywhere.
 */
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
  /**
   * What a seat gets to see of a state, drawn in the state's place: `match.state` holds it. Undefined: who watches. Pure; runs once per change. It is for
   * drawing alone: rules work on the whole state, `match.confirmed` is it, and whoever reads the log reads it. What must stay hidden is sealed
   * (`seal`). Default: the state as it is.
   */
  view?(state: State, player: Seat | undefined): State;
  /** Turn clocks. Default: none. */
  readonly clock?: GameClock<State> | undefined;
  /** Dice nobody can choose, and `context.random` made of them. Default: none; then `context.random` is seeded by the entry, which is enough where everybody at the table is trusted. */
  readonly dice?: GameDice<State> | undefined;
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
