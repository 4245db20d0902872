// WebSocket connections of the signaling rooms: upgrade, limits, heartbeat.
import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { isPeerId } from "../base/index.ts";
import { SIGNALING_FRAME_BYTES_MAX } from "../seam/index.ts";
import { TokenBucket, type ServerLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";
import { isOriginAllowed, type AllowedOrigins } from "./origin.ts";
import { requestTarget } from "./request-target.ts";
import { REFUSALS, SignalingRooms, type Member, type Refusal } from "./rooms.ts";
import { asBytes, refuseUpgrade } from "./sockets.ts";

/** What the endpoint needs. */
export interface SignalEndpointOptions {
  readonly limits: ServerLimits;
  readonly origins: AllowedOrigins;
  readonly counts: ServerCounts;
  /** How often connections are asked for a sign of life; one unanswered question ends them. */
  readonly heartbeatMs: number;
}

const ROOM_CHARS_MAX = 128;
const KEY_CHARS_MAX = 128;
const CONTROL = /\p{Cc}/u;

/** Takes upgrade requests for `/signal?room=…&peer=…&key=…`. */
export class SignalEndpoint {
  readonly #options: SignalEndpointOptions;
  readonly #rooms: SignalingRooms;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: SIGNALING_FRAME_BYTES_MAX, perMessageDeflate: false });
  readonly #silent = new Set<WebSocket>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(options: SignalEndpointOptions) {
    this.#options = options;
    this.#rooms = new SignalingRooms(options.limits, options.counts);
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs);
    this.#heartbeat.unref();
  }

  /** Answers one upgrade request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { query } = requestTarget(request.url);
    if (!isOriginAllowed(request.headers.origin, request.headers.host, this.#options.origins)) {
      this.#options.counts.refusedTotal += 1;
      return refuseUpgrade(socket, "403 Forbidden");
    }
    if (this.#sockets.clients.size >= this.#options.limits.connectionsMax) {
      this.#options.counts.refusedTotal += 1;
      return refuseUpgrade(socket, "503 Service Unavailable");
    }
    this.#sockets.handleUpgrade(request, socket, head, (connection) => this.#connected(connection, new URLSearchParams(query)));
  }

  /** Ends every connection in an orderly way (1001: clients come back later), then by force. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    const open = [...this.#sockets.clients];
    const closed = open.map((connection) => new Promise<void>((done) => connection.once("close", () => done())));
    for (const connection of open) connection.close(1001, "the server stops");
    const force = setTimeout(() => open.forEach((connection) => connection.terminate()), 1_000);
    await Promise.all(closed);
    clearTimeout(force);
    this.#sockets.close();
  }

  #connected(connection: WebSocket, parameters: URLSearchParams): void {
    connection.on("error", () => connection.terminate());
    const member = this.#member(connection, parameters);
    const refusal = member === undefined ? REFUSALS.badRequest : this.#rooms.join(member);
    if (member === undefined || refusal !== undefined) return this.#refuse(connection, refusal ?? REFUSALS.badRequest);
    this.#options.counts.connectionsTotal += 1;
    const { limits } = this.#options;
    const now = performance.now();
    const messages = new TokenBucket(limits.messagesPerSecond, limits.messageBurst, now);
    const bytes = new TokenBucket(limits.bytesPerSecond, limits.byteBurst, now);
    connection.on("pong", () => this.#silent.delete(connection));
    connection.on("close", () => {
      this.#silent.delete(connection);
      this.#rooms.leave(member);
    });
    connection.on("message", (data: RawData) => {
      const frame = asBytes(data);
      const at = performance.now();
      if (!messages.take(1, at) || !bytes.take(frame.length, at)) return this.#refuse(connection, REFUSALS.tooFast);
      this.#rooms.receive(member, frame);
    });
  }

  #member(connection: WebSocket, parameters: URLSearchParams): Member | undefined {
    const room = parameters.get("room") ?? "";
    const peer = parameters.get("peer") ?? "";
    const key = parameters.get("key") ?? "";
    if (room === "" || room.length > ROOM_CHARS_MAX || CONTROL.test(room) || key === "" || key.length > KEY_CHARS_MAX || !isPeerId(peer)) return undefined;
    return {
      room,
      peer,
      key,
      send: (bytes) => {
        if (connection.readyState !== connection.OPEN) return;
        if (connection.bufferedAmount > this.#options.limits.bufferedBytesMax) this.#refuse(connection, REFUSALS.tooSlow);
        else connection.send(bytes);
      },
      close: (code, reason) => connection.close(code, reason),
    };
  }

  #refuse(connection: WebSocket, refusal: Refusal): void {
    if (connection.readyState !== connection.OPEN) return;
    this.#options.counts.refusedTotal += 1;
    connection.close(refusal.code, refusal.reason);
  }

  #beat(): void {
    for (const connection of this.#sockets.clients) {
      if (this.#silent.has(connection)) connection.terminate();
      else {
        this.#silent.add(connection);
        connection.ping();
      }
    }
  }
}
