// Where a match's records live and who this tab is because of them: a place in the room's storage, or records handed in by the caller.
import { InvalidArgumentError, type Clock, type Logger, type PeerId, type Random } from "./base/index.ts";
import { openRoomStorage, type Identity, type RoomStorage } from "./identity/index.ts";
import type { ByteStore } from "./storage/index.ts";

/** What a resolved write survives: `strict` also a power cut, `relaxed` the end of the tab and of the browser. */
export type Durability = "strict" | "relaxed";

/** An identity and the records that belong to it alone, kept by the caller: how a program in Node comes back as the player it was. */
export interface OwnPlace {
  readonly identity: Identity;
  readonly store: ByteStore;
  /** Called when the match has ended. */
  release(): Promise<void>;
  /** Called instead where the records can not be believed: this identity must not be used again. */
  abandon(): Promise<void>;
}

/** How a {@link Home} is found. */
export interface HomeOptions {
  readonly room: string;
  /** The id of a seam made elsewhere; then nothing of the browser's storage is touched. */
  readonly selfId: PeerId | undefined;
  readonly storage: "indexeddb" | "memory" | ByteStore | (() => Promise<ByteStore>) | OwnPlace | undefined;
  readonly durability: Durability;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Who this tab is, and the records that make it so. */
export interface Home extends Pick<RoomStorage, "why" | "identity" | "peerId" | "displaced" | "takeOver" | "abandon" | "release"> {
  /** Opens the same records once more, when their connection was lost; undefined where that can not be. */
  readonly reopen: (() => Promise<ByteStore>) | undefined;
  readonly kind: "indexeddb" | "memory" | "custom";
  /** Undefined: nothing is kept, and this peer id never comes back. */
  readonly store: ByteStore | undefined;
}

/** Opens it. Without a durable place it resolves all the same, in memory, and says why. Rejects with the signal's reason. */
export async function openHome(options: HomeOptions): Promise<Home> {
  const { storage, selfId } = options;
  if (typeof storage === "function") return { ...(await withKey(options, await storage())), reopen: storage };
  if (typeof storage === "object" && "identity" in storage) return ownPlace(storage, selfId);
  if (typeof storage === "object") return withKey(options, storage);
  if (selfId !== undefined) return handedIn(selfId, undefined);
  const { room, random, clock, durability, signal, logger } = options;
  return homeOf(await openRoomStorage({ room, random, clock, durability, signal, logger, mode: storage === "memory" ? "memory" : "durable" }));
}

/** A place in the room's storage as a home; its parts are taken one by one, because they are not all its own properties. */
function homeOf(place: RoomStorage): Home {
  const { kind, why, identity, store, displaced } = place;
  const reopen = kind === "memory" ? undefined : (): Promise<ByteStore> => place.reopen();
  return { kind, why, identity, peerId: place.peerId, store, displaced, reopen, takeOver: (signal) => place.takeOver(signal), abandon: () => place.abandon(), release: () => place.release() };
}

function ownPlace(place: OwnPlace, selfId: PeerId | undefined): Home {
  const { identity, store } = place;
  if (selfId !== undefined && selfId !== identity.peerId) throw new InvalidArgumentError("a seam of another peer than the one whose records these are");
  return { ...handedIn(identity.peerId, store), identity, release: () => place.release(), abandon: () => place.abandon() };
}

/** Records handed in, under the id of a seam made elsewhere, or under one that this tab can prove as long as it lives. */
async function withKey({ selfId, room, random, clock, signal }: HomeOptions, store: ByteStore): Promise<Home> {
  if (selfId !== undefined) return handedIn(selfId, store);
  const { identity, peerId } = await openRoomStorage({ room, random, clock, signal, mode: "memory" });
  return { ...handedIn(peerId, store), identity };
}

function handedIn(id: PeerId, store: ByteStore | undefined): Home {
  const nothing = (): Promise<void> => Promise.resolve();
  const takeOver = (): Promise<never> => Promise.reject(new InvalidArgumentError("takeOver needs a displaced identity, and this match was given its records"));
  const why = store === undefined ? "this match was given a seam and no storage" : undefined;
  return { kind: store === undefined ? "memory" : "custom", why, identity: undefined, peerId: id, store, displaced: undefined, reopen: undefined, takeOver, abandon: nothing, release: nothing };
}
