// One link made by hand: an RTCPeerConnection whose whole negotiation is one description each way.
import { SdkError, type Clock } from "../base/index.ts";
import { descriptionOf, sdpOf, type ManualDescription } from "./manual-description.ts";

/** What a link tells its owner; nothing after `lost`. */
export interface ManualLinkListener {
  /** Both ends are connected. */
  opened(): void;
  /** One whole message. */
  received(bytes: Uint8Array): void;
  /** It ended, or never came about. Once, and the last word. */
  lost(reason: Error): void;
}

/** One end of a link to one other. Either `offer` and later `accept`, or `answer`. */
export interface ManualLink {
  /** This end, for the other one to answer. */
  offer(): Promise<ManualDescription>;
  /** This end, in answer to the other one. */
  answer(offer: ManualDescription): Promise<ManualDescription>;
  /** Takes the answer; both ends connect. */
  accept(answer: ManualDescription): Promise<void>;
  /** Sends, or loses the bytes where the link is not open. */
  send(bytes: Uint8Array): void;
  /** Ends it, in a moment: what was sent before still leaves. Its owner hears nothing more. */
  close(): void;
}

/** Begins a link. */
export type ManualLinkFactory = (options: { readonly iceServers: readonly RTCIceServer[]; readonly clock: Clock }, listener: ManualLinkListener) => ManualLink;

/** How long ways to this end are looked for, ms: a STUN server that does not answer must not hold up the string. */
const GATHERING_MS_MAX = 3_000;
/** How long what was sent last may take to leave, ms. */
const FLUSH_MS_MAX = 1_000;
/** The data channel, opened by both ends under one id, so that the description need not speak of it. */
const CHANNEL: RTCDataChannelInit = { negotiated: true, id: 0 };

/** Begins a link on the page's own RTCPeerConnection. */
export const openManualLink: ManualLinkFactory = ({ iceServers, clock }, listener) => new RtcManualLink(new RTCPeerConnection({ iceServers: [...iceServers] }), clock, listener);

class RtcManualLink implements ManualLink {
  readonly #connection: RTCPeerConnection;
  readonly #channel: RTCDataChannel;
  readonly #clock: Clock;
  readonly #listener: ManualLinkListener;
  /** The other side should be there: a path that is not found is a failure. */
  #isExpected = false;
  #isOver = false;

  constructor(connection: RTCPeerConnection, clock: Clock, listener: ManualLinkListener) {
    this.#connection = connection;
    this.#clock = clock;
    this.#listener = listener;
    this.#channel = connection.createDataChannel("signaling", CHANNEL);
    this.#channel.binaryType = "arraybuffer";
    this.#channel.onopen = (): void => {
      this.#isExpected = true;
      if (!this.#isOver) listener.opened();
    };
    this.#channel.onclose = (): void => this.#lost(new SdkError("link-lost", "the other side ended the link"));
    this.#channel.onmessage = ({ data }: MessageEvent<unknown>): void => {
      if (!this.#isOver && data instanceof ArrayBuffer) listener.received(new Uint8Array(data));
    };
    connection.onconnectionstatechange = (): void => {
      // Who replied looks for a path long before the other one has the reply, and finds none: that says nothing yet.
      if (connection.connectionState === "failed" && this.#isExpected) this.#lost(new SdkError("nat-traversal", "no network path to the other side was found, or it was lost: add a TURN server to iceServers"));
    };
  }

  async offer(): Promise<ManualDescription> {
    return this.#described(await this.#connection.createOffer());
  }

  async answer(offer: ManualDescription): Promise<ManualDescription> {
    await this.#connection.setRemoteDescription({ type: "offer", sdp: sdpOf(offer, "invites") });
    return this.#described(await this.#connection.createAnswer());
  }

  async accept(answer: ManualDescription): Promise<void> {
    this.#isExpected = true;
    await this.#connection.setRemoteDescription({ type: "answer", sdp: sdpOf(answer, "replies") });
  }

  send(bytes: Uint8Array): void {
    if (this.#channel.readyState !== "open") return;
    try {
      this.#channel.send(bytes as Uint8Array<ArrayBuffer>);
    } catch {
      // It closed in between, or its buffer is full: signaling is best effort.
    }
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const connection = this.#connection;
    if (this.#channel.readyState !== "open") return connection.close();
    // The channel closes once everything was sent; the connection would not wait for that.
    const stop = this.#clock.after(FLUSH_MS_MAX, () => connection.close());
    this.#channel.onclose = (): void => {
      stop();
      connection.close();
    };
    this.#channel.close();
    return undefined;
  }

  /** This end with every way to it that was found in time. */
  async #described(description: RTCSessionDescriptionInit): Promise<ManualDescription> {
    const connection = this.#connection;
    const gathered = new Promise<void>((resolve) => {
      const stop = this.#clock.after(GATHERING_MS_MAX, resolve);
      connection.onicegatheringstatechange = (): void => {
        if (connection.iceGatheringState !== "complete") return;
        stop();
        resolve();
      };
    });
    await connection.setLocalDescription(description);
    if (connection.iceGatheringState !== "complete") await gathered;
    return descriptionOf(connection.localDescription?.sdp ?? "");
  }

  #lost(reason: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.close();
    this.#listener.lost(reason);
  }
}
