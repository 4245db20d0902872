// What our signaling channels share: listeners, limits, the room's rules for one incoming frame. Not a port: see signaling.ts.
import { createNanoEvents, type Emitter } from "nanoevents";
import { ClosedError, PayloadTooLargeError, type PeerId } from "../base/index.ts";
import type { SignalingFrame } from "./signaling-frame.ts";
import { SIGNALING_BYTES_MAX, type Signaling, type SignalingEvents } from "./signaling.ts";

/** The common half of a signaling channel; a subclass moves the frames. */
export abstract class SignalingCore implements Signaling {
  readonly selfId: PeerId;
  readonly #events: Emitter<SignalingEvents> = createNanoEvents();
  #announced = false;
  #closed = false;
  #malformed = 0;

  constructor(selfId: PeerId) {
    this.selfId = selfId;
  }

  /** Incoming messages dropped because they made no sense. */
  get malformedDropped(): number {
    return this.#malformed;
  }

  on<K extends keyof SignalingEvents>(event: K, listener: SignalingEvents[K]): () => void {
    return this.#events.on(event, listener);
  }

  announce(): void {
    this.#throwIfClosed();
    this.#announced = true;
    this.post({ kind: "announce", from: this.selfId, to: undefined });
  }

  send(to: PeerId, payload: Uint8Array): void {
    this.#throwIfClosed();
    if (payload.length > SIGNALING_BYTES_MAX) throw new PayloadTooLargeError(payload.length, SIGNALING_BYTES_MAX, "signaling message");
    if (to !== this.selfId) this.post({ kind: "message", from: this.selfId, to, payload });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.end();
  }

  protected get closed(): boolean {
    return this.#closed;
  }

  /** True once this peer asked to be known: what a reconnected or late-heard channel must say again. */
  protected get isAnnounced(): boolean {
    return this.#announced;
  }

  /** Best effort; loses the frame silently when nobody can take it. */
  protected abstract post(frame: SignalingFrame): void;

  /** Says goodbye and frees everything. */
  protected abstract end(): Promise<void>;

  /** Tells the listeners whether messages can flow; nothing is told once closed. */
  protected status(status: "up" | "down" | "failed", reason: string): void {
    if (!this.#closed) this.#events.emit("status", status, reason);
  }

  /** Counts one incoming message that made no sense. */
  protected malformed(): void {
    this.#malformed += 1;
  }

  /** Judges one frame from the room. Everything not for this peer is ignored. */
  protected heard(frame: SignalingFrame): void {
    if (this.#closed) return;
    if (frame.kind === "announce" && frame.from !== this.selfId && (frame.to === undefined || frame.to === this.selfId)) {
      this.#events.emit("announced", frame.from);
    } else if (frame.kind === "message" && frame.to === this.selfId && frame.from !== this.selfId) {
      this.#events.emit("message", frame.from, frame.payload);
    } else if (frame.kind === "left" && frame.from !== this.selfId) {
      this.#events.emit("left", frame.from);
    }
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new ClosedError("the signaling channel");
  }
}
