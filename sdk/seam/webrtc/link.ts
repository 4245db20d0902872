// The inner port of the mesh: one connection to one peer, not yet greeted. PeerLink is the real one; tests bring their own.
import type { LinkFingerprints } from "./fingerprint.ts";

/** One step of the negotiation, as it crosses signaling. `relay`: where an end is reached at the relay both use, and its public key for this one link. */
export type Negotiation =
  | { readonly kind: "description"; readonly type: "offer" | "answer"; readonly sdp: string }
  | { readonly kind: "relay"; readonly type: "offer" | "answer"; readonly address: Uint8Array; readonly key: Uint8Array }
  | { readonly kind: "candidate"; readonly candidate: string; readonly sdpMid: string | null; readonly sdpMLineIndex: number | null };

/** Whether a step opens or answers an attempt; undefined for what comes in between. */
export function roleOf(step: Negotiation): "offer" | "answer" | undefined {
  return step.kind === "candidate" ? undefined : step.type;
}

/** Why a link ended. `no-path`: ICE found no way before the link was open. */
export interface LinkEnd {
  readonly kind: "no-path" | "lost" | "error";
  readonly cause: Error | undefined;
}

/** What a link tells its owner. Nothing is called after `closed`, and nothing after the owner closed it. */
export interface LinkListener {
  /** To be carried to the other side. */
  negotiate(step: Negotiation): void;
  /** Bytes can be sent. */
  open(): void;
  /** One message, whole; the bytes belong to the listener. */
  message(bytes: Uint8Array): void;
  /** One message of the lossy lane, whole; the bytes belong to the listener. */
  lossy(bytes: Uint8Array): void;
  /** The send buffer ran low. */
  drained(): void;
  /** ICE lost contact (true) or found it again (false). */
  unsteady(unsteady: boolean): void;
  /** Over, not by the owner's wish. */
  closed(end: LinkEnd): void;
}

/** One connection attempt and, when it works out, the connection. */
export interface Link {
  /** Bytes handed over and not yet sent. */
  readonly bufferedBytes: number;
  /** How many may be handed over ahead of the network. Default: what a data channel is given. */
  readonly bufferedBytesMax?: number | undefined;
  /** The certificates of both ends, once open; undefined where it is not clear which they are. */
  readonly fingerprints: LinkFingerprints | undefined;
  /** Takes a step from the other side; steps that make no sense end the link. */
  signal(step: Negotiation): void;
  /** Sends one message of at most 16 KiB, copied before the call returns. False when the link can not take it any more. */
  send(bytes: Uint8Array): boolean;
  /** Sends one message of at most 16 KiB that may be lost and overtaken; dropped where too many wait. False while there is no such lane. */
  sendLossy(bytes: Uint8Array): boolean;
  /** Ends it at once. Idempotent. */
  close(): void;
}

/** What a link needs to begin. */
export interface LinkOptions {
  readonly initiator: boolean;
  readonly iceServers: readonly RTCIceServer[];
  readonly relayOnly: boolean;
}

/** Begins a link. May throw when the platform has no WebRTC. */
export type LinkFactory = (options: LinkOptions, listener: LinkListener) => Link;
