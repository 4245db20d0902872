// A tab's seam, its listeners counted, so that a tab can be shown to have left none.
import type { PeerId } from "../../base/index.ts";
import type { Seam, SeamEvents, SeamState, SendOptions } from "../../seam/index.ts";

/** Passes everything on to the seam it was given. */
export class CountingSeam implements Seam {
  readonly #seam: Seam;
  #listeners = 0;

  constructor(seam: Seam) {
    this.#seam = seam;
  }

  get selfId(): PeerId {
    return this.#seam.selfId;
  }

  get peers(): ReadonlySet<PeerId> {
    return this.#seam.peers;
  }

  get state(): SeamState {
    return this.#seam.state;
  }

  get payloadBytesMax(): number {
    return this.#seam.payloadBytesMax;
  }

  /** Listeners added and not removed. */
  get listeners(): number {
    return this.#listeners;
  }

  on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void {
    const off = this.#seam.on(event, listener);
    let isOff = false;
    this.#listeners += 1;
    return () => {
      if (!isOff) this.#listeners -= 1;
      isOff = true;
      off();
    };
  }

  broadcast(bytes: Uint8Array, options?: SendOptions): void {
    this.#seam.broadcast(bytes, options);
  }

  sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void {
    this.#seam.sendTo(peer, bytes, options);
  }

  close(): Promise<void> {
    return this.#seam.close();
  }
}
