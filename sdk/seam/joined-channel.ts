// One channel made of two: a group's frames travel over the mesh, and to a witness by its own way. Nothing but these frames ever takes that way.
import type { PeerId } from "../base/index.ts";
import type { Seam } from "./seam.ts";

/** What a node speaks over. */
export interface JoinedChannel {
  readonly selfId: PeerId;
  readonly peers: ReadonlySet<PeerId>;
  readonly payloadBytesMax: number;
  /** Hears frames; returns the function that ends it. */
  on(event: "frame", listener: (from: PeerId, bytes: Uint8Array) => void): () => void;
  /** Sends one frame to somebody in `peers`; throws as a seam's does. */
  sendTo(peer: PeerId, bytes: Uint8Array): void;
}

/**
 * `channel` with the peers of `aside` beside its own; who is in both is reached over `channel`. Closes neither. `sendTo` throws what the way it
 * goes throws, `PayloadTooLargeError` by that one's own limit. `isTrusted` says which peers of `aside` there can be: a frame of another is dropped.
 */
export function joinChannels(channel: Seam, aside: JoinedChannel, isTrusted: (peer: PeerId) => boolean): JoinedChannel {
  const isAside = (peer: PeerId): boolean => isTrusted(peer) && aside.peers.has(peer) && !channel.peers.has(peer);
  return {
    selfId: channel.selfId,
    payloadBytesMax: channel.payloadBytesMax,
    get peers() {
      return new Set([...channel.peers, ...[...aside.peers].filter(isTrusted)]);
    },
    on(event, listener) {
      const offs = [channel.on(event, listener), aside.on(event, (from, bytes) => isAside(from) && listener(from, bytes))];
      return () => offs.forEach((off) => off());
    },
    sendTo: (peer, bytes) => (isAside(peer) ? aside : channel).sendTo(peer, bytes),
  };
}
