// Signaling of one process: rooms in memory, for tests and simulations.
import type { PeerId } from "../base/index.ts";
import { SignalingCore } from "./signaling-core.ts";
import { decodeSignalingFrame, encodeSignalingFrame, type SignalingFrame } from "./signaling-frame.ts";
import type { Signaling, SignalingFactory } from "./signaling.ts";

/** Rooms whose members reach each other in a later microtask. */
export class MemorySignalingHub {
  readonly #rooms = new Map<string, Set<MemorySignaling>>();
  /** While true, every frame is lost: a signaling server that is away. */
  silent = false;

  /** A place in a room; usable as a {@link SignalingFactory}. */
  readonly join: SignalingFactory = ({ selfId, room }): Signaling => {
    const members = this.#rooms.get(room) ?? new Set();
    this.#rooms.set(room, members);
    const place: MemorySignaling = new MemorySignaling(selfId, {
      post: (frame) => {
        if (!this.silent) for (const member of members) if (member !== place) member.receive(encodeSignalingFrame(frame));
      },
      leave: () => members.delete(place),
    });
    members.add(place);
    return place;
  };
}

interface Room {
  post(frame: SignalingFrame): void;
  leave(): void;
}

class MemorySignaling extends SignalingCore {
  readonly #room: Room;

  constructor(selfId: PeerId, room: Room) {
    super(selfId);
    this.#room = room;
    queueMicrotask(() => this.status("up", "in memory"));
  }

  receive(bytes: Uint8Array): void {
    queueMicrotask(() => {
      const frame = decodeSignalingFrame(bytes);
      this.heard(frame);
      if (frame.kind === "announce" && frame.to === undefined && this.isAnnounced && !this.closed) {
        this.post({ kind: "announce", from: this.selfId, to: frame.from });
      }
    });
  }

  protected post(frame: SignalingFrame): void {
    this.#room.post(frame);
  }

  protected end(): Promise<void> {
    this.#room.post({ kind: "left", from: this.selfId });
    this.#room.leave();
    return Promise.resolve();
  }
}
