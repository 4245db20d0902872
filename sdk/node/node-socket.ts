// A socket for Node, which has no WebSocket of its own before version 22.
import { WebSocket } from "ws";
import type { SocketFactory } from "../seam/index.ts";

/** Opens a connection from Node, as `WebSocket` does in a page: for every option named `openSocket`. */
export const openNodeSocket: SocketFactory = (url, listener) => {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  let over = false;
  socket.binaryType = "arraybuffer";
  // Always followed by a close, which says more.
  socket.on("error", () => {});
  socket.on("open", () => over || listener.opened());
  socket.on("message", (data) => over || listener.received(data));
  socket.on("close", (code, reason) => {
    if (over) return;
    over = true;
    listener.lost(code, reason.toString());
  });
  return {
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    },
    close: () => {
      over = true;
      socket.close(1000, "left");
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
  };
};
