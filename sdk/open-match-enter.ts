// Finding one's place in a room: host when nobody does, else join, else watch; and again whenever two did the same at once.
import { hasCode } from "./base/index.ts";
import { isFenceRefusal } from "./durable/index.ts";
import type { Beginning } from "./open-match-file.ts";
import type { Meeting } from "./open-match-seam.ts";
import { SeamTornError } from "./seam/index.ts";
import { gameHost, gameJoin, gameResume, gameSpectate, waitFor, type GameSession, type MatchOpening, type SessionOptions } from "./session/index.ts";

/** How long signaling may take to come up before this tab goes on without it, ms. */
const WEAVE_TIMEOUT_MS = 10_000;
/** Quiet in a reached room after which nobody seems to be there, ms. A signaling server answers within 200. */
const QUIET_MS = 600;
/** How long somebody seen in the room may take to connect, ms: ICE over the internet takes one or two seconds. */
const DIAL_TIMEOUT_MS = 5_000;
/** How often this tab goes in again because the group it was about to enter was forked meanwhile. More often it is not that: its records are another tab's. */
const FORKS_MAX = 3;
/** How long to go on trying to be let in, ms. */
const ENTER_TIMEOUT_MS = 60_000;

export interface EnterOptions {
  readonly meeting: Pick<Meeting, "seam" | "seen" | "way">;
  readonly seats: number;
  readonly spectate: boolean;
  /** Comes back to the match its storage holds, before anything else. */
  readonly mayResume: boolean;
  /** Opens a new match that begins in this state, or none: nothing is resumed, and nobody else's match is joined. */
  readonly beginning?: Beginning | undefined;
  /** Servers run the match: nobody hosts here. */
  readonly hasCore?: boolean | undefined;
  readonly session: SessionOptions;
}

/** Resolves with a place in the match. Rejects with the session's errors, `SeamTornError`, or the signal's reason; then nothing of it is left running. */
export async function enterMatch(options: EnterOptions): Promise<GameSession> {
  if (options.beginning !== undefined) return hostFrom(options, options.beginning);
  const back = await comeBack(options);
  if (back !== undefined) return back;
  if (options.hasCore !== true) await settle(options);
  const { clock } = options.session;
  const deadline = clock.now() + ENTER_TIMEOUT_MS;
  for (let forks = 0; ; ) {
    try {
      return await (options.spectate ? watch(options) : takePlace(options));
    } catch (error) {
      // Nobody leads just now: an election, or a host that has just yielded to another.
      const isWorthAnotherTry = hasCode(error, "join-timeout") || hasCode(error, "spectate-timeout") || hasCode(error, "duplicate-host");
      const isForked = isFenceRefusal(error) && (forks += 1) <= FORKS_MAX;
      if (!(isWorthAnotherTry || isForked) || clock.now() >= deadline) throw error;
      // This server may be the one that is cut off from the others of its core.
      options.meeting.way?.moveOn("nobody there leads");
    }
  }
}

async function comeBack({ meeting: { seam }, mayResume, session }: EnterOptions): Promise<GameSession | undefined> {
  const { storage } = session;
  if (storage === undefined || !mayResume) return undefined;
  try {
    return await gameResume(seam, { ...session, storage });
  } catch (error) {
    if (isElsewhere(error)) return undefined;
    throw error;
  }
}

const ELSEWHERE = ["duplicate-host", "moved-on", "roster-full", "stale-owner", "split-brain"] as const;

/** The match goes on without this tab's version of it, or another one does: there is something to go in to. */
export function isElsewhere(error: unknown): boolean {
  return ELSEWHERE.some((code) => hasCode(error, code));
}

/** Whoever brings a match along wants that one: where another is played already it hears so (`duplicate-host`). */
async function hostFrom(options: EnterOptions, { log, seatFor, seats }: Beginning): Promise<GameSession> {
  await settle(options);
  const { seam } = options.meeting;
  return gameHost(seam, { ...options.session, peerCount: seats, returnAt: "alone", from: log, seat: seatFor(seam.selfId) });
}

async function takePlace(options: EnterOptions): Promise<GameSession> {
  const { meeting: { seam }, seats, session, hasCore } = options;
  try {
    if (hasCore !== true) return await gameHost(seam, { ...session, peerCount: seats, returnAt: "alone" });
  } catch (error) {
    if (!hasCode(error, "duplicate-host")) throw error;
  }
  try {
    return await gameJoin(seam, { ...session, opens: opens(options) });
  } catch (error) {
    if (!hasCode(error, "roster-full")) throw error;
    return watchInstead(options, error);
  }
}

function watch(options: EnterOptions): Promise<GameSession> {
  return gameSpectate(options.meeting.seam, { ...options.session, opens: opens(options) });
}

/** What a core is asked for by the first who comes: the seats this tab would have opened. */
function opens({ hasCore, seats }: EnterOptions): MatchOpening | undefined {
  return hasCore === true ? { seats, spectators: "open" } : undefined;
}

async function watchInstead(options: EnterOptions, full: unknown): Promise<GameSession> {
  try {
    return await watch(options);
  } catch (error) {
    throw hasCode(error, "spectators-closed") ? full : error;
  }
}

/** Waits until it is clear who is in the room, so that a match that runs there is not overlooked. */
async function settle(options: EnterOptions): Promise<void> {
  const { seam, seen } = options.meeting;
  const isWoven = (): true | undefined => seam.state.phase === "woven" || seam.peers.size > 1 || undefined;
  await waitOnSeam(options, isWoven, WEAVE_TIMEOUT_MS);
  const isEverybodyHere = (): true | undefined => (seam.peers.size > 1 && [...seen].every((peer) => seam.peers.has(peer))) || undefined;
  await waitOnSeam(options, isEverybodyHere, QUIET_MS);
  if (seen.size > 0) await waitOnSeam(options, isEverybodyHere, seam.peers.size > 1 ? QUIET_MS : DIAL_TIMEOUT_MS);
}

function waitOnSeam({ meeting: { seam }, session: { clock, signal } }: EnterOptions, isDone: () => true | undefined, ms: number): Promise<true> {
  const check = (): true | undefined => {
    if (seam.state.phase === "torn") throw new SeamTornError(seam.state.reason);
    return isDone();
  };
  const subscribe = (changed: () => void): (() => void) => {
    const offs = [seam.on("peers", changed), seam.on("state", changed)];
    return () => offs.forEach((off) => off());
  };
  return waitFor<true>({ check, subscribe, clock, ms, onTimeout: () => true, signal });
}
