// What the game hears from the log: committed turns in order, and resets.
import type { LogIndex, PeerId } from "../base/index.ts";
import type { DedupKey } from "../replica/index.ts";
import type { Seat } from "./game.ts";
import type { BeginCommand, SystemCommand } from "./system-command.ts";

/** Everything the judging of one action depends on besides the state. */
export interface Turn<Action> {
  /** Undefined when the payload is not an action of this game. */
  readonly action: Action | undefined;
  /** Set when it is a command of the table itself (a tick, a contribution to the dice, the beginning of another game), and no player's action. */
  readonly system?: SystemCommand | BeginCommand | undefined;
  /** The seat that acts; undefined when the proposer held none at this point of the log. */
  readonly player: Seat | undefined;
  readonly index: LogIndex;
  /** ms since 1970, logged. */
  readonly time: number;
  readonly dedupKey: DedupKey;
}

/** One committed command of the game's lane. */
export interface CommittedTurn<Action> extends Turn<Action> {
  readonly type: "committed";
  readonly proposer: PeerId;
  /** The key was committed before: without effect, yet counted. */
  readonly duplicate: boolean;
  /** The bytes as committed. Not to be changed. */
  readonly payload: Uint8Array;
  /** Why the payload did not decode, when it did not. */
  readonly error?: unknown;
}

/** The log was compacted past where this follower stood: replace everything by the snapshot, then go on after `index`. */
export interface GameReset {
  readonly type: "reset";
  readonly index: LogIndex;
  /** The game lane's section; undefined when no game state was ever snapshotted: start from the beginning state. */
  readonly snapshot: Uint8Array | undefined;
  /** Every lane's section. */
  readonly sections: ReadonlyMap<number, Uint8Array>;
}

/** What the game hears: the next committed turn, or a reset to a snapshot. */
export type TurnEvent<Action> = CommittedTurn<Action> | GameReset;

/** True when both name the same command. */
export function sameKey(a: DedupKey, b: DedupKey): boolean {
  return a.requestId === b.requestId && a.clientId === b.clientId;
}
