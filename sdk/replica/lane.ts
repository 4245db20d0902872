// A lane: one deterministic reducer over the committed log, with its own section in every snapshot.
import type { CommittedCommand } from "./ordered-log.ts";

/** A pure reducer. `apply` never sees duplicates, never mutates, never throws: a command it does not understand leaves the state as it is. */
export interface LaneReducer<S> {
  readonly lane: number;
  readonly initial: S;
  apply(state: S, command: CommittedCommand): S;
  encode(state: S): Uint8Array;
  /** Throws `MalformedError` for bytes `encode` could not have made. */
  decode(section: Uint8Array): S;
}
