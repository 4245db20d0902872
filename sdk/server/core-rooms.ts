// The groups of a core, one per room: opened when somebody is in the room, closed when nobody was for long, their records kept.
import { randomBytes } from "node:crypto";
import { clusterLane } from "../cluster/index.ts";
import { digest, fromHex, isPeerId, seededRandom, toHex, utf8, type Clock, type Logger, type PeerId } from "../base/index.ts";
import { verifyFormer } from "../identity/index.ts";
import type { RaftConfig } from "../replica/index.ts";
import { gameCore, type AdmissionRequest, type AdmissionVerdict, type GameSession } from "../session/index.ts";
import { scopedByteStore, type ByteStore } from "../storage/index.ts";
import type { CoreHub } from "./core-hub.ts";
import { CoreRoomSeam } from "./core-room-seam.ts";
import type { CoreRoomStatus } from "./core-room-status.ts";
import type { CoreLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";

/** What is run beside a room's node: what knows the game and can make its snapshots. */
export type RunInRoom = (session: GameSession) => RoomGame;

/** A game that is run beside a room's node. */
export interface RoomGame {
  /** The last action's entry and the digest of the state after it; undefined while there is none. */
  readonly state: CoreRoomStatus["game"];
  stop(): void;
}

/** The rule of all rooms about who comes in: as a match's `admit`, and told which room it is. */
export type AdmitInRoom = (request: AdmissionRequest & { readonly room: string }) => AdmissionVerdict | Promise<AdmissionVerdict>;

/** What the rooms of one process are made from. */
export interface CoreRoomsOptions {
  readonly self: PeerId;
  readonly cores: readonly PeerId[];
  readonly founds: boolean;
  readonly storage: ByteStore;
  readonly clock: Clock;
  readonly raftConfig: Partial<RaftConfig>;
  readonly awayAfterMs: number | undefined;
  readonly evictAfterMs: number | undefined;
  readonly run: RunInRoom | undefined;
  readonly admit: AdmitInRoom | undefined;
  readonly limits: Pick<CoreLimits, "roomsMax" | "idleMs" | "logEntriesMax">;
  readonly counts: ServerCounts;
  readonly hub: () => CoreHub;
  readonly logger: Logger;
}

interface Room {
  readonly name: string;
  readonly seam: CoreRoomSeam;
  session: GameSession | undefined;
  game: RoomGame | undefined;
  idleMs: number;
  /** A node that ended by itself, because of its disk: ended here, and opened again at the next look. */
  hasFailed: boolean;
  closing: Promise<void> | undefined;
}

/** How often rooms are looked at, ms. */
const SWEEP_MS = 1_000;

/** The group of a room, the same on every process. */
export function coreGroupOf(room: string): string {
  return toHex(digest(utf8(`flotilla/core-room/1\0${room}`), 16));
}

/** See the head of the file. */
export class CoreRooms {
  readonly #options: CoreRoomsOptions;
  readonly #rooms = new Map<string, Room>();
  readonly #sweep: NodeJS.Timeout;
  /** Rooms whose logs may not grow here: closed for as long as this process runs. */
  readonly #full = new Set<string>();
  #isClosed = false;

  constructor(options: CoreRoomsOptions) {
    this.#options = options;
    this.#sweep = setInterval(() => this.#look(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Somebody is in a room: its node runs here from now on. */
  open(name: string): void {
    const { self, hub, limits, counts, logger } = this.#options;
    if (this.#isClosed || this.#rooms.has(name) || this.#full.has(name)) return;
    if (this.#rooms.size >= limits.roomsMax) {
      counts.refusedTotal += 1;
      return logger.error(`no more than ${limits.roomsMax} rooms are open at once`);
    }
    const room: Room = { name, seam: new CoreRoomSeam(hub(), name, self), session: undefined, game: undefined, idleMs: 0, hasFailed: false, closing: undefined };
    this.#rooms.set(name, room);
    counts.coreRooms = this.#rooms.size;
    void this.#start(room).catch((error: unknown) => this.#failed(room, error));
  }

  /** Every room, in the order they were opened. */
  get status(): readonly CoreRoomStatus[] {
    return [...this.#rooms.values()].flatMap(({ name, session, game }): CoreRoomStatus[] => {
      if (session === undefined || session.isClosed) return [];
      const { role, term, commitIndex, leader } = session.node.status;
      return [{ group: coreGroupOf(name), role, term, commitIndex, leader, peers: this.#options.hub().peersIn(name).length, game: game?.state }];
    });
  }

  /** The session of a room's node, for tests and for what runs beside it. */
  sessionOf(name: string): GameSession | undefined {
    return this.#rooms.get(name)?.session;
  }

  /** Hands leading over, and ends every node; what they promised is on disk. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    for (const { session } of this.#rooms.values()) session?.part();
    await Promise.all([...this.#rooms.values()].map((room) => this.#end(room)));
  }

  async #start(room: Room): Promise<void> {
    const { cores, founds, storage, clock, raftConfig, awayAfterMs, evictAfterMs, run, admit, logger } = this.#options;
    const groupId = coreGroupOf(room.name);
    const seeds = randomBytes(8);
    const session = await gameCore(room.seam, {
      // What a lane holds is lost where one peer does not fold it, and every match folds the cluster's.
      // Whose seat somebody brings along, or had in a tab that is gone, is asked of whoever leads.
      verifyClaim: ({ peer, publicKey, signature }, text) => verifyFormer({ peerId: peer, publicKey: fromHex(publicKey), signature: fromHex(signature) }, utf8(text)),
      admit: admit === undefined ? undefined : async (request) => verdictOf(await admit({ ...request, room: room.name })),
      core: cores, founds, groupId, clock, lanes: [clusterLane], raftConfig, awayAfterMs, evictAfterMs, logger, wallClock: () => Date.now(),
      random: seededRandom(seeds.readUInt32LE(0), seeds.readUInt32LE(4)), storage: scopedByteStore(storage, `room/${groupId}/`), name: room.seam.selfId,
    });
    room.session = session;
    if (room.closing !== undefined) return session.close();
    session.on("closed", (reason) => reason !== undefined && this.#failed(room, reason));
    const showPlayers = (): void => {
      if (session.roster.core !== undefined) room.seam.showPlayers();
    };
    session.on("change", () => {
      showPlayers();
      const { failure } = session.node.status;
      if (failure !== undefined) this.#failed(room, failure);
    });
    showPlayers();
    room.game = run?.(session);
  }

  #failed(room: Room, error: unknown): void {
    if (room.hasFailed || room.closing !== undefined) return;
    room.hasFailed = true;
    this.#options.logger.error(`room ${coreGroupOf(room.name)}: its node ended`, error);
  }

  #look(): void {
    const { limits } = this.#options;
    for (const room of this.#rooms.values()) {
      const isEmpty = this.#options.hub().peersIn(room.name).length === 0;
      room.idleMs = isEmpty ? room.idleMs + SWEEP_MS : 0;
      if (this.#isTooLong(room)) this.#fill(room);
      if (room.idleMs >= limits.idleMs || room.hasFailed || this.#full.has(room.name)) void this.#end(room);
    }
  }

  /** Without the game nothing is ever cut off. */
  #isTooLong({ session, game }: Room): boolean {
    return session !== undefined && !session.isClosed && game?.state === undefined && session.node.commitIndex >= this.#options.limits.logEntriesMax;
  }

  #fill({ name }: Room): void {
    const { limits, counts, logger } = this.#options;
    this.#full.add(name);
    counts.coreRoomsFull = this.#full.size;
    logger.error(`room ${coreGroupOf(name)} holds ${limits.logEntriesMax} entries and is closed here: run the core with its game`);
  }

  #end(room: Room): Promise<void> {
    room.closing ??= this.#close(room).finally(() => {
      if (this.#rooms.get(room.name) === room) this.#rooms.delete(room.name);
      this.#options.counts.coreRooms = this.#rooms.size;
      // Whoever is still there, or came meanwhile, finds it open again.
      if (!this.#isClosed && this.#options.hub().peersIn(room.name).length > 0) this.open(room.name);
    });
    return room.closing;
  }

  async #close(room: Room): Promise<void> {
    room.game?.stop();
    await room.session?.close().catch((error: unknown) => this.#options.logger.error("a room did not close", error));
    await room.seam.close();
  }
}

/** What comes from a module that nobody checked: false is a word for no, too. */
function verdictOf(verdict: unknown): AdmissionVerdict {
  if (verdict === true) return true;
  if (typeof verdict !== "object" || verdict === null) return { refuse: "" };
  if ("seatOf" in verdict && typeof verdict.seatOf === "string" && isPeerId(verdict.seatOf)) return { seatOf: verdict.seatOf };
  return { refuse: "refuse" in verdict && typeof verdict.refuse === "string" ? verdict.refuse : "" };
}
