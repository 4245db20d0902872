// Who is in the group and in which role: one row per tab, from what the match says of itself. Pure.
import type { MatchPlayer, MatchStatus, NodeStatus, PeerId } from "../sdk/index.ts";

/** What a peer does in the group. */
export type PeerRole = "leader" | "voter" | "learner" | "witness" | "watching";

/** One row of the inspector. */
export interface PeerRow {
  readonly peer: PeerId;
  readonly name: string;
  readonly role: PeerRole;
  readonly presence: "here" | "away" | "gone";
  readonly isSelf: boolean;
  /** Connected to this tab now. */
  readonly isLinked: boolean;
  readonly isRelayed: boolean;
  readonly roundTripMs: number | undefined;
  readonly isCut: boolean;
}

/** What is looked at. */
export interface GroupView {
  readonly status: MatchStatus;
  readonly players: readonly MatchPlayer[];
  /** Undefined while this tab has no node. */
  readonly membership: NodeStatus["membership"] | undefined;
  readonly isCut: (peer: PeerId) => boolean;
}

const WITNESS = "witness:";

function roleOf(peer: PeerId, { status, membership }: GroupView): PeerRole {
  if (peer.startsWith(WITNESS)) return "witness";
  if (peer === status.leader) return "leader";
  if (membership?.voters.includes(peer) === true) return "voter";
  return membership?.learners.includes(peer) === true ? "learner" : "watching";
}

/** This tab first, then by name. Peers that left are listed as long as they vote. */
export function peersOf(view: GroupView): readonly PeerRow[] {
  const { status, players, membership } = view;
  const members = [...(membership?.voters ?? []), ...(membership?.learners ?? [])];
  const shown = new Set([status.selfId, ...members, ...status.peers, ...players.filter(({ presence }) => presence !== "gone").map(({ peer }) => peer)]);
  const rows = [...shown].map((peer): PeerRow => {
    const player = players.find((each) => each.peer === peer);
    const isLinked = status.peers.includes(peer);
    return {
      peer,
      name: player?.name ?? (peer.startsWith(WITNESS) ? "Witness" : `Tab ${peer.slice(0, 6)}`),
      role: roleOf(peer, view),
      presence: player?.presence ?? (isLinked || peer.startsWith(WITNESS) ? "here" : "gone"),
      isSelf: peer === status.selfId,
      isLinked,
      isRelayed: status.relayed.includes(peer),
      roundTripMs: status.roundTripMs[peer],
      isCut: view.isCut(peer),
    };
  });
  return rows.sort((a, b) => Number(b.isSelf) - Number(a.isSelf) || a.name.localeCompare(b.name) || (a.peer < b.peer ? -1 : 1));
}

/** How many voters there are, and how many of them have to agree. */
export function quorumOf(membership: NodeStatus["membership"] | undefined): string {
  const voters = membership?.voters.length ?? 0;
  return voters === 0 ? "–" : `${Math.floor(voters / 2) + 1} of ${voters}`;
}

/** A round trip as people read it. */
export function tripOf(ms: number | undefined): string {
  if (ms === undefined) return "–";
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
