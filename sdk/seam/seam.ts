// The port: one peer's view of a live group that can send frames. Knows nothing of games, turns or terms.
import type { PeerId } from "../base/index.ts";

/** Where a seam is in its life. `torn` is final and the first reason wins. */
export type SeamState =
  | { readonly phase: "weaving" }
  | { readonly phase: "woven" }
  | { readonly phase: "torn"; readonly reason: string };

/** What a seam tells its listeners. */
export interface SeamEvents {
  /** A whole frame from another peer; `bytes` belongs to the listener. */
  frame: (from: PeerId, bytes: Uint8Array) => void;
  /** The roster changed; the same set `peers` now returns. */
  peers: (peers: ReadonlySet<PeerId>) => void;
  /** The state changed. */
  state: (state: SeamState) => void;
}

/** How a frame travels. */
export interface SendOptions {
  /**
   * Frames of one stream keep their order; frames of different streams may overtake each other, piece by piece, so that a
   * heartbeat never waits behind a large frame of another stream. A whole number from 0 to 255. Default 0. `MuxSeam` uses its tag.
   */
  readonly stream?: number | undefined;
  /**
   * For what is out of date a moment later, as a cursor or a position is: the frame may be lost and may overtake others or be overtaken, and it never waits for
   * one that is late. It is never doubled. Over {@link LOSSY_BYTES_MAX}, and where there is no such way to a peer, it goes with the rest. Default false.
   */
  readonly lossy?: boolean | undefined;
}

/** The largest frame that goes the lossy way, in bytes, header of its channel included: one message, of which no part can be lost alone. */
export const LOSSY_BYTES_MAX: number = 16 * 1024;

/** The largest frame a seam takes unless told otherwise, in bytes: large enough for a snapshot chunk with its header, small enough to hold many. */
export const PAYLOAD_BYTES_MAX: number = 1024 * 1024;

/** Frames kept for the first `frame` listener: more than this many, or more than {@link BACKLOG_BYTES_MAX}, and the oldest are dropped and counted. */
export const BACKLOG_FRAMES_MAX: number = 1024;

/** Bytes kept for the first `frame` listener; the newest frame is kept even when it alone is larger. */
export const BACKLOG_BYTES_MAX: number = 1024 * 1024;

/**
 * One peer's view of a live group. Rules SM1 to SM16 in SPEC.md hold for every implementation.
 * A frame sent is delivered whole, exactly once, in order per sender and stream, while both ends stay connected; a lossy one is delivered whole and at most once.
 */
export interface Seam {
  /** This peer. */
  readonly selfId: PeerId;
  /** Everybody now connected, always with `selfId` while the seam lives; exactly `{selfId}` once torn. A new set per change. */
  readonly peers: ReadonlySet<PeerId>;
  readonly state: SeamState;
  /** The largest frame `sendTo` and `broadcast` take, in bytes. */
  readonly payloadBytesMax: number;
  /** Adds a listener; returns the function that removes it. Frames that came before the first `frame` listener are kept up to the written limit and delivered to it. */
  on<K extends keyof SeamEvents>(event: K, listener: SeamEvents[K]): () => void;
  /** Sends to everybody connected now; best effort while weaving or alone. Throws `SeamTornError`, `PayloadTooLargeError`. */
  broadcast(bytes: Uint8Array, options?: SendOptions): void;
  /** Sends to one peer. Throws, in this order of checks: `SeamTornError`, `SelfSendError`, `PeerNotConnectedError`, `PayloadTooLargeError`; then nothing was written. */
  sendTo(peer: PeerId, bytes: Uint8Array, options?: SendOptions): void;
  /** Flushes what was sent, says goodbye so that the others learn at once, and tears the seam. Idempotent. */
  close(): Promise<void>;
}
