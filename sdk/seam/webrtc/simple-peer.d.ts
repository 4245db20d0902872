// Types of the one path of simple-peer we import, and of the two private fields we read (9.11.1 is its last release).
declare module "simple-peer/simplepeer.min.js" {
  interface Options {
    readonly initiator: boolean;
    readonly trickle: boolean;
    readonly objectMode: boolean;
    readonly config: RTCConfiguration;
  }

  /** What simple-peer hands to `signal` listeners and takes in `signal()`. */
  type SignalData =
    | { readonly type: "offer" | "answer" | "pranswer" | "rollback"; readonly sdp?: string | undefined }
    | { readonly type: "candidate"; readonly candidate: { readonly candidate: string; readonly sdpMLineIndex: number | null; readonly sdpMid: string | null } }
    | { readonly type: "renegotiate" | "transceiverRequest" };

  class SimplePeer {
    constructor(options: Options);
    readonly connected: boolean;
    /** Messages that came and were not handed out yet (object mode). */
    readonly readableLength: number;
    /** Bytes the channel holds; 0 before it exists. */
    readonly bufferSize: number;
    /** Private in simple-peer: the channel, from creation or `datachannel` until destroyed. */
    readonly _channel: RTCDataChannel | null;
    /** Private in simple-peer: the connection. */
    readonly _pc: RTCPeerConnection;
    signal(data: SignalData): void;
    send(bytes: Uint8Array): void;
    destroy(error?: Error): void;
    on(event: "signal", listener: (data: SignalData) => void): this;
    on(event: "connect" | "close", listener: () => void): this;
    on(event: "data", listener: (bytes: Uint8Array) => void): this;
    on(event: "error", listener: (error: Error & { readonly code?: string }) => void): this;
    on(event: "iceStateChange", listener: (connection: RTCIceConnectionState) => void): this;
  }

  export default SimplePeer;
}
