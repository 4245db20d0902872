// What the leader of a session should do next about its members: one pure decision per change in the world.
import type { LogIndex, PeerId } from "../base/index.ts";
import { isWitness, type RaftNode } from "../replica/index.ts";
import { decideAdmission } from "./admission.ts";
import type { Standing } from "./liveness.ts";
import type { Declaration, MatchOpening } from "./presence-state.ts";
import { freeSeat, isEmpty, isKicked, mayManage, seatOf, stoodUpAt, type Roster, type RosterCommand } from "./roster.ts";

/** Spectators that are members unless told otherwise: enough for every spare the voters may need, and a few to feed the others. */
export const LEARNING_SPECTATORS = 4;

/** Who votes and who learns, as the node says. */
export type Membership = RaftNode["membership"];

/** One peer as the leader sees it. */
export interface Person {
  /** undefined: connected, but it never said what it wants. */
  readonly declares: Declaration | undefined;
  readonly name: string;
  /** It runs a node of this group. */
  readonly inGroup: boolean;
  /** It runs a node of another group: it gave this one up. */
  readonly elsewhere: boolean;
  /** It says its node is caught up. */
  readonly synced: boolean;
  readonly standing: Standing;
  readonly leaving: "part" | "vacate" | undefined;
  /** Its page can not be seen: browsers slow it down, freeze it or end it. */
  readonly hidden: boolean;
  /** The peer it has proven to have been before. */
  readonly was: PeerId | undefined;
  /** It wants a seat and has none. */
  readonly asksSeat: boolean;
  /** It lends its vote to nobody. */
  readonly neverVotes?: boolean | undefined;
  /** What it knew of when it made that wish: the last entry by which it had given up a seat. */
  readonly stoodUpAt?: LogIndex | undefined;
  /** The game's own rule let it in. */
  readonly admitted: boolean;
  /** The witness it reaches. */
  readonly witness?: PeerId | undefined;
  /** What it would have opened, and what it came to play. */
  readonly opens?: MatchOpening | undefined;
  readonly rules?: string | undefined;
}

/** Everything the decision looks at. */
export interface ManagementView {
  readonly self: PeerId;
  readonly membership: Membership;
  readonly roster: Roster;
  readonly people: ReadonlyMap<PeerId, Person>;
  /** Spectators lend their votes where the number of voters would be even. */
  readonly spares: boolean;
  /** Spectators that are members; all others are fed. Default {@link LEARNING_SPECTATORS}. */
  readonly learningSpectators?: number | undefined;
  /** The witness this peer reaches says that it holds everything committed before it became a member. */
  readonly witnessCaughtUp?: boolean | undefined;
  /** The fixed core, in byte order, this peer among it: exactly these vote, whoever comes and goes. Undefined where the players own the match. */
  readonly core?: readonly PeerId[] | undefined;
}

/** The next step; one at a time, because each changes what the next one should be. */
export type ManagementStep =
  | { readonly type: "change"; readonly voters: readonly PeerId[]; readonly learners: readonly PeerId[] }
  | { readonly type: "command"; readonly command: RosterCommand }
  /** A leader nobody looks at leaves leading to a voter somebody looks at. */
  | { readonly type: "transfer"; readonly to: PeerId };

/** The next step, or undefined when everything is as it should be. */
export function decideManagement(view: ManagementView): ManagementStep | undefined {
  // Given up: whoever leads it still has nothing to do.
  if (view.core !== undefined && view.roster.core?.length === 0) return undefined;
  if (view.core !== undefined && !sameMembers(view.core, view.roster.core ?? [])) return { type: "command", command: { type: "core", peers: view.core } };
  if (view.roster.seats.length === 0) return opened(view);
  if (!mayManage(view.roster, view.self)) return transferTo(view, (peer) => mayManage(view.roster, peer));
  // A step that can not commit would stand in the way of the one that will be needed: taking out who does not come back.
  if (view.membership.votersOutgoing.length > 0 || !quorumIsHere(view)) return goOnAlone(view);
  const command = nextCommand(view);
  if (command !== undefined && commandFirst(command)) return { type: "command", command };
  const target = wantedMembership(view);
  if (!sameMembers(target.voters, view.membership.voters) || !sameMembers(target.learners, view.membership.learners)) return { type: "change", ...target };
  return command === undefined ? yieldedTo(view) : { type: "command", command };
}

/** A core opens what the first player who may come in asks for, with every seat free. */
function opened({ core, people }: ManagementView): ManagementStep | undefined {
  if (core === undefined) return undefined;
  const [, opener] = [...people].sort(([a], [b]) => (a < b ? -1 : 1)).find(([, { opens, standing, leaving, admitted }]) => opens !== undefined && admitted && standing === "here" && leaving === undefined) ?? [];
  if (opener?.opens === undefined) return undefined;
  const { opens: { seats, spectators }, rules } = opener;
  return { type: "command", command: { type: "open", seats, name: "", spectators, votersMax: core.length, rules } };
}

/** Nobody seats itself: a leader that asks for its own old seat, or for a free one, lets another decide. */
function yieldedTo(view: ManagementView): ManagementStep | undefined {
  const self = personOf(view, view.self);
  const isSeated = seatOf(view.roster, view.self) !== undefined;
  const isSeatThere = self?.was !== undefined && seatOf(view.roster, self.was) !== undefined;
  if (!isSeated && (isSeatThere || (self?.asksSeat === true && freeSeat(view.roster) !== undefined))) return transferTo(view, (peer) => mayManage(view.roster, peer));
  return self?.hidden === true ? transferTo(view, (peer) => personOf(view, peer)?.hidden === false) : undefined;
}

/** Leading is handed to the first ready voter that will do, if any. */
function transferTo(view: ManagementView, willDo: (peer: PeerId) => boolean): ManagementStep | undefined {
  const to = view.membership.voters.filter((peer) => peer !== view.self && isReady(view, peer) && willDo(peer)).sort()[0];
  return to === undefined ? undefined : { type: "transfer", to };
}

function quorumIsHere(view: ManagementView): boolean {
  const { membership: { voters }, people, self } = view;
  const isHereToVote = (peer: PeerId): boolean => (isWitness(peer) ? isReached(view, peer) : people.get(peer)?.standing === "here");
  const here = voters.filter((peer) => peer === self || isHereToVote(peer));
  return here.length * 2 > voters.length;
}

/**
 * Where one other voter is all that could be counted, before or after a change under way, the leader takes it out alone;
 * with more, no change could commit before a quorum is back. A fixed core never shrinks.
 */
function goOnAlone(view: ManagementView): ManagementStep | undefined {
  if (view.core !== undefined) return undefined;
  const { voters, votersOutgoing, learners } = view.membership;
  const others = new Set([...voters, ...votersOutgoing].filter((peer) => peer !== view.self));
  const [other] = others;
  if (others.size !== 1 || other === undefined || stays(view, other)) return undefined;
  return { type: "change", voters: [view.self], learners: learners.filter((peer) => peer !== other) };
}

/** Who sits, and who is a spare, is written into the log before it votes: it may come to lead at once, and must be able to manage then. */
function commandFirst(command: RosterCommand): boolean {
  return command.type === "seat" || (command.type === "spectate" && command.spare);
}

function personOf(view: ManagementView, peer: PeerId): Person | undefined {
  return view.people.get(peer);
}

/** Still a member, as far as its behaviour goes: a blip takes nobody out. */
function stays(view: ManagementView, peer: PeerId): boolean {
  if (peer === view.self) return true;
  if (isWitness(peer)) return isReached(view, peer);
  const person = personOf(view, peer);
  return person !== undefined && person.standing !== "gone" && person.leaving === undefined && !person.elsewhere && !isKicked(view.roster, peer);
}

/** Ready to be given more than it has: connected, alive, caught up. */
function isReady(view: ManagementView, peer: PeerId): boolean {
  const person = personOf(view, peer);
  return peer === view.self || (person !== undefined && stays(view, peer) && person.standing === "here" && person.inGroup && person.synced);
}

const members = (view: ManagementView): readonly PeerId[] => [...view.membership.voters, ...view.membership.learners];

/** Members that want a seat and have none yet, in a fixed order, those that were let in for one first: each of them holds one free seat in reserve. */
function seatless(view: ManagementView): readonly PeerId[] {
  const asking = members(view).filter((peer) => stays(view, peer) && wantsSeat(view, peer));
  const watches = (peer: PeerId): number => (personOf(view, peer)?.declares === "spectate" ? 1 : 0);
  return asking.sort((a, b) => watches(a) - watches(b) || (a < b ? -1 : 1));
}

function wantsSeat(view: ManagementView, peer: PeerId): boolean {
  const person = personOf(view, peer);
  if (person?.asksSeat !== true || !person.admitted || seatOf(view.roster, peer) !== undefined) return false;
  return person.declares !== "spectate" || isWishCurrent(view, peer);
}

/** The wish was made by somebody who knew that it stands: what was heard of it may be older than the word with which it was taken back. */
function isWishCurrent(view: ManagementView, peer: PeerId): boolean {
  return (personOf(view, peer)?.stoodUpAt ?? 0) >= stoodUpAt(view.roster, peer);
}

/** Newcomers let in now. */
interface Newcomers {
  /** As learners. */
  readonly members: readonly PeerId[];
  /** To be fed: they watch, and enough others who watch are members. */
  readonly audience: readonly PeerId[];
}

function newcomers(view: ManagementView): Newcomers {
  const inside = new Set(members(view));
  let reserved = seatless(view).length;
  let room = roomToLearn(view);
  const letIn: Newcomers & { readonly members: PeerId[]; readonly audience: PeerId[] } = { members: [], audience: [] };
  for (const [peer, person] of [...view.people].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const wants = person.declares === "spectate" ? "watch" : "seat";
    if (inside.has(peer) || peer === view.self || person.declares === undefined || person.declares === "node" || person.declares === "core") continue;
    if (!person.inGroup || !person.admitted || person.standing !== "here" || person.leaving !== undefined) continue;
    if (decideAdmission(view.roster, { peer, wants }, reserved).decision !== "admit") continue;
    const isToSit = wants === "seat" ? seatOf(view.roster, peer) === undefined : mayComeToSit(view, peer, reserved);
    if (isToSit) reserved += 1;
    if (wants === "seat" || isToSit || isOwner(view, peer, person)) {
      letIn.members.push(peer);
      continue;
    }
    const isWilling = person.neverVotes !== true;
    const isLearning = room.any > 0 || (isWilling && room.spares > 0);
    (isLearning ? letIn.members : letIn.audience).push(peer);
    if (isLearning) room = { any: room.any - 1, spares: room.spares - (isWilling ? 1 : 0) };
  }
  return letIn;
}

/** How many more spectators are to be members, and how many of those who would vote, whatever the number of the others. */
function roomToLearn(view: ManagementView): { readonly any: number; readonly spares: number } {
  const watching = members(view).filter((peer) => peer !== view.self && personOf(view, peer)?.declares === "spectate" && stays(view, peer) && seatOf(view.roster, peer) === undefined);
  const willing = watching.filter((peer) => personOf(view, peer)?.neverVotes !== true);
  const needed = view.core === undefined ? sparesNeeded(view, wantedPlayers(view).length) : 0;
  return { any: (view.learningSpectators ?? LEARNING_SPECTATORS) - watching.length, spares: needed - willing.length };
}

/** Only a member can be given a seat, so a spectator that asks for one that is free becomes one. */
function mayComeToSit(view: ManagementView, peer: PeerId, reserved: number): boolean {
  return wantsSeat(view, peer) && view.roster.seats.filter((taken) => taken === undefined).length > reserved;
}

/** It holds a seat, or was somebody who does. */
function isOwner(view: ManagementView, peer: PeerId, { was }: Person): boolean {
  return seatOf(view.roster, peer) !== undefined || (was !== undefined && seatOf(view.roster, was) !== undefined);
}

/** Who watches without being a member, and may: it is fed. */
export function audienceOf(view: ManagementView): readonly PeerId[] {
  return view.roster.seats.length === 0 ? [] : newcomers(view).audience;
}

/** Who should vote and who should learn, given everything. */
export function wantedMembership(view: ManagementView): { readonly voters: readonly PeerId[]; readonly learners: readonly PeerId[] } {
  if (view.core !== undefined) return membershipOfCore(view, view.core);
  const players = wantedPlayers(view);
  const people = [...players, ...wantedSpares(view, players.length)];
  const witness = wantedWitness(view, people);
  const voters = witness !== undefined && mayWitnessVote(view, witness, people) ? [...people, witness] : people;
  const staying = members(view).filter((peer) => !isWitness(peer) && stays(view, peer) && !overbooked(view, peer));
  const learners = [...staying, ...newcomers(view).members, ...(witness === undefined ? [] : [witness])].filter((peer) => !voters.includes(peer));
  return { voters: [...voters].sort(), learners: [...learners].sort() };
}

/** The core votes, dead or alive; a process that is new in it learns until all such are caught up. Everybody else learns, a player as a spectator does. */
function membershipOfCore(view: ManagementView, core: readonly PeerId[]): { readonly voters: readonly PeerId[]; readonly learners: readonly PeerId[] } {
  const { voters: before } = view.membership;
  const isComplete = core.every((peer) => before.includes(peer) || isReady(view, peer));
  const voters = isComplete ? core : before;
  const staying = members(view).filter((peer) => !before.includes(peer) && !core.includes(peer) && !isWitness(peer) && stays(view, peer) && !overbooked(view, peer));
  const learners = [...new Set([...staying, ...newcomers(view).members, ...core])].filter((peer) => !voters.includes(peer));
  return { voters: [...voters].sort(), learners: learners.sort() };
}

/** Voters with a seat: those who vote already first, so that nobody is swapped without need. */
function wantedPlayers(view: ManagementView): readonly PeerId[] {
  const voting = new Set(view.membership.voters);
  const eligible = members(view).filter((peer) => stays(view, peer) && (voting.has(peer) || isReady(view, peer)) && playsHere(view, peer));
  const rank = (peer: PeerId): number => (peer === view.self ? 0 : voting.has(peer) ? 1 : 2);
  const order = (peer: PeerId): number => seatOf(view.roster, peer) ?? view.roster.seats.length;
  return eligible.sort((a, b) => rank(a) - rank(b) || order(a) - order(b) || (a < b ? -1 : 1)).slice(0, view.roster.votersMax);
}

/** The leader counts whatever it came for: it can not take its own vote away while it leads. */
function playsHere(view: ManagementView, peer: PeerId): boolean {
  return peer === view.self || seatOf(view.roster, peer) !== undefined;
}

/** It was let in for a seat that somebody else holds by now. */
function overbooked(view: ManagementView, peer: PeerId): boolean {
  if (personOf(view, peer)?.declares === "spectate") return false;
  const free = view.roster.seats.filter((taken) => taken === undefined).length;
  return seatless(view).indexOf(peer) >= free;
}

/** An even number of voters is made odd, and one player three voters, or two: when it leaves, the match is handed over instead of lost. */
function sparesNeeded(view: ManagementView, players: number): number {
  if (!view.spares) return 0;
  return Math.min(players === 1 ? 2 : (players + 1) % 2, Math.max(0, view.roster.votersMax - players));
}

/** Spectators that lend their votes: those who do it already, then the first ones ready. */
function wantedSpares(view: ManagementView, players: number): readonly PeerId[] {
  const known = new Set(view.roster.watchers.filter((watcher) => watcher.spare).map((watcher) => watcher.peer));
  const candidates = members(view)
    .filter((peer) => peer !== view.self && known.has(peer) && personOf(view, peer)?.neverVotes !== true && seatOf(view.roster, peer) === undefined)
    .filter((peer) => stays(view, peer) && (view.membership.voters.includes(peer) || isReady(view, peer)));
  const rank = (peer: PeerId): number => (view.membership.voters.includes(peer) ? 0 : 1);
  return candidates.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1)).slice(0, sparesNeeded(view, players));
}

/** This peer reaches that witness. */
function isReached(view: ManagementView, witness: PeerId): boolean {
  return personOf(view, view.self)?.witness === witness;
}

/**
 * A witness votes where people alone would be an even number of voters, and only one that each of them reaches who is here: otherwise whoever is left
 * with it may be left without it, and the group would be worse off than a pair, which can go on by a goodbye alone.
 */
function wantedWitness(view: ManagementView, people: readonly PeerId[]): PeerId | undefined {
  const witness = personOf(view, view.self)?.witness;
  if (witness === undefined || people.length % 2 !== 0 || people.length >= view.roster.votersMax) return undefined;
  return people.every((peer) => peer === view.self || personOf(view, peer)?.standing !== "here" || personOf(view, peer)?.witness === witness) ? witness : undefined;
}

/** One that votes goes on; a new one votes once it is caught up and everybody is here to see it begin. */
function mayWitnessVote(view: ManagementView, witness: PeerId, people: readonly PeerId[]): boolean {
  if (view.membership.voters.includes(witness)) return true;
  return view.membership.learners.includes(witness) && view.witnessCaughtUp === true && people.every((peer) => peer === view.self || isReady(view, peer));
}

/** The next word of the session lane: seat who is ready, free what was given up, name a spare. */
function nextCommand(view: ManagementView): RosterCommand | undefined {
  return vacated(view) ?? reseated(view) ?? seated(view) ?? spareNamed(view);
}

/** A person who came back as somebody else has its seat again, once the peer it was is not here any more. */
function reseated(view: ManagementView): RosterCommand | undefined {
  for (const peer of [...members(view)].sort()) {
    const person = personOf(view, peer);
    if (peer === view.self || person?.was === undefined || !isReady(view, peer)) continue;
    if (seatOf(view.roster, peer) !== undefined || seatOf(view.roster, person.was) === undefined || isHere(view, person.was)) continue;
    return { type: "reseat", from: person.was, to: peer, name: person.name };
  }
  return undefined;
}

function isHere(view: ManagementView, peer: PeerId): boolean {
  const person = personOf(view, peer);
  return peer === view.self || (person?.standing === "here" && person.leaving === undefined);
}

function vacated(view: ManagementView): RosterCommand | undefined {
  const taken = view.roster.seats.find((seat) => seat !== undefined && personOf(view, seat.peer)?.leaving === "vacate");
  return taken === undefined ? undefined : { type: "vacate", peer: taken.peer };
}

function seated(view: ManagementView): RosterCommand | undefined {
  const seat = freeSeat(view.roster);
  if (seat === undefined) return undefined;
  // Nobody seats itself while somebody else sits: that word would be void.
  const peer = seatless(view).find((candidate) => (candidate !== view.self || isEmpty(view.roster)) && isReady(view, candidate) && isWishCurrent(view, candidate));
  const person = peer === undefined ? undefined : personOf(view, peer);
  return peer === undefined ? undefined : { type: "seat", peer, seat, name: person?.name ?? "", stoodUpAt: person?.stoodUpAt ?? 0 };
}

function spareNamed(view: ManagementView): RosterCommand | undefined {
  const players = wantedPlayers(view).length;
  if (wantedSpares(view, players).length >= sparesNeeded(view, players)) return undefined;
  const known = new Set(view.roster.watchers.filter((watcher) => watcher.spare).map((watcher) => watcher.peer));
  const peer = view.membership.learners.filter((learner) => isReady(view, learner) && !known.has(learner) && seatOf(view.roster, learner) === undefined && personOf(view, learner)?.declares === "spectate" && personOf(view, learner)?.neverVotes !== true).sort()[0];
  return peer === undefined ? undefined : { type: "spectate", peer, name: personOf(view, peer)?.name ?? "", spare: true };
}

function sameMembers(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every((peer) => b.includes(peer));
}
