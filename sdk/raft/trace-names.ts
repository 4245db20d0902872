// What events are called in a trace, after etcd's TLA+ trace specification (state_trace.go and Traceetcdraft.tla of etcd-io/raft).
import { isVoter } from "./membership.ts";
import type { Message } from "./message.ts";
import type { Membership } from "./types.ts";

/** All the names of that vocabulary. Anything else this machine reports is an addition that a model checker skips. */
export const SPECIFIED_EVENTS: ReadonlySet<string> = new Set([
  "InitState", "BecomeCandidate", "BecomeFollower", "BecomeLeader", "Commit", "Replicate", "ChangeConf", "ApplyConfChange", "Ready",
  "SendAppendEntriesRequest", "ReceiveAppendEntriesRequest", "SendAppendEntriesResponse", "ReceiveAppendEntriesResponse",
  "SendRequestVoteRequest", "ReceiveRequestVoteRequest", "SendRequestVoteResponse", "ReceiveRequestVoteResponse", "SendSnapshot", "ReceiveSnapshot",
]);

/** The part of an event's name after `Send` or `Receive`. Chunks are an addition: the snapshot as a whole has events of its own. */
export function traceName(message: Message): string {
  if (message.type === "snapshot-reply") return message.installed ? "AppendEntriesResponse" : "SnapshotChunkResponse";
  return NAMES[message.type];
}

const NAMES: Readonly<Record<Exclude<Message["type"], "snapshot-reply">, string>> = {
  "pre-vote": "RequestPreVoteRequest",
  "pre-vote-reply": "RequestPreVoteResponse",
  vote: "RequestVoteRequest",
  "vote-reply": "RequestVoteResponse",
  append: "AppendEntriesRequest",
  "append-reply": "AppendEntriesResponse",
  heartbeat: "AppendEntriesRequest",
  "heartbeat-reply": "AppendEntriesResponse",
  "snapshot-chunk": "SnapshotChunk",
  forward: "Forward",
  "forward-reply": "ForwardResponse",
  read: "Read",
  "read-reply": "ReadResponse",
  "timeout-now": "TimeoutNow",
  "parting-grant": "PartingGrant",
};

/** A change of membership in the vocabulary: one action per peer. */
export interface ConfChange {
  readonly changes: readonly { readonly nid: string; readonly action: "AddNewServer" | "RemoveServer" | "AddLearner" }[];
  readonly newconf: readonly string[];
}

/** What a membership entry changes, compared with the membership before it. */
export function confChange(before: Membership, after: Membership): ConfChange {
  const changes: ConfChange["changes"][number][] = [];
  for (const nid of after.voters) if (!before.voters.includes(nid)) changes.push({ nid, action: "AddNewServer" });
  for (const nid of after.learners) if (!before.learners.includes(nid)) changes.push({ nid, action: "AddLearner" });
  const left = [...before.voters, ...before.votersOutgoing, ...before.learners].filter((nid) => !isVoter(after, nid) && !after.learners.includes(nid));
  for (const nid of new Set(left)) changes.push({ nid, action: "RemoveServer" });
  return { changes, newconf: after.voters };
}
