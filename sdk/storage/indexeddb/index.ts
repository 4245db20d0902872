// Bytes that survive in a browser. A door of its own, because the folders that must not know a browser use the other one.
export { deleteDatabase } from "./database.ts";
export { IndexedDbByteStore, type IndexedDbByteStoreOptions, type StorageDurability, type ValueOp } from "./indexeddb-byte-store.ts";
