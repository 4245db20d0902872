// The way into a core for players and spectators: whom an address names, the proof of it, and the token that stands for the place.
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { isPeerId, MalformedError, type Logger, type PeerId } from "../base/index.ts";
import { verifySignature } from "../identity/index.ts";
import { isWitness } from "../replica/index.ts";
import { checkResumeToken, CORE_FRAME_BYTES_MAX, CORE_NONCE_BYTES, coreProofText, decodeCoreFrame, encodeCoreFrame, isCorePeer, makeResumeToken, type CoreFrame, type CoreWindow } from "../seam/index.ts";
import { Connections, type EndpointOptions } from "./connections.ts";
import { hostNameOf, isRoomAllowed, type AllowedRooms } from "./core-door.ts";
import type { CoreClient, CoreHub } from "./core-hub.ts";
import { isRoomName } from "./core-link-frame.ts";
import type { CoreLimits } from "./limits.ts";
import { REFUSALS, type Refusal } from "./rooms.ts";

/** What an endpoint is made from. */
export interface CoreEndpointOptions extends EndpointOptions<CoreLimits> {
  readonly self: PeerId;
  readonly cores: readonly PeerId[];
  readonly hub: CoreHub;
  /** Signs resume tokens. */
  readonly secret: Uint8Array;
  /** How long a resume token is good for, ms. */
  readonly resumeMs: number;
  /** The names this process goes by, as URLs have them. Undefined: the one a connection asks for. */
  readonly hosts: readonly string[] | undefined;
  readonly rooms: AllowedRooms;
  readonly admitRoom: AdmitRoom | undefined;
  /** Whether this room's records have a place here. */
  readonly hasPlaceFor: (room: string) => boolean;
  readonly logger: Logger;
}

/** Whether `peer`, which has proven that it is that, may enter this room, and open it where nobody is in it. Asked once per connection; a throw or rejection refuses. */
export type AdmitRoom = (room: string, peer: PeerId) => boolean | Promise<boolean>;

/** How long a connection may take to prove who it is, ms. */
const PROOF_MS_MAX = 10_000;
/** Beyond this many bytes on their way, a lossy frame is late, and not sent. */
const LOSSY_QUEUE_BYTES_MAX = 64 * 1024;

type Proof = CoreFrame & { readonly kind: "proof" };

/** What somebody says at the door. */
interface Knock {
  readonly nonce: Uint8Array;
  readonly message: Uint8Array;
  /** The `Host` header it came with. */
  readonly askedFor: string | undefined;
}

/** Takes upgrade requests for `/core?room=…&peer=…`. */
export class CoreEndpoint {
  readonly #options: CoreEndpointOptions;
  readonly #connections: Connections;

  constructor(options: CoreEndpointOptions) {
    this.#options = options;
    this.#connections = new Connections(options, CORE_FRAME_BYTES_MAX);
  }

  /** Answers one upgrade request. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#connections.upgrade(request, socket, head, (connection, parameters) => this.#connected(connection, parameters, request.headers.host));
  }

  /** Ends every connection in an orderly way, then by force. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  #connected(connection: WebSocket, parameters: URLSearchParams, askedFor: string | undefined): void {
    const client = this.#client(connection, parameters);
    if (client === undefined) return this.#connections.refuse(connection, REFUSALS.badRequest);
    const refuse = (refusal: Refusal): void => this.#connections.refuse(connection, refusal);
    const nonce = Uint8Array.from(randomBytes(CORE_NONCE_BYTES));
    let proof: "awaited" | "checked" | "given" = "awaited";
    const patience = setTimeout(() => proof !== "given" && refuse(REFUSALS.notProven), PROOF_MS_MAX);
    const message = (bytes: Uint8Array): void => {
      if (proof === "given") return this.#options.hub.receive(client, bytes);
      // One proof per connection; whatever else is said before it holds is dropped.
      if (proof === "checked") return;
      proof = "checked";
      void this.#judged(client, { nonce, message: bytes, askedFor }).then((given) => {
        if ("code" in given) return refuse(given);
        proof = "given";
        const refusal = this.#welcome(connection, client, given);
        return refusal === undefined ? undefined : refuse(refusal);
      });
    };
    const closed = (): void => {
      clearTimeout(patience);
      this.#options.hub.leave(client);
    };
    this.#connections.hear(connection, { message, closed });
    client.send(encodeCoreFrame({ kind: "challenge", nonce }), false);
  }

  #welcome(connection: WebSocket, client: CoreClient, { token }: Proof): Refusal | undefined {
    const { hasPlaceFor } = this.#options;
    if (connection.readyState !== connection.OPEN) return undefined;
    if (!hasPlaceFor(client.room) || !this.#connections.proven(connection)) return REFUSALS.serverFull;
    const { self: core, cores, hub, counts } = this.#options;
    const window = this.#windowOf(client, token);
    const refusal = hub.join(client, (peers) => ({ kind: "welcome", core, cores, window, token: this.#tokenFor(client), peers }));
    if (refusal === undefined) counts.connectionsTotal += 1;
    return refusal;
  }

  #windowOf({ room, peer }: CoreClient, token: Uint8Array): CoreWindow {
    if (token.length === 0) return "fresh";
    return checkResumeToken(this.#options.secret, token, { room, peer, now: Date.now() }).isGood ? "resumed" : "closed";
  }

  #tokenFor({ room, peer }: CoreClient): Uint8Array {
    return makeResumeToken(this.#options.secret, { room, peer, expiresAt: Date.now() + this.#options.resumeMs });
  }

  async #judged({ room, peer }: CoreClient, { nonce, message, askedFor }: Knock): Promise<Proof | Refusal> {
    const proof = proofIn(message);
    if (proof === undefined) return REFUSALS.notProven;
    const { host, publicKey, signature } = proof;
    if (!(await verifySignature({ peerId: peer, publicKey, signature }, coreProofText(nonce, { room, peer, host })))) return REFUSALS.notProven;
    const hosts = this.#options.hosts ?? [hostNameOf(askedFor ?? "")];
    if (!hosts.includes(host)) return REFUSALS.otherHost;
    return (await this.#mayEnter(room, peer)) ? proof : this.#noSuchRoom();
  }

  async #mayEnter(room: string, peer: PeerId): Promise<boolean> {
    const { rooms, admitRoom, logger } = this.#options;
    try {
      return isRoomAllowed(room, rooms) && (admitRoom === undefined || (await admitRoom(room, peer)) === true);
    } catch (error) {
      logger.error("admitRoom failed; the peer is refused", error);
      return false;
    }
  }

  #noSuchRoom(): Refusal {
    this.#options.counts.coreRoomsRefusedTotal += 1;
    return REFUSALS.noSuchRoom;
  }

  #client(connection: WebSocket, parameters: URLSearchParams): CoreClient | undefined {
    const room = parameters.get("room") ?? "";
    const peer = parameters.get("peer") ?? "";
    if (!isRoomName(room) || !isPeerId(peer) || isCorePeer(peer) || isWitness(peer)) return undefined;
    return {
      room,
      peer,
      send: (bytes, isLossy) => {
        if (isLossy && connection.bufferedAmount > LOSSY_QUEUE_BYTES_MAX) this.#options.counts.droppedTotal += 1;
        else this.#connections.send(connection, bytes);
      },
      close: (code, reason) => connection.close(code, reason),
    };
  }
}

function proofIn(message: Uint8Array): Proof | undefined {
  try {
    const frame = decodeCoreFrame(message);
    return frame.kind === "proof" ? frame : undefined;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return undefined;
  }
}
