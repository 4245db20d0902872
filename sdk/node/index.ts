// What Node lacks of what a page has: sockets, records that stay, and a place for who one is.
export { FileByteStore } from "./file-byte-store.ts";
export { nodeOptions, type NodeOptions } from "./node-options.ts";
export { openNodeSocket } from "./node-socket.ts";
export { openPlayerFolder, type PlayerFolder } from "./player-folder.ts";
