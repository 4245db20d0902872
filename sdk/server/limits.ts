// What the server lets strangers do, in numbers.

/** Limits of one server. Everything beyond them is refused or dropped, and counted. */
export interface ServerLimits {
  /** Rooms with at least one peer. */
  readonly roomsMax: number;
  readonly peersPerRoomMax: number;
  readonly connectionsMax: number;
  /** Messages a connection may send per second, on average, and in one burst. */
  readonly messagesPerSecond: number;
  readonly messageBurst: number;
  /** Bytes a connection may send per second, on average, and in one burst. */
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  /** Bytes waiting for a slow receiver before it is let go. */
  readonly bufferedBytesMax: number;
}

/** A mesh of 32 starting at once sends some 30 offers with 10 candidates each: 300 messages of at most a few KiB per peer. */
export const DEFAULT_LIMITS: ServerLimits = {
  roomsMax: 1_000,
  peersPerRoomMax: 32,
  connectionsMax: 4_096,
  messagesPerSecond: 50,
  messageBurst: 600,
  bytesPerSecond: 128 * 1024,
  byteBurst: 2 * 1024 * 1024,
  bufferedBytesMax: 1024 * 1024,
};

/** Limits of the witnesses of one server. */
export interface WitnessLimits extends Omit<ServerLimits, "roomsMax" | "peersPerRoomMax"> {
  /** Groups with a witness. */
  readonly witnessesMax: number;
  readonly peersPerWitnessMax: number;
  /** Entries a witness holds at most, some 50 bytes each. It lets go of what is committed, so only a group that commits nothing comes near; its witness ends then. */
  readonly entriesMax: number;
  /** Time without any connection after which a witness ends, ms. */
  readonly idleMs: number;
}

/** A leader sends one message per commit and a few heartbeats a second; the rest is room for bursts. */
export const DEFAULT_WITNESS_LIMITS: WitnessLimits = {
  witnessesMax: 1_000,
  peersPerWitnessMax: 32,
  connectionsMax: 4_096,
  messagesPerSecond: 500,
  messageBurst: 2_000,
  bytesPerSecond: 128 * 1024,
  byteBurst: 2 * 1024 * 1024,
  bufferedBytesMax: 1024 * 1024,
  entriesMax: 65_536,
  idleMs: 3_600_000,
};

/** Limits of one process of a core. */
export interface CoreLimits extends ServerLimits {
  /** Time without any peer after which a room's node is closed here, ms. Its records stay. */
  readonly idleMs: number;
  /** Time without any peer at any process after which a room is forgotten, all its records deleted, ms, at least 1000; 0: never. The same for all processes. */
  readonly keepMs: number;
  /** Rooms with records here; one more is not opened. */
  readonly roomsKeptMax: number;
  /** Entries of a room whose game is not run here, and whose log is therefore kept whole; with more, the room is closed here. Some 200 bytes each in memory and on disk, and what the action takes. */
  readonly logEntriesMax: number;
  /** Connections that have not proven yet who they are, beside `connectionsMax`: with one more the oldest of them is ended. */
  readonly unprovenMax: number;
  /** Bytes waiting for a slow process of the core before the link is let go and made anew. */
  readonly linkBytesMax: number;
}

/** A player's moves, cursors and presence, and now and then a log to catch up with. */
export const DEFAULT_CORE_LIMITS: CoreLimits = {
  roomsMax: 256,
  peersPerRoomMax: 64,
  connectionsMax: 4_096,
  messagesPerSecond: 2_000,
  messageBurst: 10_000,
  bytesPerSecond: 2 * 1024 * 1024,
  byteBurst: 32 * 1024 * 1024,
  bufferedBytesMax: 16 * 1024 * 1024,
  idleMs: 600_000,
  keepMs: 30 * 24 * 3_600_000,
  roomsKeptMax: 10_000,
  logEntriesMax: 500_000,
  unprovenMax: 512,
  linkBytesMax: 64 * 1024 * 1024,
};

/** Limits of the relay of one server. Who is over a rate is made to wait, and loses nothing; what is over a budget ends the link it belongs to. */
export interface RelayLimits extends ServerLimits {
  /** Bytes from one sender that may wait for one receiver; a peer of ours never has more than 64 KiB and a piece under way to another. */
  readonly pairBytesMax: number;
  /** Bytes all of a room may send per second, on average, and in one burst. */
  readonly roomBytesPerSecond: number;
  readonly roomByteBurst: number;
  /** Bytes that all rooms may send per second together, on average, and in one burst: what the owner is ready to pay for. */
  readonly totalBytesPerSecond: number;
  readonly totalByteBurst: number;
}

/** A turn-based match of four sends under 4 KiB a second; the rest is for snapshots and for games that send every frame. At most 8 MiB a second in all, twice that with what goes out. */
export const DEFAULT_RELAY_LIMITS: RelayLimits = {
  ...DEFAULT_LIMITS,
  messagesPerSecond: 500,
  messageBurst: 4_000,
  bytesPerSecond: 256 * 1024,
  byteBurst: 4 * 1024 * 1024,
  bufferedBytesMax: 8 * 1024 * 1024,
  pairBytesMax: 256 * 1024,
  roomBytesPerSecond: 1024 * 1024,
  roomByteBurst: 8 * 1024 * 1024,
  totalBytesPerSecond: 8 * 1024 * 1024,
  totalByteBurst: 64 * 1024 * 1024,
};

/** A bucket that fills at a steady rate and is emptied by use. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #filledMs: number;

  constructor(perSecond: number, burst: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledMs = nowMs;
  }

  /** Takes `cost` tokens whether they are there or not; returns after how many milliseconds it is not in debt any more. */
  spend(cost: number, nowMs: number): number {
    this.#fill(nowMs);
    this.#tokens -= cost;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000;
  }

  /** Takes `cost` tokens; false, and nothing taken, when there are not enough. */
  take(cost: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  #fill(nowMs: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#filledMs) / 1000) * this.#perSecond);
    this.#filledMs = nowMs;
  }
}
