// Who is at the relay, who may say how much to whom, and what waits for whom. Knows nothing of sockets, and nothing of what it carries.
import { MalformedError } from "../base/index.ts";
import { addressName, decodeRelayFrame, encodeRelayFrame } from "../seam/index.ts";
import { TokenBucket, type RelayLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";
import { REFUSALS, type Refusal } from "./rooms.ts";

/** One connection as the relay sees it. */
export interface RelayClient {
  readonly room: string;
  /** Made for this connection and unforeseeable: only who was told it can send there. */
  readonly address: Uint8Array;
  /** `sent` is called once the bytes have left this process. */
  send(bytes: Uint8Array, sent?: () => void): void;
}

/** What one client has said to another and has not left yet. */
interface Pair {
  waitingBytes: number;
  /** Too much waited: nothing more is taken until all of it has left. */
  isCut: boolean;
}

interface Place {
  readonly client: RelayClient;
  readonly pairs: Map<string, Pair>;
}

interface Room {
  readonly places: Map<string, Place>;
  readonly bytes: TokenBucket;
}

/** All rooms of one relay. */
export class RelayRooms {
  readonly #limits: RelayLimits;
  readonly #counts: ServerCounts;
  readonly #rooms = new Map<string, Room>();
  readonly #bytes: TokenBucket;

  constructor(limits: RelayLimits, counts: ServerCounts, nowMs: number) {
    this.#limits = limits;
    this.#counts = counts;
    this.#bytes = new TokenBucket(limits.totalBytesPerSecond, limits.totalByteBurst, nowMs);
  }

  /** Lets a connection in and tells it its address, or says why not. */
  join(client: RelayClient, nowMs: number): Refusal | undefined {
    const known = this.#rooms.get(client.room);
    if (known === undefined && this.#rooms.size >= this.#limits.roomsMax) return REFUSALS.serverFull;
    if (known !== undefined && known.places.size >= this.#limits.peersPerRoomMax) return REFUSALS.roomFull;
    const room = known ?? { places: new Map(), bytes: new TokenBucket(this.#limits.roomBytesPerSecond, this.#limits.roomByteBurst, nowMs) };
    this.#rooms.set(client.room, room);
    room.places.set(addressName(client.address), { client, pairs: new Map() });
    this.#counts.relayed += 1;
    client.send(encodeRelayFrame({ kind: "welcome", address: client.address }));
    return undefined;
  }

  /** The connection ended; whoever it spoke to is told. */
  leave(client: RelayClient): void {
    const room = this.#rooms.get(client.room);
    const name = addressName(client.address);
    if (room === undefined || !room.places.delete(name)) return;
    this.#counts.relayed -= 1;
    for (const { client: other, pairs } of room.places.values()) if (pairs.delete(name)) other.send(encodeRelayFrame({ kind: "gone", address: client.address }));
    if (room.places.size === 0) this.#rooms.delete(client.room);
  }

  /** Takes what a client said; returns for how long it is not to be heard, ms: what its room, or all rooms together, spent too fast. */
  receive(client: RelayClient, bytes: Uint8Array, nowMs: number): number {
    const room = this.#rooms.get(client.room);
    const place = room?.places.get(addressName(client.address));
    if (room === undefined || place === undefined) return 0;
    this.#counts.bytesTotal += bytes.length;
    try {
      const frame = decodeRelayFrame(bytes);
      if (frame.kind === "ping") client.send(encodeRelayFrame({ kind: "pong" }));
      if (frame.kind !== "frame") return 0;
      this.#pass(room, place, frame.address, frame.bytes);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#counts.droppedTotal += 1;
    }
    return Math.max(room.bytes.spend(bytes.length, nowMs), this.#bytes.spend(bytes.length, nowMs));
  }

  #pass(room: Room, { client, pairs }: Place, to: Uint8Array, bytes: Uint8Array): void {
    const name = addressName(to);
    const addressee = room.places.get(name);
    if (addressee === undefined) {
      this.#counts.droppedTotal += 1;
      return client.send(encodeRelayFrame({ kind: "gone", address: to }));
    }
    const pair = pairs.get(name) ?? { waitingBytes: 0, isCut: false };
    pairs.set(name, pair);
    // Known from the other side too, so that it is told when this one goes, whatever it has said.
    const back = addressName(client.address);
    if (!addressee.pairs.has(back)) addressee.pairs.set(back, { waitingBytes: 0, isCut: false });
    if (pair.waitingBytes + bytes.length > this.#limits.pairBytesMax) this.#cut(client, addressee.client, pair);
    if (pair.isCut) return void (this.#counts.droppedTotal += 1);
    const frame = encodeRelayFrame({ kind: "frame", address: client.address, bytes });
    pair.waitingBytes += bytes.length;
    this.#counts.relayedBytesTotal += bytes.length;
    addressee.client.send(frame, () => {
      pair.waitingBytes -= bytes.length;
      if (pair.waitingBytes === 0) pair.isCut = false;
    });
  }

  // A gap can not be mended, so both learn that this is over; whatever they make next begins anew.
  #cut(client: RelayClient, other: RelayClient, pair: Pair): void {
    if (pair.isCut) return;
    pair.isCut = true;
    this.#counts.relayCutTotal += 1;
    client.send(encodeRelayFrame({ kind: "gone", address: other.address }));
    other.send(encodeRelayFrame({ kind: "gone", address: client.address }));
  }
}
