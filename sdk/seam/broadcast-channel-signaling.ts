// Signaling between the tabs of one browser profile on one origin: no server at all.
import { MalformedError, type PeerId } from "../base/index.ts";
import { SignalingCore } from "./signaling-core.ts";
import { decodeSignalingFrame, encodeSignalingFrame, type SignalingFrame } from "./signaling-frame.ts";

/** A place in a room that exists as long as a tab of this browser is in it. */
export class BroadcastChannelSignaling extends SignalingCore {
  readonly #channel: BroadcastChannel;

  /** Needs the global `BroadcastChannel`, which every current browser and Node have. */
  constructor(options: { readonly selfId: PeerId; readonly room: string }) {
    super(options.selfId);
    this.#channel = new BroadcastChannel(`flotilla-signaling:${options.room}`);
    this.#channel.onmessage = (event: MessageEvent<unknown>): void => this.#receive(event.data);
    queueMicrotask(() => this.status("up", "tabs of this browser"));
  }

  protected post(frame: SignalingFrame): void {
    this.#channel.postMessage(encodeSignalingFrame(frame));
  }

  protected end(): Promise<void> {
    this.post({ kind: "left", from: this.selfId });
    this.#channel.close();
    return Promise.resolve();
  }

  // Any script of the origin can post here, so the bytes are judged like a stranger's.
  #receive(data: unknown): void {
    if (this.closed) return;
    try {
      if (!(data instanceof Uint8Array)) throw new MalformedError("not bytes");
      const frame = decodeSignalingFrame(data);
      this.heard(frame);
      if (frame.kind === "announce" && frame.to === undefined && frame.from !== this.selfId && this.isAnnounced && !this.closed) {
        this.post({ kind: "announce", from: this.selfId, to: frame.from });
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.malformed();
    }
  }
}
