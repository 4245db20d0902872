// Who is in which signaling room, and who gets what. Knows nothing of sockets.
import { MalformedError, type PeerId } from "../base/index.ts";
import { decodeSignalingFrame, encodeSignalingFrame, type SignalingFrame } from "../seam/index.ts";
import type { ServerLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";

/** One connection as a room sees it. */
export interface Member {
  readonly room: string;
  readonly peer: PeerId;
  /** Made up by the client: only who knows it may take over a peer id that is in use. */
  readonly key: string;
  send(bytes: Uint8Array): void;
  close(code: number, reason: string): void;
}

/** Why a connection is refused; codes from 4400 to 4499 tell the client not to come back by itself. */
export const REFUSALS = {
  badRequest: { code: 4400, reason: "room, peer or key is missing or malformed" },
  taken: { code: 4403, reason: "this peer id is in use" },
  roomFull: { code: 4409, reason: "the room is full" },
  replaced: { code: 4410, reason: "another connection took over" },
  tooLarge: { code: 4413, reason: "this witness has ended" },
  notProven: { code: 4401, reason: "this peer did not prove who it is" },
  noSuchRoom: { code: 4404, reason: "this core has no such room" },
  otherHost: { code: 4421, reason: "this peer means a server of another name: see core-names" },
  tooFast: { code: 4429, reason: "too many messages" },
  secretWrong: { code: 4406, reason: "this process does not know the secret of the core" },
  recordsLost: { code: 4412, reason: "this process came back without its records: give it another name" },
  serverFull: { code: 4503, reason: "the server is full" },
  tooSlow: { code: 4508, reason: "messages were not taken in time" },
} as const;

/** One reason to refuse. */
export type Refusal = (typeof REFUSALS)[keyof typeof REFUSALS];

const ROOM_CHARS_MAX = 128;
const CONTROL = /\p{Cc}/u;

/** What a room may be called in an address. */
export function isRoomName(room: string): boolean {
  return room !== "" && room.length <= ROOM_CHARS_MAX && !CONTROL.test(room);
}

interface Room {
  readonly members: Map<PeerId, Member>;
  readonly announced: Set<PeerId>;
}

/** All rooms of one server. */
export class SignalingRooms {
  readonly #limits: ServerLimits;
  readonly #counts: ServerCounts;
  readonly #rooms = new Map<string, Room>();

  constructor(limits: ServerLimits, counts: ServerCounts) {
    this.#limits = limits;
    this.#counts = counts;
  }

  /** Lets a connection in, or says why not. A peer that comes again with its key replaces its older connection silently. */
  join(member: Member): Refusal | undefined {
    const known = this.#rooms.get(member.room);
    const older = known?.members.get(member.peer);
    if (older !== undefined && older.key !== member.key) return REFUSALS.taken;
    if (known === undefined && this.#rooms.size >= this.#limits.roomsMax) return REFUSALS.serverFull;
    if (older === undefined && known !== undefined && known.members.size >= this.#limits.peersPerRoomMax) return REFUSALS.roomFull;
    const room = known ?? { members: new Map(), announced: new Set() };
    this.#rooms.set(member.room, room);
    room.members.set(member.peer, member);
    older?.close(REFUSALS.replaced.code, REFUSALS.replaced.reason);
    this.#recount(older === undefined ? 1 : 0);
    return undefined;
  }

  /** The connection ended; the others are told, unless a newer one took its place. */
  leave(member: Member): void {
    const room = this.#rooms.get(member.room);
    if (room === undefined || room.members.get(member.peer) !== member) return;
    room.members.delete(member.peer);
    const wasAnnounced = room.announced.delete(member.peer);
    if (room.members.size === 0) this.#rooms.delete(member.room);
    this.#recount(-1);
    if (wasAnnounced) this.#toAll(room, member.peer, { kind: "left", from: member.peer });
  }

  /** Judges and forwards what a connection sent. Whatever makes no sense, or claims another sender, is dropped and counted. */
  receive(member: Member, bytes: Uint8Array): void {
    this.#counts.bytesTotal += bytes.length;
    const room = this.#rooms.get(member.room);
    if (room === undefined || room.members.get(member.peer) !== member) return;
    try {
      const frame = decodeSignalingFrame(bytes);
      if ("from" in frame && frame.from !== member.peer) throw new MalformedError("a forged sender");
      this.#forward(room, member, frame);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#counts.droppedTotal += 1;
    }
  }

  #forward(room: Room, member: Member, frame: SignalingFrame): void {
    switch (frame.kind) {
      case "announce":
        this.#announce(room, member);
        return;
      case "message":
        this.#deliver(room, frame.to, encodeSignalingFrame(frame));
        return;
      case "left":
        if (room.announced.delete(member.peer)) this.#toAll(room, member.peer, { kind: "left", from: member.peer });
        return;
      case "ping":
        member.send(encodeSignalingFrame({ kind: "pong" }));
        return;
      case "pong":
    }
  }

  // The newcomer hears of everybody who has announced itself, and they of the newcomer.
  #announce(room: Room, member: Member): void {
    room.announced.add(member.peer);
    this.#toAll(room, member.peer, { kind: "announce", from: member.peer, to: undefined });
    for (const other of room.announced) {
      if (other !== member.peer) member.send(encodeSignalingFrame({ kind: "announce", from: other, to: member.peer }));
    }
  }

  #toAll(room: Room, except: PeerId, frame: SignalingFrame): void {
    const bytes = encodeSignalingFrame(frame);
    for (const [peer, other] of room.members) if (peer !== except) other.send(bytes);
  }

  #deliver(room: Room, to: PeerId, bytes: Uint8Array): void {
    const addressee = room.members.get(to);
    if (addressee === undefined) {
      this.#counts.droppedTotal += 1;
      return;
    }
    this.#counts.messagesTotal += 1;
    addressee.send(bytes);
  }

  #recount(change: number): void {
    this.#counts.rooms = this.#rooms.size;
    this.#counts.peers += change;
  }
}
