// Who was heard when: any frame is proof of life. A jump of this tab's own clock means "I was away", not "everybody else died".
import type { Clock, PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";

/** How a peer looks from here: `away` within the grace, `gone` after it. */
export type Standing = "here" | "away" | "gone";

export interface LivenessOptions {
  readonly clock: Clock;
  /** Silence after which a peer counts as away, ms. */
  readonly awayAfterMs: number;
  /** Silence after which a peer counts as gone, ms. */
  readonly goneAfterMs: number;
  /** Somebody asks for a standing at least this often, ms, as long as this tab is awake; default: nobody promises that. */
  readonly lookedAtEveryMs?: number | undefined;
}

/** Watches the frames and the roster of a seam. */
export class Liveness {
  readonly #seam: Seam;
  readonly #options: LivenessOptions;
  readonly #heardAt = new Map<PeerId, number>();
  readonly #offs: (() => void)[];
  #sweptAt: number;
  #lookedAt: number;

  constructor(seam: Seam, options: LivenessOptions) {
    this.#seam = seam;
    this.#options = options;
    this.#sweptAt = options.clock.now();
    this.#lookedAt = this.#sweptAt;
    for (const peer of seam.peers) this.heard(peer);
    this.#offs = [seam.on("frame", (from) => this.heard(from)), seam.on("peers", (peers) => this.#meet(peers))];
  }

  /** Proof of life that came another way. */
  heard(peer: PeerId): void {
    this.#heardAt.set(peer, this.#options.clock.now());
  }

  /** Everybody starts anew: for a new leader, to whom nobody had reason to speak before. */
  restart(peers: Iterable<PeerId>): void {
    const now = this.#options.clock.now();
    for (const peer of [...this.#heardAt.keys(), ...peers]) this.#heardAt.set(peer, now);
    this.#sweptAt = now;
    this.#lookedAt = now;
  }

  /** To be called about every `everyMs`; when much more time passed, this tab slept and nobody is blamed for it. */
  sweep(everyMs: number): void {
    const now = this.#options.clock.now();
    if (now - this.#sweptAt > everyMs + this.#options.awayAfterMs) this.restart([]);
    this.#sweptAt = now;
    for (const [peer, at] of this.#heardAt) {
      // Strangers are forgotten well after they stopped to matter, so that the table stays as small as the room.
      if (!this.#seam.peers.has(peer) && now - at > 4 * this.#options.goneAfterMs) this.#heardAt.delete(peer);
    }
  }

  /** Silence of `peer`; one never heard of is gone. Whoever asks first after this tab slept hears of nobody what is only the tab's own silence. */
  standingOf(peer: PeerId): Standing {
    this.#noticeSleep();
    if (peer === this.#seam.selfId) return "here";
    const at = this.#heardAt.get(peer);
    const silentMs = at === undefined ? Infinity : this.#options.clock.now() - at;
    if (silentMs >= this.#options.goneAfterMs) return "gone";
    return silentMs >= this.#options.awayAfterMs || !this.#seam.peers.has(peer) ? "away" : "here";
  }

  stop(): void {
    for (const off of this.#offs) off();
  }

  /** When a machine wakes many timers are due at once, and whichever comes first may be the one that puts somebody out. */
  #noticeSleep(): void {
    const { clock, awayAfterMs, lookedAtEveryMs = Infinity } = this.#options;
    const now = clock.now();
    if (now - this.#lookedAt > lookedAtEveryMs + awayAfterMs) this.restart([]);
    this.#lookedAt = now;
  }

  #meet(peers: ReadonlySet<PeerId>): void {
    for (const peer of peers) if (!this.#heardAt.has(peer)) this.heard(peer);
  }
}
