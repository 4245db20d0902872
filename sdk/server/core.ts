// One process of a fixed core: the rooms whose voters it and its like are, the links between them, and the way in for players.
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { InvalidArgumentError, type Logger, type PeerId } from "../base/index.ts";
import type { RaftConfig } from "../replica/index.ts";
import { CLUSTER_SECRET_BYTES_MIN, CORE_PEERS_MAX, corePeerId, CORES_MAX } from "../seam/index.ts";
import type { GameSession } from "../session/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { hostNamesOf, type AllowedRooms } from "./core-door.ts";
import { CoreEndpoint, type AdmitRoom } from "./core-endpoint.ts";
import { CoreHub } from "./core-hub.ts";
import { CoreLinks } from "./core-links.ts";
import { CoreMarks } from "./core-marks.ts";
import { CoreRoomRecords } from "./core-room-records.ts";
import type { CoreRoomStatus } from "./core-room-status.ts";
import { CoreRooms, type AdmitInRoom, type RunInRoom } from "./core-rooms.ts";
import { DEFAULT_CORE_LIMITS, type CoreLimits } from "./limits.ts";
import type { ServerCounts } from "./metrics.ts";
import { nodeClock } from "./node-clock.ts";
import type { AllowedOrigins } from "./origin.ts";

/** Rooms are looked at once a second. */
const KEEP_MS_MIN = 1_000;

/** What makes a server a process of a core. */
export interface CoreOptions {
  /** The name of this process among `processes`: 1 to 32 of a-z, 0-9 and "-". Its records are its own for ever: without them it must come back under another name. */
  readonly id: string;
  /** Name → where the others reach it (`ws:`, `wss:`, `http:` or `https:`); this process among them; the same names for all. 1, 3 or 5 of them. */
  readonly processes: Readonly<Record<string, string>>;
  /** Shared by the processes, and nobody else's: at least {@link CLUSTER_SECRET_BYTES_MIN} bytes. Links are proven with it, tokens signed. */
  readonly secret: Uint8Array;
  /** This process's records. Not closed with the server. */
  readonly storage: ByteStore;
  /** This process takes the place of another one: it begins no room by itself, and votes in one as soon as the others have made it a voter. Default false. */
  readonly joins?: boolean | undefined;
  /** Runs beside each room's node: what knows the game, and makes the snapshots without which a log is kept whole. Default: nothing. */
  readonly run?: RunInRoom | undefined;
  /** The rooms there are, at this process: names, in which `*` stands for any run of characters. What a match with a key is called here, `coreRoomOf` says. Default `any`: whoever comes opens one. */
  readonly rooms?: AllowedRooms | undefined;
  /** Has the last word on who enters which of those rooms. Default: everybody. */
  readonly admitRoom?: AdmitRoom | undefined;
  /** The game's own rule about who plays and who watches, in every room; asked on whichever process leads it, so give it to all. The first one of a room is asked before its match is opened. Default: everybody may come. */
  readonly admit?: AdmitInRoom | undefined;
  /**
   * The names of hosts, no ports, that this process is known by to players. Whoever signed its proof for another one is refused, so that no server of somebody else's can pass it on.
   * Default: the name in the `Host` header of the connection. That one is worth what stands before the process: a proxy that serves its own names alone and passes them on. Who
   * dials the process itself writes there what it likes.
   */
  readonly names?: readonly string[] | undefined;
  readonly limits?: Partial<CoreLimits> | undefined;
  /** Overrides of {@link CORE_RAFT_CONFIG}; the same for all processes. */
  readonly raftConfig?: Partial<RaftConfig> | undefined;
  /** How long a resume token is good for, ms. Default 600 000. */
  readonly resumeMs?: number | undefined;
  /** As for a session; default 3000 and 10 000 ms. */
  readonly awayAfterMs?: number | undefined;
  readonly evictAfterMs?: number | undefined;
  /** Another process says that this one came back under its name without its records. It votes and serves no more, because it has forgotten how it voted; end it. */
  readonly onRecordsLost?: ((error: Error) => void) | undefined;
}

/** Timing between processes on one network or in one region: a leader that is gone is replaced within a second or two. */
export const CORE_RAFT_CONFIG: Partial<RaftConfig> = { tickMs: 25, heartbeatMs: 100, electionTimeoutMsMin: 500, electionTimeoutMsMax: 1_000 };

/** What the server shares with its endpoints. */
export interface CoreEnvironment {
  readonly origins: AllowedOrigins;
  readonly counts: ServerCounts;
  readonly heartbeatMs: number;
  readonly logger: Logger;
}

/** What a process finds on its disk. */
interface CoreRecords {
  readonly marks: CoreMarks;
  readonly records: CoreRoomRecords;
}

/** See the head of the file. */
export class Core {
  readonly self: PeerId;
  readonly #rooms: CoreRooms;
  readonly #hub: CoreHub;
  readonly #links: CoreLinks;
  readonly #endpoint: CoreEndpoint;
  #closing: Promise<void> | undefined;

  private constructor(options: CoreOptions, { marks, records }: CoreRecords, { origins, counts, heartbeatMs, logger }: CoreEnvironment) {
    const { id, processes, secret, joins = false, run, raftConfig, resumeMs = 600_000, awayAfterMs, evictAfterMs, rooms = "any", admitRoom, admit, names } = options;
    const self = corePeerId(id);
    const cores = Object.keys(processes).map(corePeerId).sort();
    const urls = new Map(Object.keys(processes).map((name) => [corePeerId(name), name]));
    const limits = { ...DEFAULT_CORE_LIMITS, ...options.limits };
    this.self = self;
    this.#hub = new CoreHub({ self, limits, counts, onRoom: (room) => this.#rooms.open(room), onWord: (core, word) => this.#rooms.hear(core, word), onLink: (core) => this.#rooms.linked(core), now: () => Date.now() });
    this.#rooms = new CoreRooms({
      self, cores, founds: !joins, records, clock: nodeClock, raftConfig: { ...CORE_RAFT_CONFIG, ...raftConfig }, awayAfterMs, evictAfterMs, run, admit, limits, counts, hub: () => this.#hub, logger,
    });
    this.#links = new CoreLinks({
      self, others: cores.filter((core) => core !== self), secret, marks, limits, counts, hub: this.#hub, logger,
      // Read anew at every dial: who listens on any free port knows late which.
      urlOf: (core) => processes[urls.get(core) ?? ""] || undefined,
      onRecordsLost: (core) => this.#recordsLost(options, core, logger),
    });
    const hosts = names === undefined ? undefined : hostNamesOf(names);
    this.#endpoint = new CoreEndpoint({ self, cores, hub: this.#hub, secret, resumeMs, hosts, rooms, admitRoom, hasPlaceFor: (room) => this.#rooms.hasPlaceFor(room), limits, origins, counts, heartbeatMs, logger });
  }

  /** Reads what is stored and checks what is given. Rejects with `InvalidArgumentError`, `CorruptStateError`, the storage's own errors. */
  static async open(options: CoreOptions, environment: CoreEnvironment): Promise<Core> {
    const names = Object.keys(options.processes);
    if (!names.includes(options.id)) throw new InvalidArgumentError(`${options.id} is not among the processes ${names.join(", ")}`);
    if (names.length > CORES_MAX || names.length % 2 === 0) throw new InvalidArgumentError(`a core has 1, 3 or 5 processes, got ${names.length}`);
    for (const url of Object.values(options.processes)) if (url !== "" && !isAddress(url)) throw new InvalidArgumentError(`a process is reached at a ws:, wss:, http: or https: address, got ${JSON.stringify(url)}`);
    if (options.secret.length < CLUSTER_SECRET_BYTES_MIN) throw new InvalidArgumentError(`the secret of a core has at least ${CLUSTER_SECRET_BYTES_MIN} bytes, got ${options.secret.length}`);
    checkLimits({ ...DEFAULT_CORE_LIMITS, ...options.limits }, names.length);
    hostNamesOf(options.names ?? []);
    const marks = await CoreMarks.open(options.storage, corePeerId(options.id));
    return new Core(options, { marks, records: await CoreRoomRecords.open(options.storage) }, environment);
  }

  /** Begins to look for the others. */
  start(): void {
    this.#links.start();
  }

  /** Every room whose node runs here. */
  get rooms(): readonly CoreRoomStatus[] {
    return this.#rooms.status;
  }

  /** The processes this one is linked to. */
  get linked(): readonly PeerId[] {
    return this.#hub.linked;
  }

  /** The session of a room's node. */
  sessionOf(room: string): GameSession | undefined {
    return this.#rooms.sessionOf(room);
  }

  /** Answers one upgrade request for `/core`. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#endpoint.upgrade(request, socket, head);
  }

  /** Answers one upgrade request for `/core/link`. */
  upgradeLink(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#links.upgrade(request, socket, head);
  }

  /** Hands leading over, ends every node, says goodbye to everybody. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    await this.#rooms.close();
    await Promise.all([this.#endpoint.close(), this.#links.close()]);
  }

  #recordsLost(options: CoreOptions, core: PeerId, logger: Logger): void {
    const error = new InvalidArgumentError(`${core} knows this process, ${this.self}, by other records than these: start it under another name`);
    logger.error(error.message, error);
    // It has forgotten how it voted, and votes no more.
    this.close().catch((cause: unknown) => logger.error("what could not be closed", cause));
    options.onRecordsLost?.(error);
  }
}

/** Everybody who is in a room is named in one message. */
function checkLimits({ peersPerRoomMax, keepMs }: CoreLimits, processes: number): void {
  if (!Number.isFinite(keepMs) || (keepMs !== 0 && keepMs < KEEP_MS_MIN)) throw new InvalidArgumentError(`rooms are kept for at least ${KEEP_MS_MIN} ms, or for ever (0), got ${keepMs}`);
  const most = Math.floor(CORE_PEERS_MAX / processes) - 1;
  if (!Number.isInteger(peersPerRoomMax) || peersPerRoomMax < 1 || peersPerRoomMax > most) throw new InvalidArgumentError(`peersPerRoomMax is a whole number from 1 to ${most} at each of ${processes} processes, got ${peersPerRoomMax}`);
}

/** What can be dialled. `localhost:8080` is a URL too: of the scheme `localhost:`. */
function isAddress(url: string): boolean {
  return URL.canParse(url) && ["ws:", "wss:", "http:", "https:"].includes(new URL(url).protocol);
}
