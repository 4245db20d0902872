// What Node lacks of what a page has: sockets.
export { openNodeSocket } from "./node-socket.ts";
