// How a proposed action ended.
import type { LogIndex } from "../base/index.ts";

/** The action is part of the game's history. */
export interface CommittedOutcome {
  readonly outcome: "committed";
  /** Where it stands in the log. */
  readonly index: LogIndex;
  /** False in one rare case: the entry was already inside an installed snapshot, which does not tell whether the game found it legal. */
  readonly judged: boolean;
}

/** The action has no effect, for good. */
export interface RejectedOutcome {
  readonly outcome: "rejected";
  /** The game's own words, or one of {@link RejectionReason}. */
  readonly reason: string;
  /** What failed underneath, when something did. */
  readonly cause?: unknown;
}

/** How an action ended, for good: committed at an index, or without effect for a reason. */
export type Outcome = CommittedOutcome | RejectedOutcome;

/**
 * Reasons the SDK gives where the game gives none. `not-seated`: this peer holds no seat. `closed`: the match is over here.
 * `too-many-pending`: wait for some to be committed. `invalid-action`: it does not encode (what the schema refuses is
 * rejected with the words of its issues, and `cause` is an `InvalidActionError`).
 * `check-failed`, `apply-failed`: the game's own function threw. `undone`: taken back here, before it left.
 * `dice-rolling`: an action waits for its roll of the dice, and nothing may come before it.
 * `key-taken`: another action was committed under this one's key.
 * Besides these, the code of the error with which the log refused the proposal, such as `busy` or `payload-too-large`.
 */
export type RejectionReason = "not-seated" | "closed" | "too-many-pending" | "invalid-action" | "check-failed" | "apply-failed" | "key-taken" | "dice-rolling" | "undone" | "failed";

/** A rejection. */
export function rejected(reason: string, cause?: unknown): RejectedOutcome {
  return cause === undefined ? { outcome: "rejected", reason } : { outcome: "rejected", reason, cause };
}
