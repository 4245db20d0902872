// The taking end of a feed: whom to ask, when to ask again, where to go when nobody answers. At most one question is open.
import { bytesEqual, concatBytes, digest64, type LogIndex, type PeerId, type Term } from "../base/index.ts";
import type { Entry, Snapshot } from "../raft/index.ts";
import { FEED_DEPTH_MAX, type FeedChunk, type FeedEntries, type FeedMessage, type FeedWay } from "./feed-frame.ts";

/** Unanswered questions after which a parent counts as lost. */
const MISSES_MAX = 2;
/** What is reported of failed attempts at most: it is for choosing somebody else, not for counting. */
const TRIES_MAX = 255;
/** Peers this node is not fed by for a while at most; the one that was named first is forgotten. */
const AVOIDED_MAX = 16;
/** For how long, in times its patience: a liar lies on, and who was only deceived itself has found out by then. */
const AVOIDED_FOR = 20;

/** Where the child's log ends. */
export interface FeedPlace {
  readonly next: LogIndex;
  readonly prevTerm: Term;
}

/** How a child works; times in ticks. */
export interface FeedChildOptions {
  readonly self: PeerId;
  /** How long an answer is waited for. */
  readonly patienceTicks: number;
  /** After an attempt that failed. */
  readonly pauseTicks: number;
  readonly snapshotBytesMax: number;
  readonly send: (to: PeerId, message: FeedMessage) => void;
  /** Takes entries at the end of the log. False: they can not stand there. */
  readonly take: (entries: readonly Entry[], commit: LogIndex) => boolean;
  readonly install: (snapshot: Snapshot) => boolean;
  /** What is held here is not what others hold. */
  readonly differs: () => void;
}

/** One node's place in the tree of feeds. */
export class FeedChild {
  readonly #options: FeedChildOptions;
  #root: PeerId | undefined;
  /** Who is being asked: the parent, or somebody this node was sent to. */
  #at: PeerId | undefined;
  #isFed = false;
  #isOpen = false;
  #seq = 0;
  #waited = 0;
  #misses = 0;
  #pause = 0;
  #tries = 0;
  #hops = 0;
  #orphanTicks = 0;
  #way: FeedWay = { stamp: 0, above: [] };
  /** Not to be fed by, for so many ticks. */
  readonly #avoided = new Map<PeerId, number>();
  /** Bytes of snapshots that came. */
  #fetched = 0;
  #incoming: { readonly chunk: FeedChunk; readonly parts: Uint8Array[]; held: number } | undefined;

  constructor(options: FeedChildOptions) {
    this.#options = options;
  }

  /** Who feeds this node now. */
  get parent(): PeerId | undefined {
    return this.#isFed ? this.#at : undefined;
  }

  /** Whom the open question went to, or the last one. */
  get asked(): PeerId | undefined {
    return this.#at;
  }

  /** The parents above, nearest to the members first, with the own one at the end. */
  get above(): readonly PeerId[] {
    return this.parent === undefined ? [] : [...this.#way.above, this.parent];
  }

  /** Bytes of snapshots that came so far: a child that fetches one is not further, and still gets on. */
  get fetched(): number {
    return this.#fetched;
  }

  /** Ticks since somebody fed this node. */
  get orphanTicks(): number {
    return this.#orphanTicks;
  }

  /** Whom to begin with: the leader. Undefined: nobody new is asked. */
  set root(root: PeerId | undefined) {
    this.#root = root;
  }

  get root(): PeerId | undefined {
    return this.#root;
  }

  /** Is not fed by this peer for a while, and leaves it when it is the parent. The leader is believed. */
  avoid(peer: PeerId): void {
    if (peer !== this.#root) {
      this.#avoided.delete(peer);
      this.#avoided.set(peer, AVOIDED_FOR * this.#options.patienceTicks);
      for (const oldest of this.#avoided.keys()) if (this.#avoided.size > AVOIDED_MAX) this.#avoided.delete(oldest);
    }
    if (peer === this.#at) this.leaveParent();
  }

  /** Looks for another parent; what came of a snapshot is thrown away. */
  leaveParent(): void {
    this.#incoming = undefined;
    this.#lose(this.#options.pauseTicks);
  }

  /** Leaves its parent; begins at the root when it asks again. */
  stop(): void {
    this.#lose(0);
    this.#tries = 0;
    this.#orphanTicks = 0;
  }

  /** A tick passed. */
  tick(peers: ReadonlySet<PeerId>): void {
    this.#orphanTicks = this.parent === undefined ? this.#orphanTicks + 1 : 0;
    if (this.#pause > 0) this.#pause -= 1;
    for (const [peer, ticks] of this.#avoided) {
      if (ticks > 1) this.#avoided.set(peer, ticks - 1);
      else this.#avoided.delete(peer);
    }
    if (this.#at !== undefined && !peers.has(this.#at)) return this.#lose(0);
    if (!this.#isOpen) return;
    this.#waited += 1;
    if (this.#waited < this.#options.patienceTicks) return;
    this.#isOpen = false;
    this.#misses += 1;
    if (this.#misses >= MISSES_MAX) this.#lose(this.#options.pauseTicks);
  }

  /** True when `ask` would ask. */
  mayAsk(peers: ReadonlySet<PeerId>): boolean {
    const to = this.#at ?? this.#root;
    return !this.#isOpen && this.#pause === 0 && to !== undefined && to !== this.#options.self && peers.has(to);
  }

  /** Asks for what comes next. */
  ask({ next, prevTerm }: FeedPlace): void {
    const to = this.#at ?? this.#root;
    if (to === undefined) return;
    this.#at = to;
    this.#seq += 1;
    this.#isOpen = true;
    this.#waited = 0;
    const { chunk, held = 0 } = this.#incoming ?? {};
    this.#options.send(to, { type: "ask", seq: this.#seq, next, prevTerm, snapshot: chunk?.index ?? 0, offset: held, way: this.#way.stamp, tries: this.#tries });
  }

  /** An answer. False: nobody asked for it. */
  answered(from: PeerId, message: Extract<FeedMessage, { readonly seq: number }>, peers: ReadonlySet<PeerId>): boolean {
    if (!this.#isOpen || from !== this.#at || message.seq !== this.#seq) return false;
    this.#isOpen = false;
    this.#misses = 0;
    if (message.type === "entries") this.#entries(message);
    else if (message.type === "chunk") this.#chunk(message);
    else if (message.type === "elsewhere") this.#elsewhere(message.to, peers);
    else if (message.type === "differs") {
      this.#options.differs();
      this.avoid(from);
    }
    return true;
  }

  #entries({ entries, commit, way }: FeedEntries): void {
    if (way !== undefined) this.#way = way;
    const isBelowItself = this.#way.above.includes(this.#options.self) || this.#way.above.length >= FEED_DEPTH_MAX;
    if (isBelowItself) return this.#lose(this.#options.pauseTicks);
    if (!this.#options.take(entries, commit)) return this.#refuse();
    if (entries.length > 0) this.#incoming = undefined;
    return this.#fed();
  }

  #fed(): void {
    this.#isFed = true;
    this.#tries = 0;
    this.#hops = 0;
  }

  #chunk(chunk: FeedChunk): void {
    const { snapshotBytesMax, install } = this.#options;
    if (chunk.index < 1 || chunk.term < 1 || chunk.total > snapshotBytesMax || chunk.offset + chunk.bytes.length > chunk.total || chunk.bytes.length === 0) return this.#refuse();
    const known = this.#incoming;
    const isSame = known?.chunk.index === chunk.index && known.chunk.total === chunk.total && bytesEqual(known.chunk.digest, chunk.digest);
    const incoming = known !== undefined && isSame ? known : { chunk, parts: [], held: 0 };
    this.#incoming = incoming;
    if (chunk.offset === incoming.held) {
      incoming.parts.push(chunk.bytes.slice());
      incoming.held += chunk.bytes.length;
      this.#fetched += chunk.bytes.length;
    }
    this.#isFed = true;
    if (incoming.held < chunk.total) return;
    this.#incoming = undefined;
    const data = concatBytes(...incoming.parts);
    const { index, term, time, membership } = incoming.chunk;
    if (!bytesEqual(digest64(data), chunk.digest) || !install({ index, term, time, membership, data })) return this.#refuse();
    this.#fed();
  }

  /** What came can not be: whoever sent it is not asked again for a while. */
  #refuse(): void {
    if (this.#at !== undefined) this.avoid(this.#at);
  }

  #elsewhere([to]: readonly PeerId[], peers: ReadonlySet<PeerId>): void {
    this.#hops += 1;
    if (to === undefined || to === this.#options.self || this.#avoided.has(to) || !peers.has(to) || this.#hops > FEED_DEPTH_MAX) return this.#lose(this.#options.pauseTicks);
    this.#lose(0);
    this.#tries -= 1;
    this.#at = to;
  }

  /** Back to the top, after a pause. */
  #lose(pauseTicks: number): void {
    if (this.#at === this.#root || pauseTicks > 0) this.#hops = 0;
    this.#at = undefined;
    this.#isFed = false;
    this.#isOpen = false;
    this.#misses = 0;
    this.#pause = pauseTicks;
    this.#tries = Math.min(TRIES_MAX, this.#tries + 1);
    this.#way = { stamp: 0, above: [] };
  }
}
