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
export interface ConnectionLimits extends Pick<ServerLimits, "connectionsMax" | "messagesPerSecond" | "messageBurst" | "bytesPerSecond" | "byteBurst" | "bufferedBytesMax"> {
  /** Connections that have not proven who they are, where that is asked for: not counted among `connectionsMax`, and with one more the oldest of them is ended. */
  readonly unprovenMax?: number | undefined;
}

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
/** How long a connection that was refused may take to say goodbye, ms. */
const GOODBYE_MS_MAX = 5_000;

/** See the head of the file. */
export class Connections {
  readonly #options: EndpointOptions<ConnectionLimits>;
  readonly #sockets: WebSocketServer;
  readonly #silent = new Set<WebSocket>();
  /** The oldest first. */
  readonly #unproven = new Set<WebSocket>();
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
    if (!isAllowed || this.#isClosed || this.#sockets.clients.size - this.#unproven.size >= limits.connectionsMax) {
      counts.refusedTotal += 1;
      return refuseUpgrade(socket, isAllowed ? "503 Service Unavailable" : "403 Forbidden");
    }
    this.#sockets.handleUpgrade(request, socket, head, (connection) => {
      connection.on("error", () => connection.terminate());
      if (limits.unprovenMax !== undefined) this.#await(connection, limits.unprovenMax);
      connected(connection, new URLSearchParams(requestTarget(request.url).query));
    });
  }

  /** This one has shown who it is, where that is asked for: it is one of `connectionsMax` now. False where there are as many already. */
  proven(connection: WebSocket): boolean {
    if (this.#sockets.clients.size - this.#unproven.size >= this.#options.limits.connectionsMax) return false;
    this.#unproven.delete(connection);
    return true;
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
    const force = setTimeout(() => connection.terminate(), GOODBYE_MS_MAX);
    connection.once("close", () => clearTimeout(force));
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

  /** Whoever proves nothing must not keep out those who would: there is always room for one more, and the one that had the longest time makes it. */
  #await(connection: WebSocket, unprovenMax: number): void {
    const [oldest] = this.#unproven;
    if (oldest !== undefined && this.#unproven.size >= unprovenMax) {
      this.#options.counts.refusedTotal += 1;
      oldest.terminate();
      this.#unproven.delete(oldest);
    }
    this.#unproven.add(connection);
    connection.once("close", () => this.#unproven.delete(connection));
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
