// A trace event as one line of JSON, in the form etcd's TLA+ trace specification reads (Traceetcdraft.tla of etcd-io/raft).
import type { PeerId } from "../base/index.ts";
import type { Message } from "./message.ts";
import type { TraceEvent } from "./raft-machine.ts";
import { SPECIFIED_EVENTS } from "./trace-names.ts";
import type { Role } from "./types.ts";

/** The specification knows three states: who only asks has not left its own, and a learner is a follower without a vote. */
const ROLES: Readonly<Record<Role, string>> = {
  learner: "StateFollower", follower: "StateFollower", "pre-candidate": "StateFollower", candidate: "StateCandidate", leader: "StateLeader",
};

/** Nobody, in that vocabulary. */
const NOBODY = "0";

interface Summary {
  readonly type: string;
  readonly entries?: number;
  readonly logTerm?: number;
  readonly index?: number;
  readonly commit?: number;
  readonly reject?: boolean;
  readonly rejectHint?: number;
}

function summary(message: Message): Summary {
  switch (message.type) {
    case "append":
      return { type: "MsgApp", entries: message.entries.length, logTerm: message.prevTerm, index: message.prevIndex, commit: message.commit };
    case "append-reply":
      return { type: "MsgAppResp", index: message.index, logTerm: message.hintTerm, reject: !message.ok, rejectHint: message.hintIndex };
    case "snapshot-reply":
      return { type: "MsgAppResp", index: message.index };
    case "heartbeat":
      return { type: "MsgHeartbeat", commit: message.commit };
    case "heartbeat-reply":
      return { type: "MsgHeartbeatResp" };
    case "vote":
      return { type: "MsgVote", index: message.lastIndex, logTerm: message.lastTerm };
    case "vote-reply":
      return { type: "MsgVoteResp", reject: !message.granted };
    case "pre-vote":
      return { type: "MsgPreVote", index: message.lastIndex, logTerm: message.lastTerm };
    case "pre-vote-reply":
      return { type: "MsgPreVoteResp", reject: !message.granted };
    case "timeout-now":
      return { type: "MsgTimeoutNow" };
    case "snapshot-chunk":
    case "forward":
    case "forward-reply":
    case "read":
    case "read-reply":
    case "parting-grant":
      return { type: message.type };
    default:
      return { type: "unknown" };
  }
}

function wire(term: number, from: PeerId | undefined, to: PeerId | undefined, { type, ...known }: Summary): object {
  return { type, term, from: from ?? NOBODY, to: to ?? NOBODY, entries: 0, logTerm: 0, index: 0, commit: 0, vote: NOBODY, reject: false, rejectHint: 0, ...known };
}

function messageOf({ name, term, from, to, message, detail }: TraceEvent): object | undefined {
  if (message !== undefined) return wire(message.term, from, to, summary(message));
  // The snapshot as a whole, whose index is told as a number of entries.
  if (name === "SendSnapshot" || name === "ReceiveSnapshot") return wire(term, from, to, { type: "MsgSnap", entries: Number(detail?.["index"] ?? 0) });
  return undefined;
}

/**
 * One event as a line of JSON without a line break: `{"tag": "trace", "event": {"name", "nid", "state": {"term", "vote", "commit"}, "role",
 * "log", "conf": [voters, old voters], "msg", "prop"}}`. Events outside etcd's vocabulary (asking before voting, reads, forwarding, parting
 * grants, dropped messages) have the tag `more`, which the specification skips. The lines of all nodes of one process, in the order they
 * happened, are a trace. The specification changes one voter at a time and puts a membership in force when it is applied: a trace in which
 * voters change is outside it. A vote for nobody is `"0"`, so no peer of a traced group should be called that. Costs one object and its text.
 */
export function traceLine(event: TraceEvent): string {
  const { name, node, term, vote, commit, logLength, membership, role, detail } = event;
  const line = {
    // etcd itself reports a snapshot that is sent as a kind of append.
    name: name === "SendSnapshot" ? "SendAppendEntriesRequest" : name,
    nid: node, state: { term, vote: vote ?? NOBODY, commit }, role: ROLES[role], log: logLength, conf: [membership.voters, membership.votersOutgoing],
    msg: messageOf(event), prop: detail,
  };
  return JSON.stringify({ tag: SPECIFIED_EVENTS.has(name) ? "trace" : "more", event: line });
}
