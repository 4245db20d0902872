// The pure half of a replica put together: machine, table, lanes and open requests behind one list of work.
import { InvalidArgumentError, type LogIndex, type PeerId } from "../base/index.ts";
import { decodeMessage, decodeMessageFrom, encodeMessage, ENTRY_COMMAND, Raft, type Addressed, type Entry, type MembershipTarget, type Message, type RaftMachine, type Work, type WorkOptions, type Write } from "../raft/index.ts";
import { AppliedLog, KNOWN_LANES } from "./applied-log.ts";
import { decodeHead, isClientId } from "./envelope.ts";
import { Feeding, type FeedStatus, type NodeView } from "./feeding.ts";
import { encodeFrame, encodeFrameOf, framedSize, frameHeader, headerFault, HEADER_BYTES, messagesOf, onlyMessageAt } from "./frame.ts";
import type { LaneReducer } from "./lane.ts";
import type { CommittedImage } from "./log-export.ts";
import { LeaderRequests } from "./leader-requests.ts";
import type { DedupKey, InstalledSnapshot, LogEvent } from "./ordered-log.ts";
import { Proposals, type Road } from "./proposals.ts";
import { Reads } from "./reads.ts";
import type { ProposedCommand, ProposeHints, ReplicaCore, ReplicaCoreOptions, ReplicaWork, Settlement } from "./replica-core.ts";

/** Default of `frameBytesMax`: large enough that a turn is mostly one frame per peer, small enough for any data channel. */
const FRAME_BYTES_MAX = 64 * 1024;
const GROUP_ID_CHARS_MAX = 64;

const NO_FRAMES: ReplicaWork["frames"] = [];
const NO_EVENTS: ReplicaWork["events"] = [];
const NO_SETTLED: ReplicaWork["settled"] = [];

/** Makes the core of one replica. Throws `CorruptStateError` for restored state that can not be right, `InvalidArgumentError` for options that can not work. */
export function createReplicaCore(options: ReplicaCoreOptions): ReplicaCore {
  return new Core(options);
}

type Lazy<T> = () => T;

/** One turn's work. Its events are built once, when first asked for. */
class Turn implements ReplicaWork {
  readonly frames: ReplicaWork["frames"];
  readonly feedFrames: ReplicaWork["frames"];
  readonly write: Write | undefined;
  readonly settled: ReplicaWork["settled"];
  readonly applied: ReplicaWork["applied"];
  readonly isBegunAnew: boolean;
  readonly #build: Lazy<ReplicaWork["events"]> | undefined;
  #events: ReplicaWork["events"] | undefined;

  constructor({ frames, feedFrames, write, settled }: Pick<ReplicaWork, "frames" | "feedFrames" | "write" | "settled">, applied: Applied | undefined) {
    this.frames = frames;
    this.feedFrames = feedFrames;
    this.isBegunAnew = applied?.isBegunAnew === true;
    this.write = write;
    this.settled = settled;
    this.applied = applied === undefined ? "none" : applied.isForeign ? "others" : "own";
    this.#build = applied?.events;
  }

  get events(): ReplicaWork["events"] {
    return (this.#events ??= this.#build === undefined ? NO_EVENTS : this.#build());
  }
}

/** What one turn applied. */
interface Applied {
  readonly events: Lazy<ReplicaWork["events"]>;
  /** Some of it is not this node's own. */
  readonly isForeign: boolean;
  readonly isBegunAnew?: boolean;
}

/** Everybody who follows begins again. */
const BEGUN_ANEW: Applied = { events: () => [], isForeign: true, isBegunAnew: true };

/** Messages up to which looking for two to one peer costs less than gathering by peer. */
const FEW_MESSAGES = 8;

/** True when every message gets a frame of its own in the order given. A snapshot's chunk does not: it goes before what is said to others. */
function isOnePerPeer(messages: readonly Addressed[]): boolean {
  if (messages.length > FEW_MESSAGES) return false;
  for (let at = 0; at < messages.length; at += 1) {
    if (messages[at]?.message.type === "snapshot-chunk") return false;
    for (let before = 0; before < at; before += 1) if (messages[before]?.to === messages[at]?.to) return false;
  }
  return true;
}

class Core implements ReplicaCore {
  readonly raft: RaftMachine;
  readonly #id: PeerId;
  readonly #log: AppliedLog;
  readonly #header: Uint8Array;
  readonly #frameBytesMax: number;
  readonly #lanes: ReadonlySet<number>;
  readonly #proposals: Proposals;
  readonly #reads: Reads;
  readonly #requests: LeaderRequests;
  readonly #feeding: Feeding | undefined;
  readonly #dropped: Record<string, number> = {};
  #settled: { readonly ticket: number; readonly settlement: Settlement }[] = [];
  #nextTicket = 1;

  constructor(options: ReplicaCoreOptions) {
    const { groupId, config, lanes = [], restored } = options;
    if (groupId.length === 0 || groupId.length > GROUP_ID_CHARS_MAX) throw new InvalidArgumentError(`a group id has 1 to ${GROUP_ID_CHARS_MAX} characters, got ${groupId.length}`);
    const ids = new Set(lanes.map(({ lane }) => lane));
    if (ids.size !== lanes.length || lanes.some(({ lane }) => !Number.isInteger(lane) || lane < 1 || lane > 255)) throw new InvalidArgumentError(`lanes are distinct whole numbers from 1 to 255, got ${lanes.map(({ lane }) => lane).join()}`);
    this.#lanes = new Set([...KNOWN_LANES, ...ids]);
    this.#id = options.id;
    this.raft = new Raft({ id: options.id, config, restored, random: options.random, trace: options.trace });
    this.#header = frameHeader(groupId);
    this.#frameBytesMax = options.frameBytesMax ?? FRAME_BYTES_MAX;
    this.#log = new AppliedLog(lanes, (from, through) => this.raft.entries(from, through));
    if (restored.snapshot !== undefined) this.#log.install(restored.snapshot.index, restored.snapshot.data);
    const settle = (ticket: number, settlement: Settlement): void => void this.#settled.push({ ticket, settlement });
    this.#proposals = new Proposals(options.id, config, settle);
    this.#reads = new Reads(Math.ceil(config.proposeTimeoutMs / config.tickMs), settle);
    this.#requests = new LeaderRequests(config, settle);
    this.#feeding = options.feed === undefined ? undefined : new Feeding({
      id: options.id, header: this.#header, frameBytesMax: this.#frameBytesMax, config, random: options.random, lanes, rules: options.feed, raft: this.raft, own: this.#log,
      drop: (reason) => this.#drop(reason), submit: (from, commands) => this.#submit(from, commands), read: (result) => this.#reads.answered(result),
    });
  }

  /** What the layers above see: what was fed, while that is ahead of the machine's own. */
  get #shown(): AppliedLog {
    return this.#feeding?.shown?.log ?? this.#log;
  }

  get #road(): Road & Pick<RaftMachine, "readIndex"> {
    return this.#feeding?.hasRoad === true ? this.#feeding.road : this.raft;
  }

  get view(): NodeView {
    return this.#feeding?.view ?? this.raft;
  }

  get feed(): FeedStatus | undefined {
    return this.#feeding?.status;
  }

  get appliedIndex(): LogIndex {
    return this.#shown.appliedIndex;
  }

  get failure(): Error | undefined {
    return this.#feeding?.shown === undefined ? this.#log.failure : this.#feeding.failure;
  }

  get dropped(): Readonly<Record<string, number>> {
    return this.#dropped;
  }

  laneState<S>(lane: LaneReducer<S>): S {
    return this.#shown.state(lane.lane) as S;
  }

  tick(): void {
    this.raft.tick();
    this.#proposals.tick();
    this.#reads.tick();
    this.#requests.tick();
    this.#requests.check(this.raft);
    this.#feeding?.tick();
  }

  observeTime(wallMs: number): void {
    this.raft.observeTime(wallMs);
  }

  receive(from: PeerId, frame: Uint8Array): void {
    const fault = headerFault(this.#header, frame);
    if (fault !== undefined) return this.#drop(fault);
    try {
      const only = onlyMessageAt(frame);
      if (only !== undefined) this.#step(from, decodeMessageFrom(frame, only));
      else for (const bytes of messagesOf(frame)) this.#step(from, decodeMessage(bytes));
    } catch {
      this.#drop("malformed");
    }
  }

  receiveFeed(from: PeerId, frame: Uint8Array): void {
    this.#feeding?.receive(from, frame);
  }

  feedFrom(leader: PeerId | undefined): void {
    if (this.#feeding !== undefined) this.#feeding.root = leader;
  }

  feedAnew(): void {
    this.#feeding?.anew();
  }

  /** Commands of a peer that is fed: vouched for like those of a member. What there is no room for is sent again. */
  #submit(from: PeerId, commands: readonly Uint8Array[]): void {
    const fault = this.#forwardFault(from, commands);
    if (fault !== undefined) return this.#drop(fault);
    const answer = this.raft.propose(commands);
    if ("refused" in answer) this.#drop(`feed-${answer.refused}`);
  }

  #step(from: PeerId, message: Message): void {
    const reason = message.type === "forward" ? this.#forwardFault(from, message.commands) : undefined;
    if (reason === undefined) this.raft.step(from, message);
    else this.#drop(reason);
  }

  propose(command: ProposedCommand, hints: ProposeHints = {}): number {
    const { lane, key } = command;
    if (!this.#lanes.has(lane)) throw new InvalidArgumentError(`lane ${lane} is not known here`);
    if (!isClientId(key.clientId)) throw new InvalidArgumentError(`a client id has 1 to 64 characters, got ${JSON.stringify(key.clientId)}`);
    if (!Number.isSafeInteger(key.requestId) || key.requestId < 1) throw new InvalidArgumentError(`a requestId is a whole number from 1, got ${key.requestId}`);
    const ticket = this.#ticket();
    const first = this.#shown.firstIndex(key.clientId, key.requestId);
    if (first !== undefined && first > 0) this.#settled.push({ ticket, settlement: { outcome: "committed", index: first } });
    else this.#proposals.add(ticket, command, hints);
    return ticket;
  }

  withdraw(key: DedupKey): boolean {
    return this.#proposals.withdraw(key);
  }

  readIndex(): number {
    const ticket = this.#ticket();
    this.#reads.add(ticket);
    return ticket;
  }

  changeMembership(target: MembershipTarget): number {
    const ticket = this.#ticket();
    this.#requests.change(ticket, target, this.raft);
    return ticket;
  }

  transferLeadership(to: PeerId): number {
    const ticket = this.#ticket();
    this.#requests.transfer(ticket, to, this.raft);
    return ticket;
  }

  cancel(ticket: number): void {
    this.#proposals.cancel(ticket);
    this.#reads.cancel(ticket);
    this.#requests.cancel(ticket);
  }

  snapshot(through: LogIndex, gameSection: Uint8Array): boolean {
    const log = this.#shown;
    const data = log.compose(through, gameSection);
    if (data === undefined || !(log === this.#log ? this.raft.compact(through, data) : this.#feeding?.compact(through, data))) return false;
    log.rebase();
    return true;
  }

  replay(from: LogIndex, max?: number): readonly LogEvent[] {
    return this.#shown.replay(from, max);
  }

  firstIndex(key: DedupKey): LogIndex | undefined {
    return this.#shown.firstIndex(key.clientId, key.requestId);
  }

  image(wallMs: number, withTail = false): Omit<CommittedImage, "groupId"> | undefined {
    const { baseIndex: index, appliedIndex } = this.#shown;
    const source = this.#feeding?.shown?.entries ?? this.raft;
    const through = withTail && source === this.raft ? this.raft.lastIndex : appliedIndex;
    const data = this.#shown.baseData();
    const entries = source.entries(index + 1, through);
    if (entries.length !== through - index) return undefined;
    return { snapshot: data === undefined ? undefined : { index, data, time: entries[0]?.time ?? wallMs }, entries };
  }

  part(): void {
    this.raft.part();
  }

  goodbye(): { readonly to: PeerId; readonly bytes: Uint8Array } | undefined {
    const goodbye = this.raft.goodbye();
    return goodbye === undefined ? undefined : { to: goodbye.to, bytes: encodeFrameOf(this.#header, goodbye.message) };
  }

  receiveGoodbye(from: PeerId, frame: Uint8Array): void {
    if (headerFault(this.#header, frame) !== undefined || !isGoodbye(frame)) return this.#drop("not-a-goodbye");
    this.receive(from, frame);
  }

  hasWork(options?: WorkOptions): boolean {
    return this.#settled.length > 0 || this.#reads.hasFresh || this.#proposals.canSend(this.#road) || this.raft.hasWork(options) || this.#feeding?.hasWork === true;
  }

  takeWork(options?: WorkOptions): ReplicaWork {
    const road = this.#road;
    this.#proposals.flush(road);
    this.#reads.flush(road);
    const work = this.raft.takeWork(options);
    const frames = work.messages.length === 0 ? NO_FRAMES : this.#pack(work.messages);
    const own = this.#apply(this.#log, work);
    const applied = this.#feeding?.shown === undefined ? own : this.#applyFed(this.#feeding);
    for (const result of work.reads) if (this.#feeding?.passOn(result) !== true) this.#reads.answered(result);
    for (const { refused } of work.refusedForwards) this.#proposals.refused(refused);
    this.#reads.release(this.#shown.appliedIndex);
    this.#requests.check(this.raft);
    const feedFrames = this.#feeding === undefined ? NO_FRAMES : this.#feeding.takeFrames();
    const settled = this.#settled.length === 0 ? NO_SETTLED : this.#settled;
    if (settled.length > 0) this.#settled = [];
    return new Turn({ frames, feedFrames, write: work.write, settled }, applied);
  }

  writeDone(id: number): void {
    this.raft.writeDone(id);
  }

  #ticket(): number {
    const ticket = this.#nextTicket;
    this.#nextTicket += 1;
    return ticket;
  }

  #drop(reason: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
  }

  /** A leader vouches for the proposer of what it appends, so it takes a command only from the peer the command names, and only for a lane it knows. */
  #forwardFault(from: PeerId, commands: readonly Uint8Array[]): string | undefined {
    try {
      for (const bytes of commands) {
        const { proposer, lane } = decodeHead(bytes);
        if (proposer !== from) return "forged-proposer";
        if (!this.#lanes.has(lane)) return "unknown-lane";
      }
      return undefined;
    } catch {
      return "malformed-command";
    }
  }

  /** Applies what the machine hands up; the events of it are built when somebody looks at them. */
  #apply(log: AppliedLog, { install, committed }: Pick<Work, "install" | "committed">): Applied | undefined {
    if (install === undefined && committed.length === 0) return undefined;
    return this.#applyTo(log, install === undefined ? undefined : log.install(install.index, install.data), committed);
  }

  /** What this node was fed since; or the end of that, once its own machine holds as much. */
  #applyFed(feeding: Feeding): Applied | undefined {
    if (feeding.mayEnd) {
      const through = this.#shown.appliedIndex;
      return feeding.end() ? { events: () => this.#log.replay(through + 1), isForeign: true } : BEGUN_ANEW;
    }
    const news = feeding.takeNews();
    const applied = news === undefined ? undefined : this.#applyTo(this.#shown, news.installed, news.entries);
    return feeding.takeBegunAnew() ? BEGUN_ANEW : applied;
  }

  #applyTo(log: AppliedLog, installed: InstalledSnapshot | undefined, committed: readonly Entry[]): Applied {
    if (installed !== undefined) this.#proposals.installed(installed.index, (key) => this.firstIndex(key));
    let isForeign = installed !== undefined;
    for (const entry of committed) {
      if (entry.kind !== ENTRY_COMMAND) {
        log.skip(entry.index);
        continue;
      }
      const applied = log.apply(entry);
      if (applied === undefined) continue;
      this.#proposals.committed(entry, applied);
      if (applied.head.proposer !== this.#id) isForeign = true;
    }
    const commands = log.eventsOf(committed);
    return { events: installed === undefined ? commands : () => [installed, ...commands()], isForeign };
  }

  #pack(messages: readonly Addressed[]): ReplicaWork["frames"] {
    return isOnePerPeer(messages) ? this.#packEach(messages) : this.#packTogether(messages);
  }

  /** A frame per message; what a leader says to everybody alike is one frame. */
  #packEach(messages: readonly Addressed[]): ReplicaWork["frames"] {
    const frames: { to: PeerId; bytes: Uint8Array }[] = [];
    let last: Message | undefined;
    let bytes = this.#header;
    for (const { to, message } of messages) {
      if (message !== last) bytes = encodeFrameOf(this.#header, message);
      last = message;
      frames.push({ to, bytes });
    }
    return frames;
  }

  /** One frame per peer and turn where it fits; a snapshot's chunk travels alone, so that what is urgent can overtake it. */
  #packTogether(messages: readonly Addressed[]): ReplicaWork["frames"] {
    const frames: { to: PeerId; bytes: Uint8Array }[] = [];
    const gathered = new Map<PeerId, { size: number; parts: Uint8Array[] }>();
    let lastMessage: Message | undefined;
    let lastBytes: Uint8Array | undefined;
    for (const { to, message } of messages) {
      // A leader often says the same to everybody: encoded once.
      const bytes = message === lastMessage && lastBytes !== undefined ? lastBytes : encodeMessage(message);
      lastMessage = message;
      lastBytes = bytes;
      let batch = gathered.get(to);
      if (batch === undefined) gathered.set(to, (batch = { size: HEADER_BYTES, parts: [] }));
      const size = framedSize(bytes.length);
      if (batch.parts.length > 0 && (batch.size + size > this.#frameBytesMax || message.type === "snapshot-chunk")) {
        frames.push({ to, bytes: encodeFrame(this.#header, batch.parts) });
        batch.size = HEADER_BYTES;
        batch.parts = [];
      }
      batch.size += size;
      batch.parts.push(bytes);
      if (message.type !== "snapshot-chunk") continue;
      frames.push({ to, bytes: encodeFrame(this.#header, batch.parts) });
      gathered.delete(to);
    }
    for (const [to, { parts }] of gathered) if (parts.length > 0) frames.push({ to, bytes: encodeFrame(this.#header, parts) });
    return frames;
  }
}

/** One message alone, by which a leader leaves. */
function isGoodbye(frame: Uint8Array): boolean {
  try {
    const only = onlyMessageAt(frame);
    const type = only === undefined ? undefined : decodeMessageFrom(frame, only).type;
    return type === "parting-grant" || type === "timeout-now";
  } catch {
    return false;
  }
}
