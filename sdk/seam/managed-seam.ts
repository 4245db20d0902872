// A seam whose way to the others can be taken away and given back, while everything built on it stays: for pages that come back, and clients that change servers.
import { InvalidArgumentError, type PeerId } from "../base/index.ts";
import { SeamTornError } from "./errors.ts";
import { checkBroadcast, SeamCore } from "./seam-core.ts";
import type { Seam, SendOptions } from "./seam.ts";

/**
 * Stands for whichever seam is attached; without one it is alone. Once woven it stays woven between two of them. A backing that
 * tears takes its peers along and is told by `lost`; the managed seam itself is torn by `close()` and `end()` alone.
 */
export class ManagedSeam extends SeamCore implements Seam {
  readonly #lost: (reason: string) => void;
  #backing: Seam | undefined;
  #offs: readonly (() => void)[] = [];
  #ending: Promise<void> | undefined;

  /** `lost` hears why a backing tore by itself; attach another, or `end`. */
  constructor(selfId: PeerId, payloadBytesMax: number, lost: (reason: string) => void = () => {}) {
    super(selfId, payloadBytesMax);
    this.#lost = lost;
  }

  /** Goes on over `backing`, which from now on is closed with this seam; the one before is let go, not closed. Throws `SeamTornError`, `InvalidArgumentError` for a backing of another peer or with a smaller budget. */
  attach(backing: Seam): void {
    if (this.state.phase === "torn") throw new SeamTornError(this.state.reason);
    if (backing.selfId !== this.selfId) throw new InvalidArgumentError(`a seam of ${backing.selfId} can not stand in for ${this.selfId}`);
    if (backing.payloadBytesMax < this.payloadBytesMax) throw new InvalidArgumentError(`the backing takes ${backing.payloadBytesMax} bytes a frame where ${this.payloadBytesMax} are promised`);
    this.detach();
    this.#backing = backing;
    this.#offs = [
      backing.on("peers", (peers) => this.#meet(peers)),
      backing.on("state", () => this.#follow(backing)),
      backing.on("frame", (from, bytes) => this.deliver(from, bytes)),
    ];
    this.#meet(backing.peers);
    this.#follow(backing);
  }

  /** Lets the backing go without closing it, and is alone. Returns it. */
  detach(): Seam | undefined {
    const backing = this.#backing;
    this.#backing = undefined;
    for (const off of this.#offs) off();
    this.#offs = [];
    this.#meet(new Set([this.selfId]));
    return backing;
  }

  /** Tears with a reason, and closes the backing. */
  end(reason: string): Promise<void> {
    if (this.#ending !== undefined) return this.#ending;
    const backing = this.#backing;
    this.#backing = undefined;
    for (const off of this.#offs) off();
    // There before anybody is told of the tear: who closes this in answer to that waits for the same end.
    let settle: (ended: Promise<void>) => void = () => {};
    this.#ending = new Promise((resolve) => (settle = resolve));
    try {
      this.tear(reason);
    } finally {
      settle(endOf(backing));
    }
    return this.#ending;
  }

  close(): Promise<void> {
    return this.end("closed");
  }

  /** One call to the backing: where something stands between it and the others, that makes the copies. */
  override broadcast(bytes: Uint8Array, options?: SendOptions): void {
    checkBroadcast(this, bytes.length);
    if (this.#backing !== undefined && this.#backing.state.phase !== "torn") this.#backing.broadcast(bytes, options);
  }

  protected write(peer: PeerId, bytes: Uint8Array, stream: number, isLossy: boolean): void {
    // A backing that lost the peer in this very task tells it by `peers`; the frame is lost as on any link that ends.
    if (this.#backing?.peers.has(peer) === true) this.#backing.sendTo(peer, bytes, { stream, lossy: isLossy });
  }

  #follow(backing: Seam): void {
    if (backing.state.phase === "woven") this.weave();
    if (backing.state.phase !== "torn") return;
    const { reason } = backing.state;
    this.detach();
    this.#lost(reason);
  }

  #meet(peers: ReadonlySet<PeerId>): void {
    for (const peer of this.peers) if (!peers.has(peer)) this.removePeer(peer);
    for (const peer of peers) this.addPeer(peer);
  }
}

async function endOf(backing: Seam | undefined): Promise<void> {
  await backing?.close();
}
