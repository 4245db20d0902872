// Signaling through the bundled server: a WebSocket that comes back by itself.
import { MalformedError, type Clock, type PeerId, type Random } from "../base/index.ts";
import { backoffMs } from "./backoff.ts";
import { SignalingCore } from "./signaling-core.ts";
import { decodeSignalingFrame, encodeSignalingFrame, type SignalingFrame } from "./signaling-frame.ts";

/** What a socket tells its owner; nothing after `close()`. */
export interface SocketListener {
  /** The connection is open; bytes handed over before were lost. */
  opened(): void;
  /** One whole message; anything but an `ArrayBuffer` is dropped and counted by the owner. */
  received(data: unknown): void;
  /** The connection ended or never opened, with its WebSocket close code. Once, and the last word. */
  lost(code: number, reason: string): void;
}

/** One WebSocket connection. */
export interface Socket {
  /** Sends, or loses the bytes when the connection is not open. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Ends the connection; its listener hears nothing more. */
  close(): void;
  /** Bytes handed over that have not left yet. Left out: nobody knows. */
  readonly bufferedBytes?: number | undefined;
}

/** Opens a connection; may throw when the address is forbidden. */
export type SocketFactory = (url: string, listener: SocketListener) => Socket;

/** What a {@link WebSocketSignaling} is made from. */
export interface WebSocketSignalingOptions {
  readonly selfId: PeerId;
  readonly room: string;
  /** `ws:`, `wss:`, `http:` or `https:`; `/signal` is meant where the path is empty. */
  readonly url: string;
  readonly clock: Clock;
  readonly random: Random;
  /** How often to ask the server for a sign of life; two unanswered in a row end the socket. Default 15 000 ms. */
  readonly heartbeatMs?: number | undefined;
  /** First and longest pause before connecting again. Default 500 and 15 000 ms. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number } | undefined;
  /** How a socket is opened. Default: the global `WebSocket`. */
  readonly openSocket?: SocketFactory | undefined;
}

/** Close codes from 4400 to 4499: the server will not have this peer, and asking again would not help. */
export const REFUSED_CODE_MIN: number = 4400;
const REFUSED_CODE_MAX = 4499;

/** A place in a room of the server; messages sent while the connection is down are lost, as the port allows. */
export class WebSocketSignaling extends SignalingCore {
  readonly #options: WebSocketSignalingOptions;
  readonly #address: string;
  #socket: Socket | undefined;
  #tries = 0;
  #unanswered = 0;
  #cancelRetry: () => void = () => {};
  #cancelHeartbeat: () => void = () => {};

  /** Connects at once. Throws `TypeError` for a URL that is none. */
  constructor(options: WebSocketSignalingOptions) {
    super(options.selfId);
    this.#options = options;
    this.#address = socketAddress(options);
    this.#connect();
  }

  protected post(frame: SignalingFrame): void {
    this.#socket?.send(new Uint8Array(encodeSignalingFrame(frame)));
  }

  protected end(): Promise<void> {
    this.#cancelRetry();
    this.#cancelHeartbeat();
    this.post({ kind: "left", from: this.selfId });
    this.#socket?.close();
    this.#socket = undefined;
    return Promise.resolve();
  }

  #connect(): void {
    const open = this.#options.openSocket ?? openBrowserSocket;
    try {
      this.#socket = open(this.#address, {
        opened: () => this.#opened(),
        received: (data) => this.#received(data),
        lost: (code, reason) => this.#lost(code, reason),
      });
    } catch (error) {
      // The page's policy forbids the address, or there is no WebSocket: no later try can differ.
      queueMicrotask(() => this.status("failed", error instanceof Error ? error.message : String(error)));
    }
  }

  #opened(): void {
    this.#unanswered = 0;
    this.#heartbeat();
    if (this.isAnnounced) this.post({ kind: "announce", from: this.selfId, to: undefined });
    this.status("up", this.#options.url);
  }

  #received(data: unknown): void {
    this.#unanswered = 0;
    // The server speaks only to peers it has accepted: now the connection is known to work.
    this.#tries = 0;
    try {
      if (!(data instanceof ArrayBuffer)) throw new MalformedError("not bytes");
      this.heard(decodeSignalingFrame(new Uint8Array(data)));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.malformed();
    }
  }

  #heartbeat(): void {
    this.#cancelHeartbeat = this.#options.clock.after(this.#options.heartbeatMs ?? 15_000, () => {
      if (this.#unanswered >= 2) {
        this.#socket?.close();
        this.#lost(1006, "no answer from the server");
        return;
      }
      this.#unanswered += 1;
      this.post({ kind: "ping" });
      this.#heartbeat();
    });
  }

  #lost(code: number, reason: string): void {
    this.#cancelHeartbeat();
    this.#socket = undefined;
    if (this.closed) return;
    if (code >= REFUSED_CODE_MIN && code <= REFUSED_CODE_MAX) {
      this.status("failed", reason === "" ? `refused with code ${code}` : reason);
      return;
    }
    const { backoff = { firstMs: 500, maxMs: 15_000 }, clock, random } = this.#options;
    this.#cancelRetry = clock.after(backoffMs(this.#tries, backoff, random), () => this.#connect());
    this.#tries += 1;
    this.status("down", reason === "" ? `the connection ended with code ${code}` : reason);
  }
}

/** A WebSocket as pages have it and programs can. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  /** Tells that the connection is open, or that it broke (a close follows). */
  addEventListener(type: "open" | "error", listener: () => void): void;
  /** Hands over what came in: an `ArrayBuffer`, as {@link WebSocketLike.binaryType} asks; text for a text frame. */
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  /** Tells once that the connection is over, with the close code and reason of RFC 6455, section 7.1. */
  addEventListener(type: "close", listener: (event: { readonly code: number; readonly reason: string }) => void): void;
  /** Sends one binary frame; only called while the connection is open. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Begins the closing handshake; a second call does nothing. */
  close(code: number, reason: string): void;
}

const OPEN = 1;

/** A {@link Socket} made of a WebSocket that was just begun. */
export function socketOf(socket: WebSocketLike, listener: SocketListener): Socket {
  let over = false;
  socket.binaryType = "arraybuffer";
  // An error is always followed by a close, which says more; in Node one that nobody hears ends the program.
  socket.addEventListener("error", () => {});
  socket.addEventListener("open", () => {
    if (!over) listener.opened();
  });
  socket.addEventListener("message", (event) => {
    if (!over) listener.received(event.data);
  });
  socket.addEventListener("close", (event) => {
    if (over) return;
    over = true;
    listener.lost(event.code, event.reason);
  });
  return {
    send: (bytes) => {
      if (socket.readyState === OPEN) socket.send(bytes);
    },
    close: () => {
      over = true;
      socket.close(1000, "left");
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
  };
}

/** The socket of a page. */
export const openBrowserSocket: SocketFactory = (url, listener) => socketOf(new WebSocket(url), listener);

// The key lets the server tell this peer's next connection from somebody else who uses its id.
function socketAddress({ url, room, selfId, random }: WebSocketSignalingOptions): string {
  const address = new URL(url);
  if (address.protocol === "http:") address.protocol = "ws:";
  if (address.protocol === "https:") address.protocol = "wss:";
  if (address.pathname === "/") address.pathname = "/signal";
  address.searchParams.set("room", room);
  address.searchParams.set("peer", selfId);
  address.searchParams.set("key", Array.from({ length: 4 }, () => random.uint32().toString(36)).join("-"));
  return address.href;
}
