// The state of one machine and the few things every part of it does: send, drop, trace. Private to this folder; Raft in raft.ts owns one.
import type { LogIndex, PeerId, Random, Term } from "../base/index.ts";
import { below } from "../base/index.ts";
import type { RaftConfig } from "./config.ts";
import { RaftLog } from "./log.ts";
import { isEmpty, isJoint, isVoter } from "./membership.ts";
import type { Addressed, Message } from "./message.ts";
import type { Progress } from "./progress.ts";
import type { RaftOptions, TraceEvent } from "./raft-machine.ts";
import type { Membership, Role, Snapshot } from "./types.ts";
import { isWitness } from "./witness.ts";
import type { ReadResult } from "./work.ts";

/** The write handed out and not yet acknowledged. */
export interface WriteUnderWay {
  readonly id: number;
  readonly term: Term;
  readonly vote: PeerId | undefined;
  /** How many entries it holds. */
  readonly entries: number;
  /** Last index the disk will hold. */
  readonly stored: LogIndex;
  /**
   * Last index that will be durable and still agrees with the log: lowered when the log is truncated meanwhile, so that the completion
   * of an old write never vouches for entries that came later under the same indexes (the ABA race of etcd's async_storage_writes script).
   */
  agrees: LogIndex;
  readonly install: Snapshot | undefined;
  readonly own: Snapshot | undefined;
  /** Ticks since it was handed out. */
  ticks: number;
}

/** A snapshot being received, by its digest. */
export interface IncomingSnapshot {
  readonly index: LogIndex;
  readonly indexTerm: Term;
  readonly total: number;
  readonly digest: Uint8Array;
  readonly parts: Uint8Array[];
  held: number;
}

/** A read waiting on the leader for its round; `from` is who asked. */
export interface WaitingRead {
  readonly from: PeerId;
  /** The asker's own number: an id of the layer above for this node, a nonce for others. */
  readonly id: number;
  index: LogIndex;
  round: number;
}

/** A read this node asked the leader for. */
export interface AskedRead {
  readonly id: number;
  readonly to: PeerId;
  ticks: number;
}

export interface Transfer {
  readonly to: PeerId;
  ticks: number;
  sent: boolean;
}

/** Times in ticks. */
export interface Ticks {
  readonly electionMin: number;
  readonly electionMax: number;
  readonly heartbeat: number;
}

/** Elections lost in a row widen the range of timeouts by its own width, this many times at most. */
const EXTRA_WIDTHS_MAX = 2;

/** All state of one machine. Written only by the functions of this folder. */
export class Core {
  readonly id: PeerId;
  readonly isWitness: boolean;
  readonly config: RaftConfig;
  readonly ticks: Ticks;
  readonly random: Random;
  traceHook: ((event: TraceEvent) => void) | undefined;
  readonly log: RaftLog = new RaftLog();

  // Figure 2, in memory; what is known to be durable stands beside it.
  term: Term = 0;
  vote: PeerId | undefined = undefined;
  durableTerm: Term = 0;
  durableVote: PeerId | undefined = undefined;
  durableCommit: LogIndex = 0;
  commit: LogIndex = 0;
  /** Handed to the layers above. */
  applied: LogIndex = 0;

  role: Role = "learner";
  leader: PeerId | undefined = undefined;
  wallMs = 0;
  /** This node said goodbye: it takes no part any more. */
  parted = false;

  writeUnderWay: WriteUnderWay | undefined = undefined;
  nextWriteId = 1;
  /** The newest durable snapshot. */
  snapshot: Snapshot | undefined = undefined;
  snapshotDigest: Uint8Array | undefined = undefined;
  /** A received snapshot the log was already reset to, not yet durable. */
  pendingInstall: Snapshot | undefined = undefined;
  /** What `stableIndex` reports meanwhile. */
  stableBeforeInstall: LogIndex = 0;
  /** Durable and to be handed up. */
  readyInstall: Snapshot | undefined = undefined;
  /** Made here, to be stored with the next write. */
  ownSnapshot: Snapshot | undefined = undefined;
  incoming: IncomingSnapshot | undefined = undefined;

  /** Messages of the current term, in order. They leave when term and vote are durable; a new term makes them void. */
  outbox: Addressed[] = [];

  electionElapsed = 0;
  electionTimeout = 0;
  /** How often this node stood for election since it last heard or was a leader. */
  candidacies = 0;
  /** Since then somebody asked for this node's vote and could not have it for a log that ends before this one (RF58). */
  isCountedOn = false;
  heartbeatElapsed = 0;
  /** Answers of this election by voter. */
  readonly votes: Map<PeerId, boolean> = new Map();
  /** The running campaign was asked for by the leader. */
  transferCampaign = false;

  // As a follower.
  /** The log is known to equal the current leader's up to here. */
  matched: LogIndex = 0;
  /** An acknowledgement is owed to the current leader. */
  ackOwed = false;
  /** The highest index acknowledged to the current leader. */
  ackSent: LogIndex = 0;
  /** An installed snapshot to be reported to the leader once durable. */
  installOwed: { readonly index: LogIndex; readonly total: number } | undefined = undefined;
  readonly askedReads: Map<number, AskedRead> = new Map();
  nextNonce = 1;

  // As a leader.
  /** Every other member, sorted by id. */
  peers: Progress[] = [];
  readonly progress: Map<PeerId, Progress> = new Map();
  /** An entry of this term is committed: reads and membership changes may begin. */
  ownTermCommitted = false;
  /** The term this node leads by a parting grant, else 0. */
  grantedTerm: Term = 0;
  transfer: Transfer | undefined = undefined;
  heartbeatDue = false;
  /** Something happened that may give the peers something to be sent. */
  flushDue = false;
  /** News of a commit alone wait for an append to carry them; see `WorkOptions.holdNews`. */
  newsHeld = false;
  readRound = 0;
  reads: WaitingRead[] = [];
  /** Scratch for quorum arithmetic. */
  readonly scratchIncoming: number[] = [];
  readonly scratchOutgoing: number[] = [];

  // For the layers above.
  readResults: ReadResult[] = [];
  refusedForwards: { readonly from: PeerId; readonly accepted: number; readonly refused: number }[] = [];

  readonly dropped: Record<string, number> = {};
  elections = 0;
  leaderships = 0;
  entriesAppended = 0;
  entriesCommitted = 0;
  snapshotsSent = 0;
  snapshotsInstalled = 0;

  constructor(options: RaftOptions) {
    this.id = options.id;
    this.isWitness = isWitness(options.id);
    this.config = options.config;
    this.random = options.random;
    this.traceHook = options.trace;
    const { tickMs, electionTimeoutMsMin, electionTimeoutMsMax, heartbeatMs } = options.config;
    this.ticks = {
      electionMin: Math.ceil(electionTimeoutMsMin / tickMs),
      electionMax: Math.ceil(electionTimeoutMsMax / tickMs),
      heartbeat: Math.ceil(heartbeatMs / tickMs),
    };
  }

  get membership(): Membership {
    return this.log.membership;
  }

  /** Term and vote are durable: what is promised under them may be said. */
  get hardDurable(): boolean {
    return this.term === this.durableTerm && this.vote === this.durableVote;
  }

  /** This node may campaign: its vote may be needed, its state is not about to be replaced, and it has content to lead with. */
  get promotable(): boolean {
    return !this.parted && !this.isWitness && this.mayStillVote(this.id) && this.pendingInstall === undefined;
  }

  /**
   * No voter as far as it knows, and yet its log may be the only one that can win: it holds something nobody else may hold, and either somebody who
   * knows another membership counts on its vote, or a witness votes, which may hold the same without content. See RF58.
   */
  get mayBeNeeded(): boolean {
    if (this.parted || this.isWitness || this.pendingInstall !== undefined || this.log.last <= this.commit) return false;
    return this.isCountedOn || this.membership.voters.some(isWitness) || this.membership.votersOutgoing.some(isWitness);
  }

  /**
   * A voter of the newest membership, or of one before it that is not known to be replaced for good. A removed voter must go on until its
   * removal is committed (thesis §4.2.2): it may be the only one whose log can win, and then the others need it to finish the change.
   */
  mayStillVote(id: PeerId): boolean {
    const { log } = this;
    if (isVoter(log.membership, id)) return true;
    if (log.membershipIndex <= this.commit) return false;
    return isVoter(log.membershipAt(log.membershipIndex - 1), id) || isVoter(log.membershipAt(this.commit), id);
  }

  /** Nobody else votes: this node's own acknowledgement commits. */
  get isSoleVoter(): boolean {
    const { voters } = this.membership;
    return voters.length === 1 && voters[0] === this.id && !isJoint(this.membership);
  }

  /** Nothing is known of any group: a fresh learner believes whoever leads. */
  get isBlank(): boolean {
    return isEmpty(this.membership);
  }

  /** A leader was heard within the shortest election timeout (or is this node): votes are not given away. */
  get inLease(): boolean {
    return this.role === "leader" || (this.leader !== undefined && this.electionElapsed < this.ticks.electionMin);
  }

  /**
   * Draws the next timeout. Most elections need no more than the plain range (§9.3); but where ticks are coarse beside the links it holds few
   * values, and those who split one vote split the next ones too, so who keeps standing in vain draws from more of them.
   */
  resetElectionTimer(): void {
    const { electionMin, electionMax } = this.ticks;
    const widths = 1 + Math.min(Math.max(this.candidacies - 1, 0), EXTRA_WIDTHS_MAX);
    this.electionElapsed = 0;
    this.electionTimeout = electionMin + below(this.random, widths * (electionMax - electionMin) + 1);
  }

  send(to: PeerId, message: Message): void {
    this.outbox.push({ to, message });
  }

  /** Counts and traces something remote that is not acted on. */
  drop(reason: string, from: PeerId, message: Message | undefined): void {
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1;
    if (this.traceHook !== undefined) this.trace("DropMessage", { from, message, detail: { reason } });
  }

  /** Reports an event. Callers on hot paths look at `traceHook` first. */
  trace(name: string, extra: Partial<TraceEvent> = {}): void {
    this.traceHook?.({
      name, node: this.id, term: this.term, vote: this.vote, commit: this.commit, logLength: this.log.last,
      membership: this.membership, role: this.role, ...extra,
    });
  }

  /** Cuts the log after `index`; a write under way no longer vouches for what was cut. */
  truncateAfter(index: LogIndex): void {
    this.log.truncateAfter(index);
    if (this.writeUnderWay !== undefined) this.writeUnderWay.agrees = Math.min(this.writeUnderWay.agrees, index);
    this.matched = Math.min(this.matched, index);
  }
}
