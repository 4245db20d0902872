// What a node needs of the seam it speaks over. Stated here rather than imported, so that the pure world stays free of what seams are made of.
import type { PeerId } from "../base/index.ts";

/** The part of a `Seam` a node uses; every seam and every mux channel is one. */
export interface NodeChannel {
  readonly selfId: PeerId;
  readonly peers: ReadonlySet<PeerId>;
  readonly payloadBytesMax: number;
  /** Adds a listener for whole frames, which then own their bytes; returns the function that removes it. */
  on(event: "frame", listener: (from: PeerId, bytes: Uint8Array) => void): () => void;
  /** Sends one frame of at most `payloadBytesMax` bytes. May throw when the peer is not there: the node counts that and goes on. */
  sendTo(peer: PeerId, bytes: Uint8Array): void;
}
