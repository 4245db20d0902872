// What each message is called in a trace, after etcd's TLA+ trace specification.
import type { Message } from "./message.ts";

/** The names of etcd's specification where it has one; `Send` or `Receive` goes in front. */
export const TRACE_NAMES: Readonly<Record<Message["type"], string>> = {
  "pre-vote": "RequestPreVoteRequest",
  "pre-vote-reply": "RequestPreVoteResponse",
  vote: "RequestVoteRequest",
  "vote-reply": "RequestVoteResponse",
  append: "AppendEntriesRequest",
  "append-reply": "AppendEntriesResponse",
  heartbeat: "AppendEntriesRequest",
  "heartbeat-reply": "AppendEntriesResponse",
  "snapshot-chunk": "Snapshot",
  "snapshot-reply": "AppendEntriesResponse",
  forward: "Forward",
  "forward-reply": "ForwardResponse",
  read: "Read",
  "read-reply": "ReadResponse",
  "timeout-now": "TimeoutNow",
  "parting-grant": "PartingGrant",
};
