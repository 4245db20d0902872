// The way to a server's relay: one socket for all relayed links of a peer, open while there are any.
import { bytesEqual, MalformedError, toHex, type Clock, type Random } from "../../base/index.ts";
import type { LinkFactory } from "../webrtc/link.ts";
import { openBrowserSocket, type Socket, type SocketFactory } from "../websocket-signaling.ts";
import { addressName, decodeRelayFrame, encodeRelayFrame, RELAY_TAG_BYTES, RELAY_VERSION, type RelayFrame } from "./relay-frame.ts";
import { RelayLink, type RelayPort } from "./relay-link.ts";

/** What a {@link RelayLane} is made from. */
export interface RelayLaneOptions {
  /** `ws:`, `wss:`, `http:` or `https:`; `/relay` is meant where the path is empty or `/signal`. */
  readonly url: string;
  /** The room as signaling knows it: a digest. The server counts what passes per room. */
  readonly room: string;
  readonly clock: Clock;
  /** Must not be foreseeable. */
  readonly random: Random;
  /** How often the server is asked for a sign of life; two unanswered in a row end the socket. Default 10 000 ms. */
  readonly heartbeatMs?: number | undefined;
  /** How long the socket stays after its last link. Default 10 000 ms. */
  readonly idleMs?: number | undefined;
  /** How a socket is opened. Default: the global `WebSocket`. */
  readonly openSocket?: SocketFactory | undefined;
}

/** Makes relayed links. When the socket is lost so are they, and the mesh dials again; there is no other memory of what was. */
export class RelayLane implements RelayPort {
  readonly #options: RelayLaneOptions;
  readonly #url: string;
  readonly #links = new Set<RelayLink>();
  readonly #byTag = new Map<string, { readonly link: RelayLink; readonly from: Uint8Array }>();
  #socket: Socket | undefined;
  #address: Uint8Array | undefined;
  #unanswered = 0;
  #dropped = 0;
  #isClosed = false;
  #cancelBeat: () => void = () => {};
  #cancelIdle: () => void = () => {};

  /** Connects once there is a link to make. Throws `TypeError` for a URL that is none. */
  constructor(options: RelayLaneOptions) {
    this.#options = options;
    this.#url = relayAddress(options);
  }

  /** Begins a relayed link. */
  readonly open: LinkFactory = ({ initiator }, listener) => {
    const link = new RelayLink(this, initiator, this.#options.random, listener);
    this.#links.add(link);
    this.#cancelIdle();
    // Not in this task: whoever opens a link does not hold it yet.
    queueMicrotask(() => this.#begin(link));
    return link;
  };

  get address(): Uint8Array | undefined {
    return this.#address;
  }

  /** What came and was nobody's: late, repeated, or not from who it should be. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Ends the socket; links that are left are lost. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#hangUp("the relay is closed");
  }

  listen(from: Uint8Array, tag: Uint8Array, link: RelayLink): void {
    this.#byTag.set(toHex(tag), { link, from: from.slice() });
  }

  send(to: Uint8Array, tag: Uint8Array, sealed: Uint8Array): void {
    const bytes = new Uint8Array(tag.length + sealed.length);
    bytes.set(tag);
    bytes.set(sealed, tag.length);
    this.#post({ kind: "frame", address: to, bytes });
  }

  release(link: RelayLink): void {
    if (!this.#links.delete(link)) return;
    for (const [tag, heard] of this.#byTag) if (heard.link === link) this.#byTag.delete(tag);
    if (this.#links.size > 0 || this.#isClosed) return;
    this.#cancelIdle();
    this.#cancelIdle = this.#options.clock.after(this.#options.idleMs ?? 10_000, () => this.#hangUp("nobody needs it"));
  }

  #begin(link: RelayLink): void {
    if (!this.#links.has(link)) return;
    if (this.#isClosed) link.end({ kind: "error", cause: new Error("the relay is closed") });
    else if (this.#address !== undefined) link.ready(this.#address);
    else if (this.#socket === undefined) this.#connect();
  }

  #connect(): void {
    const open = this.#options.openSocket ?? openBrowserSocket;
    let own: Socket | undefined;
    const isOurs = (): boolean => own === undefined || own === this.#socket;
    try {
      own = open(this.#url, {
        opened: () => isOurs() && this.#beat(),
        received: (data) => isOurs() && this.#received(data),
        lost: (code, reason) => isOurs() && this.#hangUp(reason === "" ? `code ${code}` : reason),
      });
      this.#socket = own;
    } catch (error) {
      this.#hangUp(error instanceof Error ? error.message : String(error));
    }
  }

  #received(data: unknown): void {
    this.#unanswered = 0;
    try {
      if (!(data instanceof ArrayBuffer)) throw new MalformedError("not bytes");
      this.#heard(decodeRelayFrame(new Uint8Array(data)));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#dropped += 1;
    }
  }

  #heard(frame: RelayFrame): void {
    if (frame.kind === "welcome") this.#welcomed(frame.address);
    else if (frame.kind === "gone") this.#gone(frame.address);
    else if (frame.kind === "frame") this.#frame(frame.address, frame.bytes);
  }

  #welcomed(address: Uint8Array): void {
    if (this.#address !== undefined) return;
    this.#address = address.slice();
    for (const link of this.#links) link.ready(this.#address);
  }

  #frame(from: Uint8Array, bytes: Uint8Array): void {
    const heard = this.#byTag.get(toHex(bytes.subarray(0, RELAY_TAG_BYTES)));
    if (heard === undefined || !bytesEqual(heard.from, from)) this.#dropped += 1;
    else heard.link.receive(bytes.subarray(RELAY_TAG_BYTES));
  }

  #gone(address: Uint8Array): void {
    const name = addressName(address);
    for (const { link, from } of this.#byTag.values()) if (addressName(from) === name) link.end({ kind: "lost", cause: undefined });
  }

  #post(frame: RelayFrame): void {
    this.#socket?.send(encodeRelayFrame(frame));
  }

  #beat(): void {
    this.#cancelBeat = this.#options.clock.after(this.#options.heartbeatMs ?? 10_000, () => {
      if (this.#unanswered >= 2) return this.#hangUp("no answer from the server");
      this.#unanswered += 1;
      this.#post({ kind: "ping" });
      this.#beat();
    });
  }

  #hangUp(reason: string): void {
    this.#cancelBeat();
    this.#cancelIdle();
    this.#unanswered = 0;
    this.#address = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    for (const link of this.#links) link.end({ kind: "lost", cause: new Error(`the relay is out of reach: ${reason}`) });
    this.#cancelIdle();
  }
}

function relayAddress({ url, room }: RelayLaneOptions): string {
  const address = new URL(url);
  if (address.protocol === "http:") address.protocol = "ws:";
  if (address.protocol === "https:") address.protocol = "wss:";
  if (address.pathname === "/" || address.pathname === "/signal") address.pathname = "/relay";
  address.searchParams.set("room", room);
  address.searchParams.set("v", String(RELAY_VERSION));
  return address.href;
}
