// What the seams that own their links share: roster, state, order of checks, listeners. Not a port: see seam.ts.
import { PayloadTooLargeError, type PeerId } from "../base/index.ts";
import { PeerNotConnectedError, SeamTornError, SelfSendError } from "./errors.ts";
import { Inbox, type InboxEvents } from "./inbox.ts";
import type { Seam, SeamState, SendOptions } from "./seam.ts";

/** Throws what {@link Seam.sendTo} promises, in the promised order. */
export function checkSend(seam: Seam, peer: PeerId, byteCount: number): void {
  if (seam.state.phase === "torn") throw new SeamTornError(seam.state.reason);
  if (peer === seam.selfId) throw new SelfSendError(peer);
  if (!seam.peers.has(peer)) throw new PeerNotConnectedError(peer);
  if (byteCount > seam.payloadBytesMax) throw new PayloadTooLargeError(byteCount, seam.payloadBytesMax, "frame");
}

/** Throws what {@link Seam.broadcast} promises. */
export function checkBroadcast(seam: Seam, byteCount: number): void {
  if (seam.state.phase === "torn") throw new SeamTornError(seam.state.reason);
  if (byteCount > seam.payloadBytesMax) throw new PayloadTooLargeError(byteCount, seam.payloadBytesMax, "frame");
}

/** The common half of a seam; a subclass moves the bytes and says who is there. */
export abstract class SeamCore implements Seam {
  readonly selfId: PeerId;
  readonly payloadBytesMax: number;
  readonly #inbox = new Inbox();
  #peers: ReadonlySet<PeerId>;
  #state: SeamState = { phase: "weaving" };

  constructor(selfId: PeerId, payloadBytesMax: number) {
    this.selfId = selfId;
    this.payloadBytesMax = payloadBytesMax;
    this.#peers = new Set([selfId]);
  }

  get peers(): ReadonlySet<PeerId> {
    return this.#peers;
  }

  get state(): SeamState {
    return this.#state;
  }

  /** Frames dropped because nobody listened. */
  get framesDropped(): number {
    return this.#inbox.dropped;
  }

  on<K extends keyof InboxEvents>(event: K, listener: InboxEvents[K]): () => void {
    return this.#inbox.on(event, listener);
  }

  broadcast(bytes: Uint8Array, options?: SendOptions): void {
    checkBroadcast(this, bytes.length);
    for (const peer of this.#peers) if (peer !== this.selfId) this.write(peer, bytes, options?.stream ?? 0, options?.lossy === true);
  }

  sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void {
    checkSend(this, peer, bytes.length);
    this.write(peer, bytes, options?.stream ?? 0, options?.lossy === true);
  }

  abstract close(): Promise<void>;

  /** Moves one checked frame; must copy what it keeps, and must not throw for what the far end does. */
  protected abstract write(peer: PeerId, bytes: Uint8Array, stream: number, isLossy: boolean): void;

  /** Tells the `trouble` listeners of a link or a send that failed; by itself that changes neither state nor roster. */
  protected trouble(error: Error): void {
    this.#inbox.emit("trouble", error);
  }

  /** Goes from weaving to woven and tells the listeners; does nothing in any other phase. */
  protected weave(): void {
    if (this.#state.phase !== "weaving") return;
    this.#state = { phase: "woven" };
    this.#inbox.emit("state", this.#state);
  }

  /** Puts a peer into the roster and tells the listeners; does nothing when it is there or the seam is torn. */
  protected addPeer(peer: PeerId): void {
    if (this.#state.phase === "torn" || this.#peers.has(peer)) return;
    this.#setPeers(new Set([...this.#peers, peer]));
  }

  /** Takes a peer out of the roster and tells the listeners; does nothing for self or a peer that is not there. */
  protected removePeer(peer: PeerId): void {
    if (peer === this.selfId || !this.#peers.has(peer)) return;
    this.#setPeers(new Set([...this.#peers].filter((other) => other !== peer)));
  }

  /** Hands over a frame; frames of peers not in the roster and frames after the tear are nobody's. */
  protected deliver(from: PeerId, bytes: Uint8Array): void {
    if (this.#peers.has(from) && from !== this.selfId) this.#inbox.frame(from, bytes);
  }

  /** Tears once; the first reason wins. Roster and state change together, before anybody is told. */
  protected tear(reason: string): boolean {
    if (this.#state.phase === "torn") return false;
    const alone = this.#peers.size === 1;
    this.#state = { phase: "torn", reason };
    this.#peers = new Set([this.selfId]);
    this.#inbox.clear();
    if (!alone) this.#inbox.emit("peers", this.#peers);
    this.#inbox.emit("state", this.#state);
    return true;
  }

  #setPeers(peers: ReadonlySet<PeerId>): void {
    this.#peers = peers;
    this.#inbox.emit("peers", peers);
  }
}
