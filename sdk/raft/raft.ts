// The machine: inputs in, one list of work out. Dispatch by role and kind of message; the logic stands in the files named after it.
import { InvalidArgumentError, type LogIndex, type PeerId, type Term, unreachable } from "../base/index.ts";
import { Core } from "./core.ts";
import { onElectionReply, onPreVote, onVote } from "./election.ts";
import { onAppend, onHeartbeat } from "./following.ts";
import { onForward, onForwardReply } from "./forwarding.ts";
import { goodbyeOf, onPartingGrant, onTimeoutNow, part, startTransfer } from "./handover.ts";
import { changeMembership } from "./membership-change.ts";
import type { Message } from "./message.ts";
import { isMember, isVoter } from "./membership.ts";
import { writeDone } from "./persistence.ts";
import type { Goodbye, RaftMachine, RaftMetrics, RaftOptions, Refusal, TraceEvent } from "./raft-machine.ts";
import { askRead, onRead, onReadReply, releaseReads } from "./read-index.ts";
import { onAppendReply, onHeartbeatReply, onInstalled } from "./replication.ts";
import { restoreInto } from "./restore.ts";
import { recheck, rewrite } from "./rewriting.ts";
import { becomeFollower } from "./roles.ts";
import { onSnapshotChunk } from "./snapshot-receiving.ts";
import { onSnapshotReply } from "./snapshot-sending.ts";
import { proposeCommands } from "./proposing.ts";
import { tick } from "./ticking.ts";
import { traceName } from "./trace-names.ts";
import type { Entry, Membership, MembershipTarget, RestoredState, Role, Snapshot } from "./types.ts";
import { messageFault } from "./validation.ts";
import { witnessFault } from "./witness.ts";
import { collectWork, hasWork } from "./work-list.ts";
import type { Work, WorkOptions, Write } from "./work.ts";

/** The Raft machine of one node. Deterministic: the same inputs in the same order give the same work. Never throws for what a peer sent. */
export class Raft implements RaftMachine {
  readonly #core: Core;

  /** Throws `CorruptStateError` when the restored state can not be right, `InvalidArgumentError` when the config can not work in ticks. */
  constructor(options: RaftOptions) {
    const core = new Core(options);
    if (core.ticks.heartbeat >= core.ticks.electionMin) {
      throw new InvalidArgumentError(`in ticks of ${options.config.tickMs} ms heartbeatMs is ${core.ticks.heartbeat}, which must be less than electionTimeoutMsMin, ${core.ticks.electionMin}`);
    }
    restoreInto(core, options.restored);
    this.#core = core;
    core.nextNonce = core.random.uint32() * 2 ** 20 + 1;
    core.trace("InitState");
    becomeFollower(core, core.term, undefined);
    // A lone voter has nobody to wait for.
    if (core.isSoleVoter) core.electionElapsed = core.electionTimeout;
  }

  get id(): PeerId {
    return this.#core.id;
  }

  get term(): Term {
    return this.#core.term;
  }

  get role(): Role {
    return this.#core.role;
  }

  get leader(): PeerId | undefined {
    return this.#core.leader;
  }

  get commitIndex(): LogIndex {
    return this.#core.commit;
  }

  get lastTime(): number {
    return this.#core.log.lastTime;
  }

  get lastIndex(): LogIndex {
    return this.#core.log.last;
  }

  get stableIndex(): LogIndex {
    return this.#core.pendingInstall === undefined ? this.#core.log.stable : this.#core.stableBeforeInstall;
  }

  get snapshotIndex(): LogIndex {
    return this.#core.snapshot?.index ?? 0;
  }

  get snapshot(): Snapshot | undefined {
    return this.#core.snapshot;
  }

  get membership(): Membership {
    return this.#core.membership;
  }

  get metrics(): RaftMetrics {
    const { dropped, elections, leaderships, entriesAppended, entriesCommitted, snapshotsSent, snapshotsInstalled } = this.#core;
    return { framesDropped: { ...dropped }, elections, leaderships, entriesAppended, entriesCommitted, snapshotsSent, snapshotsInstalled };
  }

  traceTo(hook: ((event: TraceEvent) => void) | undefined): void {
    this.#core.traceHook = hook;
  }

  tick(): void {
    tick(this.#core);
  }

  observeTime(wallMs: number): void {
    if (Number.isSafeInteger(wallMs) && wallMs > 0) this.#core.wallMs = wallMs;
  }

  step(from: PeerId, message: Message): void {
    const core = this.#core;
    if (core.parted) return core.drop("parted", from, message);
    const fault = from === core.id ? "from-self" : (messageFault(message) ?? witnessFault(core, from, message));
    if (fault !== undefined) return core.drop(fault, from, message);
    if (core.traceHook !== undefined) core.trace(`Receive${traceName(message)}`, { from, to: core.id, message });
    if (message.term > core.term + core.config.maxTermJump && !core.isBlank) return core.drop("term-jump", from, message);
    dispatch(core, from, message);
  }

  propose(commands: readonly Uint8Array[]): { readonly first: LogIndex; readonly term: Term } | { readonly refused: Refusal } {
    return proposeCommands(this.#core, commands);
  }

  forward(commands: readonly Uint8Array[]): boolean {
    const core = this.#core;
    if (core.parted || core.isWitness || core.leader === undefined || core.leader === core.id) return false;
    core.send(core.leader, { type: "forward", term: core.term, commands });
    return true;
  }

  readIndex(id: number): void {
    askRead(this.#core, id);
  }

  changeMembership(target: MembershipTarget): { readonly index: LogIndex; readonly term: Term } | { readonly refused: Refusal } {
    return changeMembership(this.#core, target);
  }

  transferLeadership(to: PeerId): { readonly refused: Refusal } | undefined {
    const refused = startTransfer(this.#core, to);
    return refused === undefined ? undefined : { refused };
  }

  part(): void {
    part(this.#core);
  }

  goodbye(): Goodbye | undefined {
    return goodbyeOf(this.#core);
  }

  compact(through: LogIndex, data: Uint8Array): boolean {
    const core = this.#core;
    const newest = core.ownSnapshot ?? core.writeUnderWay?.own ?? core.snapshot;
    if (!Number.isSafeInteger(through) || through > core.applied || through <= (newest?.index ?? 0) || core.pendingInstall !== undefined) return false;
    if (data.length > core.config.snapshotTotalBytesMax || through <= core.log.snapshotIndex) return false;
    const { term, time } = core.log.entry(through);
    core.ownSnapshot = { index: through, term, time, membership: core.log.membershipAt(through), data };
    return true;
  }

  entries(from: LogIndex, through: LogIndex): readonly Entry[] {
    return this.#core.log.held(from, through);
  }

  takeWork(options?: WorkOptions): Work {
    return collectWork(this.#core, options);
  }

  writeDone(id: number): void {
    writeDone(this.#core, id);
  }

  rewrite(id: number, found: RestoredState): Write | undefined {
    return rewrite(this.#core, id, found);
  }

  recheck(found: RestoredState): void {
    recheck(this.#core, found);
  }

  hasWork(options?: WorkOptions): boolean {
    return hasWork(this.#core, options);
  }
}

function dispatch(core: Core, from: PeerId, message: Message): void {
  switch (message.type) {
    case "append":
    case "heartbeat":
    case "snapshot-chunk":
      return fromLeader(core, from, message);
    case "append-reply":
    case "heartbeat-reply":
    case "snapshot-reply":
      return toLeader(core, from, message);
    case "pre-vote":
      return onPreVote(core, from, message);
    case "vote":
      return voteRequested(core, from, message);
    case "pre-vote-reply":
    case "vote-reply":
      return voteAnswered(core, from, message);
    case "forward":
      return onForward(core, from, message);
    case "forward-reply":
      return onForwardReply(core, from, message);
    case "read":
      return isMember(core.membership, from) ? onRead(core, from, message.id) : core.drop("not-a-member", from, message);
    case "read-reply":
      return onReadReply(core, from, message);
    case "timeout-now":
      return onTimeoutNow(core, from, message);
    case "parting-grant":
      return onPartingGrant(core, from, message);
    default:
      return unreachable(message);
  }
}

type FromLeader = Extract<Message, { type: "append" | "heartbeat" | "snapshot-chunk" }>;
type ToLeader = Extract<Message, { type: "append-reply" | "heartbeat-reply" | "snapshot-reply" }>;

/** Who may speak as a leader: a voter of the membership known here. One who is behind may not know the new voters, so silence opens the door too. */
function mayLead(core: Core, from: PeerId): boolean {
  return core.isBlank || core.mayStillVote(from) || core.leader === from || core.vote === from || !core.inLease;
}

function fromLeader(core: Core, from: PeerId, message: FromLeader): void {
  if (!mayLead(core, from)) return core.drop("not-a-voter", from, message);
  if (message.term < core.term) {
    // A leader of an old term, or one that can not reach a majority for being behind: our term frees both it and us (etcd's free-stuck-candidate).
    core.send(from, { type: "append-reply", term: core.term, ok: false, index: 0, hintIndex: 0, hintTerm: 0 });
    return core.drop("stale-term", from, message);
  }
  if (message.term === core.term && (core.role === "leader" || (core.leader !== undefined && core.leader !== from))) return core.drop("second-leader", from, message);
  core.candidacies = 0;
  core.isCountedOn = false;
  if (message.term > core.term || core.leader !== from) becomeFollower(core, message.term, from);
  else core.electionElapsed = 0;
  if (message.type === "append") onAppend(core, from, message);
  else if (message.type === "heartbeat") onHeartbeat(core, from, message);
  else onSnapshotChunk(core, from, message);
}

function toLeader(core: Core, from: PeerId, message: ToLeader): void {
  if (!isMember(core.membership, from)) return core.drop("not-a-member", from, message);
  if (message.term > core.term) return becomeFollower(core, message.term, undefined);
  const peer = core.progress.get(from);
  if (message.term < core.term || core.role !== "leader" || peer === undefined) return core.drop("stale-term", from, message);
  if (message.type === "append-reply") onAppendReply(core, peer, message);
  else if (message.type === "snapshot-reply" && message.installed) onInstalled(core, peer, message);
  else if (message.type === "snapshot-reply") onSnapshotReply(core, peer, message);
  else onHeartbeatReply(core, peer, message);
  releaseReads(core);
}

function voteRequested(core: Core, from: PeerId, message: Extract<Message, { type: "vote" }>): void {
  if (message.term > core.term) {
    // Stickiness (§6, thesis §4.2.3): while a leader is heard nobody can depose it, unless the leader itself asked.
    if (core.inLease && !message.transfer) return core.drop("lease", from, message);
    becomeFollower(core, message.term, undefined);
  }
  if (message.term < core.term) core.send(from, { type: "vote-reply", term: core.term, granted: false });
  else onVote(core, from, message);
}

function voteAnswered(core: Core, from: PeerId, message: Extract<Message, { type: "pre-vote-reply" | "vote-reply" }>): void {
  const isGrantedPreVote = message.type === "pre-vote-reply" && message.granted;
  if (message.term > core.term && !isGrantedPreVote) {
    if (!isVoter(core.membership, from)) return core.drop("not-a-voter", from, message);
    return becomeFollower(core, message.term, undefined);
  }
  onElectionReply(core, from, message);
}
