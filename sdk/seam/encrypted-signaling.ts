// Signaling whose carrier can neither read what passes nor change it, nor pass it off as somebody else's.
import { ByteWriter, PayloadTooLargeError, type PeerId, type Random } from "../base/index.ts";
import { createNanoEvents, type Emitter } from "nanoevents";
import { isSealed, seal, SEAL_BYTES, unseal } from "./sealing.ts";
import type { SignalingKey } from "./signaling-key.ts";
import { SIGNALING_BYTES_MAX, type Signaling, type SignalingEvents } from "./signaling.ts";

/** What an {@link EncryptedSignaling} tells beside what every channel does. */
export interface EncryptedSignalingEvents extends SignalingEvents {
  /** Something sealed came in this peer's name that our key does not open: somebody has another password, or it was tampered with. */
  unreadable: (from: PeerId) => void;
}

/** A signaling channel under a key. */
export interface EncryptedSignaling extends Signaling {
  on<K extends keyof EncryptedSignalingEvents>(event: K, listener: EncryptedSignalingEvents[K]): () => void;
  /** Messages dropped because they were not sealed, or not with our key for us by who they claim to be from. */
  readonly unreadableDropped: number;
}

/** Largest message it takes, in bytes: what sealing adds has to fit as well. */
export const ENCRYPTED_SIGNALING_BYTES_MAX: number = SIGNALING_BYTES_MAX - SEAL_BYTES;

/**
 * The same channel with every message sealed for its room, its sender and its addressee. What does not open is dropped and counted. Who is there,
 * who talks to whom, how much and when stays visible to the carrier, and it can lose messages or repeat them. `announced` and `left` are not sealed:
 * they are hints. Sends in the task that asks for it, as the channel underneath does. Owns that channel. `random` must not be foreseeable.
 */
export function encryptedSignaling(inner: Signaling, { place, key }: SignalingKey, random: Random): EncryptedSignaling {
  const events: Emitter<EncryptedSignalingEvents> = createNanoEvents();
  const { selfId } = inner;
  let dropped = 0;
  const contextOf = (from: PeerId, to: PeerId): Uint8Array => new ByteWriter().text(place).text(from).text(to).finish();
  inner.on("announced", (peer) => events.emit("announced", peer));
  inner.on("left", (peer) => events.emit("left", peer));
  inner.on("status", (status, reason) => events.emit("status", status, reason));
  inner.on("message", (from, sealed) => {
    const payload = unseal(key, sealed, contextOf(from, selfId));
    if (payload !== undefined) return events.emit("message", from, payload);
    dropped += 1;
    if (isSealed(sealed)) events.emit("unreadable", from);
  });
  return {
    selfId,
    get unreadableDropped() {
      return dropped;
    },
    on: (event, listener) => events.on(event, listener),
    announce: () => inner.announce(),
    send: (to, payload) => {
      if (payload.length > ENCRYPTED_SIGNALING_BYTES_MAX) throw new PayloadTooLargeError(payload.length, ENCRYPTED_SIGNALING_BYTES_MAX, "signaling message");
      inner.send(to, seal(key, payload, contextOf(selfId, to), random));
    },
    close: () => inner.close(),
  };
}
