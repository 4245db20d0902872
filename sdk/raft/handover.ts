// Giving leadership away: a transfer (thesis §3.10), and the goodbye of a node that leaves for good.
import type { PeerId } from "../base/index.ts";
import type { Core } from "./core.ts";
import { campaign } from "./election.ts";
import type { PartingGrant, TimeoutNow } from "./message.ts";
import type { Goodbye, Refusal } from "./raft-machine.ts";
import { commitTo, flushPeers, handOverWhenReady, mostCaughtUpVoter } from "./replication.ts";
import { becomeFollower } from "./roles.ts";
import { isJoint } from "./membership.ts";
import { isWitness } from "./witness.ts";

/** Begins a transfer, or replaces the one under way when it goes to somebody else. */
export function startTransfer(core: Core, to: PeerId): Refusal | undefined {
  if (core.parted) return "stopped";
  if (core.role !== "leader") return "not-leader";
  if (to === core.id || isWitness(to) || !core.membership.voters.includes(to) || !core.progress.has(to)) return "invalid-target";
  if (core.transfer?.to === to) return undefined;
  core.transfer = { to, ticks: 0, sent: false };
  core.flushDue = true;
  handOverWhenReady(core);
  return undefined;
}

/** The leader asks this node to campaign at once. */
export function onTimeoutNow(core: Core, from: PeerId, message: TimeoutNow): void {
  if (message.term !== core.term || core.leader !== from) return core.drop("not-from-leader", from, message);
  if (!core.promotable) return core.drop("not-promotable", from, message);
  campaign(core, true);
}

/** Says goodbye. What was appended is sent along first, so that the receiver can hold all of it. */
export function part(core: Core): void {
  if (core.parted) return;
  if (core.role === "leader") {
    flushPeers(core);
    sayGoodbye(core);
    becomeFollower(core, core.term, undefined);
  }
  core.role = core.role === "learner" ? "learner" : "follower";
  core.leader = undefined;
  core.votes.clear();
  core.parted = true;
  if (core.traceHook !== undefined) core.trace("Part");
}

function sayGoodbye(core: Core): void {
  const goodbye = goodbyeOf(core);
  if (goodbye !== undefined) core.send(goodbye.to, goodbye.message);
}

/** What a leader that left now would say, and to whom. */
export function goodbyeOf(core: Core): Goodbye | undefined {
  if (core.role !== "leader" || core.parted) return undefined;
  const { voters } = core.membership;
  const other = voters.find((id) => id !== core.id && !isWitness(id));
  if (other === undefined) return undefined;
  const isPair = voters.length === 2 && voters.includes(core.id) && !isJoint(core.membership);
  if (!isPair) {
    const next = mostCaughtUpVoter(core);
    return next === undefined ? undefined : { to: next.id, message: { type: "timeout-now", term: core.term } };
  }
  // RF50: only with nothing about the membership in doubt, and with an entry of this term on both disks.
  if (!core.ownTermCommitted || core.log.membershipIndex > core.commit) return undefined;
  return { to: other, message: { type: "parting-grant", term: core.term, lastIndex: core.log.last, lastTerm: core.log.lastTerm, commit: core.commit } };
}

/** Why a parting grant can not be used here, or undefined. Each line is a rule of SPEC.md (RF51). */
function grantFault(core: Core, from: PeerId, grant: PartingGrant): string | undefined {
  const { voters } = core.membership;
  if (grant.term !== core.term) return "grant-of-another-term";
  if (core.role === "leader" || core.role === "candidate") return "grant-not-expected";
  if (voters.length !== 2 || isJoint(core.membership) || !voters.includes(core.id) || !voters.includes(from)) return "grant-outside-pair";
  // "At least as up to date" can only be "equal" here: nobody but the granting leader makes entries of this term.
  if (grant.lastTerm !== grant.term || core.log.lastTerm !== grant.lastTerm || core.log.last !== grant.lastIndex) return "grant-beyond-log";
  if (grant.commit > grant.lastIndex || core.log.membershipIndex > grant.commit) return "grant-without-settled-membership";
  if (!core.promotable) return "not-promotable";
  return undefined;
}

/** The leader of our pair leaves and gives us its vote for the next term: with our own that is everybody. */
export function onPartingGrant(core: Core, from: PeerId, grant: PartingGrant): void {
  const fault = grantFault(core, from, grant);
  if (fault !== undefined) return core.drop(fault, from, grant);
  // The logs are equal (both end with the same entry), so what the leader had committed is known to be committed here.
  commitTo(core, grant.commit);
  campaign(core, true);
  core.outbox = [];
  core.grantedTerm = core.term;
  core.votes.set(from, true);
}
