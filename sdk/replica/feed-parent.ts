// The giving end of feeds: a bounded number of children, one open question each, answered out of what is committed here. Who is full leads on.
import { digest64, type PeerId } from "../base/index.ts";
import type { Entry, Snapshot } from "../raft/index.ts";
import { termIn, type FeedSource } from "./fed-log.ts";
import { FEED_ENTRIES_MAX, type FeedAsk, type FeedMessage, type FeedWay } from "./feed-frame.ts";

/** Peers at the door: let in and not come yet, or come and not let in yet. More of either wait no longer. */
const DOOR_MAX = 64;
/** What an entry takes in an answer beside its bytes, at most. */
const ENTRY_BYTES_MAX = 24;

interface Child {
  /** Its open question. */
  ask: FeedAsk | undefined;
  /** Ticks since the question came, or since it was answered. */
  ticks: number;
}

/** How a parent works; times in ticks. */
export interface FeedParentOptions {
  /** Children at most. */
  readonly fanOut: number;
  /** A question is answered after this long, if only with nothing. */
  readonly holdTicks: number;
  /** A child that asks nothing for this long is none any more. */
  readonly patienceTicks: number;
  readonly entryBytesMax: number;
  readonly chunkBytesMax: number;
  readonly send: (to: PeerId, message: FeedMessage) => void;
}

/** Who may come, as the one at the door sees it. */
export interface FeedDoor {
  /** This node leads: it decides who is fed, and nobody else does. */
  readonly leads: boolean;
  /** Asked of a leader. */
  admits(peer: PeerId): boolean;
  /** Members a leader can send somebody to, other than itself. */
  others(): readonly PeerId[];
}

/** One node's children. */
export class FeedParent {
  readonly #options: FeedParentOptions;
  readonly #children = new Map<PeerId, Child>();
  /** Let in by who may do that, and not come yet. */
  readonly #leaves = new Map<PeerId, number>();
  /** Come, and not let in yet: the leave may be on its way. */
  readonly #knocks = new Map<PeerId, { readonly ask: FeedAsk; ticks: number }>();
  #turn = 0;
  #digestOf: Snapshot | undefined;
  #digest: Uint8Array = new Uint8Array(0);

  constructor(options: FeedParentOptions) {
    this.#options = options;
  }

  /** Who is fed from here. */
  get children(): readonly PeerId[] {
    return [...this.#children.keys()];
  }

  /** There is somebody to look after. */
  get isBusy(): boolean {
    return this.#children.size + this.#leaves.size + this.#knocks.size > 0;
  }

  /** A question: kept until `serve`, or answered with where to go. */
  ask(from: PeerId, ask: FeedAsk, door: FeedDoor): void {
    const child = this.#children.get(from);
    if (child !== undefined) {
      child.ask = ask;
      child.ticks = 0;
      return;
    }
    if (door.leads ? !door.admits(from) : !this.#leaves.has(from)) return this.#knock(from, ask, door.leads);
    const others = door.leads ? door.others().filter((peer) => peer !== from) : [];
    if (ask.tries >= others.length && this.#children.size < this.#options.fanOut) {
      this.#leaves.delete(from);
      this.#children.set(from, { ask, ticks: 0 });
      return;
    }
    const below = [...others, ...(ask.tries < others.length ? [] : this.#children.keys())];
    const to = below[this.#turn % Math.max(1, below.length)];
    this.#turn += 1;
    if (to !== undefined) this.#options.send(to, { type: "leave", peer: from });
    this.#options.send(from, { type: "elsewhere", seq: ask.seq, to: to === undefined ? [] : [to] });
  }

  /** Who may say so says that `peer` may be fed here. */
  leave(peer: PeerId, door: FeedDoor): void {
    if (this.#leaves.size >= DOOR_MAX && !this.#leaves.has(peer)) return;
    this.#leaves.set(peer, 0);
    const knock = this.#knocks.get(peer);
    this.#knocks.delete(peer);
    if (knock !== undefined) this.ask(peer, knock.ask, door);
  }

  /** Answers whatever can be answered; without a source every child is sent away. */
  serve(source: FeedSource | undefined, way: FeedWay): void {
    for (const [peer, child] of this.#children) {
      if (child.ask === undefined) continue;
      if (source === undefined) {
        this.#children.delete(peer);
        this.#options.send(peer, { type: "elsewhere", seq: child.ask.seq, to: [] });
        continue;
      }
      const answer = this.#answer(source, child.ask, child.ticks >= this.#options.holdTicks, way);
      if (answer === undefined) continue;
      child.ask = undefined;
      child.ticks = 0;
      this.#options.send(peer, answer);
    }
  }

  /** A tick passed: forgets who went, is `refused`, or does not ask any more. */
  tick(peers: ReadonlySet<PeerId>, refuses: (peer: PeerId) => boolean): void {
    const { patienceTicks, send } = this.#options;
    for (const [peer, child] of this.#children) {
      child.ticks += 1;
      const isRefused = refuses(peer);
      if (isRefused) send(peer, { type: "elsewhere", seq: child.ask?.seq ?? 0, to: [] });
      if (isRefused || !peers.has(peer) || (child.ask === undefined && child.ticks > patienceTicks)) this.#children.delete(peer);
    }
    for (const [peer, ticks] of this.#leaves) {
      if (ticks > patienceTicks || !peers.has(peer) || refuses(peer)) this.#leaves.delete(peer);
      else this.#leaves.set(peer, ticks + 1);
    }
    for (const [peer, knock] of this.#knocks) {
      knock.ticks += 1;
      if (knock.ticks <= this.#options.holdTicks && peers.has(peer)) continue;
      this.#knocks.delete(peer);
      send(peer, { type: "elsewhere", seq: knock.ask.seq, to: [] });
    }
  }

  #knock(from: PeerId, ask: FeedAsk, isRefused: boolean): void {
    if (isRefused || (this.#knocks.size >= DOOR_MAX && !this.#knocks.has(from))) return this.#options.send(from, { type: "elsewhere", seq: ask.seq, to: [] });
    this.#knocks.set(from, { ask, ticks: 0 });
  }

  #answer(source: FeedSource, ask: FeedAsk, isLate: boolean, way: FeedWay): FeedMessage | undefined {
    const { seq, next, prevTerm } = ask;
    const news = ask.way === way.stamp ? undefined : way;
    const mine = next - 1 <= source.applied ? termIn(source, next - 1) : undefined;
    if (mine !== undefined && mine !== prevTerm) return { type: "differs", seq };
    if (next > source.applied) return isLate || news !== undefined ? { type: "entries", seq, commit: source.applied, entries: [], way: news } : undefined;
    const held = source.entries(next, Math.min(source.applied, next + FEED_ENTRIES_MAX - 1));
    if (held[0]?.index !== next) return this.#chunk(source.snapshot, ask);
    return { type: "entries", seq, commit: source.applied, entries: this.#fitting(held), way: news };
  }

  /** As many as fit one frame; a single larger one goes alone. */
  #fitting(entries: readonly Entry[]): readonly Entry[] {
    let bytes = 0;
    let count = 0;
    for (const { data } of entries) {
      bytes += data.length + ENTRY_BYTES_MAX;
      if (count > 0 && bytes > this.#options.entryBytesMax) break;
      count += 1;
    }
    return count === entries.length ? entries : entries.slice(0, count);
  }

  /** The next part of the snapshot; undefined while there is none that reaches far enough. */
  #chunk(snapshot: Snapshot | undefined, { seq, next, snapshot: known, offset: held }: FeedAsk): FeedMessage | undefined {
    if (snapshot === undefined || snapshot.index < next) return undefined;
    const { index, term, time, membership, data } = snapshot;
    const offset = known === index && held < data.length ? held : 0;
    return { type: "chunk", seq, index, term, time, membership, total: data.length, digest: this.#digestFor(snapshot), offset, bytes: data.subarray(offset, offset + this.#options.chunkBytesMax) };
  }

  #digestFor(snapshot: Snapshot): Uint8Array {
    if (this.#digestOf !== snapshot) {
      this.#digest = digest64(snapshot.data);
      this.#digestOf = snapshot;
    }
    return this.#digest;
  }
}
