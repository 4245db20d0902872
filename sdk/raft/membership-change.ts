// Starting a change of membership (thesis §4): one at a time, joint when voters change, direct when only learners do or when the leader goes on alone.
import type { LogIndex, Term } from "../base/index.ts";
import type { Core } from "./core.ts";
import { enterJoint, isJoint, membershipFor, sameMembership } from "./membership.ts";
import type { Refusal } from "./raft-machine.ts";
import { appendMembership, mayShrinkAlone } from "./replication.ts";
import type { Membership, MembershipTarget } from "./types.ts";

/** Appends the first membership entry on the way to `target`, or says why not. A target already in force answers with where it stands. */
export function changeMembership(core: Core, target: MembershipTarget): { readonly index: LogIndex; readonly term: Term } | { readonly refused: Refusal } {
  if (core.parted) return { refused: "stopped" };
  if (core.role !== "leader") return { refused: "not-leader" };
  if (core.transfer !== undefined) return { refused: "transferring" };
  const wanted = membershipFor(target);
  if (wanted === undefined) return { refused: "invalid-target" };
  const isAlone = wanted.voters.length === 1 && wanted.voters[0] === core.id;
  const index = sameMembership(wanted, core.membership)
    ? core.log.membershipIndex
    : isAlone && mayShrinkAlone(core)
      ? appendMembership(core, wanted)
      : appendOrdinary(core, wanted);
  return index === undefined ? { refused: "change-in-progress" } : { index, term: core.term };
}

function appendOrdinary(core: Core, wanted: Membership): LogIndex | undefined {
  const isSettled = core.log.membershipIndex <= core.commit && !isJoint(core.membership);
  // Before an entry of the own term is committed, another leader's change may still be under way somewhere (Ongaro, raft-dev 2015).
  if (!isSettled || !core.ownTermCommitted) return undefined;
  const sameVoters = wanted.voters.length === core.membership.voters.length && wanted.voters.every((id, i) => id === core.membership.voters[i]);
  return appendMembership(core, sameVoters ? wanted : enterJoint(core.membership, wanted));
}
