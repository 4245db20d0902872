// A socket for Node, which has no WebSocket of its own before version 22.
import { WebSocket } from "ws";
import { socketOf, type SocketFactory } from "../seam/index.ts";

/** How long the other end may take to say goodbye, ms: a program that is done should not be kept by a server that is not. */
const GOODBYE_MS = 1_000;

/** Opens a connection from Node, as `WebSocket` does in a page: for every option named `openSocket`. */
export const openNodeSocket: SocketFactory = (url, listener) => {
  const ws = new WebSocket(url, { perMessageDeflate: false });
  const socket = socketOf(ws, listener);
  return {
    send: (bytes) => socket.send(bytes),
    close: () => {
      socket.close();
      setTimeout(() => ws.terminate(), GOODBYE_MS).unref();
    },
    get bufferedBytes() {
      return ws.bufferedAmount;
    },
  };
};
