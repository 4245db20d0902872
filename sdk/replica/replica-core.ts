// The pure half of a replica: the Raft machine, the exactly-once table, the lanes and this node's pending requests in one deterministic
// object. Inputs are calls, output is one list of work. The loop around it (replica.ts) and the simulator both drive exactly this.
import type { LogIndex, PeerId, Random } from "../base/index.ts";
import type { MembershipTarget, RaftConfig, RaftMachine, Refusal, StoredState, TraceEvent, WorkOptions, Write } from "../raft/index.ts";
import type { FeedRules, FeedStatus, NodeView } from "./feeding.ts";
import type { LaneReducer } from "./lane.ts";
import type { CommittedImage } from "./log-export.ts";
import type { DedupKey, LogEvent } from "./ordered-log.ts";

/** What a {@link ReplicaCore} is made from. */
export interface ReplicaCoreOptions {
  readonly id: PeerId;
  /** Frames of another group are dropped and counted. 1 to 64 characters. */
  readonly groupId: string;
  readonly config: RaftConfig;
  readonly random: Random;
  readonly restored: StoredState;
  readonly lanes?: readonly LaneReducer<unknown>[] | undefined;
  /** Called for every protocol event, synchronously; must not call back into the core. */
  readonly trace?: ((event: TraceEvent) => void) | undefined;
  /** Messages to one peer of one turn share frames up to this size, bytes; a single larger message travels alone. Default 64 KiB. */
  readonly frameBytesMax?: number | undefined;
  /** Feeds others, and can be fed. Default: neither. */
  readonly feed?: FeedRules | undefined;
}

/** What else the writer of a command can say about it. */
export interface ProposeHints {
  /** The writer will never send a serial below this one again. Default 0: it promises nothing. At most the command's own serial. */
  readonly lowestOutstanding?: number | undefined;
  /** An index applied here before the client's first command could commit; see ClientSessionTable. Default 0. */
  readonly birth?: LogIndex | undefined;
  /** The serial was never used before, so a commit of it by another proposer is a collision. Default false. */
  readonly fresh?: boolean | undefined;
  /** An earlier attempt under this key may have left this node. Default false. */
  readonly mayHaveLeft?: boolean | undefined;
  /** Ticks until it settles as unknown; may be infinite. Default: the config's `proposeTimeoutMs`. */
  readonly patienceTicks?: number | undefined;
}

/** Why nothing happened: the machine's reasons, and the replica's own. */
export type RefusalReason = Refusal | "client-session-expired" | "transfer-failed" | "withdrawn";

/** How a request ended. `unknown`: it may or may not have happened; ask again under the same key. */
export type Settlement =
  | { readonly outcome: "committed"; readonly index: LogIndex }
  | { readonly outcome: "read"; readonly index: LogIndex }
  | { readonly outcome: "done" }
  /** Nothing happened and nothing will. */
  | { readonly outcome: "refused"; readonly reason: RefusalReason }
  /** The key committed with another payload or proposer: somebody else writes under this client id. */
  | { readonly outcome: "collision"; readonly index: LogIndex }
  /** `hasLeft` false: a command that never left this node; only then can it still be taken back. */
  | { readonly outcome: "unknown"; readonly reason: "timeout" | "leadership-lost"; readonly hasLeft?: boolean | undefined };

/** Everything to do now, in this order: send `frames`, start `write`, hand `events` to followers, settle. See `Work` for what may overlap. */
export interface ReplicaWork {
  readonly frames: readonly { readonly to: PeerId; readonly bytes: Uint8Array }[];
  /** Frames for the channel of feeds. */
  readonly feedFrames: readonly { readonly to: PeerId; readonly bytes: Uint8Array }[];
  readonly write: Write | undefined;
  /** What was applied: an install, commands, or entries that are no events. `none` leaves `events` empty; `own`: all commands are this node's. */
  readonly applied: "none" | "own" | "others";
  /** Built when first asked for. */
  readonly events: readonly LogEvent[];
  /** What was delivered before is not certain to be what the group agreed on: everybody who follows begins again, with an install. `events` is empty then. */
  readonly isBegunAnew: boolean;
  readonly settled: readonly { readonly ticket: number; readonly settlement: Settlement }[];
}

/** A command and the key it has for ever. */
export interface ProposedCommand {
  readonly lane: number;
  readonly key: DedupKey;
  /** Copied. */
  readonly payload: Uint8Array;
}

/** One replica without a loop: everything it does follows from the calls made and their order. */
export interface ReplicaCore {
  readonly raft: RaftMachine;
  /** What the layers above are to see of it: the machine, or what this node is fed. */
  readonly view: NodeView;
  /** Undefined unless what is shown comes from a feed. */
  readonly feed: FeedStatus | undefined;
  readonly appliedIndex: LogIndex;
  /** Set when something committed that this build can not apply: nothing is applied from then on, while the machine goes on voting and storing. */
  readonly failure: Error | undefined;
  /** Frames and forwarded commands dropped here, before the machine, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** State of a registered lane after `appliedIndex`. */
  laneState<S>(lane: LaneReducer<S>): S;
  /** One tick of `config.tickMs` passed, for the machine and for every deadline of open requests. */
  tick(): void;
  /** The wall clock, ms since 1970, stamped on entries this node appends as leader; anything but a positive whole number is ignored. */
  observeTime(wallMs: number): void;
  /** Never throws. */
  receive(from: PeerId, frame: Uint8Array): void;
  /** A frame of the channel of feeds. Never throws. */
  receiveFeed(from: PeerId, frame: Uint8Array): void;
  /** Is fed from now on while it is no member, asking this leader first; undefined: asks nobody new. */
  feedFrom(leader: PeerId | undefined): void;
  /** Throws away what it was fed and leaves those it came from. */
  feedAnew(): void;
  /** Returns a ticket at once; the settlement comes in `ReplicaWork.settled` (possibly of the very next `takeWork`). */
  propose(command: ProposedCommand, hints?: ProposeHints): number;
  /** Takes a proposed command back that has not left this node (sent to nobody, in no log): its tickets settle as refused, `withdrawn`. False when it may have left, or is not open. */
  withdraw(key: DedupKey): boolean;
  /** Asks for a linearizable read point, on any role; the ticket settles with `read` once all up to it is applied here. */
  readIndex(): number;
  /** Leader only, one at a time; the ticket settles with `committed` when the target is in force and committed, or says why not. */
  changeMembership(target: MembershipTarget): number;
  /** Leader only, one at a time; the ticket settles with `done` when somebody else leads, else with `refused`. */
  transferLeadership(to: PeerId): number;
  /** Forgets a ticket: it will not be settled or retried; a proposal may still commit. */
  cancel(ticket: number): void;
  /** Hands in the game lane's section after `through`. False when that is not newer than the last one, not applied yet, too large, or a base section can not be folded on here. */
  snapshot(through: LogIndex, gameSection: Uint8Array): boolean;
  /** Events from `from` up to `appliedIndex` again, an install first where the log was compacted. */
  replay(from: LogIndex, max?: number): readonly LogEvent[];
  /** Where a key was first applied; 0 when that is forgotten, undefined when it was not applied as far as is known here. */
  firstIndex(key: DedupKey): LogIndex | undefined;
  /** What is applied here, for a file: the newest snapshot and the entries after it. `wallMs` stands in for a time that is not known any more. `withTail`: with whatever the log holds behind that. Undefined while a received snapshot is about to replace them. */
  image(wallMs: number, withTail?: boolean): Omit<CommittedImage, "groupId"> | undefined;
  /** This node goes away for good; a leader's goodbye is in the frames of the next `takeWork`. */
  part(): void;
  /** The frame `part` would send now, and to whom. */
  goodbye(): { readonly to: PeerId; readonly bytes: Uint8Array } | undefined;
  /** A goodbye frame of `from` that came another way than over its channel; anything else in it is dropped and counted. */
  receiveGoodbye(from: PeerId, frame: Uint8Array): void;
  /** Everything to do now, less what `options` hold back; empty lists when nothing. Taking it is a promise to do it. */
  takeWork(options?: WorkOptions): ReplicaWork;
  /** The write handed out under this id is durable; only then is another one handed out. */
  writeDone(id: number): void;
  /** True when `takeWork` with the same options would return anything. */
  hasWork(options?: WorkOptions): boolean;
}
