// Decisions made from presence alone, before there is a node: may this peer host, and which group should it join. Pure.
import type { PeerId } from "../base/index.ts";
import { AdmissionRefusedError, KickedError, RosterFullError, SpectatorsClosedError } from "./errors.ts";
import { isHeld, lineageOf, refusedBy, type ForkView } from "./lineage.ts";
import type { LeadNotice, PresenceState, PublishedRefusal } from "./presence-state.ts";

/** What a declaring host should do now. */
export type HostDecision = { readonly decision: "host" } | { readonly decision: "wait" } | { readonly decision: "yield"; readonly to: PeerId };

/** What a declaring host sees. */
export interface HostView {
  readonly self: PeerId;
  readonly connected: ReadonlySet<PeerId>;
  readonly states: ReadonlyMap<PeerId, PresenceState>;
  readonly hasHeard: (peer: PeerId) => boolean;
}

/**
 * A peer with a group came first, unless it only watches one that nobody leads any more. Among peers that declare at the same moment the lowest id wins; the winner waits until the
 * others have taken their word back, so that none of them starts on a timeout at that very moment.
 */
export function decideHost({ self, connected, states, hasHeard }: HostView): HostDecision {
  const grouped = [...states].filter(([, state]) => state.groupId !== undefined && state.leaving === undefined && state.stranded !== true);
  const leader = grouped.find(([, state]) => state.lead !== undefined) ?? grouped[0];
  if (leader !== undefined) return { decision: "yield", to: leader[0] };
  const rivals = [...states].filter(([, state]) => state.declares === "host").map(([peer]) => peer);
  const lower = rivals.filter((rival) => rival < self).sort()[0];
  if (lower !== undefined) return { decision: "yield", to: lower };
  const unheard = [...connected].some((peer) => peer !== self && !hasHeard(peer));
  return unheard || rivals.length > 0 ? { decision: "wait" } : { decision: "host" };
}

/** A group as seen from outside. */
export interface VisibleGroup {
  readonly groupId: string;
  readonly leader: PeerId;
  readonly lead: LeadNotice;
}

/** Every group somebody leads, a fork under its fence, and that no later fork of it replaces, best first: more members, then the older one, then the lower leader id. Per group the newest term speaks. */
export function visibleGroups(states: ReadonlyMap<PeerId, PresenceState>): readonly VisibleGroup[] {
  const newest = new Map<string, VisibleGroup>();
  for (const [leader, { groupId, lead, leaving }] of states) {
    if (groupId === undefined || lead === undefined || leaving !== undefined) continue;
    const before = newest.get(groupId);
    if (before === undefined || before.lead.term < lead.term) newest.set(groupId, { groupId, leader, lead });
  }
  const groups = [...newest.values()].filter((group) => isHeld(viewOf(group))).sort(compareGroups);
  return groups.filter((group) => !groups.some((other) => refusedBy(viewOf(group), viewOf(other)) !== undefined));
}

function viewOf({ groupId, lead: { fence } }: VisibleGroup): ForkView {
  return { groupId, fence };
}

/** Its leader has read, or made, its opening word. Until then its age is not known. */
function isOpened({ lead }: Pick<VisibleGroup, "lead">): boolean {
  return lead.seats > 0;
}

/** Order of {@link visibleGroups}: negative when `a` is the one to join. */
export function compareGroups(a: Pick<VisibleGroup, "leader" | "lead">, b: Pick<VisibleGroup, "leader" | "lead">): number {
  return b.lead.members - a.lead.members || Number(isOpened(b)) - Number(isOpened(a)) || a.lead.openedAt - b.lead.openedAt || (a.leader < b.leader ? -1 : 1);
}

/**
 * Two groups in one room: they started out of each other's sight. A group nobody has joined yet gives way to a better one;
 * groups with members stay apart, since their logs can not be merged. Only groups that are open are compared: one whose opening word is not
 * read yet looks older than it is, and two such would give way to each other, again and again. Returns whom to give way to.
 */
export function betterGroup(own: VisibleGroup, states: ReadonlyMap<PeerId, PresenceState>): VisibleGroup | undefined {
  if (own.lead.members > 1 || !isOpened(own)) return undefined;
  // Forks of one match have an order of their own.
  const { root } = lineageOf(own.groupId);
  return visibleGroups(states).find((other) => lineageOf(other.groupId).root !== root && isOpened(other) && compareGroups(other, own) < 0);
}

/** Why a peer that wants a seat in this group need not wait, or undefined. */
export function refusalOfJoiner(self: PeerId, { lead }: Pick<VisibleGroup, "lead">): Error | undefined {
  const refusal = publishedRefusal(self, lead.refused);
  if (refusal !== undefined) return refusal;
  const isFull = lead.admission === "closed" && lead.seats > 0 && !lead.seated.includes(self);
  return isFull ? new RosterFullError(lead.seats) : undefined;
}

/** Why a peer that wants to watch this group need not wait, or undefined. */
export function refusalOfSpectator(self: PeerId, { lead }: Pick<VisibleGroup, "lead">): Error | undefined {
  return publishedRefusal(self, lead.refused) ?? (lead.spectators === "closed" && lead.seats > 0 ? new SpectatorsClosedError() : undefined);
}

/** What a leader's list of those it refuses says of `self`. */
export function publishedRefusal(self: PeerId, refused: readonly PublishedRefusal[]): Error | undefined {
  const own = refused.find((refusal) => refusal.peer === self);
  if (own === undefined) return undefined;
  return own.code === "kicked" ? new KickedError(own.reason) : new AdmissionRefusedError(own.reason);
}
