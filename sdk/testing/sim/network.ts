// The wires between peers: every directed link has its own delay, loss, duplication and blockage. Knows nothing of what it carries.
import { fraction, type PeerId, type Random } from "../../base/index.ts";
import type { Message } from "../../raft/index.ts";
import { chance } from "./draw.ts";
import type { EventQueue } from "./event-queue.ts";
import type { SimPlan } from "./plan.ts";

const SECOND = 1_000_000;

/** What a blocked channel holds back at most; a real link would have failed long before. */
const HELD_FRAMES_MAX = 2_000;

/** Frames one link may carry within one simulated second before the run counts as a message storm (E1, L7). */
const STORM_FRAMES_PER_SECOND = 20_000;

/** What travels: bytes, between two identities the channel vouches for. */
export interface SimFrame {
  readonly from: PeerId;
  readonly to: PeerId;
  readonly bytes: Uint8Array;
  /** What the bytes say, for the observer only. */
  readonly messages: readonly Message[];
}

interface Link {
  /** Partitions that currently forbid this direction; several may overlap. */
  blocks: number;
  /** Raised by a reset: what was under way before is lost. */
  epoch: number;
  /** Channel mode: when the last frame under way arrives. */
  lastArrival: number;
  held: SimFrame[];
  second: number;
  framesThisSecond: number;
}

/** What happened on the wires. */
export interface NetworkCounts {
  sent: number;
  delivered: number;
  lost: number;
  duplicated: number;
  late: number;
  blocked: number;
  storms: number;
}

/** Between `size` peers, numbered from 0. */
export class SimNetwork {
  readonly counts: NetworkCounts = { sent: 0, delivered: 0, lost: 0, duplicated: 0, late: 0, blocked: 0, storms: 0 };
  /** Latency is multiplied by this while links are slow. */
  slowness = 1;
  /**
   * False once everything is healed: no loss, no duplicates, and late frames that are still under way never arrive. Heartbeats from seconds
   * ago would keep followers loyal to a leader that stepped down since, and no election could be judged by its duration.
   */
  noisy = true;
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #plan: SimPlan["network"];
  readonly #links: Link[][];
  readonly #deliver: (to: number, frame: SimFrame) => void;

  constructor(size: number, options: { queue: EventQueue; random: Random; plan: SimPlan["network"]; deliver: (to: number, frame: SimFrame) => void }) {
    this.#queue = options.queue;
    this.#random = options.random;
    this.#plan = options.plan;
    this.#deliver = options.deliver;
    this.#links = Array.from({ length: size }, () =>
      Array.from({ length: size }, () => ({ blocks: 0, epoch: 0, lastArrival: 0, held: [], second: 0, framesThisSecond: 0 })));
  }

  /** Takes a frame; it may arrive later, twice, or never. */
  send(from: number, to: number, frame: SimFrame): void {
    const link = this.#link(from, to);
    this.counts.sent += 1;
    this.#watchForStorm(link);
    const lostOnce = this.noisy && chance(this.#random, this.#plan.loss);
    if (this.#plan.mode === "channel") {
      // A lossless channel turns a loss into a retransmission, and everything behind it waits.
      const delay = this.#latency() + (lostOnce ? 2 * this.#latency() + SECOND / 10 : 0);
      link.lastArrival = Math.max(link.lastArrival, this.#queue.now + Math.round(delay));
      this.#arrive({ from, to, frame, at: link.lastArrival });
      return;
    }
    if (lostOnce) {
      this.counts.lost += 1;
      return;
    }
    this.#sendDatagram(from, to, frame);
    if (this.noisy && chance(this.#random, this.#plan.duplicate)) {
      this.counts.duplicated += 1;
      this.#sendDatagram(from, to, frame);
    }
  }

  /** Forbids or allows one direction; calls must be paired. Unblocking a channel delivers what was held, in order. */
  block(from: number, to: number, forbidden: boolean): void {
    const link = this.#link(from, to);
    link.blocks += forbidden ? 1 : -1;
    if (link.blocks > 0) return;
    const held = link.held;
    link.held = [];
    for (const frame of held) {
      link.lastArrival = Math.max(link.lastArrival, this.#queue.now + this.#latency());
      this.#arrive({ from, to, frame, at: link.lastArrival });
    }
  }

  /** The connection between two peers breaks and is made anew: everything under way is lost, both ways. */
  reset(a: number, b: number): void {
    for (const link of [this.#link(a, b), this.#link(b, a)]) {
      link.epoch += 1;
      link.held = [];
      link.lastArrival = 0;
    }
  }

  /** True when frames from `from` reach `to` now. */
  isOpen(from: number, to: number): boolean {
    return this.#link(from, to).blocks === 0;
  }

  #sendDatagram(from: number, to: number, frame: SimFrame): void {
    const isLate = this.noisy && chance(this.#random, this.#plan.late);
    const delay = isLate ? Math.round((0.2 + 9.8 * fraction(this.#random)) * SECOND) : this.#latency();
    if (isLate) this.counts.late += 1;
    this.#arrive({ from, to, frame, at: this.#queue.now + delay, isLate });
  }

  #arrive({ from, to, frame, at, isLate = false }: { from: number; to: number; frame: SimFrame; at: number; isLate?: boolean }): void {
    const link = this.#link(from, to);
    const epoch = link.epoch;
    this.#queue.at(at, () => {
      if (link.epoch !== epoch || (isLate && !this.noisy)) {
        this.counts.lost += 1;
      } else if (link.blocks > 0) {
        this.counts.blocked += 1;
        if (this.#plan.mode === "channel" && link.held.length < HELD_FRAMES_MAX) link.held.push(frame);
      } else {
        this.counts.delivered += 1;
        this.#deliver(to, frame);
      }
    });
  }

  #latency(): number {
    const { latencyMin, latencyMax } = this.#plan;
    return Math.round((latencyMin + (latencyMax - latencyMin) * fraction(this.#random)) * this.slowness);
  }

  #watchForStorm(link: Link): void {
    const second = Math.floor(this.#queue.now / SECOND);
    if (link.second !== second) {
      link.second = second;
      link.framesThisSecond = 0;
    }
    link.framesThisSecond += 1;
    if (link.framesThisSecond === STORM_FRAMES_PER_SECOND) this.counts.storms += 1;
  }

  #link(from: number, to: number): Link {
    return (this.#links[from] as Link[])[to] as Link;
  }
}
