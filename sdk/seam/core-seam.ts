// A peer's seam through one process of a fixed core: one WebSocket, behind which everybody of the room is. It ends with its socket; whoever wants another makes another.
import { MalformedError, type Clock, type PeerId } from "../base/index.ts";
import { CORE_FRAME_BYTES_MAX, coreProofText, decodeCoreFrame, encodeCoreFrame, type CoreFrame, type CoreWindow } from "./core-frame.ts";
import { SendQueueFullError } from "./errors.ts";
import { checkBroadcast, SeamCore } from "./seam-core.ts";
import { LOSSY_BYTES_MAX, PAYLOAD_BYTES_MAX, type Seam, type SendOptions } from "./seam.ts";
import { openBrowserSocket, type Socket, type SocketFactory } from "./websocket-signaling.ts";

/** What a {@link CoreSeam} is made from. */
export interface CoreSeamOptions {
  readonly selfId: PeerId;
  /** 1 to 64 characters; the same for everybody in the room. */
  readonly room: string;
  /** One process of the core: `ws:`, `wss:`, `http:` or `https:`; `/core` is meant where the path is empty. */
  readonly url: string;
  /** Proves to the core that this peer is who it says. */
  readonly identity: {
    readonly publicKey: Uint8Array;
    /** As `Identity.sign` does. */
    readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
  };
  /** What the last `welcome` gave, from whichever process. Default: none. */
  readonly token?: Uint8Array | undefined;
  readonly clock: Clock;
  /** How long the way there and the proof may take together, ms. Default 10 000. */
  readonly connectTimeoutMs?: number | undefined;
  /** How often to ask for a sign of life; two unanswered in a row end the seam. Default 5000 ms. */
  readonly heartbeatMs?: number | undefined;
  /** Bytes that may wait on their way out; with more the seam ends. Default 8 MiB. */
  readonly bufferedBytesMax?: number | undefined;
  /** How a socket is opened. Default: the global `WebSocket`; Node 20 has none. */
  readonly openSocket?: SocketFactory | undefined;
}

/** What the core said when it let this peer in. */
export interface CoreWelcome {
  /** The process at the other end. */
  readonly core: PeerId;
  /** Every process of the core: the voters of the room's group. */
  readonly cores: readonly PeerId[];
  /** What became of the token that was presented. */
  readonly window: CoreWindow;
  /** To be presented to any process of the core next time. Opaque. */
  readonly token: Uint8Array;
}

/** Bytes on their way out beyond which a lossy frame is late, and not sent. */
const LOSSY_QUEUE_BYTES_MAX = 64 * 1024;
/** How long a goodbye waits for its answer, ms. */
const GOODBYE_MS_MAX = 1_000;

/**
 * One peer's view of a room through one process of its core. Weaving until the proof was accepted; `welcome` is there as soon as it is woven. In `peers`: the
 * processes of the core that this one reaches, itself included, and every peer connected to one of those. Torn when the socket is lost.
 */
export class CoreSeam extends SeamCore implements Seam {
  readonly #options: CoreSeamOptions;
  #socket: Socket | undefined;
  #welcome: CoreWelcome | undefined;
  #lostCode: number | undefined;
  #hasProven = false;
  #unanswered = 0;
  #malformed = 0;
  #lossyDropped = 0;
  #cancelTimer: () => void = () => {};
  #closing: Promise<void> | undefined;
  #answered: () => void = () => {};

  /** Connects at once. Throws `TypeError` for a URL that is none. */
  constructor(options: CoreSeamOptions) {
    super(options.selfId, PAYLOAD_BYTES_MAX);
    this.#options = options;
    const address = coreAddress(options);
    this.#cancelTimer = options.clock.after(options.connectTimeoutMs ?? 10_000, () => this.#lost(1006, "no answer in time"));
    this.#connect(address);
  }

  /** What the core said; undefined before it let this peer in. Stays after the seam is torn. */
  get welcome(): CoreWelcome | undefined {
    return this.#welcome;
  }

  /** The WebSocket close code it was lost with; from 4400 to 4499 the core will not have this peer. Undefined while it was not lost. */
  get lostCode(): number | undefined {
    return this.#lostCode;
  }

  /** Messages of the core that made no sense. */
  get malformed(): number {
    return this.#malformed;
  }

  /** Lossy frames not sent, because others wait already. */
  get lossyDropped(): number {
    return this.#lossyDropped;
  }

  /** One message for everybody: the core makes the copies. */
  override broadcast(bytes: Uint8Array, options?: SendOptions): void {
    checkBroadcast(this, bytes.length);
    if (this.peers.size > 1) this.#relay(undefined, bytes, options?.lossy === true);
  }

  /** Resolves when the core has passed on what was sent, or said nothing for a second. The seam itself is torn at once. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  protected write(peer: PeerId, bytes: Uint8Array, _stream: number, isLossy: boolean): void {
    this.#relay(peer, bytes, isLossy);
  }

  #relay(peer: PeerId | undefined, bytes: Uint8Array, isLossy: boolean): void {
    const queued = this.#socket?.bufferedBytes ?? 0;
    const mayBeLost = isLossy && bytes.length <= LOSSY_BYTES_MAX;
    if (mayBeLost && queued > LOSSY_QUEUE_BYTES_MAX) {
      this.#lossyDropped += 1;
      return;
    }
    const { bufferedBytesMax = 8 * 1024 * 1024 } = this.#options;
    // In a later task: whoever sends must not find the seam torn in the middle of its own call.
    if (queued > bufferedBytesMax) queueMicrotask(() => this.#overflow(bufferedBytesMax));
    else this.#post({ kind: "relay", peer, isLossy: mayBeLost, bytes });
  }

  #overflow(bytesMax: number): void {
    if (this.state.phase === "torn") return;
    this.trouble(new SendQueueFullError(this.#welcome?.core ?? this.selfId, bytesMax));
    this.#lost(1006, `more than ${bytesMax} bytes wait for the core`);
  }

  #post(frame: CoreFrame): void {
    this.#socket?.send(new Uint8Array(encodeCoreFrame(frame)));
  }

  #connect(address: string): void {
    const open = this.#options.openSocket ?? openBrowserSocket;
    try {
      this.#socket = open(address, { opened: () => {}, received: (data) => this.#received(data), lost: (code, reason) => this.#lost(code, reason) });
    } catch (error) {
      // The page's policy forbids the address, or there is no WebSocket.
      queueMicrotask(() => this.#lost(1006, error instanceof Error ? error.message : String(error)));
    }
  }

  #received(data: unknown): void {
    this.#unanswered = 0;
    try {
      if (!(data instanceof ArrayBuffer) || data.byteLength > CORE_FRAME_BYTES_MAX) throw new MalformedError("not a message");
      this.#heard(decodeCoreFrame(new Uint8Array(data)));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#malformed += 1;
    }
  }

  #heard(frame: CoreFrame): void {
    switch (frame.kind) {
      case "relay":
        if (frame.peer !== undefined) this.deliver(frame.peer, frame.bytes);
        return;
      case "challenge":
        return void this.#prove(frame.nonce);
      case "welcome":
        return this.#meet(frame);
      case "met":
        return frame.peers.forEach((peer) => this.addPeer(peer));
      case "parted":
        return frame.peers.forEach((peer) => this.removePeer(peer));
      case "goodbye":
        return this.#answered();
      case "ping":
        return this.#post({ kind: "pong" });
      case "proof":
      case "pong":
    }
  }

  async #prove(nonce: Uint8Array): Promise<void> {
    const { identity, room, selfId, url, token = new Uint8Array() } = this.#options;
    // One that asks again, after a signature it did not like, gets no other.
    if (this.#welcome !== undefined || this.#hasProven) return;
    this.#hasProven = true;
    const host = new URL(url).hostname;
    try {
      const signature = await identity.sign(coreProofText(nonce, { room, peer: selfId, host }));
      this.#post({ kind: "proof", host, publicKey: identity.publicKey, signature, token });
    } catch (error) {
      this.trouble(error instanceof Error ? error : new Error(String(error)));
      this.#lost(1006, "this peer could not sign its proof");
    }
  }

  #meet({ core, cores, window, token, peers }: CoreFrame & { readonly kind: "welcome" }): void {
    if (this.#welcome !== undefined || this.state.phase === "torn") return;
    this.#welcome = { core, cores, window, token: token.slice() };
    this.#cancelTimer();
    this.#beat();
    for (const peer of [core, ...peers]) this.addPeer(peer);
    this.weave();
  }

  #beat(): void {
    this.#cancelTimer = this.#options.clock.after(this.#options.heartbeatMs ?? 5_000, () => {
      if (this.#unanswered >= 2) return this.#lost(1006, "no answer from the core");
      this.#unanswered += 1;
      this.#post({ kind: "ping" });
      return this.#beat();
    });
  }

  #lost(code: number, reason: string): void {
    this.#answered();
    if (this.state.phase === "torn") return;
    this.#lostCode = code;
    this.#end();
    this.tear(reason === "" ? `the connection ended with code ${code}` : reason);
  }

  #end(): void {
    this.#cancelTimer();
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #close(): Promise<void> {
    if (this.state.phase === "torn") return;
    const isWoven = this.state.phase === "woven";
    this.#cancelTimer();
    this.tear("closed");
    if (isWoven) {
      await new Promise<void>((done) => {
        this.#answered = done;
        this.#cancelTimer = this.#options.clock.after(GOODBYE_MS_MAX, done);
        this.#post({ kind: "goodbye" });
      });
    }
    this.#end();
  }
}

function coreAddress({ url, room, selfId }: CoreSeamOptions): string {
  const address = new URL(url);
  if (address.protocol === "http:") address.protocol = "ws:";
  if (address.protocol === "https:") address.protocol = "wss:";
  if (address.pathname === "/") address.pathname = "/core";
  address.searchParams.set("room", room);
  address.searchParams.set("peer", selfId);
  return address.href;
}
