// Seams of one process: a hub that delivers, delays, loses, doubles and reorders frames on request, on whatever clock it is given.
import { below, fraction, InvalidArgumentError, type Clock, type PeerId, type Random } from "../base/index.ts";
import { SeamCore } from "./seam-core.ts";
import { LOSSY_BYTES_MAX, PAYLOAD_BYTES_MAX } from "./seam.ts";

/** What one directed link does to frames. Probabilities are from 0 to 1. */
export interface LinkFaults {
  /** Milliseconds on the hub's clock. 0: delivered in a later microtask. */
  readonly delayMs: number;
  /** Up to this much is added to the delay, evenly spread; order is kept. */
  readonly jitterMs: number;
  /** A frame is lost. */
  readonly drop: number;
  /** A frame sent as lossy is lost. */
  readonly lossyDrop: number;
  /** A frame is delivered twice, the copy at some later moment. */
  readonly duplicate: number;
  /** A frame leaves the line and arrives up to `reorderMs` late, behind frames sent after it. */
  readonly reorder: number;
  readonly reorderMs: number;
}

/** A perfect link without delay. */
export const NO_FAULTS: LinkFaults = { delayMs: 0, jitterMs: 0, drop: 0, lossyDrop: 0, duplicate: 0, reorder: 0, reorderMs: 50 };

/** What a {@link MemoryHub} is made from. */
export interface MemoryHubOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Budget of one frame of every seam, in bytes. Default {@link PAYLOAD_BYTES_MAX}. */
  readonly payloadBytesMax?: number | undefined;
  /** Faults of every link that has none of its own. Default {@link NO_FAULTS}. */
  readonly faults?: Partial<LinkFaults> | undefined;
}

/** What the hub did so far. */
export interface MemoryHubCounts {
  readonly sent: number;
  readonly delivered: number;
  readonly dropped: number;
  readonly duplicated: number;
  readonly reordered: number;
}

/** One peer's seam on a {@link MemoryHub}; made by `hub.seam`. */
export class MemorySeam extends SeamCore {
  readonly #port: SeamPort;

  /** For the hub only. */
  constructor(selfId: PeerId, payloadBytesMax: number, port: SeamPort) {
    super(selfId, payloadBytesMax);
    this.#port = port;
    port.attach(this, {
      weave: () => this.weave(),
      addPeer: (peer) => this.addPeer(peer),
      removePeer: (peer) => this.removePeer(peer),
      deliver: (from, bytes) => this.deliver(from, bytes),
      tear: (reason) => this.tear(reason),
    });
  }

  /** Resolves when what was sent has been delivered (or lost) and the others know. The seam itself is torn at once. */
  close(): Promise<void> {
    return this.#port.close(this);
  }

  protected write(peer: PeerId, bytes: Uint8Array, _stream: number, isLossy: boolean): void {
    this.#port.write(this, peer, bytes, isLossy && bytes.length <= LOSSY_BYTES_MAX);
  }
}

/** How the hub reaches into a seam it made. */
export interface SeamHandle {
  weave(): void;
  addPeer(peer: PeerId): void;
  removePeer(peer: PeerId): void;
  deliver(from: PeerId, bytes: Uint8Array): void;
  tear(reason: string): boolean;
}

/** How a seam reaches its hub. */
export interface SeamPort {
  attach(seam: MemorySeam, handle: SeamHandle): void;
  write(from: MemorySeam, to: PeerId, bytes: Uint8Array, isLossy: boolean): void;
  close(seam: MemorySeam): Promise<void>;
}

interface Place {
  readonly seam: MemorySeam;
  readonly handle: SeamHandle;
}

/** One direction between two seams, from the moment they are connected until they are not. */
interface Line {
  readonly queue: Uint8Array[];
  inFlight: number;
  cut: boolean;
  idle: (() => void)[];
}

/**
 * A group of seams in one process. Everybody who asks for a seam is connected to everybody else at once, unless cut.
 * Frames are copied, so that no two peers ever share bytes. Which frame suffers what is decided by `random` alone:
 * the same seed and the same calls give the same run.
 */
export class MemoryHub {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #payloadBytesMax: number;
  readonly #places = new Map<PeerId, Place>();
  readonly #lines = new Map<string, Line>();
  readonly #faults = new Map<string, Partial<LinkFaults>>();
  readonly #cuts = new Set<string>();
  readonly #blocked = new Set<string>();
  // Merged faults per direction; emptied whenever one of the sources changes.
  readonly #merged = new Map<string, LinkFaults>();
  #common: Partial<LinkFaults>;
  #counts = { sent: 0, delivered: 0, dropped: 0, duplicated: 0, reordered: 0 };

  constructor(options: MemoryHubOptions) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#payloadBytesMax = options.payloadBytesMax ?? PAYLOAD_BYTES_MAX;
    this.#common = checked(options.faults ?? {});
  }

  /** A snapshot of the counters. */
  get counts(): MemoryHubCounts {
    return { ...this.#counts };
  }

  /** Opens a seam, woven at once. An older live seam of the same id is torn first (`replaced`): the peer came back. */
  seam(id: PeerId): MemorySeam {
    this.#remove(id, "replaced");
    const seam = new MemorySeam(id, this.#payloadBytesMax, {
      attach: (made, handle) => this.#places.set(id, { seam: made, handle }),
      write: (from, to, bytes, isLossy) => this.#write({ seam: from, to, isLossy }, bytes),
      close: (leaver) => this.#close(leaver),
    });
    for (const other of this.#places.keys()) if (other !== id) this.#connect(id, other);
    this.#places.get(id)?.handle.weave();
    return seam;
  }

  /** Sets faults of every link that has none of its own. */
  setFaults(faults: Partial<LinkFaults>): void {
    this.#common = checked(faults);
    this.#merged.clear();
  }

  /** Sets faults of one direction; an empty object gives the common ones back. */
  setLink(from: PeerId, to: PeerId, faults: Partial<LinkFaults>): void {
    this.#faults.set(key(from, to), checked(faults));
    this.#merged.clear();
  }

  /** Loses every frame between the groups, both ways, silently; peers named in no group form one of their own. */
  partition(...groups: readonly (readonly PeerId[])[]): void {
    const groupOf = (peer: PeerId): number => groups.findIndex((group) => group.includes(peer));
    for (const from of this.#places.keys()) {
      for (const to of this.#places.keys()) if (groupOf(from) !== groupOf(to)) this.block(from, to);
    }
  }

  /** Loses every frame of one direction, silently: the rosters do not change. Holds until healed. */
  block(from: PeerId, to: PeerId): void {
    this.#blocked.add(key(from, to));
  }

  /** Breaks the link of two peers: frames in flight are lost and each leaves the other's roster. Holds until healed. */
  cut(a: PeerId, b: PeerId): void {
    this.#cuts.add(key(a, b)).add(key(b, a));
    this.#disconnect(a, b);
  }

  /** Undoes `partition`, `block` and `cut` for one pair, or for everybody. */
  heal(a?: PeerId, b?: PeerId): void {
    if (a === undefined || b === undefined) {
      this.#blocked.clear();
      this.#cuts.clear();
      const ids = [...this.#places.keys()];
      ids.forEach((id, at) => ids.slice(at + 1).forEach((other) => this.#connect(id, other)));
      return;
    }
    for (const name of [key(a, b), key(b, a)]) {
      this.#blocked.delete(name);
      this.#cuts.delete(name);
    }
    if (this.#places.has(a) && this.#places.has(b)) this.#connect(a, b);
  }

  /**
   * Ends a seam as a crash does: no goodbye, frames in flight are lost. The others keep it in their rosters until
   * `noticedAfterMs` later; left out, until the peer comes back or is cut.
   */
  kill(id: PeerId, options: { readonly noticedAfterMs?: number | undefined } = {}): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    for (const [name, line] of this.#lines) if (touches(name, id)) this.#drop(line);
    this.#places.delete(id);
    place.handle.tear("killed");
    if (options.noticedAfterMs === undefined) return;
    this.#clock.after(options.noticedAfterMs, () => {
      if (!this.#places.has(id)) this.#forget(id);
    });
  }

  #connect(a: PeerId, b: PeerId): void {
    if (this.#cuts.has(key(a, b)) || this.#lines.has(key(a, b))) return;
    for (const name of [key(a, b), key(b, a)]) this.#lines.set(name, { queue: [], inFlight: 0, cut: false, idle: [] });
    this.#places.get(a)?.handle.addPeer(b);
    this.#places.get(b)?.handle.addPeer(a);
  }

  #disconnect(a: PeerId, b: PeerId): void {
    for (const name of [key(a, b), key(b, a)]) {
      const line = this.#lines.get(name);
      if (line !== undefined) this.#drop(line);
      this.#lines.delete(name);
    }
    this.#places.get(a)?.handle.removePeer(b);
    this.#places.get(b)?.handle.removePeer(a);
  }

  #drop(line: Line): void {
    this.#counts.dropped += line.queue.length;
    line.cut = true;
    line.queue.length = 0;
    for (const then of line.idle.splice(0)) then();
  }

  #forget(id: PeerId): void {
    for (const other of this.#places.keys()) if (other !== id) this.#disconnect(id, other);
  }

  #remove(id: PeerId, reason: string): void {
    const place = this.#places.get(id);
    this.#forget(id);
    this.#places.delete(id);
    place?.handle.tear(reason);
  }

  async #close(seam: MemorySeam): Promise<void> {
    const place = this.#places.get(seam.selfId);
    if (place?.seam !== seam) return;
    this.#places.delete(seam.selfId);
    place.handle.tear("closed");
    const others = [...this.#places.keys()];
    await Promise.all(others.map((other) => this.#emptied(seam.selfId, other)));
    if (!this.#places.has(seam.selfId)) this.#forget(seam.selfId);
  }

  #emptied(from: PeerId, to: PeerId): Promise<void> {
    const line = this.#lines.get(key(from, to));
    if (line === undefined || line.inFlight === 0) return Promise.resolve();
    return new Promise((done) => line.idle.push(done));
  }

  #faultsOf(name: string): LinkFaults {
    const known = this.#merged.get(name);
    if (known !== undefined) return known;
    const faults = { ...NO_FAULTS, ...this.#common, ...this.#faults.get(name) };
    this.#merged.set(name, faults);
    return faults;
  }

  #chance(probability: number): boolean {
    return probability > 0 && fraction(this.#random) < probability;
  }

  #write({ seam, to, isLossy }: { readonly seam: MemorySeam; readonly to: PeerId; readonly isLossy: boolean }, bytes: Uint8Array): void {
    const name = key(seam.selfId, to);
    const line = this.#lines.get(name);
    const faults = this.#faultsOf(name);
    this.#counts.sent += 1;
    if (line === undefined || line.cut || this.#blocked.has(name) || this.#chance(isLossy ? faults.lossyDrop : faults.drop)) {
      this.#counts.dropped += 1;
      return;
    }
    const delayMs = faults.delayMs + this.#upTo(faults.jitterMs);
    const hop: Hop = { name, from: seam.selfId, to, line };
    // A lossy frame stands in no line, and of its kind none is doubled.
    if (isLossy) return this.#later(hop, delayMs, bytes.slice());
    if (this.#chance(faults.reorder)) {
      this.#counts.reordered += 1;
      this.#later(hop, delayMs + 1 + this.#upTo(faults.reorderMs), bytes.slice());
    } else {
      line.queue.push(bytes.slice());
      this.#later(hop, delayMs, undefined);
    }
    if (this.#chance(faults.duplicate)) {
      this.#counts.duplicated += 1;
      this.#later(hop, delayMs + 1 + this.#upTo(faults.reorderMs), bytes.slice());
    }
  }

  #upTo(ms: number): number {
    return ms > 0 ? below(this.#random, Math.floor(ms) + 1) : 0;
  }

  // A frame in line is taken from the head when any timer of the line fires, so that jitter never changes the order;
  // a frame out of line (`stray`) comes with its own timer.
  #later(hop: Hop, delayMs: number, stray: Uint8Array | undefined): void {
    hop.line.inFlight += 1;
    const arrive = (): void => this.#arrive(hop, stray ?? hop.line.queue.shift());
    if (delayMs > 0) this.#clock.after(delayMs, arrive);
    else queueMicrotask(arrive);
  }

  #arrive({ name, from, to, line }: Hop, bytes: Uint8Array | undefined): void {
    line.inFlight -= 1;
    try {
      const place = this.#places.get(to);
      if (line.cut || bytes === undefined) return;
      if (place === undefined || this.#blocked.has(name)) {
        this.#counts.dropped += 1;
        return;
      }
      this.#counts.delivered += 1;
      place.handle.deliver(from, bytes);
    } finally {
      if (line.inFlight === 0) for (const then of line.idle.splice(0)) then();
    }
  }
}

interface Hop {
  readonly name: string;
  readonly from: PeerId;
  readonly to: PeerId;
  readonly line: Line;
}

// Peer ids hold no control characters, so this separator can not occur in one.
const SEPARATOR = "\n";

function key(from: PeerId, to: PeerId): string {
  return `${from}${SEPARATOR}${to}`;
}

function touches(name: string, id: PeerId): boolean {
  return name.startsWith(`${id}${SEPARATOR}`) || name.endsWith(`${SEPARATOR}${id}`);
}

function checked(faults: Partial<LinkFaults>): Partial<LinkFaults> {
  for (const [name, value] of Object.entries(faults)) {
    if (typeof value === "number" && !(value >= 0)) throw new InvalidArgumentError(`${name} is at least 0, got ${value}`);
  }
  return { ...faults };
}
