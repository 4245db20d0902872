// Bytes that survive in a browser. A door of its own, because the folders that must not know a browser use the other one.
export { IndexedDbByteStore, type IndexedDbByteStoreOptions, type StorageDurability } from "./indexeddb-byte-store.ts";
