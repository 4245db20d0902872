// One node's part in feeding: gives what is committed here to its children, and, while it is no member, takes what is committed from a parent.
import { bytesEqual, digest64, NO_BYTES, type LogIndex, type PeerId, type Random } from "../base/index.ts";
import { ENTRY_COMMAND, isMember, isWitness, type Entry, type RaftConfig, type RaftMachine, type ReadResult, type Role, type Snapshot } from "../raft/index.ts";
import { AppliedLog } from "./applied-log.ts";
import { FEED_CHECK_ENTRIES_MAX, FeedCheck, type FeedDigests, type FeedHeld } from "./feed-check.ts";
import { FedLog, termIn, type FeedSource } from "./fed-log.ts";
import { FeedChild } from "./feed-child.ts";
import { decodeFeedFrame, digestOfEntries, encodeFeedFrame, type FeedCheckAsk, type FeedMessage, type FeedWay } from "./feed-frame.ts";
import { FeedParent, type FeedDoor } from "./feed-parent.ts";
import { FeedReads } from "./feed-reads.ts";
import { headerFault } from "./frame.ts";
import type { LaneReducer } from "./lane.ts";
import type { InstalledSnapshot } from "./ordered-log.ts";

/** Children of one node by default: a leader's frames to them stay fewer than those to the members of a full group. */
export const FEED_FAN_OUT = 8;
/** What a frame has beside entries, bytes. */
const FRAME_ROOM_BYTES = 1_024;

/** Comparisons answered per tick; who hears nothing asks somebody else. */
const CHECKS_PER_TICK = 4;
/** Between two comparisons, in the shortest election timeouts: some 10 s in the browser preset. */
const CHECK_EVERY = 6;
/** Who fed this node something that is not compared yet; the one that came first is forgotten. */
const FED_BY_MAX = 8;
/** Parents in a row whose feed this build can not apply, before that is taken for a fault of the build and not of the parents. The leader alone is enough. */
const FAULTY_PARENTS = 3;

const NO_FRAMES: readonly never[] = [];

/** How a node takes part in feeding. */
export interface FeedRules {
  /** Who is connected. */
  readonly peers: () => ReadonlySet<PeerId>;
  /** Asked of whoever leads: may this peer, which is no member, be fed, and have its commands taken? */
  readonly admits: (peer: PeerId) => boolean;
  /** Asked everywhere and at any time: this peer is fed no more. */
  readonly refuses: (peer: PeerId) => boolean;
  /** Default {@link FEED_FAN_OUT}. */
  readonly fanOut?: number | undefined;
}

/** What a fed node shows of where it stands; a new object per change. */
export interface FeedStatus {
  /** Undefined while a parent is looked for. */
  readonly parent: PeerId | undefined;
  /** Everything the parent had when it last answered is here. */
  readonly isCaughtUp: boolean;
  /** Parents above, down from the members: 1 is fed by a member. */
  readonly depth: number;
}

/** What the layers above see of a node: its machine, or its feed. */
export type NodeView = Pick<RaftMachine, "role" | "leader" | "term" | "commitIndex" | "membership">;

/** News of a feed, to be applied. */
export interface FedNews {
  readonly installed: InstalledSnapshot | undefined;
  readonly entries: readonly Entry[];
}

export interface FeedingOptions {
  readonly id: PeerId;
  readonly header: Uint8Array;
  readonly frameBytesMax: number;
  readonly config: RaftConfig;
  readonly random: Random;
  readonly lanes: readonly LaneReducer<unknown>[];
  readonly rules: FeedRules;
  readonly raft: RaftMachine;
  /** What the machine committed, applied. */
  readonly own: AppliedLog;
  readonly drop: (reason: string) => void;
  /** Commands of a peer that is fed, for the leader's log. */
  readonly submit: (from: PeerId, commands: readonly Uint8Array[]) => void;
  /** An own read was answered by a leader, or not. */
  readonly read: (result: ReadResult) => void;
}

/** What is shown while this node is fed. */
interface Shown {
  readonly entries: FedLog;
  readonly log: AppliedLog;
}

export class Feeding {
  readonly #options: FeedingOptions;
  readonly #parent: FeedParent;
  readonly #child: FeedChild;
  readonly #door: FeedDoor;
  readonly #reads = new FeedReads();
  readonly #check: FeedCheck;
  readonly #send: (to: PeerId, message: FeedMessage) => void;
  readonly #patienceTicks: number;
  #shown: Shown | undefined;
  #news: Entry[] = [];
  #installed: InstalledSnapshot | undefined;
  /** What is shown was thrown away and begins anew. */
  #isBegunAnew = false;
  #heardCommit: LogIndex | undefined;
  #frames: { to: PeerId; bytes: Uint8Array }[] = [];
  #way: FeedWay;
  #wayText = "";
  #status: FeedStatus = { parent: undefined, isCaughtUp: false, depth: 0 };
  #isServing = false;
  #checksLeft = CHECKS_PER_TICK;
  /** Parents since the last comparison in which everything was the same. */
  readonly #fedBy = new Set<PeerId>();
  /** What `#child.fetched` was at the last comparison. */
  #fetched = 0;
  /** Parents whose feed could not be applied, since one could. */
  readonly #faulty = new Set<PeerId>();
  /** Said by enough of them to be true. */
  #failure: Error | undefined;

  constructor(options: FeedingOptions) {
    const { id, config, rules, frameBytesMax, random } = options;
    const ticks = (ms: number): number => Math.ceil(ms / config.tickMs);
    const holdTicks = ticks(config.electionTimeoutMsMin);
    this.#options = options;
    this.#patienceTicks = holdTicks + ticks(config.electionTimeoutMsMin);
    this.#way = { stamp: random.uint32() + 1, above: [] };
    const send = (to: PeerId, message: FeedMessage): void => void this.#frames.push({ to, bytes: encodeFeedFrame(options.header, message) });
    this.#send = send;
    this.#parent = new FeedParent({
      fanOut: rules.fanOut ?? FEED_FAN_OUT, holdTicks, patienceTicks: this.#patienceTicks,
      entryBytesMax: frameBytesMax - FRAME_ROOM_BYTES, chunkBytesMax: Math.min(config.snapshotChunkBytes, frameBytesMax - FRAME_ROOM_BYTES), send,
    });
    this.#child = new FeedChild({
      self: id, patienceTicks: this.#patienceTicks, pauseTicks: ticks(config.heartbeatMs), snapshotBytesMax: config.snapshotTotalBytesMax, send,
      take: (entries, commit) => this.#take(entries, commit), install: (snapshot) => this.#install(snapshot), differs: () => {
        options.drop("feed-differs");
        this.#beginAnew();
      },
    });
    this.#check = new FeedCheck({ self: id, random, everyTicks: CHECK_EVERY * ticks(config.electionTimeoutMsMin), soonTicks: ticks(config.electionTimeoutMsMin), patienceTicks: this.#patienceTicks, send });
    this.#door = {
      get leads() {
        return options.raft.role === "leader";
      },
      admits: (peer) => !isMember(options.raft.membership, peer) && rules.admits(peer),
      others: () => this.#otherMembers(),
    };
  }

  /** What is shown comes from a feed, as long as the machine of this node does not hold as much of its own. */
  get shown(): Shown | undefined {
    return this.#shown;
  }

  get status(): FeedStatus | undefined {
    return this.#shown === undefined ? undefined : this.#status;
  }

  get children(): readonly PeerId[] {
    return this.#parent.children;
  }

  /** Why nothing more can be applied; undefined while another parent may say otherwise. */
  get failure(): Error | undefined {
    return this.#failure ?? this.#options.own.failure;
  }

  /** Throws away what it was fed, and leaves those it comes from: somebody saw that it is not what the leader has. */
  anew(guilty: Iterable<PeerId> = this.#fedBy): void {
    if (this.#shown === undefined) return;
    const { asked } = this.#child;
    for (const peer of new Set([...guilty, ...(asked === undefined ? [] : [asked])])) this.#child.avoid(peer);
    this.#child.leaveParent();
    this.#beginAnew();
  }

  /** Begins to be fed, with `leader` to ask first; undefined: asks nobody new. */
  set root(leader: PeerId | undefined) {
    this.#child.root = leader === this.#options.id ? undefined : leader;
  }

  tick(): void {
    const { rules } = this.#options;
    const peers = rules.peers();
    for (const lost of this.#reads.tick(this.#patienceTicks)) this.#options.read(lost);
    this.#parent.tick(peers, rules.refuses);
    this.#checksLeft = CHECKS_PER_TICK;
    if (this.#wants) {
      this.#child.tick(peers);
      this.#check.tick();
    } else if (this.#child.parent !== undefined) this.#child.stop();
    this.#isServing ||= this.#wants || this.#parent.isBusy;
  }

  /** Never throws. */
  receive(from: PeerId, frame: Uint8Array): void {
    const fault = headerFault(this.#options.header, frame);
    if (fault !== undefined) return this.#options.drop(`feed-${fault}`);
    let message: FeedMessage;
    try {
      message = decodeFeedFrame(frame);
    } catch {
      return this.#options.drop("feed-malformed");
    }
    this.#hear(from, message);
  }

  #hear(from: PeerId, message: FeedMessage): void {
    const { raft, rules, drop, submit } = this.#options;
    switch (message.type) {
      case "ask":
        this.#isServing = true;
        return rules.refuses(from) ? drop("feed-refused") : this.#parent.ask(from, message, this.#door);
      case "leave":
        this.#isServing = true;
        // Who may be fed is the leader's word, handed down along the tree.
        return from === raft.leader || from === this.#child.parent || from === this.#child.root ? this.#parent.leave(message.peer, this.#door) : drop("feed-forged-leave");
      case "submit":
        return this.#serves(from) ? submit(from, message.commands) : drop("feed-not-taken");
      case "read":
        return this.#serves(from) && this.#reads.askFor(raft, from, message.id) ? undefined : drop("feed-not-taken");
      case "read-reply": {
        const result = from === this.#child.root ? this.#reads.answered(message.id, message.index) : undefined;
        return result === undefined ? drop("feed-unasked") : this.#options.read(result);
      }
      case "check":
        return rules.refuses(from) || this.#checksLeft === 0 ? drop("feed-not-taken") : this.#compare(from, message);
      case "checked": {
        const verdict = this.#shown === undefined ? undefined : this.#check.answered(from, message, this.#child.root, { applied: this.#shown.entries.applied });
        if (verdict === undefined) return drop("feed-unasked");
        if (verdict === "false") return this.#foundFalse();
        if (verdict === "behind") return this.#foundBehind();
        if (verdict === "same") {
          this.#fedBy.clear();
          this.#faulty.clear();
        }
        return undefined;
      }
      case "entries":
      case "chunk":
      case "elsewhere":
      case "differs":
        if (!this.#child.answered(from, message, rules.peers())) drop("feed-unasked");
    }
  }

  #compare(to: PeerId, { id, from, through }: FeedCheckAsk): void {
    this.#checksLeft -= 1;
    const { own } = this.#options;
    const [source, log] = this.#shown === undefined ? [this.#ownSource(), own] : [this.#shown.entries, this.#shown.log];
    this.#send(to, { type: "checked", id, applied: source.applied, ...digestsOf(source, log, from, through) });
  }

  #foundFalse(): void {
    this.#options.drop("feed-false");
    this.anew();
  }

  #foundBehind(): void {
    // Who fetches a snapshot gets on without getting further.
    const fetched = this.#child.fetched - this.#fetched;
    this.#fetched = this.#child.fetched;
    if (fetched >= this.#options.config.snapshotChunkBytes) return;
    const { asked } = this.#child;
    if (asked === undefined) return;
    this.#options.drop("feed-behind");
    this.#child.avoid(asked);
  }

  /** This node leads, and `from` is of the audience. */
  #serves(from: PeerId): boolean {
    return this.#door.leads && this.#door.admits(from) && !this.#options.rules.refuses(from);
  }

  /** An answer of the machine to a read that was asked for somebody else is passed on; false: it is this node's own. */
  passOn(result: ReadResult): boolean {
    const asker = this.#reads.takeAnswer(result);
    if (asker === undefined) return false;
    this.#send(asker.to, { type: "read-reply", id: asker.id, index: result.index ?? 0 });
    return true;
  }

  /** No member, as far as its own machine knows and hears: there is nobody it gets entries from. */
  get #wants(): boolean {
    return (this.#child.root !== undefined || this.#child.parent !== undefined) && this.#failure === undefined && !this.#isSupplied;
  }

  get #isSupplied(): boolean {
    const { raft, id } = this.#options;
    return raft.leader !== undefined && isMember(raft.membership, id);
  }

  get hasWork(): boolean {
    return this.#frames.length > 0 || this.#news.length > 0 || this.#installed !== undefined || this.#isBegunAnew || this.#isServing || this.mayEnd || (this.#wants && (this.#child.mayAsk(this.#options.rules.peers()) || this.#mayCheck));
  }

  get #mayCheck(): boolean {
    // Also while there is nothing but the beginning of a snapshot: its parent may never send the rest.
    return (this.#shown !== undefined || this.#child.parent !== undefined) && this.#shown?.log.failure === undefined && this.#check.mayAsk(this.#child.root, this.#options.rules.peers());
  }

  /** Neither fed nor feeding, as most nodes are: then a turn costs nothing here. */
  get #isIdle(): boolean {
    return this.#shown === undefined && !this.#isServing && !this.#parent.isBusy && this.#frames.length === 0 && !this.#wants;
  }

  /** The own machine holds what is shown, and more comes to it by itself. */
  get mayEnd(): boolean {
    return this.#shown !== undefined && this.#isSupplied && this.#options.own.appliedIndex >= this.#shown.log.appliedIndex && this.#options.own.appliedIndex > 0;
  }

  /** Shows the machine's own log from now on. True when everything shown so far is certain to be the same. */
  end(): boolean {
    const shown = this.#shown;
    // A snapshot that was taken in and not handed up: whoever follows still stands before it.
    const isAhead = this.#installed !== undefined;
    const isBegunAnew = this.takeBegunAnew();
    this.#shown = undefined;
    this.#news = [];
    this.#installed = undefined;
    this.#child.stop();
    this.#heardCommit = undefined;
    this.#failure = undefined;
    this.#faulty.clear();
    this.#fedBy.clear();
    this.#check.restart();
    return shown === undefined || (!isBegunAnew && !isAhead && this.#isSameAsOwn(shown));
  }

  /** Whatever came since the last call, applied by the caller; undefined when nothing did. */
  takeNews(): FedNews | undefined {
    if (this.#news.length === 0 && this.#installed === undefined) return undefined;
    const news = { installed: this.#installed, entries: this.#news };
    this.#news = [];
    this.#installed = undefined;
    return news;
  }

  /** True once after what was shown turned out to be something else than what others hold. */
  takeBegunAnew(): boolean {
    const isBegunAnew = this.#isBegunAnew;
    this.#isBegunAnew = false;
    return isBegunAnew;
  }

  /** Questions and answers that can leave now. To be called when everything that came is applied. */
  takeFrames(): readonly { readonly to: PeerId; readonly bytes: Uint8Array }[] {
    if (this.#isIdle) return NO_FRAMES;
    this.#lookForFailure();
    if (this.#wants && this.#mayCheck) this.#check.ask(this.#held(), this.#child.root, this.#options.rules.peers(), this.#child.parent);
    if (this.#wants && this.#child.mayAsk(this.#options.rules.peers())) this.#child.ask(this.#place());
    this.#look();
    this.#isServing = false;
    this.#parent.serve(this.#source(), this.#way);
    const frames = this.#frames;
    if (frames.length > 0) this.#frames = [];
    return frames;
  }

  /** Entries were taken that this build can not apply. One parent may have made them up. */
  #lookForFailure(): void {
    const failure = this.#shown?.log.failure;
    if (failure === undefined || this.#failure !== undefined) return;
    if (!this.#isBelieved(failure)) this.anew([]);
  }

  /** True when the leader itself feeds this node, or several parents said the same; else their feed is thrown away. */
  #isBelieved(failure: Error): boolean {
    const { asked, root } = this.#child;
    this.#options.drop("feed-not-applied");
    if (asked !== undefined) this.#faulty.add(asked);
    if ((asked !== undefined && asked === root) || this.#faulty.size >= FAULTY_PARENTS) this.#failure = failure;
    return this.#failure !== undefined;
  }

  #held(): FeedHeld {
    const { entries, log } = this.#begin();
    return { applied: entries.applied, first: entries.first, digests: (from, through) => digestsOf(entries, log, from, through) };
  }

  /** Shows and gives no more than `through`, for which the layers above made `data`. */
  compact(through: LogIndex, data: Uint8Array): boolean {
    return this.#shown?.entries.compact(through, data) === true;
  }

  /** What the layers above see while this node is fed. */
  get view(): NodeView {
    const { raft } = this.#options;
    if (this.#shown === undefined) return raft;
    const { entries } = this.#shown;
    return { role: roleOf(raft), leader: this.#child.parent === undefined ? undefined : this.#child.root, term: entries.lastTerm, commitIndex: entries.applied, membership: entries.membership };
  }

  /** The way of commands to the leader while this node is fed. */
  get road(): Pick<RaftMachine, "leader" | "term" | "propose" | "forward" | "readIndex"> {
    const { root } = this.#child;
    return {
      leader: root,
      term: 0,
      propose: () => ({ refused: "not-leader" }),
      forward: (commands) => {
        if (root === undefined) return false;
        this.#send(root, { type: "submit", commands });
        return true;
      },
      readIndex: (id) => {
        this.#reads.asked(id);
        if (root !== undefined) this.#send(root, { type: "read", id });
      },
    };
  }

  /** The leader can be handed commands although the machine knows none. */
  get hasRoad(): boolean {
    return this.#shown !== undefined && !this.#isSupplied;
  }

  #place(): { readonly next: LogIndex; readonly prevTerm: number } {
    const source = this.#shown?.entries ?? this.#ownSource();
    return { next: source.applied + 1, prevTerm: termIn(source, source.applied) ?? 0 };
  }

  #ownSource(): FeedSource {
    const { raft, own } = this.#options;
    return { applied: own.appliedIndex, snapshot: raft.snapshot, entries: (from, through) => raft.entries(from, through) };
  }

  /** What children are given: a member's own log, or what this node is fed, unless it has lost its place for long. */
  #source(): FeedSource | undefined {
    const { raft, id } = this.#options;
    if (this.#shown === undefined) return isMember(raft.membership, id) ? this.#ownSource() : undefined;
    return this.#child.orphanTicks > this.#patienceTicks && !this.#isSupplied ? undefined : this.#shown.entries;
  }

  #otherMembers(): readonly PeerId[] {
    const { raft: { membership: { voters, learners } }, id, rules } = this.#options;
    const peers = rules.peers();
    return [...voters, ...learners].filter((peer) => peer !== id && peers.has(peer) && !isWitness(peer));
  }

  /** Begins to show a feed: after everything this node holds by itself. */
  #begin(): Shown {
    if (this.#shown !== undefined) return this.#shown;
    const { lanes } = this.#options;
    const own = this.#ownSource();
    const entries = new FedLog();
    const log = new AppliedLog(lanes, (from, through) => entries.entries(from, through));
    if (own.snapshot !== undefined && own.snapshot.index <= own.applied) {
      entries.reset(own.snapshot);
      log.install(own.snapshot.index, own.snapshot.data);
    }
    for (const entry of own.entries(entries.applied + 1, own.applied)) {
      // A snapshot that the machine took in and has not handed up yet stands where its entries were: then this begins with nothing.
      if (!entries.append(entry)) break;
      if (entry.kind === ENTRY_COMMAND) log.apply(entry);
      else log.skip(entry.index);
    }
    // Whoever follows was given more than is shown now.
    if (entries.applied < this.#options.own.appliedIndex) this.#isBegunAnew = true;
    this.#check.restart();
    this.#shown = { entries, log };
    return this.#shown;
  }

  #take(entries: readonly Entry[], commit: LogIndex): boolean {
    const { entries: held } = this.#begin();
    // It answers what was asked when more was shown.
    if (this.#isBegunAnew) return true;
    this.#isFedBy();
    for (const entry of entries) {
      if (entry.index <= held.applied) continue;
      // Whoever sends what can not be is not believed any further.
      if (!held.append(entry)) {
        this.#options.drop("feed-bad-entries");
        return false;
      }
      this.#news.push(entry);
    }
    this.#heardCommit = commit;
    return true;
  }

  #install(snapshot: Snapshot): boolean {
    const { entries } = this.#begin();
    if (snapshot.index <= entries.applied) return true;
    this.#isFedBy();
    // Tried apart: its digest is its sender's own, so what is shown stays as it is until this was found to be one.
    const log = new AppliedLog(this.#options.lanes, (from, through) => entries.entries(from, through));
    const installed = log.install(snapshot.index, snapshot.data);
    if (installed === undefined) return log.failure !== undefined && this.#isBelieved(log.failure);
    entries.reset(snapshot);
    this.#shown = { entries, log };
    this.#news = [];
    this.#installed = installed;
    return true;
  }

  #isFedBy(): void {
    const { asked } = this.#child;
    if (asked === undefined) return;
    this.#fedBy.delete(asked);
    this.#fedBy.add(asked);
    for (const first of this.#fedBy) if (this.#fedBy.size > FED_BY_MAX) this.#fedBy.delete(first);
  }

  /** Another holds something else at the same place: nothing of what is shown can be relied on. */
  #beginAnew(): void {
    if (this.#shown === undefined) return;
    this.#check.restart();
    this.#fedBy.clear();
    const entries = new FedLog();
    this.#shown = { entries, log: new AppliedLog(this.#options.lanes, (from, through) => entries.entries(from, through)) };
    this.#news = [];
    this.#installed = undefined;
    this.#heardCommit = undefined;
    this.#isBegunAnew = true;
  }

  #isSameAsOwn({ entries, log }: Shown): boolean {
    const { own, raft } = this.#options;
    if (own.baseIndex !== log.baseIndex || !isSame(own.baseData(), log.baseData())) return false;
    const [mine, fed] = [raft.entries(own.baseIndex + 1, entries.applied), entries.entries(own.baseIndex + 1, entries.applied)];
    return mine.length === fed.length && mine.every((entry, at) => {
      const other = fed[at];
      return other?.term === entry.term && other.kind === entry.kind && other.time === entry.time && bytesEqual(other.data, entry.data);
    });
  }

  /** Where this node stands, and what its children are told of it. */
  #look(): void {
    const { above, parent } = this.#child;
    const isCaughtUp = parent !== undefined && this.#heardCommit !== undefined && this.#shown !== undefined && this.#shown.log.appliedIndex >= this.#heardCommit;
    if (this.#status.parent !== parent || this.#status.isCaughtUp !== isCaughtUp || this.#status.depth !== above.length) this.#status = { parent, isCaughtUp, depth: above.length };
    const text = above.join(" ");
    if (text === this.#wayText) return;
    this.#wayText = text;
    this.#way = { stamp: this.#way.stamp + 1, above };
  }
}

/** What is compared, as far as it is held: every entry of the range, and the states where they are those after it. */
function digestsOf(source: FeedSource, log: AppliedLog, from: LogIndex, through: LogIndex): FeedDigests {
  const isAsked = through <= source.applied && through - from < FEED_CHECK_ENTRIES_MAX;
  const entries = isAsked && from <= through ? source.entries(from, through) : [];
  const isWhole = entries.length > 0 && entries[0]?.index === from && entries.length === through - from + 1;
  const isStateAt = log.appliedIndex === through && source.applied === through && through > 0;
  return { entries: isWhole ? digestOfEntries(entries) : NO_BYTES, state: isStateAt ? digest64(log.image()) : NO_BYTES };
}

function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : bytesEqual(a, b);
}

/** Who is fed learns, whatever an old log of its own says. */
function roleOf({ role }: RaftMachine): Role {
  return role === "leader" ? role : "learner";
}

