// What two processes of a core say to each other: who is whose, and the frames between them. The proof of the shared secret comes first.
import { ByteReader, ByteWriter, isPeerId, MalformedError, type PeerId } from "../base/index.ts";
import { SEATS_MAX } from "../session/index.ts";
import { CORE_FRAME_BYTES_MAX, CORE_NONCE_BYTES, CORE_PEERS_MAX } from "../seam/index.ts";

/** One message between two processes. */
export type CoreLinkFrame =
  /** A frame of `from`, who is this process or connected to it; to everybody in the room here where `to` is undefined. */
  | { readonly kind: "relay"; readonly room: string; readonly from: PeerId; readonly to: PeerId | undefined; readonly isLossy: boolean; readonly bytes: Uint8Array }
  /** Peers that are connected to this process now, beside those said before, and when each came: of two connections of one peer the later counts, and at the same moment the one at the process with the higher id. */
  | { readonly kind: "met"; readonly room: string; readonly peers: readonly { readonly peer: PeerId; readonly at: number }[] }
  | { readonly kind: "parted"; readonly room: string; readonly peers: readonly PeerId[] }
  /** What do you know of this room? A process asks before it opens its node, and leaves the groups before `generation` where the other one has. `isBlank`: it has no log of that group. */
  | { readonly kind: "ask"; readonly room: string; readonly generation: number; readonly isBlank: boolean }
  /** How often the room was forgotten, how long nobody has been in it, ms, and who votes in its group; nobody where it has no log either, or was not asked. */
  | { readonly kind: "answer"; readonly room: string; readonly generation: number; readonly idleMs: number; readonly voters: readonly PeerId[] }
  /** Each side's first message: prove that you know the secret; and the mark of this process's records. */
  | { readonly kind: "challenge"; readonly nonce: Uint8Array; readonly mark: Uint8Array }
  /** Each side's second: the proof. */
  | { readonly kind: "proof"; readonly code: Uint8Array };

const KINDS = ["relay", "met", "parted", "challenge", "proof", "ask", "answer"] as const satisfies readonly CoreLinkFrame["kind"][];

/** Bytes of the mark of a process's records. */
export const CORE_MARK_BYTES = 16;
/** Characters of a room's name. */
export const ROOM_CHARS_MAX = 64;
const CODE_BYTES_MAX = 64;
const PEER_ID_BYTES_MAX = 384;
const ROOM_BYTES_MAX = 256;
/** Largest message, bytes. */
export const CORE_LINK_BYTES_MAX: number = CORE_FRAME_BYTES_MAX + PEER_ID_BYTES_MAX + ROOM_BYTES_MAX;

const LOSSY = 1;

/** True for what can be a room's name: 1 to {@link ROOM_CHARS_MAX} characters, none of them a control. */
export function isRoomName(room: string): boolean {
  return room.length > 0 && room.length <= ROOM_CHARS_MAX && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(room);
}

/** The message's bytes. */
export function encodeCoreLinkFrame(frame: CoreLinkFrame): Uint8Array {
  const writer = new ByteWriter().byte(KINDS.indexOf(frame.kind));
  switch (frame.kind) {
    case "relay":
      return writer.byte(frame.isLossy ? LOSSY : 0).text(frame.room).text(frame.from).text(frame.to ?? "").raw(frame.bytes).finish();
    case "met":
      return writer.text(frame.room).list(frame.peers, ({ peer, at }) => writer.text(peer).uint(at)).finish();
    case "parted":
      return writer.text(frame.room).list(frame.peers, (peer) => writer.text(peer)).finish();
    case "ask":
      return writer.text(frame.room).uint(frame.generation).bool(frame.isBlank).finish();
    case "answer":
      return writer.text(frame.room).uint(frame.generation).uint(frame.idleMs).list(frame.voters, (peer) => writer.text(peer)).finish();
    case "challenge":
      return writer.bytes(frame.nonce).bytes(frame.mark).finish();
    case "proof":
      return writer.bytes(frame.code).finish();
  }
}

/** The message of these bytes; byte fields are views. Throws `MalformedError`. */
export function decodeCoreLinkFrame(bytes: Uint8Array): CoreLinkFrame {
  const reader = new ByteReader(bytes);
  const kind = KINDS[reader.byte()];
  if (kind === "relay") return readRelay(reader);
  const frame = readFrame(reader, kind);
  reader.end();
  return frame;
}

function readRelay(reader: ByteReader): CoreLinkFrame {
  const flags = reader.byte();
  if (flags > LOSSY) throw new MalformedError("a frame with flags nobody knows");
  const [room, from, to] = [readRoom(reader), readPeer(reader), reader.text(PEER_ID_BYTES_MAX)];
  if (to !== "" && !isPeerId(to)) throw new MalformedError("not a peer id");
  return { kind: "relay", room, from, to: to === "" ? undefined : to, isLossy: flags === LOSSY, bytes: reader.raw(reader.remaining) };
}

function readFrame(reader: ByteReader, kind: Exclude<CoreLinkFrame["kind"], "relay"> | undefined): CoreLinkFrame {
  switch (kind) {
    case "met":
      return { kind, room: readRoom(reader), peers: reader.list(() => ({ peer: readPeer(reader), at: readMoment(reader) }), CORE_PEERS_MAX) };
    case "parted":
      return { kind, room: readRoom(reader), peers: reader.list(() => readPeer(reader), CORE_PEERS_MAX) };
    case "ask":
      return { kind, room: readRoom(reader), generation: reader.uint(), isBlank: reader.bool() };
    case "answer":
      return { kind, room: readRoom(reader), generation: reader.uint(), idleMs: reader.uint(), voters: reader.list(() => readPeer(reader), SEATS_MAX) };
    case "challenge":
      return { kind, nonce: readWhole(reader, CORE_NONCE_BYTES), mark: readWhole(reader, CORE_MARK_BYTES) };
    case "proof":
      return { kind, code: reader.bytes(CODE_BYTES_MAX) };
    case undefined:
      throw new MalformedError("a message of an unknown kind");
  }
}

// A shorter one would let the parts of what is proven be cut elsewhere.
function readWhole(reader: ByteReader, length: number): Uint8Array {
  const bytes = reader.bytes(length);
  if (bytes.length !== length) throw new MalformedError(`${bytes.length} bytes where ${length} stand`);
  return bytes;
}

// Far beyond any clock's, and far enough from what can not be counted on.
function readMoment(reader: ByteReader): number {
  const at = reader.uint();
  if (at > Number.MAX_SAFE_INTEGER / 2) throw new MalformedError(`a moment that never comes: ${at}`);
  return at;
}

function readRoom(reader: ByteReader): string {
  const room = reader.text(ROOM_BYTES_MAX);
  if (!isRoomName(room)) throw new MalformedError("not a room's name");
  return room;
}

function readPeer(reader: ByteReader): PeerId {
  const text = reader.text(PEER_ID_BYTES_MAX);
  if (!isPeerId(text)) throw new MalformedError("not a peer id");
  return text;
}
