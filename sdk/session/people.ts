// Everybody a match shows, seats and spectators, each with the standing it has from here. The roster says who sits; this says who is here.
import type { PeerId } from "../base/index.ts";
import type { RaftNode } from "../replica/index.ts";
import type { Standing } from "./liveness.ts";
import { cleanName, type PresenceState } from "./presence-state.ts";
import { isKicked, seatOf, type Roster } from "./roster.ts";

/** One person of a session. */
export interface Attendee {
  readonly peer: PeerId;
  readonly name: string;
  /** From 0; undefined: a spectator. */
  readonly seat: number | undefined;
  /**
   * `here`: it is heard. `away`: silent, or its link is down, for less than the eviction window; it has its place, and its vote. `gone`: it said goodbye, or was
   * silent for longer: the seat waits for it, the vote does not.
   */
  readonly presence: Standing;
}

/** What is looked at. */
export interface PeopleView {
  readonly selfId: PeerId;
  readonly selfName: string;
  readonly groupId: string;
  readonly roster: Roster;
  readonly membership: RaftNode["membership"];
  /** What the others say of themselves, by peer. */
  readonly states: ReadonlyMap<PeerId, PresenceState>;
  readonly standingOf: (peer: PeerId) => Standing;
  readonly farewellOf: (peer: PeerId) => "part" | "vacate" | undefined;
}

/** Remembers what spectators are called, because the lobby forgets whoever is not connected. One per session. */
export class People {
  readonly #names = new Map<PeerId, string>();
  #shown: readonly Attendee[] = [];

  /** Takes down who watches this group; whoever plays by now is struck off. */
  heard(states: PeopleView["states"], groupId: string): void {
    for (const [peer, { declares, groupId: theirs, name }] of states) {
      if (declares === "spectate" && theirs === groupId) this.#names.set(peer, name);
      else this.#names.delete(peer);
    }
  }

  /** Seats in their order, then spectators by id. Same identity while nothing changed. Cost: linear in the people. */
  look(view: PeopleView): readonly Attendee[] {
    this.#forgetStrangers(view);
    const shown = [...seated(view), ...this.#watching(view)];
    if (shown.length !== this.#shown.length || shown.some((attendee, at) => !isSame(attendee, this.#shown[at]))) this.#shown = shown;
    return this.#shown;
  }

  /** Spectators are shown while they are connected or members, and not after they said goodbye for good: they have nothing to come back to. */
  #watching(view: PeopleView): readonly Attendee[] {
    const { selfId, selfName, roster } = view;
    const names = new Map(this.#names);
    for (const { peer, name } of roster.watchers) if (isMember(view, peer)) names.set(peer, view.states.get(peer)?.name ?? name);
    names.set(selfId, selfName);
    return [...names]
      .filter(([peer]) => seatOf(roster, peer) === undefined && !isKicked(roster, peer) && view.farewellOf(peer) !== "vacate")
      .map(([peer, name]) => ({ peer, name: cleanName(name), seat: undefined, presence: presenceOf(view, peer) }))
      .sort((a, b) => (a.peer < b.peer ? -1 : 1));
  }

  #forgetStrangers(view: PeopleView): void {
    for (const peer of this.#names.keys()) if (!view.states.has(peer) && !isMember(view, peer)) this.#names.delete(peer);
  }
}

function seated(view: PeopleView): readonly Attendee[] {
  return view.roster.seats.flatMap((taken, seat) => (taken === undefined ? [] : [{ peer: taken.peer, name: taken.name, seat, presence: presenceOf(view, taken.peer) }]));
}

/** A peer that is no member any more has used its grace up, however short its silence seems from here. */
function presenceOf(view: PeopleView, peer: PeerId): Standing {
  if (peer === view.selfId) return "here";
  const standing = view.standingOf(peer);
  const hasLeft = view.farewellOf(peer) !== undefined;
  if (standing === "here" && view.states.has(peer) && !hasLeft) return "here";
  return standing === "gone" || hasLeft || !isMember(view, peer) ? "gone" : "away";
}

function isMember({ membership: { voters, learners } }: PeopleView, peer: PeerId): boolean {
  return voters.includes(peer) || learners.includes(peer);
}

function isSame(a: Attendee, b: Attendee | undefined): boolean {
  return b !== undefined && a.peer === b.peer && a.name === b.name && a.seat === b.seat && a.presence === b.presence;
}
