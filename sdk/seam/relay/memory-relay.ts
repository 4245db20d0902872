// A relay in memory for tests: what the server does, on a clock one turns, with tampering on request.
import { type Clock } from "../../base/index.ts";
import type { Socket, SocketFactory } from "../websocket-signaling.ts";
import { addressName, decodeRelayFrame, encodeRelayFrame, RELAY_ADDRESS_BYTES } from "./relay-frame.ts";

interface Place {
  readonly address: Uint8Array;
  hear(bytes: Uint8Array<ArrayBuffer>): void;
  end(reason: string): void;
}

/** Passes frames on after a millisecond. */
export class MemoryRelay {
  /** While true, nobody is let in and nothing passes. */
  isDown = false;
  /** What becomes of the bytes of each frame on the way; undefined: they pass as they are. */
  tamper: ((bytes: Uint8Array) => readonly Uint8Array[]) | undefined;
  /** Everything that passed. */
  readonly seen: Uint8Array[] = [];
  /** Bytes on the way, and the most there ever were. */
  waitingBytes = 0;
  waitingBytesMax = 0;
  /** How long a frame takes, ms. */
  delayMs = 1;
  readonly #clock: Clock;
  readonly #places = new Map<string, Place>();
  #serial = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sockets open. */
  get size(): number {
    return this.#places.size;
  }

  readonly openSocket: SocketFactory = (_url, listener): Socket => {
    const address = new Uint8Array(RELAY_ADDRESS_BYTES);
    new DataView(address.buffer).setUint32(0, (this.#serial += 1));
    const name = addressName(address);
    const place: Place = { address, hear: (bytes) => listener.received(bytes.buffer), end: (reason) => this.#places.delete(name) && listener.lost(1006, reason) };
    this.#clock.after(1, () => {
      if (this.isDown) return listener.lost(1006, "it is down");
      this.#places.set(name, place);
      listener.opened();
      place.hear(encodeRelayFrame({ kind: "welcome", address }));
    });
    return {
      send: (bytes) => this.#places.has(name) && this.#pass(place, bytes),
      close: () => {
        if (!this.#places.delete(name)) return;
        for (const other of this.#places.values()) other.hear(encodeRelayFrame({ kind: "gone", address }));
      },
    };
  };

  /** Ends every socket, as a server that crashes does. */
  crash(): void {
    for (const place of this.#places.values()) place.end("the server is gone");
  }

  #pass(from: Place, sent: Uint8Array): void {
    const frame = decodeRelayFrame(sent.slice());
    if (frame.kind === "ping") return from.hear(encodeRelayFrame({ kind: "pong" }));
    if (frame.kind !== "frame") return;
    this.seen.push(frame.bytes.slice());
    const all = this.tamper?.(frame.bytes.slice()) ?? [frame.bytes];
    for (const bytes of all) {
      this.waitingBytes += bytes.length;
      this.waitingBytesMax = Math.max(this.waitingBytesMax, this.waitingBytes);
      this.#clock.after(this.delayMs, () => {
        this.waitingBytes -= bytes.length;
        const to = this.#places.get(addressName(frame.address));
        if (to === undefined) from.hear(encodeRelayFrame({ kind: "gone", address: frame.address }));
        else to.hear(encodeRelayFrame({ kind: "frame", address: from.address, bytes }));
      });
    }
  }
}
