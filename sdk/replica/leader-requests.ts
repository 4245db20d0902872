// Requests only a leader serves: a membership change and a transfer, at most one of each under way, followed until their end is certain.
import type { LogIndex, PeerId, Term } from "../base/index.ts";
import { isJoint, sameMembership, type Membership, type MembershipTarget, type RaftConfig, type RaftMachine } from "../raft/index.ts";
import type { Settlement } from "./replica-core.ts";

type Settle = (ticket: number, settlement: Settlement) => void;

interface Change {
  readonly ticket: number;
  readonly wanted: Membership;
  readonly term: Term;
  readonly deadline: number;
  /** Once the wanted membership stands in the log: an index that is not before it. */
  inLogBy: LogIndex | undefined;
}

interface Transfer {
  readonly ticket: number;
  readonly deadline: number;
}

/** Follows this node's change and transfer. */
export class LeaderRequests {
  readonly #settle: Settle;
  readonly #changeTicks: number;
  readonly #transferTicks: number;
  #change: Change | undefined;
  #transfer: Transfer | undefined;
  #now = 0;

  constructor(config: RaftConfig, settle: Settle) {
    this.#settle = settle;
    this.#changeTicks = Math.ceil(config.proposeTimeoutMs / config.tickMs);
    this.#transferTicks = Math.ceil(config.electionTimeoutMsMax / config.tickMs);
  }

  change(ticket: number, target: MembershipTarget, raft: RaftMachine): void {
    if (this.#change !== undefined) return this.#settle(ticket, { outcome: "refused", reason: "change-in-progress" });
    const answer = raft.changeMembership(target);
    if ("refused" in answer) return this.#settle(ticket, { outcome: "refused", reason: answer.refused });
    const wanted: Membership = { voters: sorted(target.voters), votersOutgoing: [], learners: sorted(target.learners), learnersNext: [] };
    this.#change = { ticket, wanted, term: answer.term, deadline: this.#now + this.#changeTicks, inLogBy: undefined };
  }

  transfer(ticket: number, to: PeerId, raft: RaftMachine): void {
    if (this.#transfer !== undefined) return this.#settle(ticket, { outcome: "refused", reason: "transferring" });
    const refused = raft.transferLeadership(to);
    if (refused !== undefined) return this.#settle(ticket, { outcome: "refused", reason: refused.refused });
    this.#transfer = { ticket, deadline: this.#now + this.#transferTicks };
  }

  cancel(ticket: number): void {
    if (this.#change?.ticket === ticket) this.#change = undefined;
    if (this.#transfer?.ticket === ticket) this.#transfer = undefined;
  }

  tick(): void {
    this.#now += 1;
  }

  /** Looks whether anything ended. Cheap when nothing is under way. */
  check(raft: RaftMachine): void {
    if (this.#change !== undefined) this.#checkChange(this.#change, raft);
    if (this.#transfer !== undefined) this.#checkTransfer(this.#transfer, raft);
  }

  #checkChange(change: Change, raft: RaftMachine): void {
    if (change.inLogBy === undefined && !isJoint(raft.membership) && sameMembership(raft.membership, change.wanted)) change.inLogBy = raft.lastIndex;
    if (change.inLogBy !== undefined && raft.commitIndex >= change.inLogBy) return this.#endChange(change, { outcome: "committed", index: change.inLogBy });
    // A leader that removed itself steps down with the commit, which was looked at above; any other loss leaves the change to the next leader.
    if (raft.role !== "leader" || raft.term !== change.term) return this.#endChange(change, { outcome: "unknown", reason: "leadership-lost" });
    if (change.deadline <= this.#now) this.#endChange(change, { outcome: "unknown", reason: "timeout" });
  }

  #endChange(change: Change, settlement: Settlement): void {
    this.#change = undefined;
    this.#settle(change.ticket, settlement);
  }

  #checkTransfer(transfer: Transfer, raft: RaftMachine): void {
    const isOver = raft.role !== "leader" && raft.leader !== undefined && raft.leader !== raft.id;
    if (!isOver && transfer.deadline > this.#now) return;
    this.#transfer = undefined;
    this.#settle(transfer.ticket, isOver ? { outcome: "done" } : { outcome: "refused", reason: "transfer-failed" });
  }
}

function sorted(peers: readonly PeerId[]): PeerId[] {
  return [...peers].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
