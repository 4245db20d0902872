// WebSocket connections to witnesses: upgrade, proof of who it is, limits, heartbeat.
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { performance } from "node:perf_hooks";
import type { Duplex } from "node:stream";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { isPeerId, MalformedError } from "../base/index.ts";
import { verifySignature } from "../identity/index.ts";
import { decodeWitnessFrame, encodeWitnessFrame, WITNESS_FRAME_BYTES_MAX, WITNESS_NONCE_BYTES, witnessProofText } from "../seam/index.ts";
import { TokenBucket, type WitnessLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";
import { isOriginAllowed, type AllowedOrigins } from "./origin.ts";
import { requestTarget } from "./request-target.ts";
import { REFUSALS, type Refusal } from "./rooms.ts";
import { asBytes, refuseUpgrade } from "./sockets.ts";
import { mayBeHeard, WITNESS_TICK_MS, Witnesses, type WitnessClient } from "./witnesses.ts";

/** What the endpoint needs. */
export interface WitnessEndpointOptions {
  readonly limits: WitnessLimits;
  readonly origins: AllowedOrigins;
  readonly counts: ServerCounts;
  /** How often connections are asked for a sign of life; one unanswered question ends them. */
  readonly heartbeatMs: number;
}

/** The shortest and the longest time for which a witness protects a leader, ms. */
const LEASE_MS_MIN = 100;
const LEASE_MS_MAX = 60_000;
/** How long a connection may take to prove who it is, ms. */
const PROOF_MS_MAX = 10_000;

/** Takes upgrade requests for `/witness?group=…&peer=…&lease=…`. */
export class WitnessEndpoint {
  readonly #options: WitnessEndpointOptions;
  readonly #witnesses: Witnesses;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: WITNESS_FRAME_BYTES_MAX, perMessageDeflate: false });
  readonly #silent = new Set<WebSocket>();
  readonly #timers: readonly NodeJS.Timeout[];

  constructor(options: WitnessEndpointOptions) {
    this.#options = options;
    this.#witnesses = new Witnesses(options.limits, options.counts);
    this.#timers = [setInterval(() => this.#beat(), options.heartbeatMs), setInterval(() => this.#witnesses.tick(), WITNESS_TICK_MS)];
    for (const timer of this.#timers) timer.unref();
  }

  /** Answers one upgrade request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { counts, limits, origins } = this.#options;
    const isAllowed = isOriginAllowed(request.headers.origin, request.headers.host, origins);
    if (!isAllowed || this.#sockets.clients.size >= limits.connectionsMax) {
      counts.refusedTotal += 1;
      return refuseUpgrade(socket, isAllowed ? "503 Service Unavailable" : "403 Forbidden");
    }
    this.#sockets.handleUpgrade(request, socket, head, (connection) => this.#connected(connection, new URLSearchParams(requestTarget(request.url).query)));
  }

  /** Ends every connection in an orderly way, then by force. The witnesses are gone with it, and their ids for ever. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
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
    const client = this.#client(connection, parameters);
    if (client === undefined) return this.#refuse(connection, REFUSALS.badRequest);
    const { limits } = this.#options;
    const now = performance.now();
    const messages = new TokenBucket(limits.messagesPerSecond, limits.messageBurst, now);
    const bytes = new TokenBucket(limits.bytesPerSecond, limits.byteBurst, now);
    const nonce = Uint8Array.from(randomBytes(WITNESS_NONCE_BYTES));
    let proof: "awaited" | "checked" | "given" = "awaited";
    const patience = setTimeout(() => proof !== "given" && this.#refuse(connection, REFUSALS.notProven), PROOF_MS_MAX);
    connection.on("pong", () => this.#silent.delete(connection));
    connection.on("close", () => {
      clearTimeout(patience);
      this.#silent.delete(connection);
      this.#witnesses.leave(client);
    });
    connection.on("message", (data: RawData) => {
      const message = asBytes(data);
      const at = performance.now();
      if (!messages.take(1, at) || !bytes.take(message.length, at)) return this.#refuse(connection, REFUSALS.tooFast);
      if (proof === "given") return this.#witnesses.receive(client, message);
      // One proof per connection; whatever else is said before it holds is dropped.
      if (proof === "checked") return;
      proof = "checked";
      void this.#isProven(client, nonce, message).then((holds) => {
        const refusal = holds ? this.#welcome(connection, client) : REFUSALS.notProven;
        if (refusal !== undefined) return this.#refuse(connection, refusal);
        proof = "given";
      });
    });
    client.send(encodeWitnessFrame({ kind: "challenge", nonce }));
  }

  #welcome(connection: WebSocket, client: WitnessClient): Refusal | undefined {
    if (connection.readyState !== connection.OPEN) return undefined;
    const refusal = this.#witnesses.join(client);
    if (refusal === undefined) this.#options.counts.connectionsTotal += 1;
    return refusal;
  }

  async #isProven({ group, peer }: WitnessClient, nonce: Uint8Array, message: Uint8Array): Promise<boolean> {
    try {
      const frame = decodeWitnessFrame(message);
      if (frame.kind !== "proof") return false;
      return await verifySignature({ peerId: peer, publicKey: frame.publicKey, signature: frame.signature }, witnessProofText(nonce, { group, peer }));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return false;
    }
  }

  #client(connection: WebSocket, parameters: URLSearchParams): WitnessClient | undefined {
    const group = parameters.get("group") ?? "";
    const peer = parameters.get("peer") ?? "";
    const leaseMs = Number(parameters.get("lease"));
    if (!/^[0-9a-f]{16}$/.test(group) || !isPeerId(peer) || !mayBeHeard(peer)) return undefined;
    if (!Number.isInteger(leaseMs) || leaseMs < LEASE_MS_MIN || leaseMs > LEASE_MS_MAX) return undefined;
    return {
      group,
      peer,
      leaseMs,
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
