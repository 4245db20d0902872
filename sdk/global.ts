// What the script-tag build calls `Flotilla`: the front door, the two places to keep bytes, `Flotilla.durable` and `Flotilla.cluster`, for pages that can not import.
import * as cluster from "./cluster/index.ts";
import * as durable from "./durable/index.ts";

export * from "./index.ts";
export { MemoryByteStore, scopedByteStore } from "./storage/index.ts";
export { IndexedDbByteStore } from "./storage/indexeddb/index.ts";
/** Everything `flotilla/cluster` exports. */
export { cluster };
/** Everything `flotilla/durable` exports. */
export { durable };
