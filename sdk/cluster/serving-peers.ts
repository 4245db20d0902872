// Who of the connected peers serves shards: each says so itself, to everybody it meets.
import { ByteWriter, bytesEqual, concatBytes, digest64, type Clock, type PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";

/** Said to everybody met: this peer serves, and wants to know who else does. Behind it stands what it serves. */
const HELLO = 1;
/** Its answer. Anything else on this channel is a later build's, and ignored. */
const HELLO_TOO = 2;

/** How a match's shards are set up: who was told otherwise serves none of them. */
export interface ShardSetup {
  readonly numShards: number;
  readonly seed: string;
}

function wordOf({ numShards, seed }: ShardSetup): Uint8Array {
  return digest64(new ByteWriter().uint(numShards).text(seed).finish()).slice();
}
/** How long a peer that is here may owe an answer before it counts as one that does not serve, ms. */
export const SILENT_MS_MAX = 6_000;
/** How often it is asked meanwhile, ms: a question may be lost, too. */
const ASK_EVERY_MS = 1_000;

export interface ServingPeersOptions {
  /** Used by nothing else. */
  readonly channel: Seam;
  readonly clock: Clock;
  /** What this peer serves. */
  readonly setup: ShardSetup;
  readonly changed: () => void;
}

/** Says that this peer serves, and hears who else does. */
export class ServingPeers {
  readonly #options: ServingPeersOptions;
  readonly #word: Uint8Array;
  readonly #heard = new Map<PeerId, Uint8Array>();
  readonly #met = new Set<PeerId>();
  /** Peer → since when it is here, was asked, and owes the answer. */
  readonly #askedAt = new Map<PeerId, number>();
  readonly #offs: (() => void)[];
  readonly #cancels = new Set<() => void>();

  constructor(options: ServingPeersOptions) {
    const { channel } = options;
    this.#options = options;
    this.#word = wordOf(options.setup);
    this.#offs = [
      channel.on("frame", (from, bytes) => this.#hear(from, bytes)),
      channel.on("peers", (peers) => this.#meet(peers)),
    ];
    this.#meet(channel.peers);
  }

  /** Whether the peer is connected and said that it serves these shards. */
  serves(peer: PeerId, setup: ShardSetup): boolean {
    const word = peer === this.#options.channel.selfId ? this.#word : this.#heard.get(peer);
    return word !== undefined && bytesEqual(word, wordOf(setup));
  }

  /**
   * A peer that did not say yet what it does is not written off at once: it is asked, and counts as away until it was here for six seconds without an answer.
   * What was said when it came may have been lost, and who lives and owns shards must not lose them for that: it would go on serving them for a moment.
   */
  standingOf(peer: PeerId, standing: "here" | "away"): "here" | "away" {
    const { channel, clock } = this.#options;
    if (standing === "away" || peer === channel.selfId || this.#heard.has(peer)) {
      this.#askedAt.delete(peer);
      return standing;
    }
    const askedAt = this.#askedAt.get(peer);
    if (askedAt !== undefined) return clock.now() - askedAt < SILENT_MS_MAX ? "away" : "here";
    this.#ask(peer);
    return "away";
  }

  stop(): void {
    for (const off of this.#offs) off();
    for (const cancel of this.#cancels) cancel();
  }

  #hear(from: PeerId, bytes: Uint8Array): void {
    const { channel, changed } = this.#options;
    const word = bytes.slice(1);
    const isHello = bytes[0] === HELLO;
    if (word.length !== this.#word.length || !(isHello || bytes[0] === HELLO_TOO) || !channel.peers.has(from)) return;
    // Always answered: it may be another life of the same peer, which knows nobody yet.
    if (isHello) this.#say(from, HELLO_TOO);
    const before = this.#heard.get(from);
    if (before !== undefined && bytesEqual(before, word)) return;
    this.#heard.set(from, word);
    changed();
  }

  #say(peer: PeerId, greeting: number): void {
    try {
      this.#options.channel.sendTo(peer, concatBytes(Uint8Array.of(greeting), this.#word));
    } catch {
      // It is gone already.
    }
  }

  #ask(peer: PeerId): void {
    const { clock, changed } = this.#options;
    const askedAt = clock.now();
    this.#askedAt.set(peer, askedAt);
    const again = (): void => {
      this.#say(peer, HELLO);
      const cancel = clock.after(ASK_EVERY_MS, () => {
        this.#cancels.delete(cancel);
        if (this.#askedAt.get(peer) !== askedAt || this.#heard.has(peer)) return;
        if (clock.now() - askedAt < SILENT_MS_MAX) again();
        else changed();
      });
      this.#cancels.add(cancel);
    };
    again();
  }

  #meet(peers: ReadonlySet<PeerId>): void {
    const { channel, changed } = this.#options;
    for (const peer of this.#met) {
      if (peers.has(peer)) continue;
      this.#met.delete(peer);
      this.#heard.delete(peer);
      this.#askedAt.delete(peer);
    }
    for (const peer of peers) {
      if (peer === channel.selfId || this.#met.has(peer)) continue;
      this.#met.add(peer);
      this.#say(peer, HELLO);
    }
    changed();
  }
}
