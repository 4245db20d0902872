// A fence for the tabs of one browser: compare-and-set decides, a lock per session tells who is alive and makes waiting free.
import type { ByteStore } from "../storage/index.ts";
import type { OwnershipFence } from "./fence.ts";
import type { FenceAuthority } from "./fence-authority.ts";
import { StoreFence } from "./store-fence.ts";

/** The part of the Web Locks API that is used: `navigator.locks` fits as it is. */
export interface OwnerLocks {
  /** Calls `held` with the lock and holds it until what that returns settles; with null when it is not available now. */
  request(name: string, options: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal }, held: (lock: unknown) => Promise<void> | undefined): Promise<unknown>;
  /** The locks that are held. */
  query(): Promise<{ readonly held?: readonly { readonly name?: string }[] | undefined }>;
}

/** How a {@link MachineFence} is made. */
export interface MachineFenceOptions {
  /** Names the place the store is in, as its database's name does: locks of two places are apart. */
  readonly place: string;
  /** `navigator.locks`; undefined where there are none (insecure contexts): then nobody is waited for. */
  readonly locks: OwnerLocks | undefined;
}

/** Ownership that is held as long as the document lives, or until `release`. */
export interface FenceHold {
  readonly fence: OwnershipFence;
  /** Lets the next owner in. The fence stays in force until somebody claims a newer one. Idempotent. */
  release(): void;
}

/**
 * A {@link FenceAuthority} for one machine. What is granted is decided by compare-and-set in the store alone; the lock is never believed: a frozen tab
 * keeps it, a browser may give it away. `claim` and `takeOver` do not look at it, so they work against an owner that hangs.
 */
export class MachineFence implements FenceAuthority {
  readonly #fences: StoreFence;
  readonly #place: string;
  readonly #locks: OwnerLocks | undefined;

  constructor(store: ByteStore, options: MachineFenceOptions) {
    this.#fences = new StoreFence(store);
    this.#place = options.place;
    this.#locks = options.locks;
  }

  async current(sessionId: string): Promise<OwnershipFence | undefined> {
    return this.#fences.current(sessionId);
  }

  async claim(sessionId: string, fence: OwnershipFence): Promise<void> {
    return this.#fences.claim(sessionId, fence);
  }

  async takeOver(sessionId: string, owner: string): Promise<OwnershipFence> {
    return this.#fences.takeOver(sessionId, owner);
  }

  /**
   * Waits until no live document holds the session (the browser lets go for those that are closed, crashed or discarded), then takes over the next
   * epoch. Rejects with the signal's reason, and then holds nothing; a `takeOver` does not wait.
   */
  async hold(sessionId: string, owner: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<FenceHold> {
    const { signal } = options;
    if (signal?.aborted) throw signal.reason;
    if (this.#locks === undefined) return { fence: await this.takeOver(sessionId, owner), release: () => {} };
    // Without `ifAvailable` the answer is a lock or a rejection.
    const release = (await lockOf(this.#locks, this.#lockName(sessionId), signal === undefined ? {} : { signal })) ?? ((): void => {});
    return this.#heldBy(sessionId, owner, release);
  }

  /** The same without waiting: undefined when a live document, running or frozen, holds the session. */
  async holdNow(sessionId: string, owner: string): Promise<FenceHold | undefined> {
    if (this.#locks === undefined) return this.hold(sessionId, owner);
    const release = await lockOf(this.#locks, this.#lockName(sessionId), { ifAvailable: true });
    return release && this.#heldBy(sessionId, owner, release);
  }

  /** Whether a live document, running or frozen, holds the session; undefined where there are no locks to tell. */
  async isHeld(sessionId: string): Promise<boolean | undefined> {
    const held = (await this.#locks?.query())?.held;
    return this.#locks && (held ?? []).some(({ name }) => name === this.#lockName(sessionId));
  }

  async #heldBy(sessionId: string, owner: string, release: () => void): Promise<FenceHold> {
    try {
      return { fence: await this.takeOver(sessionId, owner), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #lockName(sessionId: string): string {
    // The session comes first and without slashes, so no place's name can make it another lock.
    return `flotilla/owner/${encodeURIComponent(sessionId)}/${this.#place}`;
  }
}

/** Resolves with what frees the lock, or with undefined when it is not available now. Rejects as the browser does. */
function lockOf(locks: OwnerLocks, name: string, options: { readonly ifAvailable?: boolean; readonly signal?: AbortSignal }): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    const held = (lock: unknown): Promise<void> | undefined => {
      if (lock === null) resolve(undefined);
      // Granted in the moment the caller gave up: nobody would ever release it.
      else if (options.signal?.aborted) reject(options.signal.reason);
      else return new Promise((free) => resolve(free));
      return undefined;
    };
    locks.request(name, options, held).catch(reject);
  });
}
