// The way to the relay: for pairs of peers between which there is no path. It carries sealed bytes, and its owner pays for them.
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { RELAY_ADDRESS_BYTES, RELAY_FRAME_BYTES_MAX, RELAY_VERSION } from "../seam/index.ts";
import { Connections, type EndpointOptions } from "./connections.ts";
import type { RelayLimits } from "./limits.ts";
import { RelayRooms, type RelayClient } from "./relay-rooms.ts";
import { isRoomName, REFUSALS } from "./rooms.ts";

/** Takes upgrade requests for `/relay?room=…&v=1`. */
export class RelayEndpoint {
  readonly #options: EndpointOptions<RelayLimits>;
  readonly #rooms: RelayRooms;
  readonly #connections: Connections;

  constructor(options: EndpointOptions<RelayLimits>) {
    this.#options = options;
    this.#rooms = new RelayRooms(options.limits, options.counts, performance.now());
    this.#connections = new Connections(options, RELAY_FRAME_BYTES_MAX);
  }

  /** Answers one upgrade request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#connections.upgrade(request, socket, head, (connection, parameters) => this.#connected(connection, parameters));
  }

  /** Ends every connection in an orderly way, then by force. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  #connected(connection: WebSocket, parameters: URLSearchParams): void {
    const client = this.#client(connection, parameters);
    const refusal = client === undefined ? REFUSALS.badRequest : this.#rooms.join(client, performance.now());
    if (client === undefined || refusal !== undefined) return this.#connections.refuse(connection, refusal ?? REFUSALS.badRequest);
    this.#options.counts.connectionsTotal += 1;
    this.#connections.hearInTime(connection, { message: (frame, nowMs) => this.#rooms.receive(client, frame, nowMs), closed: () => this.#rooms.leave(client) });
  }

  #client(connection: WebSocket, parameters: URLSearchParams): RelayClient | undefined {
    const room = parameters.get("room") ?? "";
    if (!isRoomName(room) || parameters.get("v") !== String(RELAY_VERSION)) return undefined;
    return { room, address: Uint8Array.from(randomBytes(RELAY_ADDRESS_BYTES)), send: (bytes, sent) => this.#connections.send(connection, bytes, sent) };
  }
}
