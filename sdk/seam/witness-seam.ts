// The way to a witness: a WebSocket that comes back by itself, as a seam with one other peer. Only a group's own frames belong on it.
import { MalformedError, type Clock, type PeerId, type Random } from "../base/index.ts";
import { backoffMs, type BackoffLimits } from "./backoff.ts";
import { SeamCore } from "./seam-core.ts";
import { REFUSED_CODE_MIN, openBrowserSocket, type Socket, type SocketFactory } from "./websocket-signaling.ts";
import { decodeWitnessFrame, encodeWitnessFrame, WITNESS_FRAME_BYTES_MAX, witnessProofText, type WitnessFrame } from "./witness-frame.ts";

/** What a {@link WitnessSeam} is made from. */
export interface WitnessSeamOptions {
  readonly selfId: PeerId;
  /** The group as `witnessGroupOf` names it: 16 hexadecimal digits. The server learns no other name. */
  readonly group: string;
  /** `ws:`, `wss:`, `http:` or `https:`; `/witness` is meant where the path is empty or `/signal`. */
  readonly url: string;
  /** The group's shortest election timeout, ms: for so long the witness protects a leader it heard. */
  readonly leaseMs: number;
  /** Proves to the server that this peer is who it says. */
  readonly identity: { readonly publicKey: Uint8Array; readonly sign: (bytes: Uint8Array) => Promise<Uint8Array> };
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

/** A place at a witness. In `peers` stand this peer and, while it is reached, the witness; nothing sent before is kept for it. */
export class WitnessSeam extends SeamCore {
  readonly #options: WitnessSeamOptions;
  readonly #address: string;
  #socket: Socket | undefined;
  #witness: PeerId | undefined;
  #isMember = false;
  #tries = 0;
  #unanswered = 0;
  #malformed = 0;
  #cancelTimer: () => void = () => {};

  /** Connects at once. Throws `TypeError` for a URL that is none. */
  constructor(options: WitnessSeamOptions) {
    super(options.selfId, WITNESS_FRAME_BYTES_MAX - 1);
    this.#options = options;
    this.#address = witnessAddress(options);
    this.#connect();
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

  async close(): Promise<void> {
    this.#cancelTimer();
    this.#socket?.close();
    this.#socket = undefined;
    this.tear("closed");
  }

  protected write(_peer: PeerId, bytes: Uint8Array): void {
    this.#post({ kind: "frame", bytes });
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
      this.trouble(error instanceof Error ? error : new Error(String(error)));
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
    else if (frame.kind === "frame" && this.#witness !== undefined) this.deliver(this.#witness, frame.bytes);
  }

  async #prove(nonce: Uint8Array): Promise<void> {
    const { identity, group, selfId } = this.#options;
    const socket = this.#socket;
    try {
      const signature = await identity.sign(witnessProofText(nonce, { group, peer: selfId }));
      if (socket === this.#socket) this.#post({ kind: "proof", publicKey: identity.publicKey, signature });
    } catch (error) {
      this.trouble(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #meet(witness: PeerId): void {
    this.#tries = 0;
    this.#part();
    this.#witness = witness;
    this.weave();
    this.addPeer(witness);
    this.#options.onChange?.();
  }

  #part(): void {
    const gone = this.#witness;
    this.#witness = undefined;
    this.#isMember = false;
    if (gone === undefined) return;
    this.removePeer(gone);
    this.#options.onChange?.();
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
    if (this.state.phase === "torn") return;
    this.#part();
    this.trouble(new Error(`the witness is out of reach: ${reason === "" ? `code ${code}` : reason}`));
    if (code >= REFUSED_CODE_MIN && code <= REFUSED_CODE_MAX) return;
    const { backoff = { firstMs: 500, maxMs: 15_000 }, clock, random } = this.#options;
    this.#cancelTimer = clock.after(backoffMs(this.#tries, backoff, random), () => this.#connect());
    this.#tries += 1;
  }
}

function witnessAddress({ url, group, selfId, leaseMs }: WitnessSeamOptions): string {
  const address = new URL(url);
  if (address.protocol === "http:") address.protocol = "ws:";
  if (address.protocol === "https:") address.protocol = "wss:";
  if (address.pathname === "/" || address.pathname === "/signal") address.pathname = "/witness";
  address.searchParams.set("group", group);
  address.searchParams.set("peer", selfId);
  address.searchParams.set("lease", String(leaseMs));
  return address.href;
}
