// Which identity a tab lives under: the one it had before a reload, else one of this browser that nobody uses, else a new one. Whoever is chosen is
// locked first and judged after, so two tabs never get the same one.
import type { PeerId } from "../base/index.ts";
import type { OwnershipFence } from "../durable/index.ts";
import { isUsable, makeKeyPair } from "./identity.ts";
import { peerIdOfKey, randomPeerId } from "./peer-id.ts";
import { createIdentity, eraseIdentity, hasRecords, isMarked, ownRecords, readIdentities, spendIdentity, type OwnedIdentity, type StoredIdentity } from "./room-records.ts";
import { holdPeer, type RoomTools } from "./room-tools.ts";
import type { HeldLock } from "./tab-lock.ts";
import { readNote, writeNote } from "./tab-note.ts";

/**
 * How long a reload waits for the document it replaces to let go, ms: 25 to 40 measured, a busy page takes longer. A live holder answers within
 * a few, so only a frozen or a hung one is waited for this long.
 */
export const RELOAD_PATIENCE_MS = 1_500;
/** How often the holder is asked meanwhile, ms: the lock may pass to somebody who did not hear the first question. */
const ASK_AGAIN_MS = 100;

/** An identity that this tab holds. */
export interface Chosen extends OwnedIdentity {
  readonly lock: HeldLock;
  readonly isNew: boolean;
  /** Who this tab was and can not go on as, with the lock where it was won. */
  readonly displaced: Displaced | undefined;
}

/** An identity that this tab had and may not write under. */
export interface Displaced {
  readonly identity: StoredIdentity;
  /** There when nobody else lives under it: its records are spoiled. */
  readonly lock: HeldLock | undefined;
}

/** Chooses, locks and notes. Rejects with the storage's errors or the signal's reason; then nothing is held. */
export async function chooseIdentity(tools: RoomTools, signal: AbortSignal): Promise<Chosen> {
  const note = readNote(tools.env, tools.room);
  const chosen = await (note.peer === undefined ? comeBack(tools) : goOnAs(tools, note.peer, signal));
  return letGoOnError(chosen.lock, async () => {
    const displaced = chosen.displaced ?? (await waitedFor(tools, note.displaced, chosen.identity.peerId));
    writeNote(tools.env, tools.room, { peer: chosen.identity.peerId, displaced: displaced?.identity.peerId });
    return { ...chosen, displaced };
  });
}

async function letGoOnError<T>(lock: HeldLock | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await lock?.release();
    throw error;
  }
}

async function goOnAs(tools: RoomTools, peer: PeerId, signal: AbortSignal): Promise<Chosen> {
  // Evicted or pruned: there is nothing to wait for, and nothing to prove.
  if ((await find(tools, peer)) === undefined) return comeBack(tools);
  const lock = await claim(tools, peer, signal);
  return letGoOnError(lock, async () => {
    const identity = await find(tools, peer);
    if (lock !== undefined) return (await judge(tools, identity, lock)) ?? comeBackFrom(tools, peer, lock);
    return identity === undefined ? comeBack(tools) : begin(tools, { identity, lock });
  });
}

/** After a reload whose records turned out spoiled: the key, where it is whole, still proves who one was. */
async function comeBackFrom(tools: RoomTools, peer: PeerId, lock: HeldLock): Promise<Chosen> {
  const identity = await find(tools, peer);
  if (identity !== undefined) return begin(tools, { identity, lock });
  await lock.release();
  return comeBack(tools);
}

/** The identity of this browser that was used last and is free, or a new one. */
async function comeBack(tools: RoomTools): Promise<Chosen> {
  const { whole } = await readIdentities(tools.db);
  for (const { peerId } of whole.filter(({ isSpent }) => !isSpent).sort((a, b) => b.usedAtMs - a.usedAtMs)) {
    const lock = await holdPeer(tools, peerId, { ifAvailable: true });
    if (lock === undefined) continue;
    // Read again: whoever held it until now may have spoiled or pruned it.
    const judged = await letGoOnError(lock, async () => judge(tools, await find(tools, peerId), lock));
    if (judged !== undefined) return judged;
    await lock.release();
  }
  return begin(tools, undefined);
}

/** A new identity: locked before anybody can read of it. */
async function begin(tools: RoomTools, displaced: Displaced | undefined): Promise<Chosen> {
  const keys = await makeKeyPair(tools.subtle);
  const identity: StoredIdentity = { ...keys, peerId: peerIdOfKey(keys.publicKey), usedAtMs: tools.env.wallNow(), isSpent: false };
  const lock = await holdPeer(tools, identity.peerId, {});
  return letGoOnError(lock, async () => {
    if (lock === undefined) throw new Error("a lock was asked for with patience and not given");
    await createIdentity(tools.db, identity);
    return { identity, fence: await own(tools, identity), lock, isNew: true, displaced };
  });
}

/** Whether a locked identity may be lived under. If not, it never will be: what is damaged once is not looked at again. */
async function judge(tools: RoomTools, identity: StoredIdentity | undefined, lock: HeldLock): Promise<Chosen | undefined> {
  if (identity === undefined || identity.isSpent) return undefined;
  if (!(await isUsable(identity, tools.subtle))) {
    tools.logger.error(`the key of ${identity.peerId} no longer works: this tab gets a new identity`);
    await eraseIdentity(tools.db, identity.peerId);
    return undefined;
  }
  // From here on nobody else writes them, whatever the locks say: what is read next stays true.
  const fence = await own(tools, identity);
  if (!(await isMarked(tools.db, identity))) {
    tools.logger.error(`the log of ${identity.peerId} was lost or damaged: this tab gets a new identity`);
    await spendIdentity(tools.db, identity);
    return undefined;
  }
  return { identity, fence, lock, isNew: !(await hasRecords(tools.db, identity.peerId)), displaced: undefined };
}

function own({ db, random }: RoomTools, { peerId }: StoredIdentity): Promise<OwnershipFence> {
  return ownRecords(db, peerId, randomPeerId(random));
}

/** The lock of the identity this tab had: at once when free, soon when the document before this one is on its way out, never when another tab lives under it. */
async function claim(tools: RoomTools, peer: PeerId, signal: AbortSignal): Promise<HeldLock | undefined> {
  const free = await holdPeer(tools, peer, { ifAvailable: true });
  if (free !== undefined) return free;
  const over = new AbortController();
  const giveUp = (): void => over.abort(new Error("another tab lives under this identity"));
  signal.addEventListener("abort", giveUp, { once: true });
  const cancelPatience = tools.clock.after(RELOAD_PATIENCE_MS, giveUp);
  // Queued before the question: a holder that makes way hands the lock to whoever waits already.
  const queued = holdPeer(tools, peer, { signal: over.signal });
  const stopAsking = keepAsking(tools, peer, giveUp);
  try {
    return await queued;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (!over.signal.aborted) throw error;
    return undefined;
  } finally {
    signal.removeEventListener("abort", giveUp);
    cancelPatience();
    stopAsking();
  }
}

function keepAsking(tools: RoomTools, peer: PeerId, onHere: () => void): () => void {
  let stop = (): void => {};
  const ask = (): void => {
    const stopHearing = tools.channel.ask(peer, onHere);
    const cancel = tools.clock.after(ASK_AGAIN_MS, () => {
      stopHearing();
      ask();
    });
    stop = () => {
      cancel();
      stopHearing();
    };
  };
  ask();
  return () => stop();
}

/** Whose place this tab waited for before it was reloaded. */
async function waitedFor(tools: RoomTools, peer: PeerId | undefined, self: PeerId): Promise<Displaced | undefined> {
  const identity = peer === undefined || peer === self ? undefined : await find(tools, peer);
  return identity && { identity, lock: undefined };
}

async function find(tools: RoomTools, peer: PeerId): Promise<StoredIdentity | undefined> {
  return (await readIdentities(tools.db)).whole.find(({ peerId }) => peerId === peer);
}
