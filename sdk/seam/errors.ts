// What can go wrong while moving frames.
import { SdkError, type PeerId } from "../base/index.ts";

/** The seam is torn; open a new one. `code` is `seam-torn`. */
export class SeamTornError extends SdkError {
  constructor(reason: string) {
    super("seam-torn", `the seam is torn: ${reason}`);
    this.name = "SeamTornError";
  }
}

/** A frame was addressed to its own sender. `code` is `self-send`. */
export class SelfSendError extends SdkError {
  constructor(peer: PeerId) {
    super("self-send", `${peer} can not send to itself`);
    this.name = "SelfSendError";
  }
}

/** The addressee is not connected now. `code` is `peer-not-connected`; wait for it in `peers`. */
export class PeerNotConnectedError extends SdkError {
  constructor(peer: PeerId) {
    super("peer-not-connected", `${peer} is not connected`);
    this.name = "PeerNotConnectedError";
  }
}

/** No direct path between two peers was found. `code` is `nat-traversal`: add a TURN server to `iceServers`. */
export class NatTraversalError extends SdkError {
  readonly peer: PeerId;

  constructor(peer: PeerId, options?: { readonly cause?: unknown }) {
    super("nat-traversal", `no network path to ${peer} was found: add a TURN server to iceServers`, options);
    this.name = "NatTraversalError";
    this.peer = peer;
  }
}

/** More was sent to a peer than its link carried; the link ends and is dialled again. `code` is `send-queue-full`: send less, or look at `bufferedBytes`. */
export class SendQueueFullError extends SdkError {
  readonly peer: PeerId;

  constructor(peer: PeerId, maxBytes: number) {
    super("send-queue-full", `more than ${maxBytes} bytes wait for ${peer}`);
    this.name = "SendQueueFullError";
    this.peer = peer;
  }
}

/** Whoever spoke on a link could not prove to be this peer; the link was closed and never counted. `code` is `peer-not-proven`. */
export class PeerNotProvenError extends SdkError {
  readonly peer: PeerId;

  constructor(peer: PeerId, reason: string) {
    super("peer-not-proven", `who speaks as ${peer} did not prove to be it: ${reason}`);
    this.name = "PeerNotProvenError";
    this.peer = peer;
  }
}
