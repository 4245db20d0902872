// What a peer and a process of the fixed core say to each other on their WebSocket: who is there, who proves it, and everybody's frames.
import { ByteReader, ByteWriter, concatBytes, isPeerId, MalformedError, peerId, utf8, type PeerId } from "../base/index.ts";
import { PAYLOAD_BYTES_MAX } from "./seam.ts";

/**
 * What became of the place that a resume token stands for: `fresh`, none was presented; `resumed`, it is still this peer's; `closed`, nobody knows it
 * (any more), which means to join anew and is no error.
 */
export type CoreWindow = "fresh" | "resumed" | "closed";

/** One message on a core's WebSocket. */
export type CoreFrame =
  /** To the core: for `peer`, or for everybody in the room where it is undefined. From the core: of `peer`, which the process it is connected to vouches for. */
  | { readonly kind: "relay"; readonly peer: PeerId | undefined; readonly isLossy: boolean; readonly bytes: Uint8Array }
  /** Core → peer, first: sign this. */
  | { readonly kind: "challenge"; readonly nonce: Uint8Array }
  /** Peer → core: it is who it says, by the signature of {@link coreProofText}, to whoever goes by the name `host`; and the token of an earlier visit, empty for none. */
  | { readonly kind: "proof"; readonly host: string; readonly publicKey: Uint8Array; readonly signature: Uint8Array; readonly token: Uint8Array }
  /** Core → peer, when the proof holds: the process it is connected to, every process of the core, its new token, and who is there now. */
  | { readonly kind: "welcome"; readonly core: PeerId; readonly cores: readonly PeerId[]; readonly window: CoreWindow; readonly token: Uint8Array; readonly peers: readonly PeerId[] }
  | { readonly kind: "met"; readonly peers: readonly PeerId[] }
  | { readonly kind: "parted"; readonly peers: readonly PeerId[] }
  /** Peer → core: nothing more comes. Core → peer, in answer: everything that came before was passed on. */
  | { readonly kind: "goodbye" }
  | { readonly kind: "ping" }
  | { readonly kind: "pong" };

const KINDS = ["relay", "challenge", "proof", "welcome", "met", "parted", "goodbye", "ping", "pong"] as const satisfies readonly CoreFrame["kind"][];
const WINDOWS = ["fresh", "resumed", "closed"] as const satisfies readonly CoreWindow[];

/** Bytes of a challenge. */
export const CORE_NONCE_BYTES = 32;
/** Bytes of a resume token at most. */
export const CORE_TOKEN_BYTES_MAX = 1024;
/** Processes of one core at most: more voters cost more than they protect. */
export const CORES_MAX = 5;
/** Peers of one room at most, as one message names them. */
export const CORE_PEERS_MAX = 1024;
const PROOF_BYTES_MAX = 256;
/** A name of the domain name system, or an address in brackets, and room for what is neither. */
const HOST_BYTES_MAX = 256;
const PEER_ID_BYTES_MAX = 384;
/** Largest message either way, bytes: the largest frame, and whom it is for. */
export const CORE_FRAME_BYTES_MAX: number = PAYLOAD_BYTES_MAX + PEER_ID_BYTES_MAX + 16;

const LOSSY = 1;
/** No identity's id begins like this, so nobody can prove to be a process of a core. */
const CORE_PREFIX = "core:";

/** The peer id of a core's process by its name in the list of processes, 1 to 32 of a-z, 0-9 and "-". Throws `InvalidArgumentError`. */
export function corePeerId(name: string): PeerId {
  return peerId(/^[a-z0-9-]{1,32}$/u.test(name) ? `${CORE_PREFIX}${name}` : "");
}

/** True for the peer id of a core's process. */
export function isCorePeer(peer: PeerId): boolean {
  return peer.startsWith(CORE_PREFIX);
}

/** What a peer signs to be let in: only for this room, this peer and this connection, and only for a server that goes by the name it was dialled by (`hostname` of its URL, no port). */
export function coreProofText(nonce: Uint8Array, { room, peer, host }: { readonly room: string; readonly peer: PeerId; readonly host: string }): Uint8Array {
  return concatBytes(utf8(`flotilla/core/2\0${room}\0${peer}\0${host}\0`), nonce);
}

/** The message's bytes. */
export function encodeCoreFrame(frame: CoreFrame): Uint8Array {
  const writer = new ByteWriter().byte(KINDS.indexOf(frame.kind));
  switch (frame.kind) {
    case "relay":
      return writer.byte(frame.isLossy ? LOSSY : 0).text(frame.peer ?? "").raw(frame.bytes).finish();
    case "challenge":
      return writer.bytes(frame.nonce).finish();
    case "proof":
      return writer.text(frame.host).bytes(frame.publicKey).bytes(frame.signature).bytes(frame.token).finish();
    case "welcome":
      return writePeers(writePeers(writer.text(frame.core), frame.cores).byte(WINDOWS.indexOf(frame.window)).bytes(frame.token), frame.peers).finish();
    case "met":
    case "parted":
      return writePeers(writer, frame.peers).finish();
    case "goodbye":
    case "ping":
    case "pong":
      return writer.finish();
  }
}

/** The message of these bytes; byte fields are views. Throws `MalformedError`. */
export function decodeCoreFrame(bytes: Uint8Array): CoreFrame {
  if (bytes.length > CORE_FRAME_BYTES_MAX) throw new MalformedError(`a message of ${bytes.length} bytes`);
  const reader = new ByteReader(bytes);
  const kind = KINDS[reader.byte()];
  if (kind === "relay") return readRelay(reader);
  const frame = readFrame(reader, kind);
  reader.end();
  return frame;
}

function readRelay(reader: ByteReader): CoreFrame {
  const flags = reader.byte();
  if (flags > LOSSY) throw new MalformedError("a frame with flags nobody knows");
  const text = reader.text(PEER_ID_BYTES_MAX);
  if (text !== "" && !isPeerId(text)) throw new MalformedError("not a peer id");
  return { kind: "relay", peer: text === "" ? undefined : text, isLossy: flags === LOSSY, bytes: reader.raw(reader.remaining) };
}

function readFrame(reader: ByteReader, kind: Exclude<CoreFrame["kind"], "relay"> | undefined): CoreFrame {
  switch (kind) {
    case "challenge":
      return { kind, nonce: reader.bytes(CORE_NONCE_BYTES) };
    case "proof":
      return { kind, host: reader.text(HOST_BYTES_MAX), publicKey: reader.bytes(PROOF_BYTES_MAX), signature: reader.bytes(PROOF_BYTES_MAX), token: reader.bytes(CORE_TOKEN_BYTES_MAX) };
    case "welcome":
      return { kind, core: readPeer(reader), cores: reader.list(() => readPeer(reader), CORES_MAX), window: readWindow(reader), token: reader.bytes(CORE_TOKEN_BYTES_MAX), peers: readPeers(reader) };
    case "met":
    case "parted":
      return { kind, peers: readPeers(reader) };
    case "goodbye":
    case "ping":
    case "pong":
      return { kind };
    case undefined:
      throw new MalformedError("a message of an unknown kind");
  }
}

function readWindow(reader: ByteReader): CoreWindow {
  const window = WINDOWS[reader.byte()];
  if (window === undefined) throw new MalformedError("an answer to a token that nobody knows");
  return window;
}

function writePeers(writer: ByteWriter, peers: readonly PeerId[]): ByteWriter {
  writer.list(peers, (peer) => writer.text(peer));
  return writer;
}

function readPeers(reader: ByteReader): readonly PeerId[] {
  return reader.list(() => readPeer(reader), CORE_PEERS_MAX);
}

function readPeer(reader: ByteReader): PeerId {
  const text = reader.text(PEER_ID_BYTES_MAX);
  if (!isPeerId(text)) throw new MalformedError("not a peer id");
  return text;
}
