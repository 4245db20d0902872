// The machine's surface: inputs in, one list of work out. No timers, clocks, randomness or I/O. Raft in raft.ts implements it.
import type { LogIndex, PeerId, Random, Term } from "../base/index.ts";
import type { RaftConfig } from "./config.ts";
import type { Message, PartingGrant, TimeoutNow } from "./message.ts";
import type { StoredState } from "./packed-entries.ts";
import type { Entry, Membership, MembershipTarget, RestoredState, Role, Snapshot } from "./types.ts";
import type { Work, WorkOptions, Write } from "./work.ts";

/** A leader's last word: a parting grant to the other of a pair, else TimeoutNow to the most caught-up voter. */
export interface Goodbye {
  readonly to: PeerId;
  readonly message: PartingGrant | TimeoutNow;
}

/** What a machine is made from. */
export interface RaftOptions {
  readonly id: PeerId;
  readonly config: RaftConfig;
  readonly restored: StoredState;
  /** Election jitter. */
  readonly random: Random;
  /** Called for every protocol event, synchronously; must not call back into the machine. See {@link RaftMachine.traceTo}. */
  readonly trace?: ((event: TraceEvent) => void) | undefined;
}

/** One protocol event, in the vocabulary of etcd's TLA+ trace specification, with additions of our own; `traceLine` makes text of it. */
export interface TraceEvent {
  readonly name: string;
  readonly node: PeerId;
  readonly term: Term;
  readonly vote: PeerId | undefined;
  readonly commit: LogIndex;
  readonly logLength: LogIndex;
  readonly membership: Membership;
  readonly role: Role;
  readonly detail?: Readonly<Record<string, unknown>> | undefined;
  readonly from?: PeerId | undefined;
  readonly to?: PeerId | undefined;
  readonly message?: Message | undefined;
}

/** Why a leader did not take a command, or why a request can not be served now. */
export type Refusal = "not-leader" | "busy" | "transferring" | "too-large" | "change-in-progress" | "invalid-target" | "stopped";

/** Counts for operators; every dropped thing is counted somewhere. */
export interface RaftMetrics {
  readonly framesDropped: Readonly<Record<string, number>>;
  readonly elections: number;
  readonly leaderships: number;
  readonly entriesAppended: number;
  readonly entriesCommitted: number;
  readonly snapshotsSent: number;
  readonly snapshotsInstalled: number;
}

/** A machine as the replica and the simulator see it. `Raft` implements it. */
export interface RaftMachine {
  readonly id: PeerId;
  readonly term: Term;
  readonly role: Role;
  readonly leader: PeerId | undefined;
  readonly commitIndex: LogIndex;
  /** Last index of the log, durable or not. */
  readonly lastIndex: LogIndex;
  /** Logged time of the last entry, ms since 1970; 0: nothing was ever logged. */
  readonly lastTime: number;
  /** Last index durable here and agreeing with the log. */
  readonly stableIndex: LogIndex;
  /** Index of the newest snapshot; entries up to it are gone. */
  readonly snapshotIndex: LogIndex;
  /** The newest durable snapshot; undefined while the log is held from its beginning. */
  readonly snapshot: Snapshot | undefined;
  /** The newest membership in the log, committed or not: the one in force. */
  readonly membership: Membership;
  readonly metrics: RaftMetrics;

  /** From now on every protocol event goes to this hook, or nowhere: an event that nobody hears is not even made. */
  traceTo(hook: ((event: TraceEvent) => void) | undefined): void;
  /** One tick of `config.tickMs` passed. */
  tick(): void;
  /** The wall clock, ms since 1970, stamped on entries this node appends as leader. */
  observeTime(wallMs: number): void;
  /** A message came from a peer whose identity the channel vouches for. Never throws; what does not fit is dropped, counted and traced. */
  step(from: PeerId, message: Message): void;
  /** Appends commands here (leader only), all or none. */
  propose(commands: readonly Uint8Array[]): { readonly first: LogIndex; readonly term: Term } | { readonly refused: Refusal };
  /** Sends commands to the leader. False when none is known or it is this node. */
  forward(commands: readonly Uint8Array[]): boolean;
  /** Asks for a linearizable read point, on any role; answered in `Work.reads` (on failure with `index` undefined). */
  readIndex(id: number): void;
  /** Leader only. Starts a change (joint when voters change); done when `membership` equals the target and is committed. */
  changeMembership(target: MembershipTarget): { readonly index: LogIndex; readonly term: Term } | { readonly refused: Refusal };
  /** Leader only. Hands over to a voter; proposals are refused until it happened or an election timeout passed. */
  transferLeadership(to: PeerId): { readonly refused: Refusal } | undefined;
  /** This node is going away for good (pagehide). As leader: a parting grant (two voters) or TimeoutNow; afterwards it only answers as a stopped node. */
  part(): void;
  /** What `part` would say now, and to whom; undefined unless this node leads others. Nothing changes: for whoever must prepare a goodbye before there is no time left. */
  goodbye(): Goodbye | undefined;
  /** The layers above made a snapshot of their state after `through`, an applied index. The prefix goes once it is durable. Returns false when it is not newer, not yet applied, or too large. */
  compact(through: LogIndex, data: Uint8Array): boolean;
  /** Entries `from` to `through`, both included, as far as they are in memory: none below the log's beginning, none beyond its end. Cost: one object per entry that is not among the newest. */
  entries(from: LogIndex, through: LogIndex): readonly Entry[];
  /** Everything that must be done now, less what `options` hold back; empty lists when nothing. Taking it is a promise to do it. */
  takeWork(options?: WorkOptions): Work;
  /** The write handed out under this id is durable. */
  writeDone(id: number): void;
  /**
   * The write handed out under this id failed, and `found` is what the disk holds now. Returns the write to do in its place, which holds
   * everything not durable by now, or undefined when nothing is left. Throws `CorruptStateError` when something promised is missing from `found`.
   */
  rewrite(id: number, found: RestoredState): Write | undefined;
  /** Throws `CorruptStateError` when something this node promised is missing from `found`, what the disk holds. */
  recheck(found: RestoredState): void;
  /** True when `takeWork` with the same options would return anything. */
  hasWork(options?: WorkOptions): boolean;
}
