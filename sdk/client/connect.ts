// The real way to a client: endpoints, a session over them in which this peer watches, and its node.
import { hasCode, InvalidArgumentError, silentLogger, type Clock, type Logger, type PeerId, type Random } from "../base/index.ts";
import { systemClock, systemRandom, wallClock } from "../platform/index.ts";
import type { LaneReducer, RaftConfig } from "../replica/index.ts";
import type { CoreSeamOptions } from "../seam/index.ts";
import { gameSpectate, type GameSession, type MatchOpening, type SessionOptions } from "../session/index.ts";
import type { ByteStore } from "../storage/index.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { coreEndpoint } from "./core-endpoint.ts";
import type { Endpoint } from "./endpoint.ts";
import { ClientTimeoutError } from "./errors.ts";
import { LogClient } from "./log-client.ts";
import { RotatingSeam, type LinkStatus, type RotationOptions } from "./rotating-seam.ts";

/** How long one attempt to be let in may take before the next, ms. */
const ADMISSION_MS = 10_000;

/** Who a client is. A stored identity (`openRoomStorage`) is one; where endpoints of the caller's own prove nothing, an id is enough. */
export interface ClientIdentity extends Partial<CoreSeamOptions["identity"]> {
  readonly peerId: PeerId;
}

/** What {@link clusterClient} takes. */
export interface ClusterClientOptions extends Partial<RotationOptions> {
  /** Where to enter, in this order and round again: URLs of the processes of a core, or ways of the caller's own. At least one. */
  readonly endpoints: readonly (string | Endpoint)[];
  /** The room's name. */
  readonly room: string;
  readonly identity: ClientIdentity;
  /** This peer's own records, nobody else's: its log, its request ids and its outbox. With it a proposal made before a crash is settled once after it. Default: memory, and a new writer each time. */
  readonly storage?: ByteStore | undefined;
  /** Shown to the others. */
  readonly name?: string | undefined;
  /** What is played, as the group has it; a group that plays something else lets nobody in. */
  readonly rules?: string | undefined;
  /** What a core is asked to open where it plays nothing yet. Default: nothing, and the client waits for somebody who asks. */
  readonly opens?: MatchOpening | undefined;
  /** The same for everybody in the room. */
  readonly raft?: Partial<RaftConfig> | undefined;
  /** The lanes of the group beside those of a session. */
  readonly lanes?: readonly LaneReducer<unknown>[] | undefined;
  /** How a socket to a URL is opened. Default: the global `WebSocket`; Node 20 has none: `nodeSocket`. */
  readonly openSocket?: CoreSeamOptions["openSocket"];
  /** Hears of the way in, before there is a client to ask. */
  readonly onProgress?: ((status: LinkStatus) => void) | undefined;
  /** Gives up entering and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
  /** Gives up entering after so many ms, with {@link ClientTimeoutError}. Default: never. */
  readonly deadlineMs?: number | undefined;
  readonly logger?: Logger | undefined;
}

/**
 * Enters a room as a learner that proposes. Resolves once it follows the room's log, and waits for that as long as it takes: no endpoint that can not be reached, is slow, or
 * drops what it took in ends the wait, or the client later. Rejects with `InvalidArgumentError` (no endpoints, a deadline that is none) or `TypeError` (a URL that is none) before anything starts, with `KickedError`, `AdmissionRefusedError`,
 * `SpectatorsClosedError`, `EndpointRefusedError`, `IdentityInUseError`, `CorruptStateError` or the storage's errors, with {@link ClientTimeoutError}, or with the signal's reason; then nothing is left running.
 */
export async function clusterClient(options: ClusterClientOptions): Promise<ClusterClient> {
  const { signal, clock = systemClock, random = systemRandom(), logger = silentLogger, onProgress } = options;
  signal?.throwIfAborted();
  if (options.deadlineMs !== undefined && !(options.deadlineMs >= 0)) throw new InvalidArgumentError(`deadlineMs is at least 0, got ${options.deadlineMs}`);
  const link = new RotatingSeam(options.identity.peerId, endpointsOf(options, clock), { ...options, clock, random });
  const stopProgress = onProgress === undefined ? (): void => {} : link.on("status", onProgress);
  const stopWaiting = new AbortController();
  const abort = (): void => stopWaiting.abort(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const { deadlineMs } = options;
  const stopTimer = deadlineMs === undefined ? (): void => {} : clock.after(deadlineMs, () => stopWaiting.abort(new ClientTimeoutError(deadlineMs, progressOf(link.status))));
  try {
    onProgress?.(link.status);
    const session = await enter(link, options.opens, { ...sessionOptions(options, clock, random), signal: stopWaiting.signal });
    if (!stopWaiting.signal.aborted) return attend(session, link, { clock, logger });
    await session.close();
    throw stopWaiting.signal.reason;
  } catch (error) {
    await link.close();
    throw link.failure ?? error;
  } finally {
    stopTimer();
    stopProgress();
    signal?.removeEventListener("abort", abort);
  }
}

/** The endpoints of a client: its own as they are, URLs as processes of a core. Throws `TypeError` for a URL that is none or an identity that proves nothing. */
export function endpointsOf({ endpoints, identity, room, openSocket }: Pick<ClusterClientOptions, "endpoints" | "identity" | "room" | "openSocket">, clock: Clock): readonly Endpoint[] {
  return endpoints.map((endpoint) => {
    if (typeof endpoint !== "string") return endpoint;
    const { peerId: selfId, publicKey, sign } = identity;
    if (publicKey === undefined || sign === undefined) throw new TypeError(`${endpoint} lets nobody in who proves nothing: the identity needs its publicKey and sign`);
    return coreEndpoint(endpoint, { selfId, room, identity: { publicKey, sign }, openSocket, clock });
  });
}

function sessionOptions({ storage, name, rules, raft, lanes, logger, clock: own }: ClusterClientOptions, clock: Clock, random: Random): SessionOptions {
  return { clock, random, wallClock: own === undefined ? wallClock : undefined, storage, name, rules, raftConfig: raft, lanes, logger };
}

/** Asks to be let in until it is: nobody there, nobody who leads and nobody who answers are all the same. */
async function enter(link: RotatingSeam, opens: MatchOpening | undefined, options: SessionOptions): Promise<GameSession> {
  for (;;) {
    try {
      return await gameSpectate(link.seam, { ...options, neverVotes: true, opens, spectateAdmissionTimeoutMs: ADMISSION_MS });
    } catch (error) {
      if (!hasCode(error, "spectate-timeout")) throw error;
      link.moveOn("nobody there leads");
    }
  }
}

function attend(session: GameSession, link: RotatingSeam, { clock, logger }: { readonly clock: Clock; readonly logger: Logger }): ClusterClient {
  const client = new LogClient(session.node, {
    clock,
    logger,
    // The way's end is what ended the session.
    failure: () => link.failure ?? session.failure,
    link: () => link.status,
    // Whoever leads takes it out at once.
    part: () => session.part(),
    close: async () => {
      try {
        await session.close();
      } finally {
        await link.close();
      }
    },
  });
  client.on("status", ({ phase }) => link.hears(phase === "synced"));
  link.on("status", () => client.refresh());
  session.on("closed", () => client.refresh());
  client.refresh();
  link.hears(client.status.phase === "synced");
  return client;
}

function progressOf(status: LinkStatus): string {
  switch (status.phase) {
    case "connecting":
      return `${status.endpoint} was asked, attempt ${status.attempt}`;
    case "waiting":
      return `attempt ${status.attempt} failed: ${status.reason}`;
    case "connected":
      return `${status.endpoint} is connected, but nobody there let this peer in`;
    case "closed":
      return "it was closed";
  }
}
