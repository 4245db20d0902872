// Bytes that survive.
export type { ByteStore, ByteStoreOp } from "./byte-store.ts";
export { StorageBlockedError, StorageConflictError, StorageQuotaError, StorageUnavailableError } from "./errors.ts";
export { MemoryByteStore, MemoryDisk } from "./memory-byte-store.ts";
export { scopedByteStore } from "./scoped-byte-store.ts";
