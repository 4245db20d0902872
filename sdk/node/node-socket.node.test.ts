// What a socket of Node says of the bytes that have not left yet.
import { once } from "node:events";
import type { AddressInfo } from "node:net";
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
