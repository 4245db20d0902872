// A full mesh of WebRTC links as one Seam: who is in the room is dialled, who is linked is in `peers`.
import { MalformedError, PayloadTooLargeError, toHex, type Clock, type PeerId, type Random } from "../../base/index.ts";
import { backoffMs } from "../backoff.ts";
import { SeamCore } from "../seam-core.ts";
import { PAYLOAD_BYTES_MAX, type Seam, type SeamEvents } from "../seam.ts";
import type { Signaling } from "../signaling.ts";
import { decodeDialMessage, encodeDialMessage, SEALED_BYTES_MAX, type DialMessage } from "./dial-message.ts";
import type { LinkIdentity } from "./handshake.ts";
import type { Lane, RelayMode } from "./lane-rules.ts";
import type { LinkFactory } from "./link.ts";
import { openPeerLink } from "./peer-link.ts";
import { RemotePeer, type Mesh } from "./remote-peer.ts";

/** Two public STUN servers. They tell a tab its public address and carry no traffic; a TURN server is yours to add. */
export const DEFAULT_ICE_SERVERS: readonly RTCIceServer[] = [{ urls: "stun:stun.l.google.com:19302" }, { urls: "stun:stun.cloudflare.com:3478" }];

/** Strangers dealt with at once; more are ignored and counted until somebody leaves. A full mesh is at its end long before. */
export const REMOTE_PEERS_MAX: number = 64;

const TICK_MS = 2_000;
/** How often a seam says again that it is here: often while alone, seldom otherwise (it mends what a lost message broke). */
const ANNOUNCE_ALONE_MS = 5_000;
const ANNOUNCE_MS = 30_000;

/** Links that go through a server: `RelayLane` of seam/relay is one. */
export interface RelayedLinks {
  readonly open: LinkFactory;
  /** Ends them all and the way to the server. */
  close(): void;
}

/** What a mesh does with a relay. */
export interface RelayOptions {
  /** Makes or loads it; asked once, when the first relayed link is to be made. */
  readonly links: () => RelayedLinks | Promise<RelayedLinks>;
  /** Default `fallback`; where there is no WebRTC it is `always`. */
  readonly mode?: RelayMode | undefined;
}

/** What a {@link WebRtcSeam} is made from. */
export interface WebRtcSeamOptions {
  readonly selfId: PeerId;
  /** This peer's place in the room. The seam owns it from now on and closes it. */
  readonly signaling: Signaling;
  readonly clock: Clock;
  /** Where identities are proven it must not be foreseeable. */
  readonly random: Random;
  /**
   * Proves on every link that this peer is `selfId`, and asks the same of everybody: who does not, or can not, never appears in `peers`. Then all of
   * the room need one. Undefined: everybody is taken for who signaling says, and nobody who asks for proof is reached. Default undefined.
   */
  readonly identity?: LinkIdentity | undefined;
  /** A value, or a function asked anew for every link (short-lived TURN credentials). Default {@link DEFAULT_ICE_SERVERS}. */
  readonly iceServers?: readonly RTCIceServer[] | (() => readonly RTCIceServer[] | Promise<readonly RTCIceServer[]>) | undefined;
  /** Only relayed paths, so that peers do not learn each other's addresses; needs a TURN server. Default false. */
  readonly relayOnly?: boolean | undefined;
  /**
   * Links for pairs between which ICE finds no path, and to peers without WebRTC: sealed and proven like any other, and slower. A relayed pair goes on trying for
   * a direct one where identities are proven. Default: none, and such pairs do not meet.
   */
  readonly relay?: RelayOptions | undefined;
  /** How long one attempt may take from the first step to the last of the handshake. Default 15 000 ms. */
  readonly dialTimeoutMs?: number | undefined;
  /** Largest frame in bytes; must be the same for the whole group. Default {@link PAYLOAD_BYTES_MAX}. */
  readonly payloadBytesMax?: number | undefined;
  /** Hears what {@link WebRtcSeam.sendSealed} of another peer sent. Whoever listens checks who it is from: signaling does not. */
  readonly onSealed?: ((from: PeerId, bytes: Uint8Array) => void) | undefined;
  /** How links are made. Default: simple-peer on the browser's RTCPeerConnection. */
  readonly openLink?: LinkFactory | undefined;
}

/** A seam's events, and what went wrong on the way to a peer. */
export interface WebRtcSeamEvents extends SeamEvents {
  /** `NatTraversalError` (add TURN), `SendQueueFullError`, `PeerNotProvenError`, what `iceServers` threw. The mesh keeps trying; this is for people. */
  trouble: (error: Error) => void;
}

/**
 * Links to everybody in the signaling room. `woven` once the room is reached or the first link stands; torn by `close()`, or when
 * signaling fails for good while no link is left. A peer that is lost is dialled again with jittered backoff: it leaves `peers` and
 * comes back; frames sent to the old link are never sent again. Frames above 16 KiB travel in pieces; streams take turns.
 */
export class WebRtcSeam extends SeamCore implements Seam {
  readonly #mesh: Mesh;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #signaling: Signaling;
  readonly #onSealed: (from: PeerId, bytes: Uint8Array) => void;
  readonly #remotes = new Map<PeerId, RemotePeer>();
  readonly #offs: readonly (() => void)[];
  #attempts = 0;
  #malformed = 0;
  #ignored = 0;
  #unproven = 0;
  #signalingFailure: string | undefined;
  readonly #relay: RelayOptions | undefined;
  #relayed: Promise<RelayedLinks> | undefined;
  #cancelTick: () => void = () => {};
  #cancelAnnounce: () => void = () => {};
  #closing: Promise<void> | undefined;

  constructor(options: WebRtcSeamOptions) {
    super(options.selfId, options.payloadBytesMax ?? PAYLOAD_BYTES_MAX);
    this.#clock = options.clock;
    this.#random = options.random;
    this.#signaling = options.signaling;
    this.#onSealed = options.onSealed ?? (() => {});
    this.#relay = options.relay;
    this.#mesh = this.#makeMesh(options);
    this.#offs = [
      options.signaling.on("announced", (peer) => this.#remote(peer)?.announced()),
      options.signaling.on("message", (from, payload) => this.#message(from, payload)),
      options.signaling.on("left", (peer) => this.#remotes.get(peer)?.left()),
      options.signaling.on("status", (status, reason) => this.#signalingStatus(status, reason)),
    ];
    this.#tick();
    this.#announceLater();
  }

  /** Last measured way to a peer and back, in milliseconds; measured every two seconds. */
  roundTripMs(peer: PeerId): number | undefined {
    return this.#remotes.get(peer)?.roundTripMs;
  }

  /** How frames go to a peer: `direct`, or through the `relay`; undefined while it is not connected. */
  laneOf(peer: PeerId): Lane | undefined {
    return this.#remotes.get(peer)?.lane;
  }

  /** Bytes sent to a peer that have not left this tab: for pacing large transfers. */
  bufferedBytes(peer: PeerId): number {
    return this.#remotes.get(peer)?.bufferedBytes ?? 0;
  }

  /** Signaling messages dropped because they made no sense. */
  get malformedDropped(): number {
    return this.#malformed;
  }

  /** Strangers ignored because {@link REMOTE_PEERS_MAX} were there already. */
  get strangersIgnored(): number {
    return this.#ignored;
  }

  /** Links closed because who spoke on them did not prove to be the peer they were made for, or did not speak in time. */
  get unprovenDropped(): number {
    return this.#unproven;
  }

  /** Sends over signaling, beside any link: best effort and once, for last words. At most 4096 bytes; longer ones throw `PayloadTooLargeError`. */
  sendSealed(to: PeerId, bytes: Uint8Array): void {
    if (bytes.length > SEALED_BYTES_MAX) throw new PayloadTooLargeError(bytes.length, SEALED_BYTES_MAX, "sealed message");
    this.#signal(to, { kind: "sealed", bytes });
  }

  /** Breaks the link to a peer as a failing network would; it is dialled again. For tests and fault panels. */
  breakLink(peer: PeerId): void {
    this.#remotes.get(peer)?.breakLink();
  }

  close(): Promise<void> {
    this.#closing ??= this.#end("closed");
    return this.#closing;
  }

  protected write(peer: PeerId, bytes: Uint8Array, stream: number, isLossy: boolean): void {
    this.#remotes.get(peer)?.send(bytes, stream, isLossy);
  }

  #makeMesh(options: WebRtcSeamOptions): Mesh {
    const { selfId, identity, clock, random, iceServers = DEFAULT_ICE_SERVERS } = options;
    return {
      selfId,
      identity,
      clock,
      random,
      incarnation: toHex(Uint8Array.from({ length: 8 }, () => random.uint32() >>> 24)),
      payloadBytesMax: this.payloadBytesMax,
      dialTimeoutMs: options.dialTimeoutMs ?? 15_000,
      relayOnly: options.relayOnly ?? false,
      canDirect: options.relay?.mode !== "always" && (options.relay === undefined || options.openLink !== undefined || typeof RTCPeerConnection !== "undefined"),
      canRelay: options.relay !== undefined,
      openLink: options.openLink ?? openPeerLink,
      relayedLinks: async () => (await this.#loadRelay()).open,
      iceServers: async () => (typeof iceServers === "function" ? iceServers() : iceServers),
      nextAttempt: () => (this.#attempts += 1),
      signal: (to, message) => this.#signal(to, message),
      connected: (peer) => this.#connected(peer),
      disconnected: (peer) => this.#disconnected(peer),
      frame: (peer, bytes) => this.deliver(peer, bytes),
      unproven: () => void (this.#unproven += 1),
      trouble: (error) => this.trouble(error),
    };
  }

  async #loadRelay(): Promise<RelayedLinks> {
    if (this.#relay === undefined) throw new Error("there is no relay");
    this.#relayed ??= Promise.resolve(this.#relay.links());
    try {
      return await this.#relayed;
    } catch (error) {
      // A chunk that did not load may do so next time.
      this.#relayed = undefined;
      throw error;
    }
  }

  #connected(peer: PeerId): void {
    this.weave();
    this.addPeer(peer);
  }

  #disconnected(peer: PeerId): void {
    this.removePeer(peer);
    this.#tearIfCutOff();
  }

  #remote(peer: PeerId): RemotePeer | undefined {
    if (this.state.phase === "torn" || peer === this.selfId) return undefined;
    const known = this.#remotes.get(peer);
    if (known !== undefined) return known;
    if (this.#remotes.size >= REMOTE_PEERS_MAX) this.#forgetIdle();
    if (this.#remotes.size >= REMOTE_PEERS_MAX) {
      this.#ignored += 1;
      return undefined;
    }
    const remote = new RemotePeer(peer, this.#mesh);
    this.#remotes.set(peer, remote);
    return remote;
  }

  #forgetIdle(): void {
    for (const [peer, remote] of this.#remotes) {
      if (!remote.isIdle) continue;
      this.#remotes.delete(peer);
      return;
    }
  }

  #message(from: PeerId, payload: Uint8Array): void {
    try {
      const message = decodeDialMessage(payload);
      if (message.kind === "sealed") this.#onSealed(from, message.bytes);
      else if (message.kind !== "negotiate") this.#remote(from)?.greeted(message.incarnation, message.lost, message.kind === "relay-only");
      else this.#remote(from)?.negotiated(message);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#malformed += 1;
    }
  }

  #signal(to: PeerId, message: DialMessage): void {
    if (this.state.phase !== "torn") this.#signaling.send(to, encodeDialMessage(message));
  }

  #signalingStatus(status: "up" | "down" | "failed", reason: string): void {
    if (this.state.phase === "torn") return;
    if (status === "up") {
      this.#signalingFailure = undefined;
      this.#signaling.announce();
      this.weave();
    } else if (status === "failed") {
      this.#signalingFailure = reason;
      this.#tearIfCutOff();
    }
  }

  // Without signaling and without links nobody can ever come.
  #tearIfCutOff(): void {
    if (this.#signalingFailure === undefined || this.peers.size > 1) return;
    this.#closing ??= this.#end(`signaling failed: ${this.#signalingFailure}`);
  }

  #tick(): void {
    this.#cancelTick = this.#clock.after(TICK_MS, () => {
      for (const remote of this.#remotes.values()) remote.tick();
      if (this.state.phase !== "torn") this.#tick();
    });
  }

  #announceLater(): void {
    const wholeMs = this.peers.size === 1 ? ANNOUNCE_ALONE_MS : ANNOUNCE_MS;
    this.#cancelAnnounce = this.#clock.after(backoffMs(0, { firstMs: wholeMs, maxMs: wholeMs }, this.#random), () => {
      if (this.state.phase === "torn") return;
      this.#signaling.announce();
      this.#announceLater();
    });
  }

  async #end(reason: string): Promise<void> {
    if (!this.tear(reason)) return;
    this.#cancelTick();
    this.#cancelAnnounce();
    for (const off of this.#offs) off();
    const partings = [...this.#remotes.values()].map((remote) => remote.close());
    this.#remotes.clear();
    await Promise.all([...partings, this.#signaling.close()]);
    await this.#relayed?.then((links) => links.close(), () => {});
  }
}
