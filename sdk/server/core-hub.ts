// Who is in which room of the core, at which of its processes, and who gets what. Knows nothing of sockets or groups.
import { MalformedError, type PeerId } from "../base/index.ts";
import { CORE_PEERS_MAX, CORES_MAX, decodeCoreFrame, encodeCoreFrame, isCorePeer, type CoreFrame } from "../seam/index.ts";
import { encodeCoreLinkFrame, type CoreLinkFrame } from "./core-link-frame.ts";
import type { CoreLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";
import { REFUSALS, type Refusal } from "./rooms.ts";

/** One proven connection of a peer to this process. */
export interface CoreClient {
  readonly room: string;
  readonly peer: PeerId;
  send(bytes: Uint8Array, isLossy: boolean): void;
  close(code: number, reason: string): void;
}

/** The proven way to another process. */
export interface CoreLink {
  readonly core: PeerId;
  send(bytes: Uint8Array, isLossy: boolean): void;
}

/** This process's own place in a room: where its node of the room's group sits. */
export interface CoreSeat {
  met(peer: PeerId): void;
  parted(peer: PeerId): void;
  deliver(from: PeerId, bytes: Uint8Array): void;
}

/** What processes ask and tell each other of a room itself. */
export type RoomWord = CoreLinkFrame & { readonly kind: "ask" | "answer" };

/** What a hub is made from. */
export interface CoreHubOptions {
  readonly self: PeerId;
  readonly limits: Pick<CoreLimits, "roomsMax" | "peersPerRoomMax">;
  readonly counts: ServerCounts;
  /** Somebody is in a room in which this process has no seat. */
  readonly onRoom: (room: string) => void;
  /** Another process asks, or answers, what is known of a room. */
  readonly onWord: (core: PeerId, word: RoomWord) => void;
  /** A process is within reach from now on. */
  readonly onLink: (core: PeerId) => void;
  /** Whole ms since 1970. */
  readonly now: () => number;
}

/** Where a peer is connected, and when it came there. */
interface Stay {
  readonly core: PeerId;
  readonly at: number;
}

interface Place {
  readonly clients: Map<PeerId, CoreClient>;
  /** When each of `clients` came. */
  readonly since: Map<PeerId, number>;
  /** Who is connected to another process. */
  readonly remote: Map<PeerId, Stay>;
  seat: CoreSeat | undefined;
}

/** A frame on its way. */
interface Passing {
  readonly room: string;
  readonly from: PeerId;
  readonly to: PeerId | undefined;
  readonly isLossy: boolean;
  readonly bytes: Uint8Array;
}

/** One process's view of all rooms. */
export class CoreHub {
  readonly #options: CoreHubOptions;
  readonly #places = new Map<string, Place>();
  readonly #links = new Map<PeerId, CoreLink>();
  /** The latest moment anybody came at, here or as another process said: whoever comes now comes later, whatever this process's clock shows. */
  #latest = 0;

  constructor(options: CoreHubOptions) {
    this.#options = options;
  }

  /** The processes this one is linked to. */
  get linked(): readonly PeerId[] {
    return [...this.#links.keys()];
  }

  /** Peers in a room, at whatever process that is within reach. */
  peersIn(room: string): readonly PeerId[] {
    const place = this.#places.get(room);
    return place === undefined ? [] : [...place.clients.keys(), ...place.remote.keys()];
  }

  /** Lets a proven peer in, or says why not; then `welcome` goes out before anything else. A newer connection of a peer takes the place of its older one, here or elsewhere. */
  join(client: CoreClient, welcome: (peers: readonly PeerId[]) => CoreFrame): Refusal | undefined {
    const { limits: { roomsMax, peersPerRoomMax } } = this.#options;
    const known = this.#places.get(client.room);
    if (known === undefined && this.#places.size >= roomsMax) return REFUSALS.serverFull;
    if (known !== undefined && known.clients.size >= peersPerRoomMax && !known.clients.has(client.peer)) return REFUSALS.roomFull;
    const place = this.#place(client.room);
    this.#replace(client.room, place, client.peer);
    client.send(encodeCoreFrame(welcome([...this.#links.keys(), ...place.clients.keys(), ...place.remote.keys()])), false);
    place.clients.set(client.peer, client);
    this.#latest = Math.max(Math.floor(this.#options.now()), this.#latest + 1);
    place.since.set(client.peer, this.#latest);
    this.#met(place, client.peer);
    this.#toLinks({ kind: "met", room: client.room, peers: [{ peer: client.peer, at: this.#latest }] });
    this.#recount();
    this.#wake(client.room);
    return undefined;
  }

  /** The connection ended; the others are told, unless a newer one took its place. */
  leave(client: CoreClient): void {
    const place = this.#places.get(client.room);
    if (place?.clients.get(client.peer) !== client) return;
    this.#removeClient(client.room, place, client.peer);
    this.#recount();
  }

  /** Judges and forwards what a peer sent; what makes no sense is dropped and counted. */
  receive(client: CoreClient, bytes: Uint8Array): void {
    const { counts } = this.#options;
    counts.bytesTotal += bytes.length;
    const place = this.#places.get(client.room);
    if (place?.clients.get(client.peer) !== client) return;
    try {
      const frame = decodeCoreFrame(bytes);
      if (frame.kind === "relay") this.#pass(place, { room: client.room, from: client.peer, to: frame.peer, isLossy: frame.isLossy, bytes: frame.bytes });
      else if (frame.kind === "ping") client.send(encodeCoreFrame({ kind: "pong" }), false);
      else if (frame.kind === "goodbye") this.#goodbye(client);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      counts.droppedTotal += 1;
    }
  }

  /** Takes this process's seat in a room; who is there is told to it at once. Returns how it sends. */
  attach(room: string, seat: CoreSeat): (to: PeerId | undefined, bytes: Uint8Array, isLossy: boolean) => void {
    const place = this.#place(room);
    place.seat = seat;
    for (const peer of [...this.#links.keys(), ...place.clients.keys(), ...place.remote.keys()]) seat.met(peer);
    return (to, bytes, isLossy) => this.#pass(place, { room, from: this.#options.self, to, isLossy, bytes });
  }

  detach(room: string): void {
    const place = this.#places.get(room);
    if (place === undefined) return;
    place.seat = undefined;
    this.#tidy(room, place);
  }

  /** A process is within reach: it hears who is here. A newer link takes the place of an older one. */
  linkUp(link: CoreLink): void {
    if (this.#links.has(link.core)) this.#unlink(link.core);
    this.#links.set(link.core, link);
    for (const [room, place] of this.#places) {
      const peers = [...place.clients.keys()].map((peer) => ({ peer, at: place.since.get(peer) ?? 0 }));
      if (peers.length > 0) link.send(encodeCoreLinkFrame({ kind: "met", room, peers }), false);
    }
    for (const place of this.#places.values()) this.#met(place, link.core);
    this.#options.onLink(link.core);
  }

  /** Says something of a room to one process within reach, or to all of them. */
  say(word: RoomWord, to?: PeerId): void {
    const bytes = encodeCoreLinkFrame(word);
    for (const link of this.#links.values()) if (to === undefined || link.core === to) link.send(bytes, false);
  }

  /** Opens a room everywhere within reach, though nobody is in it. */
  wake(room: string): void {
    this.#toLinks({ kind: "met", room, peers: [] });
    this.#place(room);
    this.#wake(room);
  }

  linkDown(link: CoreLink): void {
    if (this.#links.get(link.core) === link) this.#unlink(link.core);
  }

  /** Takes in what another process said. */
  hear(link: CoreLink, frame: CoreLinkFrame): void {
    if (this.#links.get(link.core) !== link) return;
    if (frame.kind === "met") this.#hearMet(link.core, frame.room, frame.peers);
    else if (frame.kind === "parted") this.#hearParted(link.core, frame.room, frame.peers);
    else if (frame.kind === "relay") this.#hearRelay(link.core, frame);
    else if (frame.kind === "ask" || frame.kind === "answer") this.#options.onWord(link.core, frame);
  }

  #hearMet(core: PeerId, room: string, peers: readonly { readonly peer: PeerId; readonly at: number }[]): void {
    if (!this.#places.has(room) && this.#places.size >= this.#options.limits.roomsMax) return this.#drop();
    const place = this.#place(room);
    for (const { peer, at } of peers) {
      this.#latest = Math.max(this.#latest, at);
      // Both processes a peer is connected to look at the same two moments, so that exactly one of its connections ends, however they hear of each other.
      if (isCorePeer(peer) || isOver({ core, at }, this.#stayOf(place, peer))) continue;
      if (this.#isFull(place, peer)) {
        this.#drop();
        continue;
      }
      this.#replace(room, place, peer);
      place.remote.set(peer, { core, at });
      this.#met(place, peer);
    }
    this.#recount();
    return this.#wake(room);
  }

  #stayOf({ since, remote }: Place, peer: PeerId): Stay | undefined {
    const at = since.get(peer);
    return at === undefined ? remote.get(peer) : { core: this.#options.self, at };
  }

  /** No more than one message can name, whatever another process lets in. */
  #isFull({ clients, remote }: Place, peer: PeerId): boolean {
    return !clients.has(peer) && !remote.has(peer) && clients.size + remote.size + CORES_MAX >= CORE_PEERS_MAX;
  }

  #hearParted(core: PeerId, room: string, peers: readonly PeerId[]): void {
    const place = this.#places.get(room);
    if (place === undefined) return;
    for (const peer of peers) if (place.remote.get(peer)?.core === core) this.#removeRemote(place, peer);
    this.#tidy(room, place);
  }

  #hearRelay(core: PeerId, { room, from, to, isLossy, bytes }: CoreLinkFrame & { readonly kind: "relay" }): void {
    const place = this.#places.get(room);
    // A process vouches for itself and for those connected to it, and for nobody else.
    if (place === undefined || (from !== core && place.remote.get(from)?.core !== core)) return this.#drop();
    return this.#passHere(place, { room, from, to, isLossy, bytes });
  }

  #pass(place: Place, passing: Passing): void {
    const { to, from, room, isLossy, bytes } = passing;
    if (to === undefined) {
      this.#passHere(place, passing);
      return this.#toLinks({ kind: "relay", room, from, to, isLossy, bytes }, isLossy);
    }
    if (to === this.#options.self || place.clients.has(to)) return this.#passHere(place, passing);
    const link = this.#links.get(place.remote.get(to)?.core ?? to);
    if (link === undefined) return this.#drop();
    this.#options.counts.messagesTotal += 1;
    return link.send(encodeCoreLinkFrame({ kind: "relay", room, from, to, isLossy, bytes }), isLossy);
  }

  #passHere(place: Place, { from, to, isLossy, bytes }: Passing): void {
    const { self, counts } = this.#options;
    if (to === self || to === undefined) {
      if (from !== self) place.seat?.deliver(from, bytes.slice());
      if (to === self) return;
    }
    const addressees = to === undefined ? [...place.clients.values()].filter(({ peer }) => peer !== from) : [place.clients.get(to)];
    if (addressees.length === 0) return;
    const framed = encodeCoreFrame({ kind: "relay", peer: from, isLossy, bytes });
    for (const client of addressees) {
      if (client === undefined) this.#drop();
      else {
        counts.messagesTotal += 1;
        client.send(framed, isLossy);
      }
    }
  }

  #goodbye(client: CoreClient): void {
    this.leave(client);
    client.send(encodeCoreFrame({ kind: "goodbye" }), false);
  }

  #place(room: string): Place {
    const place = this.#places.get(room) ?? { clients: new Map(), since: new Map(), remote: new Map(), seat: undefined };
    this.#places.set(room, place);
    return place;
  }

  /** Whoever comes anew is seen to have been away: what was on its way to its older connection is lost. */
  #replace(room: string, place: Place, peer: PeerId): void {
    const older = place.clients.get(peer);
    if (older !== undefined) {
      this.#removeClient(room, place, peer);
      older.close(REFUSALS.replaced.code, REFUSALS.replaced.reason);
    }
    if (place.remote.has(peer)) this.#removeRemote(place, peer);
    this.#places.set(room, place);
  }

  #removeClient(room: string, place: Place, peer: PeerId): void {
    place.clients.delete(peer);
    place.since.delete(peer);
    this.#parted(place, peer);
    this.#toLinks({ kind: "parted", room, peers: [peer] });
    this.#tidy(room, place);
  }

  #removeRemote(place: Place, peer: PeerId): void {
    place.remote.delete(peer);
    this.#parted(place, peer);
  }

  #unlink(core: PeerId): void {
    this.#links.delete(core);
    for (const [room, place] of this.#places) {
      for (const [peer, stay] of place.remote) if (stay.core === core) this.#removeRemote(place, peer);
      this.#parted(place, core);
      this.#tidy(room, place);
    }
  }

  #met(place: Place, peer: PeerId): void {
    this.#tell(place, peer, "met");
    place.seat?.met(peer);
  }

  #parted(place: Place, peer: PeerId): void {
    this.#tell(place, peer, "parted");
    place.seat?.parted(peer);
  }

  #tell({ clients }: Place, peer: PeerId, kind: "met" | "parted"): void {
    if (clients.size === 0) return;
    const bytes = encodeCoreFrame({ kind, peers: [peer] });
    for (const client of clients.values()) if (client.peer !== peer) client.send(bytes, false);
  }

  #toLinks(frame: CoreLinkFrame, isLossy = false): void {
    if (this.#links.size === 0) return;
    const bytes = encodeCoreLinkFrame(frame);
    for (const link of this.#links.values()) link.send(bytes, isLossy);
  }

  #tidy(room: string, place: Place): void {
    if (place.clients.size === 0 && place.remote.size === 0 && place.seat === undefined) this.#places.delete(room);
  }

  #wake(room: string): void {
    const place = this.#places.get(room);
    if (place === undefined || place.seat !== undefined) return;
    this.#options.onRoom(room);
    this.#tidy(room, place);
  }

  #recount(): void {
    const { counts } = this.#options;
    counts.corePeers = [...this.#places.values()].reduce((sum, { clients }) => sum + clients.size, 0);
  }

  #drop(): void {
    this.#options.counts.droppedTotal += 1;
  }
}

/** Whether `stay` is over because of `other`, or is the same. Of two it is always one: two processes have two ids, and none gives a moment twice. */
function isOver(stay: Stay, other: Stay | undefined): boolean {
  if (other === undefined) return false;
  return stay.at === other.at ? stay.core <= other.core : stay.at < other.at;
}
