// The groups of a core, one per room: opened when somebody is in the room, closed when nobody was for long, and forgotten when nobody was for very long.
import { randomBytes } from "node:crypto";
import { clusterLane } from "../cluster/index.ts";
import { fromHex, isPeerId, seededRandom, utf8, type Clock, type Logger, type PeerId } from "../base/index.ts";
import { verifyFormer } from "../identity/index.ts";
import { LANE_SESSION, type RaftConfig } from "../replica/index.ts";
import { encodeRosterCommand, gameCore, type AdmissionRequest, type AdmissionVerdict, type GameSession } from "../session/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { CoreAsks } from "./core-asks.ts";
import type { CoreHub, RoomWord } from "./core-hub.ts";
import { coreGroupOf, type CoreRoomRecords } from "./core-room-records.ts";
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
  readonly records: CoreRoomRecords;
  readonly clock: Clock;
  readonly raftConfig: Partial<RaftConfig>;
  readonly awayAfterMs: number | undefined;
  readonly evictAfterMs: number | undefined;
  readonly run: RunInRoom | undefined;
  readonly admit: AdmitInRoom | undefined;
  readonly limits: Pick<CoreLimits, "roomsMax" | "roomsKeptMax" | "idleMs" | "keepMs" | "logEntriesMax">;
  readonly counts: ServerCounts;
  readonly hub: () => CoreHub;
  readonly logger: Logger;
}

interface Room {
  readonly name: string;
  readonly seam: CoreRoomSeam;
  session: GameSession | undefined;
  game: RoomGame | undefined;
  log: ByteStore | undefined;
  idleMs: number;
  /** A node that ended by itself, because of its disk: ended here, and opened again at the next look. */
  hasFailed: boolean;
  /** The others are asked whether it may be forgotten. */
  isInQuestion: boolean;
  /** The group before this one is over, and left for ever once its node is closed. */
  generation: number;
  /** Its node runs, or never will. */
  readonly opened: Promise<void>;
  closing: Promise<void> | undefined;
}

/** How often rooms are looked at, ms. */
const SWEEP_MS = 1_000;
/** How often it is written down that a room is in use, and looked which are not, ms; for records that are kept for less than ten times as long, more often. */
const USE_MS = 3_600_000;
/** A room this process has never heard of: nobody was ever in it here. */
const NEVER_MS = 2 ** 45;

/** See the head of the file. */
export class CoreRooms {
  readonly #options: CoreRoomsOptions;
  readonly #rooms = new Map<string, Room>();
  readonly #sweep: NodeJS.Timeout;
  readonly #asks: CoreAsks;
  /** Rooms whose logs may not grow here: closed for as long as this process runs. */
  readonly #full = new Set<string>();
  #lookedAt = 0;
  #isClosed = false;

  constructor(options: CoreRoomsOptions) {
    this.#options = options;
    this.#asks = new CoreAsks(options.hub);
    this.#sweep = setInterval(() => this.#look(), SWEEP_MS);
    this.#sweep.unref();
    options.counts.coreRoomsKept = options.records.kept;
  }

  /** Whether there is a place for the records of this room: it has one, or there are not too many. */
  hasPlaceFor(name: string): boolean {
    const { records, limits } = this.#options;
    return this.#rooms.has(name) || records.of(name)?.name !== undefined || records.kept < limits.roomsKeptMax;
  }

  /** Somebody is in a room: its node runs here from now on. */
  open(name: string): void {
    const { self, hub, limits, counts, logger } = this.#options;
    if (this.#isClosed || this.#rooms.has(name) || this.#full.has(name) || this.#isGone(name)) return;
    if (this.#rooms.size >= limits.roomsMax) {
      counts.refusedTotal += 1;
      return logger.error(`no more than ${limits.roomsMax} rooms are open at once`);
    }
    let opened = (): void => {};
    const room: Room = {
      name, seam: new CoreRoomSeam(hub(), name, self), session: undefined, game: undefined, log: undefined, idleMs: 0, hasFailed: false, isInQuestion: false, generation: 0, closing: undefined,
      opened: new Promise((done) => (opened = done)),
    };
    this.#rooms.set(name, room);
    counts.coreRooms = this.#rooms.size;
    void this.#start(room).catch((error: unknown) => this.#failed(room, error)).finally(opened);
  }

  /** It was forgotten, and whoever wants it opened is a process that has not heard of that. */
  #isGone(name: string): boolean {
    const { records, hub } = this.#options;
    return records.generationOf(name) > 0 && records.of(name)?.name === undefined && hub().peersIn(name).length === 0;
  }

  /** Every room, in the order they were opened. */
  get status(): readonly CoreRoomStatus[] {
    return [...this.#rooms.values()].flatMap(({ name, session, game }): CoreRoomStatus[] => {
      if (session === undefined || session.isClosed) return [];
      const { role, term, commitIndex, leader } = session.node.status;
      return [{ group: session.groupId, role, term, commitIndex, leader, peers: this.#options.hub().peersIn(name).length, game: game?.state }];
    });
  }

  /** The session of a room's node, for tests and for what runs beside it. */
  sessionOf(name: string): GameSession | undefined {
    return this.#rooms.get(name)?.session;
  }

  /** Another process asks or answers. */
  hear(core: PeerId, word: RoomWord): void {
    if (this.#isClosed) return;
    if (word.kind === "answer") this.#asks.heard(core, word);
    this.#follow(word).then(() => (word.kind === "ask" ? this.#answer(core, word) : undefined)).catch((error: unknown) => this.#options.logger.error(`what ${core} asked of a room could not be answered`, error));
  }

  /** A process is within reach that may know of rooms what this one does not. */
  linked(core: PeerId): void {
    for (const { name } of this.#rooms.values()) this.#options.hub().say({ kind: "ask", room: name, generation: this.#options.records.generationOf(name), isBlank: false }, core);
  }

  /** Hands leading over, and ends every node; what they promised is on disk. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#sweep);
    this.#asks.close();
    for (const { session } of this.#rooms.values()) session?.part();
    await Promise.all([...this.#rooms.values()].map((room) => this.#end(room)));
  }

  async #start(room: Room): Promise<void> {
    const { cores, clock, raftConfig, awayAfterMs, evictAfterMs, run, admit, logger, records } = this.#options;
    const founds = await this.#mayFound(room);
    if (room.closing !== undefined) return;
    const groupId = coreGroupOf(room.name, records.generationOf(room.name));
    const seeds = randomBytes(8);
    room.log = records.logOf(room.name);
    const session = await gameCore(room.seam, {
      // What a lane holds is lost where one peer does not fold it, and every match folds the cluster's.
      // Whose seat somebody brings along, or had in a tab that is gone, is asked of whoever leads.
      verifyClaim: ({ peer, publicKey, signature }, text) => verifyFormer({ peerId: peer, publicKey: fromHex(publicKey), signature: fromHex(signature) }, utf8(text)),
      admit: admit === undefined ? undefined : async (request) => verdictOf(await admit({ ...request, room: room.name })),
      core: cores, founds, groupId, clock, lanes: [clusterLane], raftConfig, awayAfterMs, evictAfterMs, logger, wallClock: () => Date.now(),
      random: seededRandom(seeds.readUInt32LE(0), seeds.readUInt32LE(4)), storage: room.log, name: room.seam.selfId,
    });
    room.session = session;
    if (room.closing !== undefined) return session.close();
    session.on("closed", (reason) => reason !== undefined && this.#failed(room, reason));
    const changed = (): void => {
      if (session.roster.core !== undefined) room.seam.showPlayers();
      if (isGivenUp(session)) void this.#leave(room, records.generationOf(room.name) + 1);
      const { failure } = session.node.status;
      if (failure !== undefined) this.#failed(room, failure);
    };
    session.on("change", changed);
    room.game = run?.(session);
    changed();
  }

  /**
   * Asks the others what they know of the room. Whoever holds none of its log, while others hold one that was begun with other voters, begins it not: it would be another log under
   * the same name.
   */
  async #mayFound({ name }: Room): Promise<boolean> {
    const { records, cores, founds, logger } = this.#options;
    const isBlank = await records.isBlank(name);
    const answers = await this.#asks.all({ kind: "ask", room: name, generation: records.generationOf(name), isBlank });
    if (records.of(name)?.name === undefined) await records.used(name, Date.now());
    this.#options.counts.coreRoomsKept = records.kept;
    const generation = records.generationOf(name);
    const others = [...answers].find(([, { voters, generation: theirs }]) => theirs === generation && voters.length > 0 && voters.join() !== cores.join());
    if (!isBlank || others === undefined) return founds;
    if (founds) logger.error(`room ${coreGroupOf(name, generation)} is older than this process, which waits until ${others[0]} takes it in; start such a process with --core-joins`);
    return false;
  }

  /** Whoever knows that a room was forgotten more often is right: that was agreed on by the group before. */
  async #follow({ room: name, generation }: RoomWord): Promise<void> {
    const { records } = this.#options;
    while (generation > records.generationOf(name)) {
      const room = this.#rooms.get(name);
      // One that was about to close for another reason may have closed without leaving.
      if (room === undefined) await this.#leaveGroup(name, generation);
      else await this.#leave(room, generation);
    }
  }

  async #answer(core: PeerId, { room: name, isBlank }: RoomWord & { readonly kind: "ask" }): Promise<void> {
    const { records, hub } = this.#options;
    // One that begins asks for its like; one that holds the log has it from those.
    if (isBlank && !(await records.isBlank(name))) {
      this.open(name);
      await this.#rooms.get(name)?.opened;
    }
    const voters = isBlank ? [...(this.#rooms.get(name)?.session?.node.membership.voters ?? [])] : [];
    hub().say({ kind: "answer", room: name, generation: records.generationOf(name), idleMs: this.#idleMsOf(name), voters }, core);
  }

  #idleMsOf(name: string): number {
    const { records, hub } = this.#options;
    const record = records.of(name);
    if (hub().peersIn(name).length > 0) return 0;
    return record?.name === undefined ? NEVER_MS : Math.max(0, Math.floor(Date.now() - record.usedAt));
  }

  #failed(room: Room, error: unknown): void {
    if (room.hasFailed || room.closing !== undefined) return;
    room.hasFailed = true;
    this.#options.logger.error(`room ${room.session?.groupId ?? coreGroupOf(room.name)}: its node ended`, error);
  }

  #look(): void {
    const { limits } = this.#options;
    for (const room of this.#rooms.values()) {
      const isEmpty = this.#options.hub().peersIn(room.name).length === 0;
      room.idleMs = isEmpty ? room.idleMs + SWEEP_MS : 0;
      if (!isEmpty) this.#use(room);
      else if (this.#isUnused(room)) void this.#forget(room).catch((error: unknown) => this.#options.logger.info(`room ${coreGroupOf(room.name)} is not forgotten now`, error));
      if (this.#isTooLong(room)) this.#fill(room);
      if (room.idleMs >= limits.idleMs || room.hasFailed || this.#full.has(room.name)) void this.#end(room);
    }
    this.#wakeUnused();
  }

  #use({ name }: Room): void {
    const { records, limits, logger } = this.#options;
    const record = records.of(name);
    if (record?.name === undefined || Date.now() - record.usedAt < Math.min(USE_MS, limits.keepMs / 10 || USE_MS)) return;
    records.used(name, Date.now()).catch((error: unknown) => logger.error("that a room is in use could not be written down", error));
  }

  #isUnused({ name, isInQuestion, closing }: Room): boolean {
    const { limits: { keepMs } } = this.#options;
    return keepMs > 0 && !isInQuestion && closing === undefined && this.#idleMsOf(name) >= keepMs;
  }

  /** One room at a time, so that many that are unused cost little. */
  #wakeUnused(): void {
    const { records, cores, limits: { keepMs }, hub } = this.#options;
    if (keepMs === 0 || hub().linked.length !== cores.length - 1 || performance.now() - this.#lookedAt < Math.min(USE_MS / 60, keepMs / 10)) return;
    this.#lookedAt = performance.now();
    const [name] = records.unusedSince(Date.now() - keepMs).filter((unused) => !this.#rooms.has(unused) && !this.#full.has(unused));
    if (name !== undefined) hub().wake(name);
  }

  /**
   * Proposes that the group be given up: by its leader, when all processes are here and nobody was in the room for long at any of them. Who votes in the next group has
   * it from the log of this one, or from who has, that no majority can ever agree on anything in it again.
   */
  async #forget(room: Room): Promise<void> {
    const { cores, records, limits: { keepMs }, hub } = this.#options;
    if (!this.#mayForget(room)) return;
    room.isInQuestion = true;
    try {
      const generation = records.generationOf(room.name);
      const answers = [...(await this.#asks.all({ kind: "ask", room: room.name, generation, isBlank: false })).values()];
      const isUnused = answers.length === cores.length - 1 && answers.every((answer) => answer.generation === generation && answer.idleMs >= keepMs);
      if (!isUnused || hub().linked.length !== cores.length - 1 || !this.#mayForget(room) || this.#idleMsOf(room.name) < keepMs) return;
      await room.session?.node.propose(encodeRosterCommand({ type: "core", peers: [] }), { lane: LANE_SESSION });
    } finally {
      room.isInQuestion = false;
    }
  }

  /** Nobody but the core is a member, so nobody else can have anything under way. */
  #mayForget({ session, closing }: Room): boolean {
    if (session === undefined || session.isClosed || closing !== undefined || session.node.role !== "leader") return false;
    const { voters, votersOutgoing, learners } = session.node.membership;
    return learners.length === 0 && votersOutgoing.length === 0 && voters.join() === this.#options.cores.join() && session.roster.core?.join() === voters.join();
  }

  /** Ends the room's node, and leaves its group for the one of `generation`. */
  #leave(room: Room, generation: number): Promise<void> {
    room.generation = Math.max(room.generation, generation);
    return this.#end(room);
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
    if (room.session === undefined) await room.opened;
    await room.log?.close();
    await this.#leaveGroup(room.name, room.generation).catch((error: unknown) => this.#options.logger.error(`room ${coreGroupOf(room.name)}: its records could not be deleted`, error));
    await room.seam.close();
  }

  async #leaveGroup(name: string, generation: number): Promise<void> {
    const { records, counts, logger, hub } = this.#options;
    const before = records.generationOf(name);
    if (generation <= before) return;
    await records.leave(name, generation);
    // Without whoever led it the others would have to elect somebody to hear of it from their own log.
    hub().say({ kind: "answer", room: name, generation, idleMs: NEVER_MS, voters: [] });
    counts.coreRoomsKept = records.kept;
    counts.coreRoomsForgottenTotal += 1;
    logger.info(`room ${coreGroupOf(name, before)} is forgotten`);
  }
}

/** Its last word: the core votes there no more. */
function isGivenUp({ roster }: GameSession): boolean {
  return roster.core?.length === 0;
}

/** What comes from a module that nobody checked: false is a word for no, too. */
function verdictOf(verdict: unknown): AdmissionVerdict {
  if (verdict === true) return true;
  if (typeof verdict !== "object" || verdict === null) return { refuse: "" };
  if ("seatOf" in verdict && typeof verdict.seatOf === "string" && isPeerId(verdict.seatOf)) return { seatOf: verdict.seatOf };
  return { refuse: "refuse" in verdict && typeof verdict.refuse === "string" ? verdict.refuse : "" };
}
