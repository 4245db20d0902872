// A link on simple-peer: the only file that knows it. Uses its `send`, never its stream side, which is five times slower.
import SimplePeer from "simple-peer/simplepeer.min.js";
import { fingerprintOf, type LinkFingerprints } from "./fingerprint.ts";
import type { Link, LinkEnd, LinkFactory, LinkListener, LinkOptions, Negotiation } from "./link.ts";

/** simple-peer's words for "ICE found no path" (also used when a path is lost later). */
const PATH_CODES: ReadonlySet<string | undefined> = new Set(["ERR_ICE_CONNECTION_FAILURE", "ERR_CONNECTION_FAILURE"]);

/** The lossy lane: both ends open it under this id, so that it needs no negotiation. simple-peer's own channel takes the lowest free id. */
const LOSSY_LANE: RTCDataChannelInit = { negotiated: true, id: 100, ordered: false, maxRetransmits: 0 };
/** Bytes of the lossy lane that may wait for the network; what comes on top is lost, as it would only be late. */
const LOSSY_BUFFERED_BYTES_MAX = 64 * 1024;

/** Begins a link on an RTCPeerConnection with one reliable, ordered data channel, and one that loses and overtakes beside it. */
export const openPeerLink: LinkFactory = (options, listener) => new PeerLink(options, listener);

class PeerLink implements Link {
  readonly #peer: SimplePeer;
  readonly #listener: LinkListener;
  #lane: RTCDataChannel | undefined;
  #opened = false;
  #over = false;

  constructor({ initiator, iceServers, relayOnly }: LinkOptions, listener: LinkListener) {
    this.#listener = listener;
    this.#peer = new SimplePeer({
      initiator,
      trickle: true,
      // Message boundaries are kept, and nothing is turned into strings.
      objectMode: true,
      config: { iceServers: [...iceServers], iceTransportPolicy: relayOnly ? "relay" : "all" },
    });
    this.#listen();
  }

  get bufferedBytes(): number {
    return this.#over ? 0 : this.#peer.bufferSize;
  }

  // As the browser holds them, not as they came: these are what the connection was checked against.
  get fingerprints(): LinkFingerprints | undefined {
    const { localDescription, remoteDescription } = this.#peer._pc;
    const local = fingerprintOf(localDescription?.sdp ?? "");
    const remote = fingerprintOf(remoteDescription?.sdp ?? "");
    return local === undefined || remote === undefined ? undefined : { local, remote };
  }

  signal(step: Negotiation): void {
    if (this.#over) return;
    if (step.kind === "relay") return this.#end({ kind: "error", cause: undefined });
    try {
      this.#peer.signal(
        step.kind === "description"
          ? { type: step.type, sdp: step.sdp }
          : { type: "candidate", candidate: { candidate: step.candidate, sdpMid: step.sdpMid, sdpMLineIndex: step.sdpMLineIndex } },
      );
    } catch (error) {
      this.#end({ kind: "error", cause: asError(error) });
    }
  }

  send(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    try {
      this.#peer.send(bytes);
      return true;
    } catch (error) {
      this.#end({ kind: "lost", cause: asError(error) });
      return false;
    }
  }

  sendLossy(bytes: Uint8Array): boolean {
    const lane = this.#lane;
    if (this.#over || lane === undefined || lane.readyState !== "open") return false;
    try {
      // A copy by the browser; the view may stand on memory of any kind.
      if (lane.bufferedAmount <= LOSSY_BUFFERED_BYTES_MAX) lane.send(bytes as Uint8Array<ArrayBuffer>);
      return true;
    } catch {
      // It closed in between, or takes no message of this size.
      return false;
    }
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#peer.destroy();
  }

  #listen(): void {
    const peer = this.#peer;
    let failure: (Error & { readonly code?: string }) | undefined;
    peer.on("signal", (data) => {
      if (this.#over) return;
      if (data.type === "candidate") this.#listener.negotiate({ kind: "candidate", ...data.candidate });
      else if ((data.type === "offer" || data.type === "answer") && data.sdp !== undefined) {
        this.#listener.negotiate({ kind: "description", type: data.type, sdp: data.sdp });
      }
    });
    peer.on("connect", () => {
      if (this.#over) return;
      this.#opened = true;
      this.#openLane();
      peer._channel?.addEventListener("bufferedamountlow", () => {
        if (!this.#over) this.#listener.drained();
      });
      this.#hearDirectly();
      this.#listener.open();
    });
    // simple-peer hands out Buffers on the message's own memory; a plain view of it hides the Buffer.
    peer.on("data", (bytes) => {
      if (!this.#over) this.#listener.message(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    });
    peer.on("iceStateChange", (state) => {
      if (!this.#over && this.#opened) this.#listener.unsteady(state === "disconnected");
    });
    peer.on("error", (error) => {
      failure = error;
    });
    peer.on("close", () => this.#end({ kind: this.#kindOf(failure?.code, failure), cause: failure }));
  }

  // Once the connection stands, so that it asks for no negotiation of its own. Without it the link is whole all the same.
  #openLane(): void {
    try {
      const lane = this.#peer._pc.createDataChannel("lossy", LOSSY_LANE);
      lane.binaryType = "arraybuffer";
      lane.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
        if (!this.#over && data instanceof ArrayBuffer) this.#listener.lossy(new Uint8Array(data));
      });
      this.#lane = lane;
    } catch {
      this.#lane = undefined;
    }
  }

  /** simple-peer's stream sets a timer per message, which takes longer than all the rest: from here on messages go past it, unless one is still inside. */
  #hearDirectly(): void {
    const channel = this.#peer._channel;
    if (channel === null || this.#peer.readableLength > 0) return;
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (!this.#over && data instanceof ArrayBuffer) this.#listener.message(new Uint8Array(data));
    };
  }

  #kindOf(code: string | undefined, failure: Error | undefined): LinkEnd["kind"] {
    if (this.#opened || failure === undefined) return "lost";
    return PATH_CODES.has(code) ? "no-path" : "error";
  }

  #end(end: LinkEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#peer.destroy();
    this.#listener.closed(end);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
