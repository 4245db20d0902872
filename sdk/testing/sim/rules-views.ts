// Rules about what a node believes, judged after every event that could have changed it: I1, I5, I6, I7, I15, I17, L6.
import type { LogIndex, PeerId, Term } from "../../base/index.ts";
import { isWitness, type Membership } from "../../raft/index.ts";
import { isQuorum, isVoter, type History, type NodeSheet } from "./history.ts";
import { describeMembership } from "./rules-writes.ts";
import { demand } from "./violation.ts";

/** What changed in a node's view, for coverage marks. */
export interface ViewChange {
  readonly becameLeader: boolean;
  readonly ceasedToLead: boolean;
  readonly committed: number;
  /** No quorum held it but for a witness. */
  readonly byWitness: boolean;
}

const UNCHANGED: ViewChange = { becameLeader: false, ceasedToLead: false, committed: 0, byWitness: false };

/** Compares a running node's view with the last one seen and judges the difference. */
export function judgeView(history: History, sheet: NodeSheet): ViewChange {
  const machine = sheet.engine?.machine;
  if (machine === undefined) return UNCHANGED;
  const { term, role, commitIndex, membership } = machine;
  if (term === sheet.term && role === sheet.role && commitIndex === sheet.commit && membership === sheet.membership) return UNCHANGED;
  demand("I7", term >= sheet.term, () => `${sheet.id} goes from term ${sheet.term} back to ${term}`);
  demand("I7", commitIndex >= sheet.commit, () => `${sheet.id} goes from commit ${sheet.commit} back to ${commitIndex}`);
  const led = sheet.role === "leader" && sheet.term === term;
  const becameLeader = role === "leader" && !led;
  if (becameLeader) judgeElection(history, sheet, { term, membership });
  if (role === "candidate" && (sheet.role !== "candidate" || term !== sheet.term)) {
    demand("I15", mayCampaign(sheet, machine), () => `${sheet.id} campaigns in term ${term} without being a voter`);
    sheet.stood = term;
  }
  const committed = commitIndex - sheet.commit;
  if (committed > 0) {
    demand("I7", commitIndex <= machine.lastIndex, () => `${sheet.id} commits ${commitIndex} with a log that ends at ${machine.lastIndex}`);
    // A leader that removed itself commits and steps down in one step.
    if (led || becameLeader) judgeCommit(history, sheet, { commit: commitIndex, term, memberships: [sheet.membership, membership] });
    else demand("I6", commitIndex <= history.committed, () => `${sheet.id} (${role}) commits ${commitIndex}; no leader went beyond ${history.committed}`);
  }
  const ceasedToLead = sheet.role === "leader" && !(role === "leader" && sheet.term === term);
  // A new member has had no chance to be heard yet.
  if (membership !== sheet.membership) sheet.ledSinceTicks = sheet.ticks;
  sheet.term = term;
  sheet.role = role;
  sheet.commit = commitIndex;
  sheet.membership = membership;
  const { voters } = membership;
  const byWitness = committed > 0 && role === "leader" && voters.some(isWitness) && !isQuorum({ ...membership, votersOutgoing: [] }, (id) => !isWitness(id) && (history.nodes.get(id)?.disk.durable.holds(commitIndex, term) ?? false));
  return { becameLeader, ceasedToLead, committed, byWitness };
}

/**
 * A voter; also one whose removal is not yet committed, because its vote and its log may still be needed (thesis §4.2.2), and one who holds what
 * it does not know to be committed, because that may be what others refuse their votes over (RF58).
 */
function mayCampaign({ id, disk: { durable } }: NodeSheet, { membership, commitIndex, lastIndex }: { readonly membership: Membership; readonly commitIndex: LogIndex; readonly lastIndex: LogIndex }): boolean {
  const settled = durable.membershipAt(commitIndex);
  return isVoter(membership, id) || (settled !== undefined && isVoter(settled, id)) || lastIndex > commitIndex;
}

function judgeElection(history: History, sheet: NodeSheet, { term, membership }: { readonly term: Term; readonly membership: Membership }): void {
  const { id, disk: { durable } } = sheet;
  const other = history.leaders.get(term);
  demand("I1", other === undefined, () => `${id} becomes the leader of term ${term}, which had ${String(other)}`);
  history.leaders.set(term, id);
  demand("W2", !isWitness(id), () => `${id} becomes leader of term ${term}`);
  demand("I15", sheet.stood === term || mayCampaign(sheet, { membership, commitIndex: sheet.commit, lastIndex: durable.lastIndex }), () => `${id} becomes leader of ${describeMembership(membership)}`);
  demand("I13", durable.hardState.term === term && durable.hardState.vote === id, () => `${id} leads term ${term} with term ${durable.hardState.term} and vote ${String(durable.hardState.vote)} durable`);
  const votes = history.votes.get(term);
  const partings = history.partings.get(term);
  const granted = (voter: PeerId): boolean => voter === id || votes?.get(voter) === id || (partings?.some(({ from, to }) => from === voter && to === id) ?? false);
  demand("I1", isQuorum(membership, granted), () => `${id} leads term ${term} of ${describeMembership(membership)} with the votes of ${membership.voters.filter(granted).join()}`);
  const must = history.committedBefore(term);
  const mustTerm = history.committedTerm(must) ?? 0;
  demand("I5", must === 0 || durable.holds(must, mustTerm), () => `${id} leads term ${term} without (${must}, term ${mustTerm}), committed before; its log ends at ${durable.lastIndex}`);
  sheet.heard.clear();
  sheet.ledSinceTicks = sheet.ticks;
}

interface CommitMove {
  readonly commit: LogIndex;
  readonly term: Term;
  /** In force before and after the step: a step may both commit and append the next membership. */
  readonly memberships: readonly Membership[];
}

function judgeCommit(history: History, sheet: NodeSheet, { commit, term, memberships }: CommitMove): void {
  const { durable } = sheet.disk;
  const entryTerm = history.leaderTermAt(term, commit, durable);
  demand("I17", entryTerm === term, () => `${sheet.id} as the leader of term ${term} moves its commit index to ${commit}, an entry of term ${String(entryTerm)}`);
  if (commit <= history.committed) {
    demand("I6", history.committedTerm(commit) === term, () => `${sheet.id} commits (${commit}, term ${term}); committed there before: term ${String(history.committedTerm(commit))}`);
    return;
  }
  demand("I6", memberships.some((membership) => history.isDurableOnQuorum(commit, term, membership)),
    () => `${sheet.id} commits (${commit}, term ${term}) without a durable quorum of ${memberships.map(describeMembership).join(" or ")}`);
  demand("W4", memberships.some(({ voters }) => voters.some((voter) => !isWitness(voter) && (history.nodes.get(voter)?.disk.durable.holds(commit, term) ?? false))),
    () => `${sheet.id} commits (${commit}, term ${term}), whose content is on no voter's disk`);
  for (let index = history.committed + 1; index <= commit; index += 1) {
    history.commit(history.leaderTermAt(term, index, durable) ?? term, term);
  }
}

/** In a pair the leader stays: nobody can be elected without it, and only a leader can take the lost voter out. */
function everyQuorumNeeds(id: PeerId, { voters, votersOutgoing }: Membership): boolean {
  const isPair = (set: readonly PeerId[]): boolean => set.length <= 2 && set.includes(id);
  return isPair(voters) && (votersOutgoing.length === 0 || isPair(votersOutgoing));
}

/** CheckQuorum: a leader that hears no quorum stops leading (L6). Called at the leader's ticks. */
export function judgeLeaderContact(sheet: NodeSheet, patienceTicks: number): void {
  if (sheet.role !== "leader" || everyQuorumNeeds(sheet.id, sheet.membership)) return;
  const since = (id: PeerId): number => sheet.ticks - Math.max(sheet.heard.get(id) ?? 0, sheet.ledSinceTicks);
  demand("L6", isQuorum(sheet.membership, (id) => id === sheet.id || since(id) <= patienceTicks), () => `${sheet.id} still leads term ${sheet.term} after ${patienceTicks} ticks without a quorum of ${describeMembership(sheet.membership)}`);
}
