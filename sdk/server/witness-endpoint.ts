// The way to the witnesses: whom an address names, and the proof of it.
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { isPeerId, MalformedError } from "../base/index.ts";
import { verifySignature } from "../identity/index.ts";
import { decodeWitnessFrame, encodeWitnessFrame, WITNESS_FRAME_BYTES_MAX, WITNESS_NONCE_BYTES, witnessProofText } from "../seam/index.ts";
import { Connections, type EndpointOptions } from "./connections.ts";
import type { WitnessLimits } from "./limits.ts";
import { REFUSALS, type Refusal } from "./rooms.ts";
import { mayBeHeard, WITNESS_TICK_MS, Witnesses, type WitnessClient } from "./witnesses.ts";

/** The shortest and the longest time for which a witness protects a leader, ms. */
const LEASE_MS_MIN = 100;
const LEASE_MS_MAX = 60_000;
/** How long a connection may take to prove who it is, ms. */
const PROOF_MS_MAX = 10_000;

/** Takes upgrade requests for `/witness?group=…&peer=…&lease=…`. */
export class WitnessEndpoint {
  readonly #options: EndpointOptions<WitnessLimits>;
  readonly #witnesses: Witnesses;
  readonly #connections: Connections;
  readonly #ticks: NodeJS.Timeout;

  constructor(options: EndpointOptions<WitnessLimits>) {
    this.#options = options;
    this.#witnesses = new Witnesses(options.limits, options.counts);
    this.#connections = new Connections(options, WITNESS_FRAME_BYTES_MAX);
    this.#ticks = setInterval(() => this.#witnesses.tick(), WITNESS_TICK_MS);
    this.#ticks.unref();
  }

  /** Answers one upgrade request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#connections.upgrade(request, socket, head, (connection, parameters) => this.#connected(connection, parameters));
  }

  /** Ends every connection in an orderly way, then by force. The witnesses are gone with it, and their ids for ever. */
  async close(): Promise<void> {
    clearInterval(this.#ticks);
    await this.#connections.close();
  }

  #connected(connection: WebSocket, parameters: URLSearchParams): void {
    const client = this.#client(connection, parameters);
    if (client === undefined) return this.#connections.refuse(connection, REFUSALS.badRequest);
    const refuse = (refusal: Refusal): void => this.#connections.refuse(connection, refusal);
    const nonce = Uint8Array.from(randomBytes(WITNESS_NONCE_BYTES));
    let proof: "awaited" | "checked" | "given" = "awaited";
    const patience = setTimeout(() => proof !== "given" && refuse(REFUSALS.notProven), PROOF_MS_MAX);
    const message = (frame: Uint8Array): void => {
      if (proof === "given") return this.#witnesses.receive(client, frame);
      // One proof per connection; whatever else is said before it holds is dropped.
      if (proof === "checked") return;
      proof = "checked";
      void this.#isProven(client, nonce, frame).then((holds) => {
        const refusal = holds ? this.#welcome(connection, client) : REFUSALS.notProven;
        if (refusal !== undefined) return refuse(refusal);
        proof = "given";
      });
    };
    const closed = (): void => {
      clearTimeout(patience);
      this.#witnesses.leave(client);
    };
    this.#connections.hear(connection, { message, closed });
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
    return { group, peer, leaseMs, send: (bytes) => this.#connections.send(connection, bytes), close: (code, reason) => connection.close(code, reason) };
  }
}
