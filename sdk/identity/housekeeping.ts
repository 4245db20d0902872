// Keeping what is stored bounded: few identities in a room, and no databases of rooms nobody has been in for a month.
import { fromUtf8, utf8 } from "../base/index.ts";
import { deleteDatabase, IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import type { RoomEnvironment } from "./environment.ts";
import { eraseIdentity, readIdentities, stampIdentity, type OwnedIdentity } from "./room-records.ts";
import { databaseName, holdPeer, roomLockName, type RoomTools } from "./room-tools.ts";
import { holdLock } from "./tab-lock.ts";

/** Identities kept per room; of more, the ones unused for longest are deleted, unless a tab lives under them. */
export const IDENTITIES_MAX = 16;
/** A room nobody opened for so long is deleted, ms: 30 days. */
export const ROOM_UNUSED_MS_MAX: number = 30 * 24 * 60 * 60 * 1000;
/** Old rooms deleted per opening: each is a database, and the player waits for the game. */
const ROOMS_SWEPT_MAX = 4;
// Room databases have a slash after this, so no room can have the index's name.
const INDEX_NAME = "flotilla";

/** Everything that can wait until after the opening. Never rejects: what fails is tried again next time. */
export async function keepHouse(tools: RoomTools, self: OwnedIdentity): Promise<void> {
  const { db, env, logger } = tools;
  const chores = [() => stampIdentity(db, self, env.wallNow()), () => pruneIdentities(tools), () => sweepRooms(tools)];
  // Some browsers ask the player, who may never answer.
  env.persist?.().catch((error: unknown) => logger.debug("persist", error));
  for (const chore of chores) await chore().catch((error: unknown) => logger.debug("housekeeping", error));
}

/** Deletes what is beyond {@link IDENTITIES_MAX}. Values that are no identities go first. */
export async function pruneIdentities(tools: RoomTools): Promise<void> {
  const { whole, damaged } = await readIdentities(tools.db);
  const spareFirst = [...whole].sort((a, b) => Number(b.isSpent) - Number(a.isSpent) || a.usedAtMs - b.usedAtMs);
  const surplus = Math.max(0, whole.length + damaged.length - IDENTITIES_MAX);
  for (const key of damaged.slice(0, surplus)) await eraseIdentity(tools.db, key);
  let left = surplus - damaged.length;
  for (const { peerId } of spareFirst) {
    if (left <= 0) return;
    const lock = await holdPeer(tools, peerId, { ifAvailable: true }, () => "silent");
    if (lock === undefined) continue;
    try {
      await eraseIdentity(tools.db, peerId);
    } finally {
      await lock.release();
    }
    left -= 1;
  }
}

/** Notes that this room was used now, and deletes rooms that were not for {@link ROOM_UNUSED_MS_MAX} and that no tab has open. */
export async function sweepRooms({ env, locks, room }: RoomTools): Promise<void> {
  const index = await IndexedDbByteStore.open({ name: INDEX_NAME, factory: env.indexedDb });
  try {
    const now = env.wallNow();
    await index.write([{ type: "put", key: `room/${room}`, value: utf8(String(now)) }]);
    const isOld = (stamp: Uint8Array): boolean => now - Number(fromUtf8(stamp)) > ROOM_UNUSED_MS_MAX;
    const old = (await index.readRange("room/", "room0")).filter(([, stamp]) => isOld(stamp));
    for (const [key, stamp] of old.slice(0, ROOMS_SWEPT_MAX)) {
      const name = key.slice("room/".length);
      // Whoever opens a room holds this lock, shared, before and while it touches the database.
      const lock = await holdLock(locks, roomLockName(name), { ifAvailable: true });
      if (lock === undefined) continue;
      try {
        await deleteIfUnused(index, env, { key, name, stamp });
      } finally {
        await lock.release();
      }
    }
  } finally {
    await index.close();
  }
}

async function deleteIfUnused(index: IndexedDbByteStore, env: RoomEnvironment, { key, name, stamp }: { readonly key: string; readonly name: string; readonly stamp: Uint8Array }): Promise<void> {
  // Opened and closed again since the stamp was read: it is in use after all.
  if (!(await index.compareAndSet(key, stamp, stamp))) return;
  await deleteDatabase(databaseName(name), env.indexedDb);
  await index.write([{ type: "delete", key }]);
}
