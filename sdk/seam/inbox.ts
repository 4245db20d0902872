// Listeners of one seam, and the frames that came before anybody listened.
import { createNanoEvents, type Emitter } from "nanoevents";
import type { PeerId } from "../base/index.ts";
import { BACKLOG_BYTES_MAX, BACKLOG_FRAMES_MAX, type SeamEvents } from "./seam.ts";

/** What a seam of this folder can tell: the port's events, and trouble where links can fail. */
export interface InboxEvents extends SeamEvents {
  trouble: (error: Error) => void;
}

interface Kept {
  readonly from: PeerId;
  readonly bytes: Uint8Array;
}

/** Hands events to listeners. Until the first `frame` listener comes, frames wait up to the written limit; then the oldest leave and are counted. */
export class Inbox {
  readonly #events: Emitter<InboxEvents> = createNanoEvents();
  #kept: Kept[] = [];
  #keptBytes = 0;
  #listened = false;
  #draining = false;
  #dropped = 0;

  /** Frames lost because nobody listened. */
  get dropped(): number {
    return this.#dropped;
  }

  on<K extends keyof InboxEvents>(event: K, listener: InboxEvents[K]): () => void {
    const off = this.#events.on(event, listener);
    if (event === "frame" && !this.#listened) this.#startListening();
    return off;
  }

  emit<K extends keyof InboxEvents>(event: K, ...args: Parameters<InboxEvents[K]>): void {
    this.#events.emit(event, ...args);
  }

  frame(from: PeerId, bytes: Uint8Array): void {
    if (!this.#listened || this.#draining) this.#keep({ from, bytes });
    else if (this.#hasListener()) this.#events.emit("frame", from, bytes);
    else this.#dropped += 1;
  }

  /** Forgets what waits: after the seam is torn no frame is delivered any more. */
  clear(): void {
    this.#kept = [];
    this.#keptBytes = 0;
  }

  // In a microtask, so that the listener is never called before `on` has returned its off function.
  #startListening(): void {
    this.#listened = true;
    if (this.#kept.length === 0) return;
    this.#draining = true;
    queueMicrotask(() => this.#drain());
  }

  #drain(): void {
    try {
      for (let next = this.#kept.shift(); next !== undefined; next = this.#kept.shift()) {
        this.#keptBytes -= next.bytes.length;
        if (this.#hasListener()) this.#events.emit("frame", next.from, next.bytes);
        else this.#dropped += 1;
      }
    } finally {
      this.#draining = this.#kept.length > 0;
      if (this.#draining) queueMicrotask(() => this.#drain());
    }
  }

  #hasListener(): boolean {
    return (this.#events.events.frame?.length ?? 0) > 0;
  }

  #keep(kept: Kept): void {
    this.#kept.push(kept);
    this.#keptBytes += kept.bytes.length;
    while (this.#kept.length > 1 && (this.#kept.length > BACKLOG_FRAMES_MAX || this.#keptBytes > BACKLOG_BYTES_MAX)) {
      this.#keptBytes -= this.#kept.shift()?.bytes.length ?? 0;
      this.#dropped += 1;
    }
  }
}
