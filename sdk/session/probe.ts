// Round trips between peers, measured on a channel of their own; each probe is also a sign of life.
import { ByteReader, ByteWriter, type Clock, type PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";

/** Pause between two probes, ms. Two a grace period would do; this keeps the figure fresh at 10 bytes a second. */
export const PROBE_EVERY_MS = 1_000;

const PING = 0;
const PONG = 1;

/** Probes everybody on a seam until stopped. */
export class RoundTripProbe {
  readonly #seam: Seam;
  readonly #clock: Clock;
  readonly #onChange: () => void;
  readonly #offs: (() => void)[];
  readonly #sentAt = new Map<number, number>();
  #serial = 0;
  #stopTimer: () => void = () => {};
  #roundTripMs: Readonly<Record<string, number>> = {};

  constructor(seam: Seam, clock: Clock, onChange: () => void) {
    this.#seam = seam;
    this.#clock = clock;
    this.#onChange = onChange;
    this.#offs = [seam.on("frame", (from, bytes) => this.#receive(from, bytes)), seam.on("peers", (peers) => this.#keep(peers))];
    this.#probe();
  }

  /** Peer → last measured round trip, ms; a new object per change. */
  get roundTripMs(): Readonly<Record<string, number>> {
    return this.#roundTripMs;
  }

  stop(): void {
    this.#stopTimer();
    for (const off of this.#offs) off();
  }

  #probe(): void {
    this.#serial += 1;
    this.#sentAt.set(this.#serial, this.#clock.now());
    // Answers to older probes say little about now.
    this.#sentAt.delete(this.#serial - 8);
    this.#send(() => this.#seam.broadcast(new ByteWriter().byte(PING).uint(this.#serial).finish()));
    this.#stopTimer = this.#clock.after(PROBE_EVERY_MS, () => this.#probe());
  }

  #receive(from: PeerId, bytes: Uint8Array): void {
    const frame = readProbe(bytes);
    if (frame === undefined) return;
    if (frame.type === PING) return this.#send(() => this.#seam.sendTo(from, new ByteWriter().byte(PONG).uint(frame.serial).finish()));
    const sentAt = this.#sentAt.get(frame.serial);
    if (sentAt === undefined) return undefined;
    this.#roundTripMs = { ...this.#roundTripMs, [from]: Math.round((this.#clock.now() - sentAt) * 10) / 10 };
    return this.#onChange();
  }

  #keep(peers: ReadonlySet<PeerId>): void {
    const kept = Object.entries(this.#roundTripMs).filter(([peer]) => [...peers].some((present) => present === peer));
    if (kept.length !== Object.keys(this.#roundTripMs).length) this.#roundTripMs = Object.fromEntries(kept);
  }

  #send(send: () => void): void {
    try {
      send();
    } catch {
      // Torn or gone: there is nobody to measure.
    }
  }
}

/** undefined for anything that is not a probe. */
function readProbe(bytes: Uint8Array): { readonly type: number; readonly serial: number } | undefined {
  try {
    const reader = new ByteReader(bytes);
    const type = reader.byte();
    const serial = reader.uint();
    reader.end();
    return type === PING || type === PONG ? { type, serial } : undefined;
  } catch {
    return undefined;
  }
}
