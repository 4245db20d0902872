// The four ways into a session: host, join, spectate, or take a place in a roster known beforehand.
import { digestHex, InvalidArgumentError, utf8, type PeerId, type Random } from "../base/index.ts";
import { CorruptStateError } from "../replica/index.ts";
import type { Seam } from "../seam/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { DuplicateHostError, JoinTimeoutError, SpectateTimeoutError } from "./errors.ts";
import { forkOf } from "./lineage.ts";
import { decideHost, refusalOfJoiner, refusalOfSpectator, visibleGroups, type VisibleGroup } from "./lobby.ts";
import { SEATS_MAX, type MatchOpening } from "./presence-state.ts";
import { seatOf, type Roster } from "./roster.ts";
import { Session, type GameSession, type SessionOptions } from "./session.ts";
import { readStoredGroup, storageOfGroup } from "./stored-group.ts";
import { waitFor, type WaitOptions } from "./wait.ts";

/** Voters beyond this many cost more than they protect; everybody else learns. */
export const VOTERS_MAX = 5;

export interface GameHostOptions extends SessionOptions {
  /** Seats, the host's included: 1 to {@link SEATS_MAX}. Default 2. */
  readonly peerCount?: number | undefined;
  /** When to return: `alone` as soon as the group stands, `quorum` at `floor(n/2)+1` seats taken, `full` at all. The rest is admitted in the background. Default `full`. */
  readonly returnAt?: "alone" | "quorum" | "full" | undefined;
  /** Whether others may watch. Default true. */
  readonly spectators?: boolean | undefined;
  /** How long a connected peer that says nothing may keep this one from hosting, ms. Default 2000. */
  readonly hostDeclarationTimeoutMs?: number | undefined;
  /** Largest number of voters, from 1. Default {@link VOTERS_MAX}. */
  readonly votersMax?: number | undefined;
  /** A file the group begins with instead of nothing (`foldedExport`): the game goes on from there, with the seats free. */
  readonly from?: Uint8Array | undefined;
  /** The seat this peer takes, from 0. Default 0. */
  readonly seat?: number | undefined;
}

export interface GameJoinOptions extends SessionOptions {
  /** What a core is asked to open where no match is open yet: the first one who asks is heard. Default: nothing, and somebody else must ask. */
  readonly opens?: MatchOpening | undefined;
  /** Default 10 000. */
  readonly joinAdmissionTimeoutMs?: number | undefined;
}

export interface GameSpectateOptions extends SessionOptions {
  /** Default 10 000. */
  readonly spectateAdmissionTimeoutMs?: number | undefined;
  /** Lends its vote to nobody. Default false: where the number of voters would be even it may be asked to. */
  readonly neverVotes?: boolean | undefined;
  /** As for {@link GameJoinOptions}. */
  readonly opens?: MatchOpening | undefined;
}

export interface GameResumeOptions extends SessionOptions {
  readonly storage: ByteStore;
}

export interface GameForkOptions extends SessionOptions {
  /** The group whose others are gone. */
  readonly from: string;
  /** What this peer holds of it: `exportLog({ uncommitted: true })` of its node. */
  readonly log: Uint8Array;
}

export interface GameNodeOptions extends SessionOptions {
  /** Names the group; everybody must give the same. Default: made from the voters' ids. */
  readonly groupId?: string | undefined;
}

export interface GameCoreOptions extends SessionOptions {
  /** The peers of the core, this one among them; the same for all of them. */
  readonly core: readonly PeerId[];
  /** Names the group; the same for all of them, and another one for every room. */
  readonly groupId: string;
  /** Whether a group nobody knows yet begins here, with `core` as its voters. False for a process that takes another one's place: it waits to be made a voter. Default true. */
  readonly founds?: boolean | undefined;
}

/**
 * Hosts: makes sure nobody else does, starts a group of one and admits whoever declares itself a joiner, for as long as the
 * match lives and whoever leads it then. Rejects with `DuplicateHostError`, `InvalidArgumentError`, the signal's reason.
 */
export async function gameHost(seam: Seam, options: GameHostOptions): Promise<GameSession> {
  const { peerCount = 2, returnAt = "full", spectators = true, votersMax = VOTERS_MAX, hostDeclarationTimeoutMs = 2_000, from, seat = 0, rules } = options;
  checkCount("peerCount", peerCount);
  if (!Number.isInteger(seat) || seat < 0 || seat >= peerCount) throw new InvalidArgumentError(`seat is a whole number from 0 to ${peerCount - 1}, got ${seat}`);
  checkCount("votersMax", votersMax);
  return enter(new Session(seam, "host", options), async (session) => {
    await declareHost(session, hostDeclarationTimeoutMs);
    await session.openNode(groupIdFrom(options.random), [seam.selfId], { founding: from });
    session.manage();
    await wait(session, { check: () => session.node.role === "leader" || undefined, ms: Infinity, onTimeout: never });
    await session.propose({ type: "open", seats: peerCount, name: session.presence.self.name, spectators: spectators ? "open" : "closed", votersMax, seat, rules });
    const enough = returnAt === "alone" ? 1 : returnAt === "quorum" ? Math.floor(peerCount / 2) + 1 : peerCount;
    await wait(session, { check: () => playersIn(session) >= enough || undefined, ms: Infinity, onTimeout: never });
  });
}

/**
 * Joins: announces itself, follows the group it is told of and returns once it votes and sits (or only sits, when voters are
 * capped). Rejects with `RosterFullError`, `KickedError`, `AdmissionRefusedError`, `JoinTimeoutError`, the signal's reason; then nothing is left running.
 */
export async function gameJoin(seam: Seam, options: GameJoinOptions): Promise<GameSession> {
  const { joinAdmissionTimeoutMs: ms = 10_000 } = options;
  return enter(new Session(seam, "join", options, { asksSeat: true, opens: options.opens }), async (session) => {
    await follow(session, { ms, isIn: isSeated, refusal: refusalOfJoiner, onTimeout: () => new JoinTimeoutError(ms, progress(session)) });
    await heardOut(session);
    session.cameIn();
  });
}

/** Watches: follows the log without a seat. Rejects with `SpectatorsClosedError`, `KickedError`, `AdmissionRefusedError`, `SpectateTimeoutError`, the signal's reason. */
export async function gameSpectate(seam: Seam, options: GameSpectateOptions): Promise<GameSession> {
  const { spectateAdmissionTimeoutMs: ms = 10_000, neverVotes = false, opens } = options;
  return enter(new Session(seam, "spectate", options, { opens, neverVotes: neverVotes || undefined }), async (session) => {
    try {
      await follow(session, { ms, isIn: isWatching, refusal: refusalOfSpectator, onTimeout: () => new SpectateTimeoutError(ms, progress(session)) });
    } catch (error) {
      // Who was in the group under this id before, with a log that is gone, can not be brought up to date: only as somebody who was taken out, and comes anew.
      session.part();
      throw error;
    }
    session.cameIn();
  });
}

/**
 * Comes back: opens what this peer's storage holds of its last match and takes its old place, its seat included, as soon as the others
 * are found; who only lent its vote comes back as the spectator it was. Resolves at once with what is stored; undefined when there is neither seat nor vote to come back to. The session ends with `MovedOnError`
 * when nobody leads that match within the eviction window while the room plays another one. Rejects with `CorruptStateError`, `KickedError`, the signal's reason.
 */
export async function gameResume(seam: Seam, options: GameResumeOptions): Promise<GameSession | undefined> {
  const stored = await readStoredGroup(options.storage);
  if (stored === undefined || !(stored.seated || stored.voted)) return undefined;
  const session = stored.seated ? new Session(seam, "join", options, { asksSeat: true }) : new Session(seam, "spectate", options);
  session.wayBack.isTaken = true;
  return enter(session, async () => {
    const node = await session.openNode(stored.groupId, undefined);
    // Whoever lost its log must not vote under its old id.
    if (node.status.term === 0) throw new CorruptStateError("session/group", `the log of group ${stored.groupId} is missing`);
    session.manage();
    await wait(session, { check: () => session.roster.seats.length > 0 || undefined, ms: Infinity, onTimeout: never });
  });
}

/**
 * Goes on without the others from an exported log, as the only voter of a fork of `from`: same seats, same moves, the host role claimed under the next
 * epoch by a committed entry of the fork's own log. Whoever comes back with the older group meets `StaleOwnerError` and joins this one. Returns once it
 * leads under its fence. Rejects with `InvalidArgumentError`, `CorruptStateError`, the claim's refusal, the signal's reason.
 */
export async function gameFork(seam: Seam, { from, log, ...options }: GameForkOptions): Promise<GameSession> {
  return enter(new Session(seam, "join", options), async (session) => {
    await session.openNode(await unusedFork(from, seam.selfId, options.storage), [seam.selfId], { founding: log });
    await wait(session, { check: () => session.node.role === "leader" || undefined, ms: Infinity, onTimeout: never });
    await claim(session);
    // Whoever is let in must find this peer here again: the way back is durable first.
    await session.wayBack.remembered;
    session.manage();
  });
}

/** An attempt that was broken off left a log behind, which what was agreed on since is missing from: its epoch is not used again. */
async function unusedFork(from: string, self: PeerId, storage: ByteStore | undefined): Promise<string> {
  for (let later = 1; ; later += 1) {
    const groupId = forkOf(from, self, later);
    if (storage === undefined || (await storageOfGroup(storage, groupId).readRange("", "\uffff")).length === 0) return groupId;
  }
}

async function claim(session: Session): Promise<void> {
  let refusal: unknown;
  session.claimHostRole().catch((error: unknown) => {
    refusal = error;
    session.changed();
  });
  const check = (): unknown => {
    if (refusal !== undefined) throw refusal;
    return session.fence;
  };
  await wait(session, { check, ms: Infinity, onTimeout: never });
}

/**
 * Takes its place among `voterIds`, seated in the order given: nobody is admitted or evicted, and there is no host. Returns once a leader is known.
 * Rejects with `InvalidArgumentError` when this peer is not among them, or the signal's reason.
 */
export async function gameNode(seam: Seam, voterIds: readonly PeerId[], options: GameNodeOptions): Promise<GameSession> {
  if (!voterIds.includes(seam.selfId)) throw new InvalidArgumentError(`${seam.selfId} is not among the voters ${voterIds.join(", ")}`);
  if (new Set(voterIds).size !== voterIds.length) throw new InvalidArgumentError(`a voter is named twice among ${voterIds.join(", ")}`);
  checkCount("voterIds.length", voterIds.length);
  const groupId = options.groupId ?? digestHex(utf8(JSON.stringify([...voterIds].sort())));
  return enter(new Session(seam, "node", options), async (session) => {
    await session.openNode(groupId, voterIds, { roster: fixedRoster(voterIds) });
    await wait(session, { check: () => session.node.leader, ms: Infinity, onTimeout: never });
  });
}

/**
 * Takes its place in a fixed core: its processes are the voters, whoever comes and goes; they manage and never sit, and everybody they admit learns and proposes. Returns as
 * soon as this one's node runs, whoever leads. The storage must hold everything this peer id ever wrote. Rejects with `InvalidArgumentError`, `CorruptStateError`, the signal's reason.
 */
export async function gameCore(seam: Seam, { core, groupId, founds = true, ...options }: GameCoreOptions): Promise<GameSession> {
  if (!core.includes(seam.selfId)) throw new InvalidArgumentError(`${seam.selfId} is not among the core ${core.join(", ")}`);
  if (new Set(core).size !== core.length) throw new InvalidArgumentError(`a process is named twice among ${core.join(", ")}`);
  checkCount("core.length", core.length);
  const voters = [...core].sort();
  return enter(new Session(seam, "core", options), async (session) => {
    await session.openNode(groupId, founds ? voters : undefined);
    session.manage(voters);
  });
}

/** Runs a way in; whatever goes wrong, everything it started is ended before the caller hears of it. */
async function enter(session: Session, way: (session: Session) => Promise<void>): Promise<GameSession> {
  try {
    await way(session);
    return session;
  } catch (error) {
    await session.close();
    throw session.failure ?? error;
  }
}

async function declareHost(session: Session, ms: number): Promise<void> {
  const decide = (isLate: boolean): true | undefined => {
    const { presence, selfId: self, connected } = session;
    const decision = decideHost({ self, connected, states: presence.states, hasHeard: (peer) => presence.hasHeard(peer) });
    if (decision.decision === "yield") throw new DuplicateHostError(decision.to);
    return decision.decision === "host" || isLate ? true : undefined;
  };
  await wait(session, { check: () => decide(false), ms, onTimeout: () => decide(true) ?? true });
}

/** How a newcomer recognises that it is in, or that it will not be. */
interface Following {
  readonly ms: number;
  readonly isIn: (session: Session) => boolean;
  readonly refusal: (self: PeerId, group: VisibleGroup) => Error | undefined;
  readonly onTimeout: () => Error;
}

async function follow(session: Session, { ms, isIn, refusal, onTimeout }: Following): Promise<void> {
  session.coming();
  let moving: Promise<void> | undefined;
  let moveFailure: unknown;
  const move = async (groupId: string): Promise<void> => {
    await session.closeNode();
    await session.openNode(groupId, undefined);
    session.manage();
  };
  // Nobody leads, and this peer holds the log of a match somebody here is in: it may be a voter of it, made one without hearing of it, and the one that is missing.
  const tried = new Set<string>();
  const untried = (): string | undefined => [...session.presence.states.values()].find(({ groupId, leaving }) => groupId !== undefined && leaving === undefined && !tried.has(groupId))?.groupId;
  const moveToOwn = async (groupId: string, storage: ByteStore): Promise<void> => {
    tried.add(groupId);
    if ((await storageOfGroup(storage, groupId).readRange("", "\uffff")).length > 0) await move(groupId);
  };
  const begin = (step: Promise<unknown>): void => {
    moving = step
      .catch((error: unknown) => void (moveFailure = error))
      .then(() => void (moving = undefined));
    void moving.then(() => session.changed());
  };
  const check = (): true | undefined => {
    if (moveFailure !== undefined) throw moveFailure;
    if (moving !== undefined) return undefined;
    if (isIn(session)) return true;
    const group = visibleGroups(session.presence.states)[0];
    if (group === undefined) {
      const { storage } = session.options;
      const own = session.openedNode === undefined ? untried() : undefined;
      if (own !== undefined && storage !== undefined) begin(moveToOwn(own, storage));
      return undefined;
    }
    const refused = refusal(session.selfId, group);
    if (refused !== undefined) throw refused;
    // A member stays where it is; until then the best group in sight is the one to be in.
    if (group.groupId === session.groupId || session.presence.self.synced) return undefined;
    begin(move(group.groupId));
    return undefined;
  };
  try {
    await wait(session, { check, ms, onTimeout: () => throwError(onTimeout()) });
  } finally {
    await moving;
  }
}

/** Longest wait for the answer that settles an admission, ms. Whoever is in without it is in all the same. */
const HEARD_OUT_MS = 2_000;

/** A voter follows a membership before it is committed, and until then the leader can not hand a pair over. A read through the leader comes back after that. */
async function heardOut(session: Session): Promise<void> {
  let isAnswered = false;
  const answered = (): void => {
    isAnswered = true;
    session.changed();
  };
  void session.node.readIndex().then(answered, answered);
  await wait(session, { check: () => isAnswered || undefined, ms: HEARD_OUT_MS, onTimeout: () => true as const });
}

function isSeated(session: Session): boolean {
  return session.openedNode?.membership.votersOutgoing.length === 0 && isPlaying(session, session.selfId);
}

/** It learns, or is fed, and shows all there was when it came. */
function isWatching({ openedNode, presence, roster }: Session): boolean {
  return presence.self.synced || (openedNode?.status.feed?.isCaughtUp === true && roster.seats.length > 0);
}

/** It sits, and votes unless voters are capped. */
function isPlaying({ openedNode, roster }: Session, peer: PeerId): boolean {
  if (openedNode === undefined || seatOf(roster, peer) === undefined) return false;
  const { voters, learners } = openedNode.membership;
  return voters.includes(peer) || (learners.includes(peer) && voters.length >= roster.votersMax);
}

/** What a newcomer that waited in vain can say of how far it came. */
function progress(session: Session): string {
  const others = session.connected.size - (session.connected.has(session.selfId) ? 1 : 0);
  if (others === 0) return "no other peer is connected";
  if (visibleGroups(session.presence.states).length === 0) return `${others} connected, none of them leads a match`;
  return session.presence.self.synced ? "let in, but not seated" : "a match was found, but its leader did not let this peer in";
}

/** Waits on anything a session tells of, and ends when the session does. */
function wait<T>(session: Session, waiting: Pick<WaitOptions<T>, "check" | "ms" | "onTimeout">): Promise<T> {
  const { clock, signal } = session.options;
  const check = (): T | undefined => {
    // A node that stopped, because of its disk or the fence over it, never comes to what is waited for.
    const failure = session.failure ?? session.openedNode?.status.failure;
    if (failure !== undefined) throw failure;
    return waiting.check();
  };
  const subscribe = (changed: () => void): (() => void) => {
    const offs = [session.on("change", changed), session.on("closed", changed)];
    return () => offs.forEach((off) => off());
  };
  return waitFor({ ...waiting, check, subscribe, clock, signal });
}

function playersIn(session: Session): number {
  return session.roster.seats.filter((taken) => taken !== undefined && isPlaying(session, taken.peer)).length;
}

function fixedRoster(voterIds: readonly PeerId[]): Roster {
  const seats = voterIds.map((peer, seat) => ({ peer, name: `Player ${seat + 1}` }));
  return { seats, watchers: [], kicked: [], stood: [], spectators: "closed", votersMax: voterIds.length, game: 1, asked: [], openedAt: 0, index: 0 };
}

/** 64 random bits: two groups never share a name. */
function groupIdFrom(random: Random): string {
  return [random.uint32(), random.uint32()].map((part) => part.toString(16).padStart(8, "0")).join("");
}

function checkCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1 || value > SEATS_MAX) throw new InvalidArgumentError(`${name} is a whole number from 1 to ${SEATS_MAX}, got ${value}`);
}

function throwError(error: Error): never {
  throw error;
}

function never(): never {
  throw new InvalidArgumentError("a wait without a deadline ended");
}
