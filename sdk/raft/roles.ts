// Changes of role that any part of the machine may cause: following somebody, and no longer leading. Winning is in election.ts.
import type { PeerId, Term } from "../base/index.ts";
import type { Core } from "./core.ts";
import { isVoter } from "./membership.ts";

/** Follows `leader` (or nobody yet) in `term`, which is the current one or a later one. A new term forgets the vote and voids what was promised under the old. */
export function becomeFollower(core: Core, term: Term, leader: PeerId | undefined): void {
  // In the trace's vocabulary only a new term or a lost candidacy or office makes a follower; the rest is following somebody.
  const name = term > core.term || core.role === "leader" || core.role === "candidate" ? "BecomeFollower" : "Follow";
  enterTerm(core, term, leader);
  if (core.traceHook !== undefined) core.trace(name);
}

/** {@link becomeFollower} without a word in the trace: also the first half of standing for election. */
export function enterTerm(core: Core, term: Term, leader: PeerId | undefined): void {
  if (term > core.term) {
    core.term = term;
    core.vote = undefined;
    // Held messages speak of the old term; sending them later would promise what was never made durable under it.
    core.outbox = [];
    core.matched = 0;
    core.ackOwed = false;
    core.ackSent = 0;
    core.installOwed = undefined;
  }
  if (core.leader !== leader) failAskedReads(core);
  leaveLeadership(core);
  core.leader = leader;
  core.role = isVoter(core.membership, core.id) ? "follower" : "learner";
  core.votes.clear();
  core.transferCampaign = false;
  core.resetElectionTimer();
}

/** Empties what only a leader holds: reads that wait, a transfer, and what it believed of the others. */
export function leaveLeadership(core: Core): void {
  for (const read of core.reads) {
    if (read.from === core.id) core.readResults.push({ id: read.id, index: undefined });
    else core.send(read.from, { type: "read-reply", term: core.term, id: read.id, ok: false, index: 0 });
  }
  core.reads = [];
  core.transfer = undefined;
  core.progress.clear();
  core.peers = [];
  core.ownTermCommitted = false;
  core.grantedTerm = 0;
  core.heartbeatDue = false;
  core.flushDue = false;
  core.newsHeld = false;
}

/** Reads asked of a leader that is not ours any more: the layer above asks again. */
export function failAskedReads(core: Core): void {
  for (const asked of core.askedReads.values()) core.readResults.push({ id: asked.id, index: undefined });
  core.askedReads.clear();
}

/** After a membership came into force: learner or follower. */
export function refreshRole(core: Core): void {
  if (core.role === "learner" || core.role === "follower") core.role = isVoter(core.membership, core.id) ? "follower" : "learner";
}
