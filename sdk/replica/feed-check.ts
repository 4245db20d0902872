// How who is fed finds out that its parents showed it something else than the others hold, or hold entries back: it compares digests with whoever is connected, and the leader decides.
import { below, bytesEqual, type LogIndex, type PeerId, type Random } from "../base/index.ts";
import type { FeedChecked, FeedMessage } from "./feed-frame.ts";

/** Entries in one comparison at most. */
export const FEED_CHECK_ENTRIES_MAX = 256;
/** Peers that can not compare a range, because they hold it no more, before it is passed over. */
const UNKNOWN_MAX = 3;
/** Differences of the states alone that are acted on: where all entries are the same a further one is a fault of a lane, and nobody's lie. */
const STATE_VERDICTS_MAX = 2;
const NOTHING_DUE = { leader: 0, own: 0 } as const;

/** Digests over what is held here: of a range of entries, and of the lanes' states after it. Empty: not known. */
export interface FeedDigests {
  readonly entries: Uint8Array;
  readonly state: Uint8Array;
}

/** How who is fed compares; times in ticks. */
export interface FeedCheckOptions {
  readonly self: PeerId;
  readonly random: Random;
  /** Between two comparisons. */
  readonly everyTicks: number;
  /** While there is a range nobody was asked about. */
  readonly soonTicks: number;
  /** How long an answer is waited for. */
  readonly patienceTicks: number;
  readonly send: (to: PeerId, message: FeedMessage) => void;
}

/** What is compared. */
export interface FeedHeld {
  readonly applied: LogIndex;
  /** The first entry that is held, or the one after `applied`. */
  readonly first: LogIndex;
  /** Of the entries from `from` to `through`, and of the states after them. */
  digests(from: LogIndex, through: LogIndex): FeedDigests;
}

/** `false`: the leader holds something else; `behind`: the leader was where this node is not yet, one comparison ago; `same`: somebody has the same states. */
export type FeedVerdict = "false" | "behind" | "same" | "open";

interface Open {
  readonly to: PeerId;
  readonly id: number;
  readonly from: LogIndex;
  readonly through: LogIndex;
  readonly own: FeedDigests;
  ticks: number;
}

/** The asking end; one comparison is open at a time. */
export class FeedCheck {
  readonly #options: FeedCheckOptions;
  #open: Open | undefined;
  #id = 0;
  #pause: number;
  /** Compared, or passed over, up to here. */
  #looked: LogIndex = 0;
  #unknown = 0;
  #stateVerdicts = 0;
  /** How far others said they were, at the last comparison. */
  #claimed: LogIndex = 0;
  /** How far the leader was when it last answered, and this node. */
  #due: { readonly leader: LogIndex; readonly own: LogIndex } = NOTHING_DUE;
  /** What somebody else sees differently, for the leader to decide. */
  #appeal: { readonly from: LogIndex; readonly through: LogIndex } | undefined;

  constructor(options: FeedCheckOptions) {
    this.#options = options;
    this.#pause = options.soonTicks;
  }

  /** What is held is something else from now on. */
  restart(): void {
    this.#open = undefined;
    this.#appeal = undefined;
    this.#looked = 0;
    this.#unknown = 0;
    this.#claimed = 0;
    this.#due = NOTHING_DUE;
    this.#pause = this.#options.soonTicks;
  }

  /** A tick passed. */
  tick(): void {
    if (this.#pause > 0) this.#pause -= 1;
    if (this.#open === undefined) return;
    this.#open.ticks += 1;
    if (this.#open.ticks >= this.#options.patienceTicks) this.#open = undefined;
  }

  /** True when `ask` would ask somebody. */
  mayAsk(leader: PeerId | undefined, peers: ReadonlySet<PeerId>): boolean {
    return this.#open === undefined && (this.#pause === 0 || (this.#appeal !== undefined && leader !== undefined && peers.has(leader)));
  }

  /** Compares what comes next with somebody who is connected: with the leader when another one differs, else with anybody. */
  ask(held: FeedHeld, leader: PeerId | undefined, peers: ReadonlySet<PeerId>, parent: PeerId | undefined): void {
    const { self, random, everyTicks, send } = this.#options;
    this.#pause = everyTicks;
    const canDecide = leader !== undefined && leader !== self && peers.has(leader);
    const appeal = canDecide ? this.#appeal : undefined;
    const isBehindOthers = held.applied < this.#claimed;
    // A parent says what it fed: who else is there knows better, and in a large room it is seldom the leader.
    const others = [...peers].filter((peer) => peer !== self && peer !== parent);
    const to = canDecide && (appeal !== undefined || isBehindOthers || others.length === 0) ? leader : others[below(random, Math.max(1, others.length))];
    this.#appeal = undefined;
    if (to === undefined) return;
    const from = appeal?.from ?? Math.max(held.first, Math.min(this.#looked, held.applied - 1) + 1);
    const through = appeal?.through ?? Math.min(held.applied, from + FEED_CHECK_ENTRIES_MAX - 1);
    this.#id += 1;
    this.#open = { to, id: this.#id, from, through, own: held.digests(from, through), ticks: 0 };
    send(to, { type: "check", id: this.#id, from, through });
  }

  /** An answer; undefined when nobody asked for it. */
  answered(from: PeerId, { id, applied, entries, state }: FeedChecked, leader: PeerId | undefined, held: Pick<FeedHeld, "applied">): FeedVerdict | undefined {
    const open = this.#open;
    if (open === undefined || open.to !== from || open.id !== id) return undefined;
    this.#open = undefined;
    const isLeader = from === leader;
    this.#claimed = Math.min(Number.MAX_SAFE_INTEGER, applied);
    const isFalse = differs(open.own.entries, entries);
    const isOtherState = !isFalse && differs(open.own.state, state) && this.#stateVerdicts < STATE_VERDICTS_MAX;
    if (isFalse || isOtherState) {
      if (!isLeader) this.#appeal = { from: open.from, through: open.through };
      else if (isOtherState) this.#stateVerdicts += 1;
      return isLeader ? "false" : "open";
    }
    this.#pass(open, entries.length > 0, held.applied);
    // Whoever has a long log to catch up on gets on, and is not held back.
    const isBehind = isLeader && held.applied < this.#due.leader && held.applied - this.#due.own < FEED_CHECK_ENTRIES_MAX;
    if (isLeader) this.#due = { leader: applied, own: held.applied };
    if (isBehind) return "behind";
    return open.own.state.length > 0 && state.length > 0 ? "same" : "open";
  }

  #pass({ through }: Open, isKnown: boolean, applied: LogIndex): void {
    this.#unknown = isKnown ? 0 : this.#unknown + 1;
    if (this.#unknown >= UNKNOWN_MAX) this.#unknown = 0;
    else if (!isKnown) return;
    this.#looked = Math.max(this.#looked, through);
    if (this.#looked < applied) this.#pause = Math.min(this.#pause, this.#options.soonTicks);
  }
}

function differs(own: Uint8Array, theirs: Uint8Array): boolean {
  return own.length > 0 && theirs.length > 0 && !bytesEqual(own, theirs);
}
