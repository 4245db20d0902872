// What one peer says of itself in the lobby, and the check of what others say. Pure.
import { isPeerId, type LogIndex, type PeerId } from "../base/index.ts";
import { FENCE_NAME_CHARS_MAX, type OwnershipFence } from "../durable/index.ts";
import { isWitness } from "../replica/index.ts";

/** What a peer came for. `node`: a member of a roster known beforehand; `core`: to vote and manage, and never to play. */
export type Declaration = "host" | "join" | "spectate" | "node" | "core";

/** Why the leader does not let a peer in. */
export interface PublishedRefusal {
  readonly peer: PeerId;
  readonly code: "kicked" | "refused";
  readonly reason: string;
}

/** Proof that this peer is the person who sat as `peer`: signed with that peer's key. */
export interface SeatClaim {
  readonly peer: PeerId;
  /** Hexadecimal, of whatever length the identity's keys have; at most 512 characters. */
  readonly publicKey: string;
  /** Hexadecimal, over {@link seatClaimText}; at most 512 characters. */
  readonly signature: string;
}

/** What the owner of a seat signs so that another peer id may have it: only in this group, only for that peer. */
export function seatClaimText(groupId: string, from: PeerId, to: PeerId): string {
  return `seat of ${from} in ${groupId} for ${to}`;
}

/** What the leader of a group publishes, so that newcomers know where they stand. */
export interface LeadNotice {
  readonly term: number;
  /** Voters and learners of the group. */
  readonly members: number;
  /** `closed` when no seat is free. */
  readonly admission: "open" | "closed";
  readonly spectators: "open" | "closed";
  readonly seats: number;
  /** When the match was opened, ms since 1970 by its host's clock: of two groups that must become one, the older stays. */
  readonly openedAt: number;
  /** Who holds a seat, here or not. At most {@link SEATS_MAX}. */
  readonly seated: readonly PeerId[];
  /** Of a fork: the fence committed in its log, under which it is led. */
  readonly fence?: OwnershipFence | undefined;
  /** Kicked peers and those the game's rule refused, newest last of each. At most `REFUSALS_MAX`. */
  readonly refused: readonly PublishedRefusal[];
}

/** What a player says of a match that is to be opened for it by others. */
export interface MatchOpening {
  /** 1 to {@link SEATS_MAX}. */
  readonly seats: number;
  /** Whether others may watch. */
  readonly spectators: "open" | "closed";
}

/** One peer's word about itself. */
export interface PresenceState {
  readonly declares: Declaration;
  readonly name: string;
  /** What it came to play, such as a game's `name@version`; peers with different ones refuse each other. */
  readonly rules?: string | undefined;
  /** The match it would have a core open, where none is open yet. */
  readonly opens?: MatchOpening | undefined;
  /** The group whose node this peer runs; undefined while it has none. */
  readonly groupId?: string | undefined;
  /** True once its node applied the entry that made it a member: it is caught up. */
  readonly synced: boolean;
  /** Its page can not be seen: others should lead. */
  readonly hidden?: boolean | undefined;
  /** It wants a seat and has none: one that came to play, or a spectator that would rather. */
  readonly asksSeat?: boolean | undefined;
  /** It watches a match that nobody has led for the eviction window: nobody has to wait for that one. */
  readonly stranded?: boolean | undefined;
  /** It watches and lends its vote to nobody. */
  readonly neverVotes?: boolean | undefined;
  /** Beside `asksSeat`: the last entry by which it gave up a seat, or such a wish, as far as it knows; absent for none. A wish from before a later one is void. */
  readonly stoodUpAt?: LogIndex | undefined;
  /** It is the person behind another peer id, whose seat it asks for. */
  readonly claim?: SeatClaim | undefined;
  /** `part`: the tab goes away and may come back; `vacate`: the player gives up the seat. */
  readonly leaving?: "part" | "vacate" | undefined;
  /** The witness of its group that it reaches. */
  readonly witness?: PeerId | undefined;
  /** Present while this peer leads its group. */
  readonly lead?: LeadNotice | undefined;
}

/** Limit of seats in one match: more people play than a full mesh of tabs carries. */
export const SEATS_MAX = 32;
/** Limit of refusals published at once; the oldest go first. */
export const REFUSALS_MAX = 16;
/** Limit of a player's name, in UTF-16 units. */
export const NAME_CHARS_MAX = 40;
/** Limit of a reason shown to people, in UTF-16 units. */
export const REASON_CHARS_MAX = 200;
/** Limit of a claim's key and of its signature, in characters. */
export const CLAIM_CHARS_MAX = 512;
const GROUP_ID_CHARS_MAX = 64;
const RULES_CHARS_MAX = 200;
const TOKEN_CHARS_MAX = 64;
const DECLARATIONS: readonly Declaration[] = ["host", "join", "spectate", "node", "core"];

/** A name as it is shown: control characters, those of direction included, and outer blanks gone, cut to {@link NAME_CHARS_MAX}, "Player" when nothing is left. */
export function cleanName(name: string): string {
  return cleanText(name, NAME_CHARS_MAX) || "Player";
}

/** Any short text for people, without control characters, also those that turn the direction of what stands beside it, and cut to `max` UTF-16 units (never inside a surrogate pair). */
export function cleanText(text: string, max: number): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cs}\u2028-\u202E\u2066-\u2069]/gu, "").trim();
  // What was cut ends without a blank too: clean text cleaned again is the same, so that a roster comes out of a snapshot as it went in.
  return clean.length <= max ? clean : clean.slice(0, max).replace(/[\uD800-\uDBFF]$/u, "").trimEnd();
}

/** Checks what a remote peer claims; undefined when it is not a presence. Unknown fields are dropped. */
export function parsePresence(value: unknown): PresenceState | undefined {
  if (!isRecord(value)) return undefined;
  const { declares, name, rules, opens, groupId, synced, hidden, asksSeat, stranded, neverVotes, stoodUpAt, claim, leaving, witness, lead } = value;
  const declaration = DECLARATIONS.find((known) => known === declares);
  if (declaration === undefined || typeof name !== "string" || typeof synced !== "boolean") return undefined;
  if (!isShortText(groupId, GROUP_ID_CHARS_MAX) || !isShortText(rules, RULES_CHARS_MAX)) return undefined;
  if (hidden !== undefined && typeof hidden !== "boolean") return undefined;
  if (asksSeat !== undefined && typeof asksSeat !== "boolean") return undefined;
  if (stranded !== undefined && typeof stranded !== "boolean") return undefined;
  if (neverVotes !== undefined && typeof neverVotes !== "boolean") return undefined;
  if (stoodUpAt !== undefined && !isCount(stoodUpAt, Number.MAX_SAFE_INTEGER)) return undefined;
  if (leaving !== undefined && leaving !== "part" && leaving !== "vacate") return undefined;
  const seatClaim = claim === undefined ? undefined : parseClaim(claim);
  if (claim !== undefined && seatClaim === undefined) return undefined;
  if (witness !== undefined && (typeof witness !== "string" || !isPeerId(witness) || !isWitness(witness))) return undefined;
  const opening = opens === undefined ? undefined : parseOpening(opens);
  if (opens !== undefined && opening === undefined) return undefined;
  const notice = lead === undefined ? undefined : parseLead(lead);
  if (lead !== undefined && notice === undefined) return undefined;
  return { declares: declaration, name: cleanName(name), rules, ...(opening === undefined ? {} : { opens: opening }), groupId, synced, hidden: hidden === true || undefined, asksSeat: asksSeat === true || undefined, ...(stranded === true ? { stranded } : {}), ...(neverVotes === true ? { neverVotes } : {}), stoodUpAt, claim: seatClaim, leaving, witness, lead: notice };
}

function parseOpening(value: unknown): MatchOpening | undefined {
  if (!isRecord(value)) return undefined;
  const { seats, spectators } = value;
  return isCount(seats, SEATS_MAX) && seats > 0 && isOpenOrClosed(spectators) ? { seats, spectators } : undefined;
}

function parseClaim(value: unknown): SeatClaim | undefined {
  if (!isRecord(value)) return undefined;
  const { peer, publicKey, signature } = value;
  if (typeof peer !== "string" || !isPeerId(peer) || !isHex(publicKey) || !isHex(signature)) return undefined;
  return { peer, publicKey, signature };
}

function isHex(value: unknown): value is string {
  return typeof value === "string" && value.length <= CLAIM_CHARS_MAX && /^(?:[0-9a-f]{2})+$/u.test(value);
}

function parseLead(value: unknown): LeadNotice | undefined {
  if (!isRecord(value)) return undefined;
  const { term, members, admission, spectators, seats, openedAt, seated, refused, fence } = value;
  if (!isCount(term, Number.MAX_SAFE_INTEGER) || !isCount(members, 1_000_000) || !isCount(seats, SEATS_MAX) || !isCount(openedAt, Number.MAX_SAFE_INTEGER)) return undefined;
  if (!isOpenOrClosed(admission) || !isOpenOrClosed(spectators)) return undefined;
  if (!Array.isArray(seated) || seated.length > SEATS_MAX || !Array.isArray(refused) || refused.length > REFUSALS_MAX) return undefined;
  const peers = seated.filter((peer): peer is PeerId => typeof peer === "string" && isPeerId(peer));
  const refusals = refused.map(parseRefusal).filter((refusal) => refusal !== undefined);
  if (peers.length !== seated.length || refusals.length !== refused.length) return undefined;
  const ownership = fence === undefined ? undefined : parseFence(fence);
  if (fence !== undefined && ownership === undefined) return undefined;
  return { term, members, admission, spectators, seats, openedAt, seated: peers, refused: refusals, fence: ownership };
}

function parseFence(value: unknown): OwnershipFence | undefined {
  if (!isRecord(value)) return undefined;
  const { owner, epoch, token } = value;
  if (typeof owner !== "string" || owner.length === 0 || owner.length > FENCE_NAME_CHARS_MAX || !isCount(epoch, Number.MAX_SAFE_INTEGER) || !isShortText(token, TOKEN_CHARS_MAX)) return undefined;
  return token === undefined ? undefined : { owner, epoch, token };
}

function parseRefusal(value: unknown): PublishedRefusal | undefined {
  if (!isRecord(value)) return undefined;
  const { peer, code, reason } = value;
  if (typeof peer !== "string" || !isPeerId(peer) || typeof reason !== "string") return undefined;
  if (code !== "kicked" && code !== "refused") return undefined;
  return { peer, code, reason: cleanText(reason, REASON_CHARS_MAX) };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> & { readonly [K in keyof PresenceState | keyof LeadNotice | keyof PublishedRefusal | keyof SeatClaim | keyof OwnershipFence]?: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isShortText(value: unknown, max: number): value is string | undefined {
  return value === undefined || (typeof value === "string" && value.length > 0 && value.length <= max);
}

function isCount(value: unknown, max: number): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max;
}

function isOpenOrClosed(value: unknown): value is "open" | "closed" {
  return value === "open" || value === "closed";
}
