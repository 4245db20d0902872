// The room's database and all that must be there before an identity can be chosen, or the reason why there is none.
import type { Clock, Logger, Random } from "../base/index.ts";
import { StorageUnavailableError } from "../storage/index.ts";
import { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import type { RoomEnvironment } from "./environment.ts";
import { RoomChannel } from "./room-channel.ts";
import { databaseName, firstOf, roomLockName, type RoomTools } from "./room-tools.ts";
import { holdLock, type HeldLock } from "./tab-lock.ts";

/** How long a database may take to open before the match goes on without it, ms. Some browsers never answer after a crash of their storage process. */
export const OPEN_PATIENCE_MS = 5_000;

/** What opening a room takes. */
export interface OpenRoomOptions {
  readonly room: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: RoomEnvironment;
  readonly signal: AbortSignal;
  readonly mode?: "durable" | "memory" | undefined;
  readonly durability?: "strict" | "relaxed" | undefined;
}

/** An open room; nobody sweeps its database away before `close`. */
export interface OpenRoom {
  readonly tools: RoomTools;
  /** Opens the database once more, when its connection was lost; `tools` has the new one from then on. Rejects with the storage's errors. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** Opens it, or says why there can be nothing durable. Rejects with the storage's errors. */
export async function openRoom(options: OpenRoomOptions): Promise<OpenRoom | string> {
  const { env: { indexedDb, locks, subtle }, mode, room, clock } = options;
  if (mode === "memory") return "the page asked for memory";
  if (subtle === undefined) return "this page has no WebCrypto: it must be served over https, or from localhost";
  if (indexedDb === undefined) return "this browser has no IndexedDB here";
  if (locks === undefined) return "this browser has no Web Locks here";
  const tooLate = new AbortController();
  const cancel = clock.after(OPEN_PATIENCE_MS, () => tooLate.abort(new StorageUnavailableError(`the room's database did not open within ${OPEN_PATIENCE_MS} ms`)));
  try {
    // Only a tab that is deleting this room, unused for a month, stands in the way, and only for a moment.
    const inRoom = await holdLock(locks, roomLockName(room), { mode: "shared", signal: firstOf(options.signal, tooLate.signal) });
    return await withDatabase(options, { locks, subtle, indexedDb }, inRoom, tooLate.signal);
  } finally {
    cancel();
  }
}

type Present = { readonly [Part in "locks" | "subtle" | "indexedDb"]: NonNullable<RoomEnvironment[Part]> };

async function withDatabase({ room, clock, random, logger, env, durability }: OpenRoomOptions, { locks, subtle, indexedDb }: Present, inRoom: HeldLock | undefined, tooLate: AbortSignal): Promise<OpenRoom> {
  try {
    const open = (): Promise<IndexedDbByteStore> => IndexedDbByteStore.open({ name: databaseName(room), factory: indexedDb, durability });
    const db = await inTime(open(), tooLate);
    const channel = new RoomChannel(env, room);
    const opened = { tools: { room, db, env, locks, subtle, channel, clock, random, logger } };
    const reopen = async (): Promise<void> => {
      await opened.tools.db.close();
      opened.tools = { ...opened.tools, db: await open() };
    };
    const close = async (): Promise<void> => {
      channel.close();
      await opened.tools.db.close();
      await inRoom?.release();
    };
    return Object.assign(opened, { reopen, close });
  } catch (error) {
    await inRoom?.release();
    throw error;
  }
}

function inTime(opening: Promise<IndexedDbByteStore>, tooLate: AbortSignal): Promise<IndexedDbByteStore> {
  // One that opens after all would keep others from deleting it.
  opening.then((db) => (tooLate.aborted ? db.close() : undefined)).catch(() => {});
  const late = new Promise<never>((_, reject) => {
    tooLate.addEventListener("abort", () => reject(tooLate.reason), { once: true });
  });
  return Promise.race([opening, late]);
}
