// What a tab holds while it is in a room: who it is, and its own records, which nobody else writes meanwhile.
import { ClosedError, InvalidArgumentError, silentLogger, type Clock, type Logger, type PeerId, type Random } from "../base/index.ts";
import { MemoryByteStore, type ByteStore } from "../storage/index.ts";
import { chooseIdentity, type Chosen } from "./choose.ts";
import { ownEnvironment, type RoomEnvironment } from "./environment.ts";
import { identityOf, makeKeyPair, makeSoftIdentity, type Identity } from "./identity.ts";
import { openRoom, type OpenRoom } from "./open-room.ts";
import { keepHouse } from "./housekeeping.ts";
import { randomPeerId } from "./peer-id.ts";
import { firstOf } from "./room-tools.ts";
import { giveUpIdentity, recordsOf, stampIdentity } from "./room-records.ts";
import { waitForPlace } from "./take-over.ts";
import type { HeldLock } from "./tab-lock.ts";

/** A tab's place in a room's storage, exclusively its own until released or until the document is gone. */
export interface RoomStorage {
  /** `memory`: everything is gone with the tab, and so is the identity. */
  readonly kind: "indexeddb" | "memory";
  /** Why only memory, for people; undefined when durable. */
  readonly why: string | undefined;
  /** Also where there is no WebCrypto. Undefined only when the code that stands in for it could not be loaded; then `peerId` is random and can not be proven. */
  readonly identity: Identity | undefined;
  readonly peerId: PeerId;
  /** Nothing was written under this identity yet. */
  readonly isNew: boolean;
  /**
   * This identity's own records, written by nobody else meanwhile. Should the browser give the lock away all the same, whoever opens them next owns
   * them, and every change by this tab is refused as `stale-owner` from then on. When the browser loses its connection they fail with `storage-unavailable`:
   * `reopen`, or release and open again, to go on as the same peer.
   */
  readonly store: ByteStore;
  /**
   * Opens the database anew after its connection was lost (Safari loses it in the background) and gives the same records again; the identity
   * and its lock are held all the while, and whoever owned the records does: this takes nothing back. Rejects with the storage's errors, in memory with `ClosedError`.
   */
  reopen(): Promise<ByteStore>;
  /** Who this tab was and can not go on as: another tab lives under it (this one is its duplicate), or its records are lost. */
  readonly displaced: PeerId | undefined;
  /**
   * Resolves once nobody lives under `displaced` any more, with that identity: to prove who one was, not to write under. Its lock is then held
   * until `release`. A reload of the other tab is waited out (5 s); a frozen one is waited for as long as it takes. Rejects with the signal's
   * reason, with `ClosedError` on release, and with `InvalidArgumentError` when nobody was displaced.
   */
  takeOver(signal: AbortSignal): Promise<Identity>;
  /**
   * Never again under this identity: its records are deleted, its key is kept, and all is released. The next
   * opening in this tab is somebody new, with this one as `displaced`. Rejects with the storage's errors when that could not be written, and
   * with `stale-owner` when the records are another tab's by now, whose they stay; all is released then too.
   */
  abandon(): Promise<void>;
  /** Ends takeovers, closes the store, then frees the identity for other tabs. Idempotent. */
  release(): Promise<void>;
}

/** How a {@link RoomStorage} is opened. */
export interface RoomStorageOptions {
  readonly room: string;
  readonly random: Random;
  readonly clock: Clock;
  /** What a resolved write survives: see `StorageDurability`. Default `relaxed`. */
  readonly durability?: "strict" | "relaxed" | undefined;
  /** `memory`: keep nothing, though one could. Default `durable`. */
  readonly mode?: "durable" | "memory" | undefined;
  /** Replaces parts of the browser; a part that is undefined is absent. */
  readonly env?: Partial<RoomEnvironment> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * Opens this tab's place in the room: the identity it had before a reload, else one of this browser that no tab lives under, else a new one. Where
 * nothing durable can be used it resolves all the same, in memory, and says `why`. Rejects only with the signal's reason.
 * Costs a few transactions; up to 1.5 s when the tab before a reload is frozen, and up to 5 s when the database does not answer.
 */
export async function openRoomStorage(options: RoomStorageOptions): Promise<RoomStorage> {
  options.signal?.throwIfAborted();
  const env: RoomEnvironment = { ...ownEnvironment(), ...options.env };
  const logger = options.logger ?? silentLogger;
  const never = new AbortController().signal;
  try {
    const opened = await openRoom({ ...options, env, logger, signal: options.signal ?? never });
    if (typeof opened === "string") return await inMemory(options, env, opened);
    return await settled(opened, options.signal ?? never);
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    const why = error instanceof Error ? error.message : String(error);
    logger.error(`nothing of this match survives this tab: ${why}`);
    return inMemory(options, env, why);
  }
}

async function settled(room: OpenRoom, signal: AbortSignal): Promise<RoomStorage> {
  try {
    const chosen = await chooseIdentity(room.tools, signal);
    const storage = new DurableRoomStorage(room, chosen);
    if (!signal.aborted) return storage;
    await storage.release();
    throw signal.reason;
  } catch (error) {
    await room.close();
    throw error;
  }
}

async function inMemory({ random }: RoomStorageOptions, { subtle }: RoomEnvironment, why: string): Promise<RoomStorage> {
  const identity = await identityForNow(subtle);
  const store = new MemoryByteStore();
  const release = (): Promise<void> => store.close();
  return { kind: "memory", why, identity, peerId: identity?.peerId ?? randomPeerId(random), isNew: true, store, displaced: undefined, takeOver: nobodyDisplaced, reopen: nothingToReopen, abandon: release, release };
}

/** Somebody new, as long as the page lives. */
async function identityForNow(subtle: SubtleCrypto | undefined): Promise<Identity | undefined> {
  const keys = await (subtle && makeKeyPair(subtle))?.catch(() => undefined);
  return keys && subtle ? identityOf(keys, subtle) : makeSoftIdentity().catch(() => undefined);
}

async function nothingToReopen(): Promise<never> {
  throw new ClosedError("the memory of this tab");
}

async function nobodyDisplaced(): Promise<never> {
  throw new InvalidArgumentError("takeOver needs a displaced identity, and this tab displaced none");
}

class DurableRoomStorage implements RoomStorage {
  readonly kind = "indexeddb";
  readonly why: undefined = undefined;
  readonly identity: Identity;
  readonly isNew: boolean;
  #store: ByteStore;
  readonly #room: OpenRoom;
  readonly #chosen: Chosen;
  readonly #released = new AbortController();
  readonly #housekeeping: Promise<unknown>;
  #takingOver: Promise<HeldLock> | undefined;
  #isAbandoned = false;
  #releasing: Promise<void> | undefined;

  constructor(room: OpenRoom, chosen: Chosen) {
    this.#room = room;
    this.#chosen = chosen;
    this.identity = identityOf(chosen.identity, room.tools.subtle);
    this.isNew = chosen.isNew;
    this.#store = recordsOf(room.tools.db, chosen);
    this.#housekeeping = keepHouse(room.tools, chosen);
    chosen.lock.onLost = () => void this.#lostLock();
  }

  get peerId(): PeerId {
    return this.identity.peerId;
  }

  get store(): ByteStore {
    return this.#store;
  }

  get displaced(): PeerId | undefined {
    return this.#chosen.displaced?.identity.peerId;
  }

  async takeOver(signal: AbortSignal): Promise<Identity> {
    const { displaced } = this.#chosen;
    if (displaced === undefined) return nobodyDisplaced();
    if (this.#takingOver !== undefined) throw new InvalidArgumentError("takeOver is called once at a time, and waits already or is done");
    signal.throwIfAborted();
    this.#released.signal.throwIfAborted();
    this.#takingOver = waitForPlace(this.#room.tools, displaced, firstOf(signal, this.#released.signal));
    try {
      await this.#takingOver;
    } catch (error) {
      this.#takingOver = undefined;
      throw error;
    }
    return identityOf(displaced.identity, this.#room.tools.subtle);
  }

  async reopen(): Promise<ByteStore> {
    this.#released.signal.throwIfAborted();
    await this.#housekeeping;
    await this.#room.reopen();
    this.#store = recordsOf(this.#room.tools.db, this.#chosen);
    return this.#store;
  }

  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    await this.release();
  }

  release(): Promise<void> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async #release(): Promise<void> {
    this.#released.abort(new ClosedError("the room's storage"));
    const place = await this.#takingOver?.catch(() => undefined);
    await this.store.close();
    await this.#housekeeping;
    try {
      await this.#leaveWord();
    } finally {
      await this.#room.close();
      await place?.release();
      await this.#chosen.displaced?.lock?.release();
      await this.#chosen.lock.release();
    }
  }

  /** The last transaction under this identity. When it was used is not worth an error; that it is spent is. */
  async #leaveWord(): Promise<void> {
    const { db, env, logger } = this.#room.tools;
    if (this.#isAbandoned) return giveUpIdentity(db, this.#chosen);
    await stampIdentity(db, this.#chosen, env.wallNow()).catch((error: unknown) => logger.info("not noted when this identity was used", error));
  }

  async #lostLock(): Promise<void> {
    this.#room.tools.logger.error("the lock of this tab's identity was stolen: nothing is written any more");
    await this.store.close();
  }
}
