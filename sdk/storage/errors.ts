// What can go wrong while keeping bytes.
import { SdkError } from "../base/index.ts";

/** The disk or the origin's share of it is full. `code` is `storage-quota`; nothing of the batch was written: free something, then try again. */
export class StorageQuotaError extends SdkError {
  constructor(options?: { readonly cause?: unknown }) {
    super("storage-quota", "no room is left in this browser's storage: delete something (or compact), then try again", options);
    this.name = "StorageQuotaError";
  }
}

/** A batch expected other bytes under a key than the ones there. `code` is `storage-conflict`; nothing was written: read again and decide anew. */
export class StorageConflictError extends SdkError {
  /** The key whose bytes were not the expected ones. */
  readonly key: string;

  constructor(key: string) {
    super("storage-conflict", `${JSON.stringify(key)} does not hold what the batch expected`);
    this.name = "StorageConflictError";
    this.key = key;
  }
}

/** Another tab holds the database in a way that keeps this one out. `code` is `storage-blocked`: close the other tabs of this site. */
export class StorageBlockedError extends SdkError {
  constructor(name: string, options?: { readonly cause?: unknown }) {
    super("storage-blocked", `database ${JSON.stringify(name)} is held by another tab: close it and try again`, options);
    this.name = "StorageBlockedError";
  }
}

/**
 * The storage can not be used, or the connection to it was lost for good. `code` is `storage-unavailable`: open a new store, or go on in
 * memory under a new identity. Whether the last unresolved write happened is unknown.
 */
export class StorageUnavailableError extends SdkError {
  constructor(why: string, options?: { readonly cause?: unknown }) {
    super("storage-unavailable", `storage is unavailable: ${why}`, options);
    this.name = "StorageUnavailableError";
  }
}
