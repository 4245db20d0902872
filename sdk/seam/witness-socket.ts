// The way to a witness: a WebSocket that comes back by itself, as a channel to one other peer. Only a group's own frames belong on it.
import { createNanoEvents } from "nanoevents";
import { MalformedError, PayloadTooLargeError, type Clock, type PeerId, type Random } from "../base/index.ts";
import { backoffMs, type BackoffLimits } from "./backoff.ts";
import { PeerNotConnectedError } from "./errors.ts";
import type { JoinedChannel } from "./joined-channel.ts";
import { REFUSED_CODE_MIN, openBrowserSocket, type Socket, type SocketFactory } from "./websocket-signaling.ts";
import { decodeWitnessFrame, encodeWitnessFrame, WITNESS_FRAME_BYTES_MAX, witnessProofText, type WitnessFrame } from "./witness-frame.ts";

/** What a {@link WitnessSocket} is made from. */
export interface WitnessSocketOptions {
  readonly selfId: PeerId;
  /** The group as `witnessGroupOf` names it: 16 hexadecimal digits. The server learns no other name. */
  readonly group: string;
  /** `ws:`, `wss:`, `http:` or `https:`; `/witness` is meant where the path is empty or `/signal`. */
  readonly url: string;
  /** The group's shortest election timeout, ms: for so long the witness protects a leader it heard. */
  readonly leaseMs: number;
  /** Proves to the server that this peer is who it says. */
  readonly identity: {
    readonly publicKey: Uint8Array;
    /** As `Identity.sign` does. */
    readonly sign: (bytes: Uint8Array) => Promise<Uint8Array>;
  };
  readonly clock: Clock;
  readonly random: Random;
  /** How often to ask the server for a sign of life; two unanswered in a row end the socket. Default 5000 ms. */
  readonly heartbeatMs?: number | undefined;
  /** First and longest pause before connecting again. Default 500 and 15 000 ms. */
  readonly backoff?: BackoffLimits | undefined;
  /** The witness came or went, or became a member of the group or ceased to be one. */
  readonly onChange?: (() => void) | undefined;
  /** How a socket is opened. Default: the global `WebSocket`. */
  readonly openSocket?: SocketFactory | undefined;
}

/** Where the highest refusal code ends: the server will not have this peer, and asking again would not help. */
const REFUSED_CODE_MAX = 4499;

/** What a {@link WitnessSocket} tells its listeners. */
export interface WitnessSocketEvents {
  /** A whole frame of the witness; nobody's when nobody listens. */
  frame: (from: PeerId, bytes: Uint8Array) => void;
  /** What went wrong on the way; it keeps trying unless the server refused it. */
  trouble: (error: Error) => void;
}

/** A place at a witness. In `peers` stand this peer and, while it is reached, the witness; nothing said before is kept for it. No seam: a group is not met here. */
export class WitnessSocket implements JoinedChannel {
  readonly selfId: PeerId;
  readonly payloadBytesMax: number = WITNESS_FRAME_BYTES_MAX - 1;
  readonly #events = createNanoEvents<WitnessSocketEvents>();
  #isClosed = false;
  readonly #options: WitnessSocketOptions;
  readonly #address: string;
  #socket: Socket | undefined;
  #witness: PeerId | undefined;
  #isMember = false;
  #tries = 0;
  #unanswered = 0;
  #malformed = 0;
  #cancelTimer: () => void = () => {};

  /** Connects at once. Throws `TypeError` for a URL that is none. */
  constructor(options: WitnessSocketOptions) {
    this.selfId = options.selfId;
    this.#options = options;
    this.#address = witnessAddress(options);
    this.#connect();
  }

  get peers(): ReadonlySet<PeerId> {
    return new Set(this.#witness === undefined ? [this.selfId] : [this.selfId, this.#witness]);
  }

  /** Adds a listener; returns the function that removes it. */
  on<K extends keyof WitnessSocketEvents>(event: K, listener: WitnessSocketEvents[K]): () => void {
    return this.#events.on(event, listener);
  }

  /** Sends a frame to the witness. Throws `PeerNotConnectedError`, `PayloadTooLargeError`. */
  sendTo(peer: PeerId, bytes: Uint8Array): void {
    if (peer !== this.#witness) throw new PeerNotConnectedError(peer);
    if (bytes.length > this.payloadBytesMax) throw new PayloadTooLargeError(bytes.length, this.payloadBytesMax, "frame");
    this.#post({ kind: "frame", bytes });
  }

  /** The witness reached now. After a restart of the server it is another one. */
  get witness(): PeerId | undefined {
    return this.#witness;
  }

  /** True once the witness's log says that it is a member: it holds everything committed before it became one. */
  get isMember(): boolean {
    return this.#isMember;
  }

  /** Messages of the server that made no sense. */
  get malformed(): number {
    return this.#malformed;
  }

  /** Ends the way there; nothing more is told. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer();
    this.#socket?.close();
    this.#socket = undefined;
    this.#witness = undefined;
    this.#isMember = false;
    this.#events.events = {};
  }

  #trouble(error: unknown): void {
    this.#events.emit("trouble", error instanceof Error ? error : new Error(String(error)));
  }

  #post(frame: WitnessFrame): void {
    this.#socket?.send(new Uint8Array(encodeWitnessFrame(frame)));
  }

  #connect(): void {
    const open = this.#options.openSocket ?? openBrowserSocket;
    let own: Socket | undefined;
    const isOurs = (): boolean => own === undefined || own === this.#socket;
    try {
      own = open(this.#address, {
        opened: () => this.#beat(),
        received: (data) => isOurs() && this.#received(data),
        lost: (code, reason) => isOurs() && this.#lost(code, reason),
      });
      this.#socket = own;
    } catch (error) {
      // The page's policy forbids the address, or there is no WebSocket: no later try can differ.
      this.#trouble(error);
    }
  }

  #received(data: unknown): void {
    this.#unanswered = 0;
    try {
      if (!(data instanceof ArrayBuffer)) throw new MalformedError("not bytes");
      this.#heard(decodeWitnessFrame(new Uint8Array(data)));
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#malformed += 1;
    }
  }

  #heard(frame: WitnessFrame): void {
    if (frame.kind === "challenge") void this.#prove(frame.nonce);
    else if (frame.kind === "welcome") this.#meet(frame.witness);
    else if (frame.kind === "ping") this.#post({ kind: "pong" });
    else if (frame.kind === "member") this.#noteMember(frame.isMember);
    else if (frame.kind === "frame" && this.#witness !== undefined) this.#events.emit("frame", this.#witness, frame.bytes);
  }

  async #prove(nonce: Uint8Array): Promise<void> {
    const { identity, group, selfId } = this.#options;
    const socket = this.#socket;
    try {
      const signature = await identity.sign(witnessProofText(nonce, { group, peer: selfId }));
      if (socket === this.#socket) this.#post({ kind: "proof", publicKey: identity.publicKey, signature });
    } catch (error) {
      this.#trouble(error);
    }
  }

  #meet(witness: PeerId): void {
    this.#tries = 0;
    this.#part();
    this.#witness = witness;
    this.#options.onChange?.();
  }

  #part(): void {
    const gone = this.#witness;
    this.#witness = undefined;
    this.#isMember = false;
    if (gone !== undefined) this.#options.onChange?.();
  }

  #noteMember(isMember: boolean): void {
    const { witness } = this;
    if (witness === undefined || isMember === this.#isMember) return;
    this.#isMember = isMember;
    this.#options.onChange?.();
  }

  #beat(): void {
    this.#cancelTimer = this.#options.clock.after(this.#options.heartbeatMs ?? 5_000, () => {
      if (this.#unanswered >= 2) {
        this.#socket?.close();
        this.#lost(1006, "no answer from the server");
        return;
      }
      this.#unanswered += 1;
      this.#post({ kind: "ping" });
      this.#beat();
    });
  }

  #lost(code: number, reason: string): void {
    this.#cancelTimer();
    this.#socket = undefined;
    this.#unanswered = 0;
    if (this.#isClosed) return;
    this.#part();
    this.#trouble(new Error(`the witness is out of reach: ${reason === "" ? `code ${code}` : reason}`));
    if (code >= REFUSED_CODE_MIN && code <= REFUSED_CODE_MAX) return;
    const { backoff = { firstMs: 500, maxMs: 15_000 }, clock, random } = this.#options;
    this.#cancelTimer = clock.after(backoffMs(this.#tries, backoff, random), () => this.#connect());
    this.#tries += 1;
  }
}

function witnessAddress({ url, group, selfId, leaseMs }: WitnessSocketOptions): string {
  const address = new URL(url);
  if (address.protocol === "http:") address.protocol = "ws:";
  if (address.protocol === "https:") address.protocol = "wss:";
  if (address.pathname === "/" || address.pathname === "/signal") address.pathname = "/witness";
  address.searchParams.set("group", group);
  address.searchParams.set("peer", selfId);
  address.searchParams.set("lease", String(leaseMs));
  return address.href;
}
