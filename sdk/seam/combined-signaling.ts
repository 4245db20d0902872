// Several signaling channels used as one: what any of them can carry arrives, once.
import { digestHex, type PeerId } from "../base/index.ts";
import { createNanoEvents, type Emitter } from "nanoevents";
import type { Signaling, SignalingEvents } from "./signaling.ts";

type Status = Parameters<SignalingEvents["status"]>[0];

/** Payloads remembered for recognising a copy from another channel; the oldest are forgotten. */
const REMEMBERED_MAX = 512;

/**
 * One channel over several (at least one, all of the same peer). A message is sent on all and delivered when the first copy
 * arrives. `up` while any is up, `failed` when all have failed. Closing closes all.
 *
 * Copies are recognised by counting: the n-th arrival of the same bytes on one channel is a copy of the n-th on another. So
 * nothing is added to the payload, and a peer that uses only one of the channels understands it. As every channel keeps the
 * order of one sender, first arrivals keep it too.
 */
export function combineSignaling(channels: readonly [Signaling, ...Signaling[]]): Signaling {
  return new CombinedSignaling(channels);
}

class CombinedSignaling implements Signaling {
  readonly selfId: PeerId;
  readonly #channels: readonly Signaling[];
  readonly #events: Emitter<SignalingEvents> = createNanoEvents();
  readonly #statuses: Status[];
  readonly #seen = new Map<string, number[]>();
  #status: Status = "down";

  constructor(channels: readonly [Signaling, ...Signaling[]]) {
    this.selfId = channels[0].selfId;
    this.#channels = channels;
    this.#statuses = channels.map(() => "down");
    channels.forEach((channel, at) => this.#listen(channel, at));
  }

  on<K extends keyof SignalingEvents>(event: K, listener: SignalingEvents[K]): () => void {
    return this.#events.on(event, listener);
  }

  announce(): void {
    for (const channel of this.#channels) channel.announce();
  }

  send(to: PeerId, payload: Uint8Array): void {
    for (const channel of this.#channels) channel.send(to, payload);
  }

  async close(): Promise<void> {
    await Promise.all(this.#channels.map((channel) => channel.close()));
  }

  #listen(channel: Signaling, at: number): void {
    channel.on("announced", (peer) => this.#events.emit("announced", peer));
    channel.on("left", (peer) => this.#events.emit("left", peer));
    channel.on("message", (from, payload) => {
      if (this.#isFirst(at, `${from}\n${digestHex(payload)}`)) this.#events.emit("message", from, payload);
    });
    channel.on("status", (status, reason) => this.#statusChanged(at, status, reason));
  }

  #isFirst(at: number, name: string): boolean {
    const counts = this.#seen.get(name) ?? this.#channels.map(() => 0);
    const before = Math.max(...counts);
    const mine = (counts[at] ?? 0) + 1;
    counts[at] = mine;
    this.#seen.delete(name);
    this.#seen.set(name, counts);
    for (const oldest of this.#seen.keys()) {
      if (this.#seen.size <= REMEMBERED_MAX) break;
      this.#seen.delete(oldest);
    }
    return mine > before;
  }

  #statusChanged(at: number, status: Status, reason: string): void {
    this.#statuses[at] = status;
    const whole = overall(this.#statuses);
    if (whole === this.#status && whole !== "failed") {
      // A second way up is worth an announcement of its own: strangers may listen only there.
      if (status === "up") this.#events.emit("status", "up", reason);
      return;
    }
    this.#status = whole;
    this.#events.emit("status", whole, reason);
  }
}

function overall(statuses: readonly Status[]): Status {
  if (statuses.includes("up")) return "up";
  return statuses.every((status) => status === "failed") ? "failed" : "down";
}
