// A fence for one machine: the fence in force is a record in a ByteStore, changed by compare-and-set.
import type { ByteStore } from "../storage/index.ts";
import { DurableCorruptError } from "./errors.ts";
import { decodeFence, encodeFence, expectedToken, isFenceRefusal, judgeClaim, nextFence, type OwnershipFence } from "./fence.ts";
import { TAKE_OVER_TRIES_MAX, type FenceAuthority } from "./fence-authority.ts";

/** Key of a session's fence record. */
export function fenceKey(sessionId: string): string {
  return `fence/${sessionId}`;
}

/** Reads a fence record. Throws `DurableCorruptError` naming it when the bytes are not a fence. */
export async function readFence(store: ByteStore, sessionId: string): Promise<{ readonly bytes: Uint8Array | undefined; readonly fence: OwnershipFence | undefined }> {
  const bytes = await store.read(fenceKey(sessionId));
  if (bytes === undefined) return { bytes, fence: undefined };
  const fence = fenceOf(sessionId, bytes);
  // The token doubles as the record's checksum.
  if (fence.token !== expectedToken(sessionId, fence.owner, fence.epoch)) throw new DurableCorruptError(fenceKey(sessionId), "owner, epoch and token do not belong together");
  return { bytes, fence };
}

function fenceOf(sessionId: string, bytes: Uint8Array): OwnershipFence {
  try {
    return decodeFence(bytes);
  } catch (cause) {
    throw new DurableCorruptError(fenceKey(sessionId), "does not read back as a fence", { cause });
  }
}

/** A {@link FenceAuthority} over compare-and-set: safe between tabs that share the store. One read and one write per claim. */
export class StoreFence implements FenceAuthority {
  readonly #store: ByteStore;

  constructor(store: ByteStore) {
    this.#store = store;
  }

  async current(sessionId: string): Promise<OwnershipFence | undefined> {
    return (await readFence(this.#store, sessionId)).fence;
  }

  async claim(sessionId: string, fence: OwnershipFence): Promise<void> {
    // Losing the compare-and-set means the fence in force changed: judge again against the new one, which only has a higher epoch.
    for (;;) {
      const { bytes, fence: current } = await readFence(this.#store, sessionId);
      const refusal = judgeClaim(sessionId, current, fence);
      if (refusal !== undefined) throw refusal;
      if (await this.#store.compareAndSet(fenceKey(sessionId), bytes, encodeFence(fence))) return;
    }
  }

  async takeOver(sessionId: string, owner: string): Promise<OwnershipFence> {
    return takeOverWith(this, sessionId, owner);
  }
}

/** `takeOver` in terms of `current` and `claim`, for implementations. */
export async function takeOverWith(authority: Pick<FenceAuthority, "current" | "claim">, sessionId: string, owner: string): Promise<OwnershipFence> {
  for (let tries = 1; ; tries += 1) {
    const fence = nextFence(sessionId, owner, await authority.current(sessionId));
    try {
      await authority.claim(sessionId, fence);
      return fence;
    } catch (error) {
      // Refused: somebody claimed in between. Anything else would not get better by another epoch.
      if (tries === TAKE_OVER_TRIES_MAX || !isFenceRefusal(error)) throw error;
    }
  }
}
