// The seam of this process's node in one room: other processes at once, players when the group is ready for them.
import type { PeerId } from "../base/index.ts";
import { isCorePeer, PAYLOAD_BYTES_MAX, SeamCore, type SendOptions } from "../seam/index.ts";
import type { CoreHub, CoreSeat } from "./core-hub.ts";

/** See the head of the file. */
export class CoreRoomSeam extends SeamCore {
  readonly #hub: CoreHub;
  readonly #room: string;
  readonly #send: (to: PeerId | undefined, bytes: Uint8Array, isLossy: boolean) => void;
  readonly #waiting = new Set<PeerId>();
  #isShown = false;

  /** Takes this process's seat in the room. */
  constructor(hub: CoreHub, room: string, selfId: PeerId) {
    super(selfId, PAYLOAD_BYTES_MAX);
    this.#hub = hub;
    this.#room = room;
    const seat: CoreSeat = {
      met: (peer) => this.#met(peer),
      parted: (peer) => {
        this.#waiting.delete(peer);
        this.removePeer(peer);
      },
      deliver: (from, bytes) => this.deliver(from, bytes),
    };
    this.#send = hub.attach(room, seat);
    this.weave();
  }

  /** Shows the players, who could speak first otherwise: from now on. */
  showPlayers(): void {
    this.#isShown = true;
    for (const peer of this.#waiting) this.addPeer(peer);
    this.#waiting.clear();
  }

  override broadcast(bytes: Uint8Array, options?: SendOptions): void {
    // While players are hidden, a broadcast would reach them all the same.
    if (this.state.phase === "torn" || !this.#isShown || bytes.length > this.payloadBytesMax) super.broadcast(bytes, options);
    else this.#send(undefined, bytes, options?.lossy === true);
  }

  close(): Promise<void> {
    if (this.tear("closed")) this.#hub.detach(this.#room);
    return Promise.resolve();
  }

  protected write(peer: PeerId, bytes: Uint8Array, _stream: number, isLossy: boolean): void {
    this.#send(peer, bytes, isLossy);
  }

  #met(peer: PeerId): void {
    if (this.#isShown || isCorePeer(peer)) this.addPeer(peer);
    else this.#waiting.add(peer);
  }
}
