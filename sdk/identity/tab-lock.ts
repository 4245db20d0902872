// A Web Lock as a thing one holds: the browser frees it when the document is gone, however it went.
import type { RoomEnvironment } from "./environment.ts";

/** A lock that is held. */
export interface HeldLock {
  /** Resolves once the lock is free for others. Idempotent. */
  release: () => Promise<void>;
  /** Called once if the browser takes the lock away (somebody stole it) before it was released. */
  onLost: (() => void) | undefined;
}

/** How to get a lock: at once or not at all (`ifAvailable`), or after whoever has it, until the signal. */
export interface LockOptions {
  readonly mode?: "exclusive" | "shared";
  readonly ifAvailable?: boolean;
  readonly signal?: AbortSignal;
}

/** Resolves with the lock, or with undefined when it is not available now. Rejects as the browser does: with the signal's reason when that came first. A lock is never stolen. */
export function holdLock(locks: NonNullable<RoomEnvironment["locks"]>, name: string, options: LockOptions = {}): Promise<HeldLock | undefined> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    let held: HeldLock | undefined;
    const ended: Promise<void> = locks
      .request(name, options, (lock) => {
        if (lock === null) {
          resolve(undefined);
          return undefined;
        }
        // Granted in the moment the caller gave up: nobody would ever release it.
        if (options.signal?.aborted) {
          reject(options.signal.reason);
          return undefined;
        }
        return new Promise<void>((free) => {
          const release = (): Promise<void> => {
            isOver = true;
            free();
            return ended;
          };
          held = { release, onLost: undefined };
          resolve(held);
        });
      })
      .then(() => {}, (error: unknown) => {
        if (!isOver) held?.onLost?.();
        reject(error);
      });
  });
}
