// Where a match's records live and who this tab is because of them: a place in the room's storage, or records handed in by the caller.
import type { Clock, Logger, PeerId, Random } from "./base/index.ts";
import { openRoomStorage, type RoomStorage } from "./identity/index.ts";
import { randomId } from "./platform/index.ts";
import type { ByteStore } from "./storage/index.ts";

/** What a resolved write survives: `strict` also a power cut, `relaxed` the end of the tab and of the browser. */
export type Durability = "strict" | "relaxed";

/** How a {@link Home} is found. */
export interface HomeOptions {
  readonly room: string;
  /** The id of a seam made elsewhere; then nothing of the browser's storage is touched. */
  readonly selfId: PeerId | undefined;
  readonly storage: "indexeddb" | "memory" | ByteStore | undefined;
  readonly durability: Durability;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Who this tab is, and the records that make it so. */
export interface Home extends Pick<RoomStorage, "why" | "identity" | "peerId" | "displaced" | "takeOver" | "abandon" | "release"> {
  readonly kind: "indexeddb" | "memory" | "custom";
  /** Undefined: nothing is kept, and this peer id never comes back. */
  readonly store: ByteStore | undefined;
}

/** Opens it. Without a durable place it resolves all the same, in memory, and says why. Rejects with the signal's reason. */
export async function openHome(options: HomeOptions): Promise<Home> {
  const { storage, selfId } = options;
  if (typeof storage === "object") return handedIn(selfId ?? randomPeer(options.random), storage);
  if (selfId !== undefined) return handedIn(selfId, undefined);
  const { room, random, clock, durability, signal, logger } = options;
  return openRoomStorage({ room, random, clock, durability, signal, logger, mode: storage === "memory" ? "memory" : "durable" });
}

function randomPeer(random: Random): PeerId {
  return randomId(26, random) as PeerId;
}

function handedIn(peerId: PeerId, store: ByteStore | undefined): Home {
  const nothing = (): Promise<void> => Promise.resolve();
  const takeOver = (): Promise<never> => Promise.reject(new Error("nobody was displaced"));
  const why = store === undefined ? "this match was given a seam and no storage" : undefined;
  return { kind: store === undefined ? "memory" : "custom", why, identity: undefined, peerId, store, displaced: undefined, takeOver, abandon: nothing, release: nothing };
}
