// What a socket of Node says of the bytes that have not left yet, and that it ends although the other end does not.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { openNodeSocket } from "./index.ts";

test("a socket whose other end does not read says how much waits, so that who sends can stop", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  server.on("connection", (connection) => connection.pause());
  const { port } = server.address() as AddressInfo;
  const socket = await new Promise<ReturnType<typeof openNodeSocket>>((resolve) => {
    const opening = openNodeSocket(`ws://127.0.0.1:${port}`, { opened: () => resolve(opening), received: () => {}, lost: () => {} });
  });
  expect(socket.bufferedBytes).toBe(0);
  const bytes = 16 * 1024 * 1024;
  for (let n = 0; n < 4; n += 1) socket.send(new Uint8Array(bytes));
  expect(socket.bufferedBytes).toBeGreaterThan(bytes);
  socket.close();
  for (const connection of server.clients) connection.terminate();
  server.close();
});

test("a socket that is closed keeps no program waiting for an end that never says goodbye", async () => {
  const server = createServer();
  const gone = new Promise<void>((done) => {
    server.on("upgrade", (request, stream: Duplex) => {
      const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      stream.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      stream.on("error", () => {});
      stream.on("end", () => {
        stream.destroy();
        done();
      });
      stream.resume();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const socket = await new Promise<ReturnType<typeof openNodeSocket>>((resolve) => {
    const opening = openNodeSocket(`ws://127.0.0.1:${port}`, { opened: () => resolve(opening), received: () => {}, lost: () => {} });
  });
  socket.close();
  await gone;
  server.close();
}, 10_000);
