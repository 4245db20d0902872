// Bytes that survive.
export type { ByteStore, ByteStoreOp } from "./byte-store.ts";
export { StorageBlockedError, StorageConflictError, StorageQuotaError, StorageUnavailableError } from "./errors.ts";
export { IndexedDbByteStore, type IndexedDbByteStoreOptions, type StorageDurability } from "./indexeddb-byte-store.ts";
export { MemoryByteStore, MemoryDisk } from "./memory-byte-store.ts";
