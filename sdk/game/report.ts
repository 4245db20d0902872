// What the game layer tells developers about: none of it stops a match, all of it deserves a look.
import type { LogIndex, PeerId } from "../base/index.ts";
import type { DedupKey } from "../replica/index.ts";
import type { Seat } from "./game.ts";

/**
 * `illegal`: a committed action broke the rules and did nothing, everywhere. `undecodable`: a committed payload is not an action;
 * the same no-op. `check-failed`, `apply-failed`: the game's own function threw; the action did nothing. `impure`, `unserialisable`:
 * development mode found a game that can diverge. `key-collision`: somebody else's action was committed under a key of ours.
 * `proposal-failed`: the log refused an action; it was rolled back. `outcome-unknown`: its fate is open. `snapshot-unreadable`: a received
 * snapshot does not fit this game; play stops here. `snapshot-failed`: an own snapshot was not taken; the next one tries again.
 * `listener-threw`: a listener of the game layer threw. `rules-mismatch`: the log is played under other rules; play stops here.
 * `resumed-unreadable`: an action left in flight by an earlier incarnation does not decode; it is not shown. `diverged`: a peer has another state
 * at the same index. `clock-failed`, `dice-failed`: a function of the game's clock or dice threw, or did not do what it is for; it did nothing. `view-failed`:
 * the game's view threw; what was drawn stays.
 */
export type GameReportKind =
  | "illegal" | "undecodable" | "check-failed" | "apply-failed" | "impure" | "unserialisable" | "key-collision"
  | "proposal-failed" | "outcome-unknown" | "snapshot-unreadable" | "snapshot-failed" | "listener-threw"
  | "rules-mismatch" | "resumed-unreadable" | "diverged" | "clock-failed" | "dice-failed" | "view-failed";

/** Reports that no game and no log may cause: somebody has to look at the game. The others are part of any match. */
export const GAME_FAULTS: readonly GameReportKind[] = [
  "impure", "unserialisable", "diverged", "check-failed", "apply-failed", "clock-failed", "dice-failed", "view-failed", "listener-threw", "undecodable", "snapshot-unreadable", "key-collision",
];

/** One thing worth a look. */
export interface GameReport {
  readonly kind: GameReportKind;
  /** For people. */
  readonly message: string;
  /** The log entry it is about; undefined while an action is only predicted, or when no entry is concerned. */
  readonly index?: LogIndex | undefined;
  readonly player?: Seat | undefined;
  /** The peer it is about, where it is about one. */
  readonly peer?: PeerId | undefined;
  readonly dedupKey?: DedupKey | undefined;
  readonly cause?: unknown;
}
