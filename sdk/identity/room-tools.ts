// What choosing, holding and taking over an identity of one room work with.
import type { Clock, Logger, PeerId, Random } from "../base/index.ts";
import type { IndexedDbByteStore } from "../storage/indexeddb/index.ts";
import type { RoomEnvironment } from "./environment.ts";
import type { HolderAnswer, RoomChannel } from "./room-channel.ts";
import { holdLock, type HeldLock, type LockOptions } from "./tab-lock.ts";

/** An open room database and the page around it; what durable storage needs of the page is there. */
export interface RoomTools {
  readonly room: string;
  readonly db: IndexedDbByteStore;
  readonly env: RoomEnvironment;
  readonly locks: NonNullable<RoomEnvironment["locks"]>;
  readonly subtle: SubtleCrypto;
  readonly channel: RoomChannel;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The lock of one identity. The id comes first and has no slash, so no room's name can make it another lock. */
export function peerLockName(room: string, peer: PeerId): string {
  return `flotilla/peer/${peer}/${room}`;
}

/** Locks one identity, and answers for it as long as the lock is held. */
export async function holdPeer({ locks, channel, room }: RoomTools, peer: PeerId, options: LockOptions, answer: () => HolderAnswer = () => "here"): Promise<HeldLock | undefined> {
  const lock = await holdLock(locks, peerLockName(room, peer), options);
  if (lock === undefined) return undefined;
  channel.hold(peer, answer);
  const release = lock.release;
  lock.release = () => {
    channel.drop(peer);
    return release();
  };
  return lock;
}

/** The lock that says that somebody is in the room. */
export function roomLockName(room: string): string {
  return `flotilla/room/${room}`;
}

/** The database of a room. */
export function databaseName(room: string): string {
  return `flotilla/${room}`;
}

/** Aborted as soon as one of them is, with its reason. Browsers of 2023 have no `AbortSignal.any`. */
export function firstOf(...signals: readonly AbortSignal[]): AbortSignal {
  const first = new AbortController();
  for (const signal of signals) {
    const abort = (): void => first.abort(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true, signal: first.signal });
  }
  return first.signal;
}

/** Resolves after `ms`, or rejects with the signal's reason. */
export function wait(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const cancel = clock.after(ms, () => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
    const stop = (): void => {
      cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}
