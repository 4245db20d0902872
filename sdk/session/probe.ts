// Round trips between peers, measured on a channel of their own; each probe is also a sign of life, and says what its sender last said of itself.
import { ByteReader, ByteWriter, type Clock, type PeerId } from "../base/index.ts";
import type { Seam } from "../seam/index.ts";

/** Pause between two probes, ms. Two a grace period would do; this keeps the figure fresh at 10 bytes a second. */
export const PROBE_EVERY_MS = 1_000;

const PING = 0;
const PONG = 1;

/** What a probe tells, and whom. */
export interface ProbeOptions {
  readonly clock: Clock;
  /** A round trip was measured. */
  readonly onChange: () => void;
  /** Stands for this peer's last word in the lobby; goes along with every probe. */
  readonly stamp: () => number;
  /** The stamp of another peer came along. */
  readonly onStamp: (from: PeerId, stamp: number) => void;
}

/** Probes everybody on a seam until stopped. */
export class RoundTripProbe {
  readonly #seam: Seam;
  readonly #options: ProbeOptions;
  readonly #offs: (() => void)[];
  readonly #sentAt = new Map<number, number>();
  #serial = 0;
  #stopTimer: () => void = () => {};
  #roundTripMs: Readonly<Record<string, number>> = {};

  constructor(seam: Seam, options: ProbeOptions) {
    this.#seam = seam;
    this.#options = options;
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
    const { clock, stamp } = this.#options;
    this.#serial += 1;
    this.#sentAt.set(this.#serial, clock.now());
    // Answers to older probes say little about now.
    this.#sentAt.delete(this.#serial - 8);
    this.#send(() => this.#seam.broadcast(new ByteWriter().byte(PING).uint(this.#serial).uint(stamp()).finish()));
    this.#stopTimer = clock.after(PROBE_EVERY_MS, () => this.#probe());
  }

  #receive(from: PeerId, bytes: Uint8Array): void {
    const frame = readProbe(bytes);
    if (frame === undefined) return;
    const { clock, onChange, onStamp } = this.#options;
    if (frame.type === PING) {
      this.#send(() => this.#seam.sendTo(from, new ByteWriter().byte(PONG).uint(frame.serial).finish()));
      return frame.stamp === undefined ? undefined : onStamp(from, frame.stamp);
    }
    const sentAt = this.#sentAt.get(frame.serial);
    if (sentAt === undefined) return undefined;
    this.#roundTripMs = { ...this.#roundTripMs, [from]: Math.round((clock.now() - sentAt) * 10) / 10 };
    return onChange();
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
function readProbe(bytes: Uint8Array): { readonly type: number; readonly serial: number; readonly stamp: number | undefined } | undefined {
  try {
    const reader = new ByteReader(bytes);
    const type = reader.byte();
    const serial = reader.uint();
    const stamp = type === PING && reader.remaining > 0 ? reader.uint() : undefined;
    reader.end();
    return type === PING || type === PONG ? { type, serial, stamp } : undefined;
  } catch {
    return undefined;
  }
}
