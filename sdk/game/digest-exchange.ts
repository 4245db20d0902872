// Peers tell each other what they came to at an index, and who came to something else is named. Pure: what is sent and when is the caller's.
import { ByteReader, ByteWriter, fromHex, toHex, type LogIndex, type PeerId } from "../base/index.ts";

/** Version of the frame. History: 1 group, index, digest. */
const FRAME_VERSION = 1;
const GROUP_BYTES_MAX = 256;
const DIGEST_BYTES = 8;
/** Own digests held for peers that are behind: with one per entry, so many entries of lag are compared. */
export const OWN_DIGESTS_MAX = 256;
/** Digests held of a peer that is ahead; older ones are dropped first. */
export const AHEAD_MAX = 32;
/** Peers compared with; frames of further ones are dropped and counted. */
export const COMPARED_PEERS_MAX = 64;

/** The state of one peer after one entry. */
export interface DigestAt {
  readonly index: LogIndex;
  /** As `stateDigest` gives it. */
  readonly digest: string;
}

/** A peer has another state than this one after the same entries. Which of the two is right nobody can say from two; ask the others. */
export interface Divergence {
  readonly peer: PeerId;
  /** The first entry after which a difference was seen. */
  readonly index: LogIndex;
  /** The last entry before it after which both had the same state; 0 when none was compared. The cause stands after this one and not after `index`. */
  readonly agreedIndex: LogIndex;
  readonly own: string;
  readonly theirs: string;
}

/** What a {@link DigestExchange} is made from. */
export interface DigestExchangeOptions {
  /** Digests of other groups are not compared. */
  readonly groupId: string;
  /** A peer's state differs; once until it agrees again. */
  readonly onDivergence: (divergence: Divergence) => void;
  /** A peer whose state differed has the same again at a later index (it took in a snapshot, or was opened anew), or is gone. */
  readonly onAgreement: (peer: PeerId) => void;
}

interface Compared {
  /** Heard, and not reached here yet. */
  readonly ahead: Map<LogIndex, string>;
  comparedIndex: LogIndex;
  agreedIndex: LogIndex;
  divergence: Divergence | undefined;
}

/** Compares this peer's states with the others'. Against mistakes, not against liars: a peer may say what it likes. */
export class DigestExchange {
  readonly #options: DigestExchangeOptions;
  readonly #own = new Map<LogIndex, string>();
  readonly #peers = new Map<PeerId, Compared>();
  #newest: DigestAt | undefined;
  #dropped = 0;

  constructor(options: DigestExchangeOptions) {
    this.#options = options;
  }

  /** Who differs now. */
  get divergences(): readonly Divergence[] {
    return [...this.#peers.values()].flatMap(({ divergence }) => (divergence === undefined ? [] : [divergence]));
  }

  /** Frames that could not be read, or came from more peers than are compared with. */
  get dropped(): number {
    return this.#dropped;
  }

  /** This peer's newest state for the others; undefined before the first. */
  get frame(): Uint8Array | undefined {
    if (this.#newest === undefined) return undefined;
    const { index, digest } = this.#newest;
    return new ByteWriter().byte(FRAME_VERSION).text(this.#options.groupId).uint(index).raw(fromHex(digest)).finish();
  }

  /** This peer's own state after an entry; indexes rise. */
  took(at: DigestAt): void {
    const { index, digest } = at;
    this.#newest = at;
    this.#own.set(index, digest);
    dropOldest(this.#own, OWN_DIGESTS_MAX);
    for (const [peer, compared] of this.#peers) {
      const theirs = compared.ahead.get(index);
      for (const known of compared.ahead.keys()) if (known <= index) compared.ahead.delete(known);
      if (theirs !== undefined) this.#compare(peer, compared, at, theirs);
    }
  }

  /** A frame of another peer. Never throws. */
  heard(peer: PeerId, frame: Uint8Array): void {
    const at = readFrame(frame);
    if (at === undefined) return void (this.#dropped += 1);
    if (at.groupId !== this.#options.groupId) return;
    const compared = this.#comparedWith(peer);
    if (compared === undefined) return void (this.#dropped += 1);
    const own = this.#own.get(at.index);
    if (own !== undefined) return this.#compare(peer, compared, { index: at.index, digest: own }, at.digest);
    if (at.index <= (this.#newest?.index ?? 0)) return;
    compared.ahead.set(at.index, at.digest);
    dropOldest(compared.ahead, AHEAD_MAX);
  }

  /** The peer is gone; who comes back under its id is compared anew. */
  forget(peer: PeerId): void {
    const divergence = this.#peers.get(peer)?.divergence;
    this.#peers.delete(peer);
    if (divergence !== undefined) this.#options.onAgreement(peer);
  }

  #comparedWith(peer: PeerId): Compared | undefined {
    const known = this.#peers.get(peer);
    if (known !== undefined || this.#peers.size >= COMPARED_PEERS_MAX) return known;
    const compared: Compared = { ahead: new Map(), comparedIndex: 0, agreedIndex: 0, divergence: undefined };
    this.#peers.set(peer, compared);
    return compared;
  }

  #compare(peer: PeerId, compared: Compared, { index, digest: own }: DigestAt, theirs: string): void {
    // What was said late about an earlier entry changes nothing about a later one.
    if (index <= compared.comparedIndex) return;
    compared.comparedIndex = index;
    const before = compared.divergence;
    if (own === theirs) {
      compared.agreedIndex = index;
      compared.divergence = undefined;
      if (before !== undefined) this.#options.onAgreement(peer);
    } else if (before === undefined) {
      compared.divergence = { peer, index, agreedIndex: compared.agreedIndex, own, theirs };
      this.#options.onDivergence(compared.divergence);
    }
  }
}

function readFrame(frame: Uint8Array): (DigestAt & { readonly groupId: string }) | undefined {
  try {
    const reader = new ByteReader(frame);
    if (reader.byte() !== FRAME_VERSION) return undefined;
    const read = { groupId: reader.text(GROUP_BYTES_MAX), index: reader.uint(), digest: toHex(reader.raw(DIGEST_BYTES)) };
    reader.end();
    return read.index === 0 ? undefined : read;
  } catch {
    return undefined;
  }
}

/** Maps keep the order of insertion, and indexes come rising; where a peer says otherwise it only loses its own. */
function dropOldest(map: Map<LogIndex, string>, max: number): void {
  for (const index of map.keys()) {
    if (map.size <= max) return;
    map.delete(index);
  }
}
