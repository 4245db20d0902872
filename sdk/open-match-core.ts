// A match whose voters are servers: one socket at a time to one of them instead of a mesh, and nobody hosts in a tab. The game is the same.
import { digest, InvalidArgumentError, toHex, utf8, type Clock, type Logger, type PeerId, type Random } from "./base/index.ts";
import { endpointsOf, RotatingSeam } from "./client/index.ts";
import type { Identity } from "./identity/index.ts";
import type { RoomAddress } from "./open-match-room.ts";
import type { Meeting } from "./open-match-seam.ts";
import type { CorePlacement, MatchOptions } from "./open-match-types.ts";
import type { SocketFactory } from "./seam/index.ts";
import { seatOf, type GameSession } from "./session/index.ts";

/** What the tabs of a match decide among themselves, and has no meaning where servers do. */
const NOT_WITH_A_CORE = {
  seam: "the way to a core is a socket",
  signaling: "nobody is called there",
  iceServers: "nobody is linked there",
  relay: "everything is passed on there",
  password: "a core reads what is played: give the room a key instead",
  witness: "a core is three voters already",
  from: "a core begins no match from a file",
  admit: "whoever leads is a server: give the rule to that one",
} as const satisfies Partial<Record<keyof MatchOptions<unknown, unknown> | "relay", string>>;

/** The core that was asked for. Throws `InvalidArgumentError` for what can not be combined with one, and for URLs that are none. */
export function coreOf<State, Action>(options: MatchOptions<State, Action>): CorePlacement | undefined {
  const { placement = "session-owned" } = options;
  if (placement === "session-owned") return undefined;
  // Not everybody who calls this was compiled against its types.
  const core: unknown = typeof placement === "object" && placement !== null ? placement.core : undefined;
  if (!Array.isArray(core)) throw new InvalidArgumentError(`placement is "session-owned", or { core: [...] } with the URLs of its processes, got ${JSON.stringify(placement)}`);
  const given: Readonly<Record<string, unknown>> = { ...options };
  for (const [name, why] of Object.entries(NOT_WITH_A_CORE)) if (given[name] !== undefined && given[name] !== false) throw new InvalidArgumentError(`${name} and a core exclude each other: ${why}`);
  if (core.length === 0) throw new InvalidArgumentError("a core has at least one process");
  const wrong = core.findIndex((url) => !isSocketUrl(url));
  if (wrong !== -1) throw new InvalidArgumentError(`the processes of a core are given by their wss: URLs, got ${JSON.stringify(core[wrong])}`);
  return placement;
}

/** `http:` and `https:` are taken for the socket at the same place. */
function isSocketUrl(url: unknown): boolean {
  return typeof url === "string" && URL.canParse(url) && ["ws:", "wss:", "http:", "https:"].includes(new URL(url).protocol);
}

/**
 * The room as the servers of a core know it: its name, or, of one with a secret, a digest of both, so that whoever does not know the secret does not find it. For what
 * enters such a room beside `openMatch`: `clusterClient({ room: coreRoomOf({ room, key }), … })`.
 */
export function coreRoomOf({ room, key }: { readonly room: string; readonly key?: string | undefined }): string {
  return key === undefined ? room : toHex(digest(utf8(`flotilla/room-of-core/1\0${room}\0${key}`), 16));
}

/** Who goes to the core. */
interface Goer {
  readonly selfId: PeerId;
  readonly identity: Identity | undefined;
  readonly address: RoomAddress;
  readonly openSocket: SocketFactory | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger | undefined;
}

/** How this tab goes out to the core, the first time and every later one: what the servers gave it to come back with is kept in between. Throws `InvalidArgumentError` for a tab that can prove nothing. */
export function coreMeeter({ core }: CorePlacement, { selfId, identity, address, ...world }: Goer): () => Meeting {
  if (identity === undefined) throw new InvalidArgumentError("a core lets nobody in who can not prove who it is, and this page has no key");
  let token: Uint8Array | undefined;
  const onToken = (given: Uint8Array | undefined): void => void (token = given);
  const endpoints = endpointsOf({ endpoints: core, identity, room: coreRoomOf(address), openSocket: world.openSocket }, world.clock);
  return () => {
    const way = new RotatingSeam(selfId, endpoints, { ...world, token, onToken });
    return { seam: way.seam, seen: new Set(), sendSealed: () => {}, laneOf: () => undefined, onOtherKeys: () => () => {}, way };
  };
}

/**
 * Whether this tab sees to what nobody does (deadlines that are due): whoever leads, and where that is a server, which knows no game, the first of those who sit
 * and are here. Two who both think so do no harm.
 */
export function isInCharge(session: GameSession): boolean {
  const { roster, node, selfId } = session;
  if (roster.core === undefined) return node.role === "leader";
  if (node.leader === undefined || seatOf(roster, selfId) === undefined) return false;
  return roster.seats.find((taken) => taken !== undefined && (taken.peer === selfId || session.standingOf(taken.peer) === "here"))?.peer === selfId;
}
