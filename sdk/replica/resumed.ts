// What an earlier incarnation of a durable writer left open.
import type { CommittedAt, DedupKey } from "./ordered-log.ts";

/** A command that was in flight when the tab before this one ended, and is being proposed again under the same key. */
export interface ResumedCommand {
  readonly lane: number;
  readonly payload: Uint8Array;
  readonly key: DedupKey;
  /**
   * Where it committed: now, or before the tab ended, for nobody knew. Followers see the command under its key in either case. Waits as long as it
   * takes; rejects with `ClosedError` (it stays in the outbox), `ClientSessionExpiredError` (never applied), `ClientIdCollisionError`.
   */
  readonly outcome: Promise<CommittedAt>;
}
