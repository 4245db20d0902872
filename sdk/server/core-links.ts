// The links between the processes of a core: one socket per pair, both sides proven by the shared secret, dialled again when lost.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { concatBytes, isPeerId, MalformedError, utf8, type Logger, type PeerId } from "../base/index.ts";
import { CORE_NONCE_BYTES } from "../seam/index.ts";
import { Connections } from "./connections.ts";
import type { CoreHub, CoreLink } from "./core-hub.ts";
import { CORE_LINK_BYTES_MAX, decodeCoreLinkFrame, encodeCoreLinkFrame, type CoreLinkFrame } from "./core-link-frame.ts";
import type { CoreMarks } from "./core-marks.ts";
import type { CoreLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";
import { REFUSALS } from "./rooms.ts";
import { asBytes } from "./sockets.ts";

/** What the links of one process are made from. */
export interface CoreLinksOptions {
  readonly self: PeerId;
  /** The other processes. */
  readonly others: readonly PeerId[];
  /** Where a process listens, as this one reaches it; undefined: not known yet. */
  readonly urlOf: (core: PeerId) => string | undefined;
  readonly secret: Uint8Array;
  readonly marks: CoreMarks;
  readonly limits: CoreLimits;
  readonly counts: ServerCounts;
  readonly hub: CoreHub;
  readonly logger: Logger;
  /** Another process says that this one came back without its records. */
  readonly onRecordsLost: (core: PeerId) => void;
}

/** How often a process that dialled asks for a sign of life, and how long one may take to prove itself, ms. */
const HEARTBEAT_MS = 2_000;
const PROOF_MS_MAX = 5_000;
/** First and longest pause before dialling again, ms. */
const RETRY_MS_FIRST = 50;
const RETRY_MS_MAX = 2_000;
/** Links at once, those that are being replaced among them; and connections that have not proven yet that they are one. */
const LINKS_MAX = 16;
const UNPROVEN_MAX = 64;
/** Beyond this many bytes on their way, a lossy frame is late, and not sent. */
const LOSSY_QUEUE_BYTES_MAX = 256 * 1024;

/** See the head of the file. Of two processes the one with the lower id dials. */
export class CoreLinks {
  readonly #options: CoreLinksOptions;
  readonly #accepted: Connections;
  readonly #dialled = new Map<PeerId, WebSocket>();
  readonly #timers = new Map<PeerId, NodeJS.Timeout>();
  readonly #tries = new Map<PeerId, number>();
  readonly #proven = new Map<PeerId, WebSocket>();
  #isClosed = false;

  constructor(options: CoreLinksOptions) {
    this.#options = options;
    const { limits, counts } = options;
    const unlimited = { messagesPerSecond: 1e9, messageBurst: 1e9, bytesPerSecond: 1e12, byteBurst: 1e12, bufferedBytesMax: limits.linkBytesMax };
    this.#accepted = new Connections({ limits: { ...unlimited, connectionsMax: LINKS_MAX, unprovenMax: UNPROVEN_MAX }, origins: [], counts, heartbeatMs: HEARTBEAT_MS }, CORE_LINK_BYTES_MAX);
  }

  /** Begins to dial. */
  start(): void {
    for (const core of this.#options.others) if (this.#options.self < core) this.#dial(core);
  }

  /** Answers one upgrade request for `/core/link?core=…`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#accepted.upgrade(request, socket, head, (connection, parameters) => {
      const core = parameters.get("core") ?? "";
      if (!isPeerId(core) || !this.#options.others.includes(core) || core > this.#options.self) return this.#accepted.refuse(connection, REFUSALS.badRequest);
      const handshake = new Handshake(this.#options, core, connection, { side: "accepted", proven: () => this.#accepted.proven(connection) && this.#isNewest(core, connection) });
      return this.#accepted.hear(connection, { message: (bytes) => handshake.hear(bytes), closed: () => handshake.closed() });
    });
  }

  /** Ends every link. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    const closed = [...this.#dialled.values()].map((socket) => new Promise<void>((done) => {
      if (socket.readyState === WebSocket.CLOSED) return done();
      socket.once("close", () => done());
      setTimeout(() => socket.terminate(), PROOF_MS_MAX / 5).unref();
      return socket.close(1001, "the process stops");
    }));
    await Promise.all([...closed, this.#accepted.close()]);
  }

  #dial(core: PeerId): void {
    const url = this.#options.urlOf(core);
    if (url === undefined) return this.#retry(core);
    const socket = new WebSocket(linkAddress(url, this.#options.self), { maxPayload: CORE_LINK_BYTES_MAX, perMessageDeflate: false, handshakeTimeout: PROOF_MS_MAX });
    const handshake = new Handshake(this.#options, core, socket, { side: "dialled", proven: () => this.#isNewest(core, socket) });
    let isSilent = false;
    const heartbeat = setInterval(() => {
      if (isSilent) return socket.terminate();
      isSilent = true;
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, HEARTBEAT_MS);
    const alive = (): void => void (isSilent = false);
    this.#dialled.set(core, socket);
    socket.on("pong", alive);
    socket.on("error", () => {});
    socket.on("message", (data) => {
      alive();
      handshake.hear(asBytes(data));
    });
    socket.on("close", () => {
      clearInterval(heartbeat);
      if (handshake.closed()) this.#tries.delete(core);
      this.#retry(core);
    });
  }

  /** One link per process: an older one, which nobody listens to any more, ends. */
  #isNewest(core: PeerId, socket: WebSocket): true {
    const older = this.#proven.get(core);
    if (older !== socket) older?.terminate();
    this.#proven.set(core, socket);
    return true;
  }

  #retry(core: PeerId): void {
    if (this.#isClosed) return;
    const tries = this.#tries.get(core) ?? 0;
    this.#tries.set(core, tries + 1);
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** Math.min(tries, 10));
    this.#timers.set(core, setTimeout(() => this.#dial(core), pauseMs / 2 + (Math.random() * pauseMs) / 2));
  }
}

/** How a socket came to be, and who hears that there is a process at its other end; false: there is no place for it. */
interface Way {
  readonly side: "dialled" | "accepted";
  readonly proven: () => boolean;
}

/** One socket from its first word to its last. */
class Handshake {
  readonly #options: CoreLinksOptions;
  readonly #core: PeerId;
  readonly #socket: WebSocket;
  readonly #way: Way;
  readonly #nonce = Uint8Array.from(randomBytes(CORE_NONCE_BYTES));
  readonly #patience: NodeJS.Timeout;
  readonly #link: CoreLink;
  #theirs: { readonly nonce: Uint8Array; readonly mark: Uint8Array } | undefined;
  /** What came while the proof was looked at. */
  #held: Uint8Array[] | undefined;
  #isUp = false;
  /** Who is there knows the secret. */
  #isProven = false;
  /** Its records are the ones that are gone; what a socket is closed with comes back as an echo. */
  #hasRefused = false;

  constructor(options: CoreLinksOptions, core: PeerId, socket: WebSocket, way: Way) {
    this.#options = options;
    this.#core = core;
    this.#socket = socket;
    this.#way = way;
    this.#patience = setTimeout(() => this.#isUp || socket.terminate(), PROOF_MS_MAX * 2);
    this.#link = { core, send: (bytes, isLossy) => this.#send(bytes, isLossy) };
    const begin = (): void => this.#post({ kind: "challenge", nonce: this.#nonce, mark: options.marks.own });
    // Anybody can say so; only who has proven to be that process is believed, because this one ends.
    socket.on("close", (code) => code === REFUSALS.recordsLost.code && this.#isProven && !this.#hasRefused && options.onRecordsLost(core));
    if (way.side === "accepted") begin();
    else socket.once("open", begin);
  }

  hear(bytes: Uint8Array): void {
    if (this.#held !== undefined) return void this.#held.push(bytes);
    try {
      const frame = decodeCoreLinkFrame(bytes);
      if (this.#isUp) this.#options.hub.hear(this.#link, frame);
      else if (frame.kind === "challenge" && this.#theirs === undefined) this.#answer(frame.nonce.slice(), frame.mark.slice());
      else if (frame.kind === "proof" && this.#theirs !== undefined) this.#judge(this.#theirs, frame.code);
      else throw new MalformedError("not the message that should come now");
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#options.counts.droppedTotal += 1;
      if (!this.#isUp) this.#socket.close(REFUSALS.secretWrong.code, REFUSALS.secretWrong.reason);
    }
  }

  /** The socket is gone. Returns whether the link had stood. */
  closed(): boolean {
    clearTimeout(this.#patience);
    const wasUp = this.#isUp;
    this.#isUp = false;
    if (wasUp) {
      this.#options.hub.linkDown(this.#link);
      this.#options.counts.coreLinks = this.#options.hub.linked.length;
    }
    return wasUp;
  }

  #answer(nonce: Uint8Array, mark: Uint8Array): void {
    this.#theirs = { nonce, mark };
    this.#post({ kind: "proof", code: this.#code(this.#options.self, this.#core, { asked: nonce, own: this.#nonce, mark: this.#options.marks.own }) });
  }

  #judge({ nonce, mark }: { readonly nonce: Uint8Array; readonly mark: Uint8Array }, code: Uint8Array): void {
    const expected = this.#code(this.#core, this.#options.self, { asked: this.#nonce, own: nonce, mark });
    if (code.length !== expected.length || !timingSafeEqual(code, expected)) {
      this.#options.logger.error(`a process that calls itself ${this.#core} does not know the secret of the core`);
      return this.#socket.close(REFUSALS.secretWrong.code, REFUSALS.secretWrong.reason);
    }
    this.#isProven = true;
    this.#held = [];
    void this.#options.marks.meet(this.#core, mark).then(
      (isKnown) => (isKnown ? this.#up() : this.#refuseStranger()),
      (error: unknown) => {
        this.#options.logger.error(`the mark of ${this.#core} could not be kept`, error);
        this.#socket.terminate();
      },
    );
    return undefined;
  }

  #refuseStranger(): void {
    this.#hasRefused = true;
    this.#options.logger.error(`${this.#core} came back without its records, and is not let in: start it under another name`);
    this.#socket.close(REFUSALS.recordsLost.code, REFUSALS.recordsLost.reason);
  }

  #up(): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    if (!this.#way.proven()) return this.#socket.terminate();
    this.#isUp = true;
    clearTimeout(this.#patience);
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#options.logger.info(`linked to ${this.#core} (${this.#way.side})`);
    this.#options.hub.linkUp(this.#link);
    this.#options.counts.coreLinks = this.#options.hub.linked.length;
    for (const bytes of held) this.hear(bytes);
  }

  /** Both sides' names and nonces: good for this socket alone, and not to be sent back. */
  #code(from: PeerId, to: PeerId, { asked, own, mark }: { readonly asked: Uint8Array; readonly own: Uint8Array; readonly mark: Uint8Array }): Uint8Array {
    const text = concatBytes(utf8(`flotilla/core-link/2\0${from}\0${to}\0`), asked, own, mark);
    return Uint8Array.from(createHmac("sha256", this.#options.secret).update(text).digest());
  }

  #post(frame: CoreLinkFrame): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(encodeCoreLinkFrame(frame));
  }

  #send(bytes: Uint8Array, isLossy: boolean): void {
    const { bufferedAmount, readyState } = this.#socket;
    if (readyState !== WebSocket.OPEN) return;
    if (isLossy && bufferedAmount > LOSSY_QUEUE_BYTES_MAX) this.#options.counts.droppedTotal += 1;
    // A link that left frames out would not be one: it ends, and is made anew.
    else if (bufferedAmount > this.#options.limits.linkBytesMax) this.#socket.terminate();
    else this.#socket.send(bytes);
  }
}

function linkAddress(url: string, self: PeerId): string {
  const address = new URL(url);
  if (address.protocol === "http:") address.protocol = "ws:";
  if (address.protocol === "https:") address.protocol = "wss:";
  address.pathname = "/core/link";
  address.search = "";
  address.hash = "";
  address.searchParams.set("core", self);
  return address.href;
}

