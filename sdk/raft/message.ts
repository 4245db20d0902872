// The wire union: everything one node can say to another. `term` is the sender's term unless the comment says otherwise.
// Changing anything here changes PROTOCOL_VERSION in codec.ts and adds a line to its history.
import type { LogIndex, PeerId, Term } from "../base/index.ts";
import type { Entry, Membership } from "./types.ts";

/** Would you vote for me in `term`? Asked before the term is raised; nothing is promised by either side. */
export interface PreVoteRequest { readonly type: "pre-vote"; /** The term the sender would campaign in. */ readonly term: Term; readonly lastIndex: LogIndex; readonly lastTerm: Term }
/** `term` echoes the request's when granted, else it is the answerer's own. */
export interface PreVoteReply { readonly type: "pre-vote-reply"; readonly term: Term; readonly granted: boolean }
/** Vote for me in `term` (RequestVote, Figure 2). A voter grants it only to a log at least as up to date as its own. */
export interface VoteRequest {
  readonly type: "vote"; readonly term: Term; readonly lastIndex: LogIndex; readonly lastTerm: Term;
  /** True when a leader asked for this election (thesis §4.2.3): voters skip stickiness. */
  readonly transfer: boolean;
}
/** A granted vote is durable before this leaves, and given to one candidate per term. */
export interface VoteReply { readonly type: "vote-reply"; readonly term: Term; readonly granted: boolean }
/** AppendEntries; entries may be empty (a probe). */
export interface AppendRequest {
  readonly type: "append"; readonly term: Term; readonly prevIndex: LogIndex; readonly prevTerm: Term;
  readonly commit: LogIndex; readonly entries: readonly Entry[];
}
/** Acknowledges (durably) that the sender's log equals the leader's up to `index`, or says where it differs. */
export interface AppendReply {
  readonly type: "append-reply"; readonly term: Term; readonly ok: boolean;
  /** ok: the last index known to match. Not ok: the refused prevIndex. */
  readonly index: LogIndex;
  /** Not ok: where the leader may try next, skipping a whole term at once (fast backup); else 0. */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
}
/** Proof of leadership and carrier of the commit index. `round` numbers read confirmations within the term, from 1; 0 marks a mere notice of the commit index, which is not answered. */
export interface Heartbeat { readonly type: "heartbeat"; readonly term: Term; /** Never beyond what this follower is known to hold. */ readonly commit: LogIndex; readonly round: number }
/** Echoes the `round` of a heartbeat: the sender still took its leader for one when it came. */
export interface HeartbeatReply { readonly type: "heartbeat-reply"; readonly term: Term; readonly round: number }
/** A part of a snapshot; `bytes` start at `offset` of `total`. `digest` is over the whole data. */
export interface SnapshotChunk {
  readonly type: "snapshot-chunk"; readonly term: Term; readonly index: LogIndex; readonly indexTerm: Term; readonly time: number;
  readonly membership: Membership; readonly total: number; readonly digest: Uint8Array; readonly offset: number; readonly bytes: Uint8Array;
}
/** `offset` is the number of bytes held; equal to `total` only once the snapshot is durable and installed. */
export interface SnapshotReply { readonly type: "snapshot-reply"; readonly term: Term; readonly index: LogIndex; readonly offset: number; readonly installed: boolean }
/** Commands for the leader to append. Only from members; the sender keeps them until it sees them committed. */
export interface ForwardRequest { readonly type: "forward"; readonly term: Term; readonly commands: readonly Uint8Array[] }
/** The leader did not append the last `refused` commands of a forward (flow control, or a transfer under way): try again later. */
export interface ForwardReply { readonly type: "forward-reply"; readonly term: Term; readonly accepted: number; readonly refused: number; readonly reason: "not-leader" | "busy" | "transferring" }
/** Asks the leader for a linearizable read point (thesis §6.4); `id` is the asker's, echoed in the {@link ReadReply}. */
export interface ReadRequest { readonly type: "read"; readonly term: Term; readonly id: number }
/** `ok` false: the receiver could not confirm; ask again. */
export interface ReadReply { readonly type: "read-reply"; readonly term: Term; readonly id: number; readonly ok: boolean; readonly index: LogIndex }
/** Campaign now: the leader hands over (thesis §3.10). */
export interface TimeoutNow { readonly type: "timeout-now"; readonly term: Term }
/** The leader of a two-voter group leaves: it gives its vote for `term + 1` to the receiver and never acts in `term` again. Idempotent. */
export interface PartingGrant { readonly type: "parting-grant"; readonly term: Term; readonly lastIndex: LogIndex; readonly lastTerm: Term; readonly commit: LogIndex }

/** Everything one node can say to another, told apart by `type`. */
export type Message =
  | PreVoteRequest | PreVoteReply | VoteRequest | VoteReply | AppendRequest | AppendReply | Heartbeat | HeartbeatReply
  | SnapshotChunk | SnapshotReply | ForwardRequest | ForwardReply | ReadRequest | ReadReply | TimeoutNow | PartingGrant;

/** A message and where it goes. */
export interface Addressed { readonly to: PeerId; readonly message: Message }
