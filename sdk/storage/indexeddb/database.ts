// One database of this SDK in IndexedDB: its two object stores, how it is opened and deleted, and what its failures are called.
import { hasCode } from "../../base/index.ts";
import { StorageBlockedError, StorageQuotaError, StorageUnavailableError } from "../errors.ts";

/** String keys → bytes. */
export const RECORDS = "records";
/** String keys → whatever the structured clone can carry: keys that can be used and not read, for one. */
export const VALUES = "values";

// 1 had no values. Raising it locks tabs with older code out of the database: better a new kind of key than a new version.
const VERSION = 2;

/** The page's own IndexedDB. Throws `StorageUnavailableError` where there is none. */
export function ownFactory(): IDBFactory {
  // Some private modes have no indexedDB at all, others throw on touching it.
  try {
    if (typeof indexedDB !== "undefined") return indexedDB;
  } catch (cause) {
    throw new StorageUnavailableError("this page may not use IndexedDB", { cause });
  }
  throw new StorageUnavailableError("this browser has no IndexedDB here");
}

/** Opens the database, making or upgrading it. One that somebody else made is refused and left as it is. */
export async function openDatabase(name: string, factory: IDBFactory): Promise<IDBDatabase> {
  let isForeign = false;
  try {
    const request = factory.open(name, VERSION);
    request.onupgradeneeded = ({ oldVersion }) => {
      const db = request.result;
      isForeign = oldVersion > 0 && !db.objectStoreNames.contains(RECORDS);
      if (isForeign) return request.transaction?.abort();
      if (oldVersion === 0) db.createObjectStore(RECORDS);
      db.createObjectStore(VALUES);
    };
    const db = await answered(request, name);
    if (db.objectStoreNames.contains(RECORDS) && db.objectStoreNames.contains(VALUES)) return db;
    isForeign = true;
    db.close();
  } catch (cause) {
    if (!isForeign) throw storageError(cause, undefined);
  }
  throw new StorageUnavailableError(`database ${JSON.stringify(name)} was made by something else`);
}

/**
 * Deletes the database with everything in it; no error when there is none. Rejects with `StorageBlockedError` when it is still open somewhere (just
 * closed is still open to some browsers); it is deleted all the same, once it is let go of and before anybody can open it again.
 */
export async function deleteDatabase(name: string, factory: IDBFactory = ownFactory()): Promise<void> {
  try {
    await answered(factory.deleteDatabase(name), name);
  } catch (cause) {
    throw storageError(cause, undefined);
  }
}

function answered<T>(request: IDBOpenDBRequest & IDBRequest<T>, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    let isBlocked = false;
    request.onblocked = () => {
      isBlocked = true;
      reject(new StorageBlockedError(name));
    };
    request.onsuccess = () => {
      // A database that opens after all must not be held by nobody.
      if (isBlocked) (request.result as IDBDatabase | undefined)?.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error ?? new StorageUnavailableError("the browser gave no reason"));
  });
}

/** Resolves when the transaction is durable. Only `abort` knows the true reason of a failure (quota, for one); at `error` it is not known yet. */
export function committed(transaction: IDBTransaction): Promise<void> {
  const done = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new StorageUnavailableError("the transaction was aborted"));
  });
  // Whoever began the transaction may hear of the abort from one of its requests first, and then never comes to await this.
  done.catch(() => {});
  return done;
}

/** Nothing more will be asked of the transaction: it is spared the way back to the page and again to the disk before it commits. For callers of {@link committed}. */
export function commitNow(transaction: IDBTransaction): void {
  // Browsers of before 2021 commit by themselves alone.
  if ("commit" in transaction) transaction.commit();
}

/** What IndexedDB threw, as one of the port's errors. `lost`: why the connection is gone, when it is. */
export function storageError(cause: unknown, lost: string | undefined): Error {
  if (hasCode(cause, "storage-blocked") || hasCode(cause, "storage-unavailable") || hasCode(cause, "storage-conflict")) return cause as Error;
  const name = typeof cause === "object" && cause !== null && "name" in cause ? String(cause.name) : "";
  if (name === "QuotaExceededError") return new StorageQuotaError({ cause });
  if (cause instanceof TypeError) return cause;
  return new StorageUnavailableError(lost ?? (cause instanceof Error ? cause.message : String(cause)), { cause });
}
