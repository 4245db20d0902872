// What Node lacks of what a page has: sockets, and records that stay.
export { FileByteStore } from "./file-byte-store.ts";
export { openNodeSocket } from "./node-socket.ts";
