// What the machine wants done, and the order in which it must be done. The etcd idea of a Ready record, with one write in flight at a time.
import type { LogIndex, PeerId } from "../base/index.ts";
import type { Addressed } from "./message.ts";
import type { Entry, HardState, Snapshot } from "./types.ts";

/**
 * One atomic, ordered write. All of it becomes durable together or none of it does.
 * Order of meaning: the snapshot replaces everything up to its index; then stored entries with index >= `entries[0].index`
 * (or > `truncateAfter`) are discarded; then `entries` are appended; then the hard state is replaced.
 */
export interface Write {
  /** Handed back to `writeDone`. Strictly increasing. */
  readonly id: number;
  readonly hardState: HardState | undefined;
  /** Discard stored entries after this index before appending; undefined when `entries` only extend the stored log. */
  readonly truncateAfter: LogIndex | undefined;
  readonly entries: readonly Entry[];
  /** A snapshot to store (own or received). Stored entries up to its index may be discarded with it; when it was received and the log does not match it, all of them are (`truncateAfter` = snapshot.index). */
  readonly snapshot: Snapshot | undefined;
}

/** The answer to a `readIndex`: everything up to `index` was committed when it was asked. `index` undefined: not confirmed, ask again. */
export interface ReadResult {
  readonly id: number;
  readonly index: LogIndex | undefined;
}

/** Which work is asked for. */
export interface WorkOptions {
  /**
   * True: a commit is not told in a message of its own yet, because an append of the next turn may carry it, which saves a message per member and
   * commit. Nothing else waits. Who asks so asks again without it before its task ends: until then only `hasWork()` without it knows of the news.
   * Default false: everything is told at once.
   */
  readonly holdNews?: boolean | undefined;
}

/**
 * Everything to do now. Rules for the one who does it:
 * 1. `messages` may leave at once, also while a write is under way (the leader's own append may overlap its write: thesis §10.2.1).
 *    Nothing in here promises state that is not yet durable: the machine keeps such messages back until `writeDone`.
 * 2. `write`, when there is one, is started now; no other write is handed out until `writeDone(write.id)` was called.
 * 3. `install`, then `committed` go to the layers above, in this order; each index exactly once, contiguous after the last install.
 *    Everything in them is durable here.
 */
export interface Work {
  readonly messages: readonly Addressed[];
  readonly write: Write | undefined;
  /** A received snapshot is durable: replace the state above by it. */
  readonly install: Snapshot | undefined;
  readonly committed: readonly Entry[];
  readonly reads: readonly ReadResult[];
  /** Commands this node forwarded that the leader refused, by count, oldest first; the layer above retries. */
  readonly refusedForwards: readonly { readonly from: PeerId; readonly accepted: number; readonly refused: number }[];
}
