// What a match shows of its people and of its state, computed from the session. Pure reads; compared by value, so that nothing new is shown for nothing.
import type { PeerId } from "./base/index.ts";
import type { LinkStatus } from "./client/index.ts";
import type { Divergence } from "./game/index.ts";
import type { Meeting } from "./open-match-seam.ts";
import type { MatchPhase, MatchPlayer, MatchStatus } from "./open-match-status.ts";
import { isWitness } from "./replica/index.ts";
import { seatOf, type GameSession } from "./session/index.ts";

/** Seats first, in their order, then spectators by id. */
export function playersOf({ people, selfId, node: { leader } }: GameSession): readonly MatchPlayer[] {
  return people.map((attendee) => ({ ...attendee, isSelf: attendee.peer === selfId, isLeader: attendee.peer === leader }));
}

/** The phase a running session is in. */
export function phaseOf(session: GameSession): MatchPhase {
  const { hasQuorum, leader, membership: { voters } } = session.node.status;
  // A witness's vote settles an election within seconds, or refuses it to a tab that lacks what was committed: by the time somebody is gone that is known.
  const isSettling = !voters.some((voter) => !isWitness(voter) && session.standingOf(voter) === "gone");
  const isHere = (voter: PeerId): boolean => session.standingOf(voter) === "here" && (leader !== undefined || isSettling || !isWitness(voter));
  const isQuorumHere = voters.filter(isHere).length * 2 > voters.length;
  if (!hasQuorum || leader === undefined) return isQuorumHere ? "reconnecting" : "no-quorum";
  // The leader of two goes on leading while the other is silent, though nothing commits; others hear their leader and know no more.
  if (leader === session.selfId && !isQuorumHere) return "no-quorum";
  return session.roster.seats.includes(undefined) ? "waiting" : "live";
}

/** What stays the same for as long as the match is open here. */
export type Place = Pick<MatchStatus, "selfId" | "storage" | "storageNote">;

/** What people should know of a disk that is not as it should be. */
const STORAGE_NOTES: Partial<Record<GameSession["node"]["status"]["storage"], string>> = {
  full: "this device has no room left: nothing is agreed on with this tab until there is",
  reopening: "the browser lost its storage, and opens it again",
};

/** What the status atom shows of a running session. */
export function statusOf(session: GameSession, place: Place, { pendingCount, peers, laneOf, way, divergences }: { readonly pendingCount: number; readonly peers: ReadonlySet<PeerId>; readonly laneOf: Meeting["laneOf"]; readonly way: LinkStatus | undefined; readonly divergences: readonly Divergence[] }): MatchStatus {
  const { role, leader, term, commitIndex, storage } = session.node.status;
  const seat = seatOf(session.roster, session.selfId);
  return {
    ...place,
    storageNote: STORAGE_NOTES[storage] ?? place.storageNote,
    // Without a socket to any server nobody knows how the others stand.
    phase: way !== undefined && way.phase !== "connected" ? "reconnecting" : phaseOf(session),
    reason: undefined,
    seat,
    spectating: seat === undefined,
    leader,
    isLeader: leader === session.selfId,
    role,
    term,
    commitIndex,
    epoch: session.fence?.epoch ?? 1,
    pendingCount,
    game: session.roster.game,
    rematchAsked: session.roster.asked,
    peers: [...peers].sort(),
    relayed: [...peers].filter((peer) => laneOf(peer) === "relay").sort(),
    roundTripMs: session.roundTripMs,
    way,
    divergences,
  };
}

/** The status of a match that has no session: on its way in, or back, or over. */
export function statusWithout(place: Place, phase: "connecting" | "reconnecting" | "closed", { reason, way, before }: { readonly reason?: string | undefined; readonly way?: LinkStatus | undefined; readonly before?: MatchStatus | undefined } = {}): MatchStatus {
  const blank = { seat: undefined, spectating: false, term: 0, commitIndex: 0, epoch: 1, pendingCount: 0, game: 1, rematchAsked: [], divergences: [] } as const;
  return { ...blank, ...before, ...place, phase, reason, way, leader: undefined, isLeader: false, role: "learner", peers: [place.selfId], relayed: [], roundTripMs: {} };
}

/** Two values that would look the same: plain data, compared by what it holds. */
export function looksSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
