// What can go wrong while playing, where it crosses an await or is reported.
import { SdkError } from "../base/index.ts";
import type { DedupKey } from "../replica/index.ts";
import type { Outcome } from "./outcome.ts";

/**
 * The fate of an action is open: it was sent and may or may not be committed. `code` is `outcome-unknown`. The action stays
 * pending and visible; await `settled` for the verdict of the log. Do not propose it again: that would be a second action.
 */
export class OutcomeUnknownError extends SdkError {
  /** The action's name in the log. */
  readonly dedupKey: DedupKey;
  /** Resolves with the final outcome when the log decides; rejects with `ClosedError` when this side closes before. */
  readonly settled: Promise<Outcome>;

  constructor(dedupKey: DedupKey, settled: Promise<Outcome>, options?: { readonly cause?: unknown }) {
    super("outcome-unknown", `whether action ${dedupKey.clientId}/${dedupKey.requestId} was committed is not known yet: await error.settled`, options);
    this.name = "OutcomeUnknownError";
    this.dedupKey = dedupKey;
    this.settled = settled;
  }
}

/**
 * A game's function is not pure: two runs on the same values differ, or it changed its arguments. `code` is `impure-game`.
 * Found in development mode only, and reported rather than thrown; the message says which function did what.
 */
export class ImpureGameError extends SdkError {
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super("impure-game", message, options);
    this.name = "ImpureGameError";
  }
}

/** Stored or received state was made under other rules than this game's. `code` is `rules-mismatch`; load the version named. */
export class RulesMismatchError extends SdkError {
  /** `name@version` of the game here. */
  readonly expected: string;
  /** `name@version` the state was made under. */
  readonly actual: string;

  constructor(expected: string, actual: string) {
    super("rules-mismatch", `this game is ${expected}, the state was made under ${actual}: load that version`);
    this.name = "RulesMismatchError";
    this.expected = expected;
    this.actual = actual;
  }
}
