// Waiting until the tab that lives under an identity is really gone: a reload lets go of its lock too, and comes back for it.
import type { PeerId } from "../base/index.ts";
import type { Displaced } from "./choose.ts";
import { firstOf, holdPeer, wait, type RoomTools } from "./room-tools.ts";
import type { HeldLock } from "./tab-lock.ts";

/** How long a tab that let go may take to come back before it counts as gone, ms: a reload over a slow network, not a closed tab. */
export const RELOAD_GRACE_MS = 5_000;

/**
 * The lock of the displaced identity, once nobody who had it came back for {@link RELOAD_GRACE_MS}. Whoever asks for it in that time gets it, and
 * the waiting begins anew. Rejects with the signal's reason, and then holds nothing. Never steals: a frozen tab is waited for until it thaws or ends.
 */
export async function waitForPlace(tools: RoomTools, { identity, lock }: Displaced, signal: AbortSignal): Promise<HeldLock> {
  if (lock !== undefined) return lock;
  for (;;) {
    const won = await keptFor(tools, identity.peerId, signal);
    if (won !== undefined) return won;
  }
}

async function keptFor(tools: RoomTools, peer: PeerId, signal: AbortSignal): Promise<HeldLock | undefined> {
  const returned = new AbortController();
  let isOurs = false;
  // Who asks has queued for the lock already, so letting go hands it over.
  const answer = (): "here" | "silent" => {
    if (!isOurs) returned.abort(new Error("a tab came back for it"));
    return isOurs ? "here" : "silent";
  };
  const lock = await holdPeer(tools, peer, { signal }, answer);
  if (lock === undefined) throw new Error("a lock was asked for with patience and not given");
  try {
    await wait(tools.clock, RELOAD_GRACE_MS, firstOf(signal, returned.signal));
    isOurs = true;
    return lock;
  } catch (error) {
    await lock.release();
    if (signal.aborted) throw signal.reason;
    if (!returned.signal.aborted) throw error;
    return undefined;
  }
}
