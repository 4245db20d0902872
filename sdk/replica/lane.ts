// A lane: one deterministic reducer over the committed log, with its own section in every snapshot.
import type { CommittedCommand } from "./ordered-log.ts";

/** A pure reducer. `apply` never sees duplicates, never mutates, never throws: a command it does not understand leaves the state as it is. */
export interface LaneReducer<S> {
  readonly lane: number;
  readonly initial: S;
  /** The state after `command`: a function of these two alone, so that every node comes to the same. */
  apply(state: S, command: CommittedCommand): S;
  /** The lane's section of a snapshot: `decode` makes an equal state of it. */
  encode(state: S): Uint8Array;
  /** Throws `MalformedError` for bytes `encode` could not have made. */
  decode(section: Uint8Array): S;
}
