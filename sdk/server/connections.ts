// The WebSocket connections of one endpoint: who may come in, how fast they may speak, whether they are still there, and how they end.
import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { TokenBucket, type ServerLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";
import { isOriginAllowed, type AllowedOrigins } from "./origin.ts";
import { requestTarget } from "./request-target.ts";
import { REFUSALS, type Refusal } from "./rooms.ts";
import { asBytes, refuseUpgrade } from "./sockets.ts";

/** What every endpoint is made from. */
export interface EndpointOptions<Limits> {
  readonly limits: Limits;
  readonly origins: AllowedOrigins;
  readonly counts: ServerCounts;
  /** How often connections are asked for a sign of life; one unanswered question ends them. */
  readonly heartbeatMs: number;
}

/** The limits of each connection, and of how many there are. */
export type ConnectionLimits = Pick<ServerLimits, "connectionsMax" | "messagesPerSecond" | "messageBurst" | "bytesPerSecond" | "byteBurst" | "bufferedBytesMax">;

/** What is done with a connection. */
export interface ConnectionListener {
  readonly message: (bytes: Uint8Array) => void;
  readonly closed: () => void;
}

/** The same where who speaks too fast is made to wait. */
export interface PatientListener {
  /** Returns for how long nothing more is to be heard, ms. */
  readonly message: (bytes: Uint8Array, nowMs: number) => number;
  readonly closed: () => void;
}

/** The longest time for which a connection is not heard in one go, ms. */
const PAUSE_MS_MAX = 5_000;
const STOP_MS_MAX = 1_000;

/** See the head of the file. */
export class Connections {
  readonly #options: EndpointOptions<ConnectionLimits>;
  readonly #sockets: WebSocketServer;
  readonly #silent = new Set<WebSocket>();
  readonly #heartbeat: NodeJS.Timeout;
  #isClosed = false;

  constructor(options: EndpointOptions<ConnectionLimits>, frameBytesMax: number) {
    this.#options = options;
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: frameBytesMax, perMessageDeflate: false });
    this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs);
    this.#heartbeat.unref();
  }

  /** Answers one upgrade request: refuses it, or hands the connection over with what its address asks for. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, connected: (connection: WebSocket, parameters: URLSearchParams) => void): void {
    const { counts, limits, origins } = this.#options;
    const isAllowed = isOriginAllowed(request.headers.origin, request.headers.host, origins);
    // A request that was under way when the server began to stop would keep it from ending.
    if (!isAllowed || this.#isClosed || this.#sockets.clients.size >= limits.connectionsMax) {
      counts.refusedTotal += 1;
      return refuseUpgrade(socket, isAllowed ? "503 Service Unavailable" : "403 Forbidden");
    }
    this.#sockets.handleUpgrade(request, socket, head, (connection) => {
      connection.on("error", () => connection.terminate());
      connected(connection, new URLSearchParams(requestTarget(request.url).query));
    });
  }

  /** Hands over what comes within the limits; who speaks faster is refused. */
  hear(connection: WebSocket, { message, closed }: ConnectionListener): void {
    const { limits } = this.#options;
    const now = performance.now();
    const messages = new TokenBucket(limits.messagesPerSecond, limits.messageBurst, now);
    const bytes = new TokenBucket(limits.bytesPerSecond, limits.byteBurst, now);
    this.#watch(connection, closed);
    connection.on("message", (data: RawData) => {
      const frame = asBytes(data);
      const at = performance.now();
      if (!messages.take(1, at) || !bytes.take(frame.length, at)) return this.refuse(connection, REFUSALS.tooFast);
      message(frame);
    });
  }

  /** Hands over what comes; who speaks faster than it may is not read for a while, so that its own machine holds what it has to say. */
  hearInTime(connection: WebSocket, { message, closed }: PatientListener): void {
    const { limits } = this.#options;
    const now = performance.now();
    const messages = new TokenBucket(limits.messagesPerSecond, limits.messageBurst, now);
    const bytes = new TokenBucket(limits.bytesPerSecond, limits.byteBurst, now);
    let pause: NodeJS.Timeout | undefined;
    this.#watch(connection, () => {
      clearTimeout(pause);
      closed();
    });
    connection.on("message", (data: RawData) => {
      const frame = asBytes(data);
      const at = performance.now();
      const waitMs = Math.max(messages.spend(1, at), bytes.spend(frame.length, at), message(frame, at));
      if (waitMs <= 0) return;
      this.#options.counts.pausesTotal += 1;
      connection.pause();
      clearTimeout(pause);
      pause = setTimeout(() => connection.resume(), Math.min(waitMs, PAUSE_MS_MAX));
    });
  }

  /** Sends, if it is open; who does not take what is sent is refused. */
  send(connection: WebSocket, bytes: Uint8Array, sent?: () => void): void {
    if (connection.readyState !== connection.OPEN) return;
    if (connection.bufferedAmount > this.#options.limits.bufferedBytesMax) this.refuse(connection, REFUSALS.tooSlow);
    else connection.send(bytes, sent);
  }

  /** Ends it with a reason, and counts that. */
  refuse(connection: WebSocket, refusal: Refusal): void {
    if (connection.readyState !== connection.OPEN) return;
    this.#options.counts.refusedTotal += 1;
    connection.close(refusal.code, refusal.reason);
  }

  /** Ends every connection in an orderly way (1001: clients come back later), then by force. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    const open = [...this.#sockets.clients];
    const closed = open.map((connection) => new Promise<void>((done) => connection.once("close", () => done())));
    for (const connection of open) connection.close(1001, "the server stops");
    const force = setTimeout(() => open.forEach((connection) => connection.terminate()), STOP_MS_MAX);
    await Promise.all(closed);
    clearTimeout(force);
    this.#sockets.close();
  }

  #watch(connection: WebSocket, closed: () => void): void {
    connection.on("pong", () => this.#silent.delete(connection));
    connection.on("close", () => {
      this.#silent.delete(connection);
      closed();
    });
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
