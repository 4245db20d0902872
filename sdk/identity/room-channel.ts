// Asking the other tabs of a room whether one of them lives under an identity: a live tab answers, one that is going away does not.
import type { RoomEnvironment, RoomMessages } from "./environment.ts";

/** What a holder says when asked: that it lives, or nothing, because it makes way. */
export type HolderAnswer = "here" | "silent";

interface Note {
  readonly type: "ask" | "here";
  readonly peer: string;
}

/** One tab's end of the room's channel. Without a channel nobody is ever heard. */
export class RoomChannel {
  readonly #messages: RoomMessages | undefined;
  readonly #page: RoomEnvironment["page"];
  readonly #held = new Map<string, () => HolderAnswer>();
  readonly #asking = new Map<string, Set<() => void>>();
  #isLeaving = false;

  constructor(env: RoomEnvironment, room: string) {
    this.#messages = env.messages?.(`flotilla/identity/${room}`, (message) => this.#receive(message));
    this.#page = env.page;
    this.#page?.addEventListener("pagehide", this.#onHide);
    this.#page?.addEventListener("pageshow", this.#onShow);
  }

  /** From now on `answer` decides what is said to whoever asks for `peer`. */
  hold(peer: string, answer: () => HolderAnswer): void {
    this.#held.set(peer, answer);
  }

  /** Says nothing about `peer` any more. */
  drop(peer: string): void {
    this.#held.delete(peer);
  }

  /** Asks once. `onHere` is called for every answer until the returned function is. */
  ask(peer: string, onHere: () => void): () => void {
    const waiting = this.#asking.get(peer) ?? new Set();
    this.#asking.set(peer, waiting.add(onHere));
    this.#say({ type: "ask", peer });
    return () => {
      waiting.delete(onHere);
    };
  }

  close(): void {
    this.#page?.removeEventListener("pagehide", this.#onHide);
    this.#page?.removeEventListener("pageshow", this.#onShow);
    this.#messages?.close();
  }

  #receive(data: unknown): void {
    const note = noteFrom(data);
    if (note?.type === "here") for (const heard of this.#asking.get(note.peer) ?? []) heard();
    // A document on its way out is not in the way of the one that replaces it.
    if (note?.type !== "ask" || this.#isLeaving) return;
    if (this.#held.get(note.peer)?.() === "here") this.#say({ type: "here", peer: note.peer });
  }

  #say(note: Note): void {
    this.#messages?.postMessage(note);
  }

  readonly #onHide = (): void => {
    this.#isLeaving = true;
  };

  readonly #onShow = (): void => {
    this.#isLeaving = false;
  };
}

/** Any page of the site can post here. */
function noteFrom(data: unknown): Note | undefined {
  if (typeof data !== "object" || data === null || !("type" in data) || !("peer" in data)) return undefined;
  const { type, peer } = data;
  return (type === "ask" || type === "here") && typeof peer === "string" ? { type, peer } : undefined;
}
