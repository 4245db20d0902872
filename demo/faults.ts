// Faults on demand, for people to see what the consensus makes of them: a link that is cut, a tab that is frozen, a node that dies. Nothing is pretended: the match
// runs over this seam and on this clock, and what does not come through does not come through. As on a real network, what was under way arrives late, when it can.
import type { Clock, MatchBetween, PeerId, Seam, SeamEvents, SendOptions } from "../sdk/index.ts";

/** What one link keeps while it is cut or the tab is frozen; beyond it the oldest frame is lost and counted, as on a link that gives up. */
const HELD_FRAMES_MAX = 4096;
const HELD_BYTES_MAX = 4 * 1024 * 1024;

/** Whether this tab's node runs, stands still for a while, or has died. */
export type NodeState = "running" | "frozen" | "killed";

/** The faults of one tab: give `between` to `openMatch`, then do harm. */
export class Faults {
  /** What stands between the match and its world. */
  readonly between: MatchBetween = { seam: (seam) => this.#watch(seam), clock: (clock) => this.#hold(clock) };
  readonly #cut = new Set<PeerId>();
  readonly #seams = new Set<FaultySeam>();
  readonly #clocks = new Set<StoppableClock>();
  readonly #onChange: () => void;
  #state: NodeState = "running";

  /** `onChange` hears that something broke or was mended. */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** Frames that did not fit into what a broken link keeps. */
  get lost(): number {
    return [...this.#seams].reduce((sum, seam) => sum + seam.lost, 0);
  }

  isCut(peer: PeerId): boolean {
    return this.#cut.has(peer);
  }

  /** From now on nothing passes between this tab and `peer`, in either direction, and nobody is told. */
  cut(peer: PeerId): void {
    this.#cut.add(peer);
    this.#onChange();
  }

  /** The link carries again, first what was held up. */
  mend(peer: PeerId): void {
    this.#cut.delete(peer);
    this.#release();
  }

  /** The node neither hears nor speaks, and no time passes for it: it does not know that it is frozen. */
  freeze(): void {
    if (this.#state === "running") this.#stop("frozen");
  }

  /** The node goes on where it stood, with all that came meanwhile. */
  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "running";
    this.#release();
    for (const clock of this.#clocks) clock.start();
  }

  /** As a crash: the node stops for good, in the middle of whatever it did, and says goodbye to nobody. */
  kill(): void {
    this.#stop("killed");
  }

  #stop(state: NodeState): void {
    this.#state = state;
    for (const clock of this.#clocks) clock.stop();
    this.#onChange();
  }

  #release(): void {
    for (const seam of this.#seams) seam.release();
    this.#onChange();
  }

  #watch(inner: Seam): Seam {
    const seam = new FaultySeam(inner, (peer) => this.#state !== "running" || this.#cut.has(peer));
    // A tab that goes out to the others anew has let the former way go.
    for (const former of this.#seams) if (former.state.phase === "torn") this.#seams.delete(former);
    this.#seams.add(seam);
    return seam;
  }

  #hold(inner: Clock): Clock {
    const clock = new StoppableClock(inner);
    this.#clocks.add(clock);
    return clock;
  }
}

interface Held {
  readonly bytes: Uint8Array;
  readonly pass: () => void;
}

/** What waits on one link, in one direction. */
class Backlog {
  readonly #held: Held[] = [];
  #bytes = 0;

  /** Keeps one more; returns how many were lost for it. */
  keep(held: Held): number {
    this.#held.push(held);
    this.#bytes += held.bytes.length;
    let lost = 0;
    while (this.#held.length > HELD_FRAMES_MAX || (this.#bytes > HELD_BYTES_MAX && this.#held.length > 1)) {
      this.#bytes -= this.#held.shift()?.bytes.length ?? 0;
      lost += 1;
    }
    return lost;
  }

  /** All of it, in its order; empty from now on. */
  take(): readonly Held[] {
    this.#bytes = 0;
    return this.#held.splice(0);
  }
}

/** A seam whose links can be held up. Whoever is cut off stays in `peers`, as on a link that has not noticed yet. */
export class FaultySeam implements Seam {
  readonly #inner: Seam;
  readonly #isHeld: (peer: PeerId) => boolean;
  readonly #in = new Map<PeerId, Backlog>();
  readonly #out = new Map<PeerId, Backlog>();
  #lost = 0;

  constructor(inner: Seam, isHeld: (peer: PeerId) => boolean) {
    this.#inner = inner;
    this.#isHeld = isHeld;
    // A link that ended takes along what was under way on it.
    inner.on("peers", (peers) => {
      for (const backlogs of [this.#in, this.#out]) for (const peer of backlogs.keys()) if (!peers.has(peer)) backlogs.delete(peer);
    });
  }

  get selfId(): PeerId {
    return this.#inner.selfId;
  }

  get peers(): ReadonlySet<PeerId> {
    return this.#inner.peers;
  }

  get state(): Seam["state"] {
    return this.#inner.state;
  }

  get payloadBytesMax(): number {
    return this.#inner.payloadBytesMax;
  }

  /** Frames that were held up and did not fit. */
  get lost(): number {
    return this.#lost;
  }

  on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void {
    if (event !== "frame") return this.#inner.on(event, listener);
    let isOn = true;
    const hear = listener as SeamEvents["frame"];
    const off = this.#inner.on("frame", (from, bytes) => {
      if (this.#isHeld(from)) this.#keep(this.#in, from, { bytes, pass: () => void (isOn && hear(from, bytes)) });
      else hear(from, bytes);
    });
    return () => {
      isOn = false;
      off();
    };
  }

  broadcast(bytes: Uint8Array, options?: SendOptions): void {
    const others = [...this.peers].filter((peer) => peer !== this.selfId);
    if (this.#isRefused(bytes) || !others.some(this.#isHeld)) return this.#inner.broadcast(bytes, options);
    for (const peer of others) this.sendTo(peer, bytes, options);
  }

  sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void {
    if (this.#isRefused(bytes) || !this.#isHeld(peer) || peer === this.selfId || !this.peers.has(peer)) return this.#inner.sendTo(peer, bytes, options);
    if (options?.lossy === true) return;
    const kept = bytes.slice();
    this.#keep(this.#out, peer, { bytes: kept, pass: () => this.#inner.sendTo(peer, kept, options) });
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** Lets pass whatever is not held up any more. */
  release(): void {
    for (const backlogs of [this.#out, this.#in]) {
      for (const [peer, backlog] of backlogs) {
        if (this.#isHeld(peer)) continue;
        backlogs.delete(peer);
        for (const { pass } of backlog.take()) if (this.peers.has(peer)) pass();
      }
    }
  }

  /** What the seam underneath says no to, in its own words. */
  #isRefused(bytes: Uint8Array): boolean {
    return this.state.phase === "torn" || bytes.length > this.payloadBytesMax;
  }

  #keep(backlogs: Map<PeerId, Backlog>, peer: PeerId, held: Held): void {
    const backlog = backlogs.get(peer) ?? new Backlog();
    backlogs.set(peer, backlog);
    this.#lost += backlog.keep(held);
  }
}

/** A clock whose timers wait while it is stopped. What it reads goes on, as in a tab that was frozen: there the time has passed all the same. */
export class StoppableClock implements Clock {
  readonly #inner: Clock;
  readonly #due = new Set<() => void>();
  #isStopped = false;

  constructor(inner: Clock) {
    this.#inner = inner;
  }

  now(): number {
    return this.#inner.now();
  }

  after(ms: number, then: () => void): () => void {
    let cancel = (): void => {};
    const fire = (): void => {
      if (!this.#isStopped) return then();
      this.#due.add(goOn);
      cancel = () => void this.#due.delete(goOn);
    };
    // A task of its own for each, as for the timers of a page that goes on.
    const goOn = (): void => void (cancel = this.#inner.after(0, fire));
    cancel = this.#inner.after(ms, fire);
    return () => cancel();
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Whatever fell due meanwhile happens now, in its order. */
  start(): void {
    this.#isStopped = false;
    const due = [...this.#due];
    this.#due.clear();
    for (const goOn of due) goOn();
  }
}
