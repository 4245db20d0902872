// Elections: asking first (PreVote, thesis §9.6), then voting (§5.2, §5.4.1). Votes count only once this node's own is durable.
import { NO_BYTES, type PeerId, type Term } from "../base/index.ts";
import type { Core } from "./core.ts";
import { membersOf } from "./membership.ts";
import type { PreVoteReply, PreVoteRequest, VoteReply, VoteRequest } from "./message.ts";
import { jointVote, majorityVote, type VoteResult } from "./quorum.ts";
import { appendMembership, appendOwn, maybeCommit, refreshProgress } from "./replication.ts";
import { becomeFollower, enterTerm, failAskedReads } from "./roles.ts";
import { ENTRY_NOOP } from "./types.ts";

/** A follower's patience is over. Asks whether it would win before it raises the term and disturbs anybody. */
export function preCampaign(core: Core): void {
  core.resetElectionTimer();
  if (core.isSoleVoter) return campaign(core, false);
  startAsking(core, "pre-candidate");
  if (core.traceHook !== undefined) core.trace("BecomePreCandidate");
  core.votes.set(core.id, true);
  const request: PreVoteRequest = { type: "pre-vote", term: core.term + 1, lastIndex: core.log.last, lastTerm: core.log.lastTerm };
  for (const voter of otherVoters(core)) core.send(voter, request);
  onVotesChanged(core);
}

/** Stands for election in the next term. `transfer`: the leader asked for it, so voters do not protect the leader. */
export function campaign(core: Core, transfer: boolean): void {
  core.candidacies += 1;
  enterTerm(core, core.term + 1, undefined);
  startAsking(core, "candidate");
  core.transferCampaign = transfer;
  core.vote = core.id;
  core.elections += 1;
  if (core.traceHook !== undefined) traceCandidacy(core);
  const request: VoteRequest = { type: "vote", term: core.term, lastIndex: core.log.last, lastTerm: core.log.lastTerm, transfer };
  // Held back, like every message, until term and vote are durable.
  for (const voter of otherVoters(core)) core.send(voter, request);
}

/** The own vote is traced as a message to itself, as the specification has it. */
function traceCandidacy(core: Core): void {
  core.trace("BecomeCandidate");
  core.trace("SendRequestVoteResponse", { from: core.id, to: core.id, message: { type: "vote-reply", term: core.term, granted: true } });
}

function startAsking(core: Core, role: "pre-candidate" | "candidate"): void {
  if (core.leader !== undefined) failAskedReads(core);
  core.leader = undefined;
  core.role = role;
  core.votes.clear();
}

function otherVoters(core: Core): PeerId[] {
  const { voters, votersOutgoing } = core.membership;
  return membersOf({ voters, votersOutgoing, learners: [], learnersNext: [] }).filter((id) => id !== core.id);
}

function count(core: Core, voters: readonly PeerId[]): VoteResult {
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = core.votes.get(voter);
    if (vote === true) granted += 1;
    else if (vote === false) refused += 1;
  }
  return majorityVote(voters.length, granted, refused);
}

/** Counts, and acts on a decision. Also called when the own vote became durable. */
export function onVotesChanged(core: Core): void {
  if (core.role !== "candidate" && core.role !== "pre-candidate") return;
  const result = jointVote(count(core, core.membership.voters), count(core, core.membership.votersOutgoing));
  if (result === "pending") return;
  if (result === "lost") return becomeFollower(core, core.term, undefined);
  if (core.role === "pre-candidate") campaign(core, false);
  else if (core.hardDurable) becomeLeader(core);
}

/** The own vote is a vote like any other: it counts once the write that holds it is done. */
export function onHardDurable(core: Core): void {
  if (core.role !== "candidate" || core.vote !== core.id) return;
  if (core.traceHook !== undefined) core.trace("ReceiveRequestVoteResponse", { from: core.id, to: core.id, message: { type: "vote-reply", term: core.term, granted: true } });
  core.votes.set(core.id, true);
  onVotesChanged(core);
}

/** Takes office: everything believed of the others begins anew, and an entry of the own term makes what came before committable (§5.4.2, §8). */
export function becomeLeader(core: Core): void {
  core.role = "leader";
  core.leader = core.id;
  core.candidacies = 0;
  core.isCountedOn = false;
  core.votes.clear();
  core.progress.clear();
  core.ownTermCommitted = false;
  core.transfer = undefined;
  core.readRound = 1;
  core.electionElapsed = 0;
  core.heartbeatElapsed = 0;
  core.ackOwed = false;
  core.installOwed = undefined;
  core.incoming = undefined;
  core.leaderships += 1;
  if (core.traceHook !== undefined) core.trace("BecomeLeader");
  refreshProgress(core);
  appendOwn(core, ENTRY_NOOP, NO_BYTES);
  if (core.grantedTerm === core.term) shrinkAfterGrant(core);
  maybeCommit(core);
}

/** The one who granted is gone: the group shrinks to this node in the same turn, so that no crash can come between (RF52). */
function shrinkAfterGrant(core: Core): void {
  appendMembership(core, { voters: [core.id], votersOutgoing: [], learners: core.membership.learners, learnersNext: [] });
}

/** May this node's vote go to a log that ends there? Learners too: a candidate may know that they were promoted before they do (B26). */
export function onPreVote(core: Core, from: PeerId, request: PreVoteRequest): void {
  const isBehind = !core.log.isUpToDate(request.lastIndex, request.lastTerm);
  const granted = request.term > core.term && !core.inLease && !isBehind;
  if (isBehind && !core.inLease) core.isCountedOn = true;
  // A refusal carries our own term, so that one who fell behind learns it; a grant echoes the term asked for.
  core.send(from, { type: "pre-vote-reply", term: granted ? request.term : core.term, granted });
}

/** The caller has adopted the request's term if it is newer, or dropped the request while a leader is heard. */
export function onVote(core: Core, from: PeerId, request: VoteRequest): void {
  const free = core.vote === from || (core.vote === undefined && core.leader === undefined);
  const granted = free && core.log.isUpToDate(request.lastIndex, request.lastTerm);
  if (granted) {
    core.vote = from;
    core.resetElectionTimer();
  }
  core.send(from, { type: "vote-reply", term: core.term, granted });
}

/** An answer in this election. Only voters count, each once. */
export function onElectionReply(core: Core, from: PeerId, reply: PreVoteReply | VoteReply): void {
  const { voters, votersOutgoing } = core.membership;
  if (!voters.includes(from) && !votersOutgoing.includes(from)) return core.drop("not-a-voter", from, reply);
  const asked: Term = reply.type === "pre-vote-reply" && reply.granted ? core.term + 1 : core.term;
  // The majority was faster: votes that come after the decision are no fault of anybody.
  if (core.role !== "candidate" && (core.role !== "pre-candidate" || reply.type === "vote-reply")) return;
  if (core.role === "candidate" && reply.type === "pre-vote-reply") return;
  const role = reply.type === "pre-vote-reply" ? "pre-candidate" : "candidate";
  if (core.role !== role || reply.term !== asked || core.votes.has(from)) return core.drop("stale-vote", from, reply);
  core.votes.set(from, reply.granted);
  onVotesChanged(core);
}
