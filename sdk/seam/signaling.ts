// The port that lets two strangers in one room swap the few messages a link needs before it exists.
import type { PeerId } from "../base/index.ts";

/** What a signaling channel tells its listeners. */
export interface SignalingEvents {
  /** Somebody announced itself in the room (also repeatedly: announcements are harmless duplicates). Never about self. */
  announced: (peer: PeerId) => void;
  /** A message addressed to this peer. At most once each, in order per sender while the channel stays up. */
  message: (from: PeerId, payload: Uint8Array) => void;
  /** A peer said it is gone, or its connection to the signaling server ended. A hint only: links decide for themselves. */
  left: (peer: PeerId) => void;
  /** `up` when messages can flow, `down` while reconnecting, `failed` when the channel gave up or was refused; `reason` says why. */
  status: (status: "up" | "down" | "failed", reason: string) => void;
}

/** One peer's place in one signaling room. Rules SG1… in SPEC.md. */
export interface Signaling {
  readonly selfId: PeerId;
  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof SignalingEvents>(event: K, listener: SignalingEvents[K]): () => void;
  /** Makes this peer known to everybody in the room now, and to those who come later when they announce themselves. */
  announce(): void;
  /** Best effort to one peer; lost silently when it is not there (links retry). Throws `PayloadTooLargeError` over {@link SIGNALING_BYTES_MAX} (a channel that seals takes a little less); `ClosedError` after close. */
  send(to: PeerId, payload: Uint8Array): void;
  /** Says goodbye and ends. Idempotent. */
  close(): Promise<void>;
}

/** Limit of one signaling message: an SDP with its candidates is 1 to 10 KiB. */
export const SIGNALING_BYTES_MAX: number = 64 * 1024;

/** Makes the signaling channel of one peer in one room. A match gives a digest of its room as `room`, and seals what it sends. */
export type SignalingFactory = (options: { readonly selfId: PeerId; readonly room: string }) => Signaling;
