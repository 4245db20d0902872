// The way into the signaling rooms: whom an address names, and what it says there.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { isPeerId } from "../base/index.ts";
import { SIGNALING_FRAME_BYTES_MAX } from "../seam/index.ts";
import { Connections, type EndpointOptions } from "./connections.ts";
import type { ServerLimits } from "./limits.ts";
import { isRoomName, REFUSALS, SignalingRooms, type Member } from "./rooms.ts";

const KEY_CHARS_MAX = 128;

/** Takes upgrade requests for `/signal?room=…&peer=…&key=…`. */
export class SignalEndpoint {
  readonly #options: EndpointOptions<ServerLimits>;
  readonly #rooms: SignalingRooms;
  readonly #connections: Connections;

  constructor(options: EndpointOptions<ServerLimits>) {
    this.#options = options;
    this.#rooms = new SignalingRooms(options.limits, options.counts);
    this.#connections = new Connections(options, SIGNALING_FRAME_BYTES_MAX);
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
    const member = this.#member(connection, parameters);
    const refusal = member === undefined ? REFUSALS.badRequest : this.#rooms.join(member);
    if (member === undefined || refusal !== undefined) return this.#connections.refuse(connection, refusal ?? REFUSALS.badRequest);
    this.#options.counts.connectionsTotal += 1;
    this.#connections.hear(connection, { message: (frame) => this.#rooms.receive(member, frame), closed: () => this.#rooms.leave(member) });
  }

  #member(connection: WebSocket, parameters: URLSearchParams): Member | undefined {
    const room = parameters.get("room") ?? "";
    const peer = parameters.get("peer") ?? "";
    const key = parameters.get("key") ?? "";
    if (!isRoomName(room) || key === "" || key.length > KEY_CHARS_MAX || !isPeerId(peer)) return undefined;
    return { room, peer, key, send: (bytes) => this.#connections.send(connection, bytes), close: (code, reason) => connection.close(code, reason) };
  }
}
