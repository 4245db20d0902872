// What a tab's storage asks of the browser, each thing replaceable. An absent thing is undefined and never an exception.

/** Held by somebody: what the Web Locks API hands to a callback. */
export type LockRequest = (name: string, options: { readonly mode?: "exclusive" | "shared"; readonly ifAvailable?: boolean; readonly signal?: AbortSignal }, held: (lock: unknown) => Promise<void> | undefined) => Promise<unknown>;

/** The part of a BroadcastChannel that is used. */
export interface RoomMessages {
  /** To every other tab that has the channel open. */
  postMessage(message: unknown): void;
  /** Nothing is heard any more. */
  close(): void;
}

/** The browser, as far as `openRoomStorage` uses it. */
export interface RoomEnvironment {
  readonly indexedDb: IDBFactory | undefined;
  /** Web Locks; absent in insecure contexts. */
  readonly locks: { readonly request: LockRequest } | undefined;
  /** WebCrypto; absent in insecure contexts. */
  readonly subtle: SubtleCrypto | undefined;
  /** What a reload keeps and another tab does not see. Without it a reload is like coming back later. */
  readonly sessionStorage: Pick<Storage, "getItem" | "setItem"> | undefined;
  /** Asked once to keep the origin's data when space is short. */
  readonly persist: (() => Promise<unknown>) | undefined;
  /** Opens a channel to the other tabs of the room; `heard` gets what they post. */
  readonly messages: ((name: string, heard: (message: unknown) => void) => RoomMessages) | undefined;
  /** Where `pagehide` and `pageshow` are heard. */
  readonly page: Pick<EventTarget, "addEventListener" | "removeEventListener"> | undefined;
  /** Milliseconds since 1970: only to tell which of two identities was used last, and how long ago a room was. */
  readonly wallNow: () => number;
}

/** The page's own. */
export function ownEnvironment(): RoomEnvironment {
  return {
    indexedDb: orUndefined(() => globalThis.indexedDB),
    locks: orUndefined(() => bound(globalThis.navigator.locks)),
    subtle: orUndefined(() => globalThis.crypto.subtle),
    sessionStorage: orUndefined(() => globalThis.sessionStorage),
    persist: orUndefined(() => persistOf(globalThis.navigator.storage)),
    messages: typeof BroadcastChannel === "undefined" ? undefined : openMessages,
    page: typeof window === "undefined" ? undefined : window,
    wallNow: () => Date.now(),
  };
}

function openMessages(name: string, heard: (message: unknown) => void): RoomMessages {
  const channel = new BroadcastChannel(name);
  channel.onmessage = ({ data }: MessageEvent<unknown>) => heard(data);
  return channel;
}

/** Blocked storage throws when it is touched. */
function orUndefined<T>(get: () => T | undefined | null): T | undefined {
  try {
    return get() ?? undefined;
  } catch {
    return undefined;
  }
}

function bound(locks: LockManager | undefined): RoomEnvironment["locks"] {
  return locks && { request: (name, options, held) => locks.request(name, options, held) };
}

function persistOf(manager: StorageManager | undefined): (() => Promise<unknown>) | undefined {
  return manager?.persist && (() => manager.persist());
}
