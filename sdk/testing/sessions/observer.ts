// Sees what every session of a gathering hears and shows, and holds it against what was promised: one log per group, one owner per seat, nobody put out without reason.
import type { PeerId } from "../../base/index.ts";
import { hashBytes, hashText } from "../sim/draw.ts";
import { demand } from "../sim/violation.ts";
import { EMPTY_ROSTER, foldRoster, type GameSession, type Roster } from "../../session/index.ts";
import { decodeRosterCommand } from "../../session/roster.ts";
import { LANE_SESSION, type CommittedCommand, type LogEvent, type Membership } from "../../replica/index.ts";

/** What is known of a group from everything anybody committed in it. */
export interface GroupModel {
  readonly id: string;
  /** Who said the opening word, and when that was first seen. */
  founder: PeerId | undefined;
  openedAt: number | undefined;
  /** Index → digest of the command committed there. */
  readonly history: Map<number, number>;
  roster: Roster;
  /** The newest membership anybody in it has shown, by the highest log index seen with it. */
  membership: Membership | undefined;
  membershipAt: number;
}

/** What the observer asks the world. */
export interface Witness {
  readonly now: () => number;
  /** Why `id` may have been missed lately, or undefined: then nobody may put it out. */
  readonly excuseOf: (id: PeerId, groupId: string) => string | undefined;
  /** Whether this peer ever said what it came for. */
  readonly hasDeclared: (id: PeerId) => boolean;
  /** A group was opened by `founder`: whether it could know that there was one already. */
  readonly couldHaveKnown: (founder: PeerId, groupId: string) => string | undefined;
  readonly say: (line: string) => void;
}

/** The judge of a run while it runs. */
export class Observer {
  readonly groups: Map<string, GroupModel> = new Map();
  /** Commands committed over all groups. */
  commands = 0;
  readonly #witness: Witness;
  /** Broken rules found inside of listeners, where nothing may be thrown. */
  #found: unknown;

  constructor(witness: Witness) {
    this.#witness = witness;
  }

  /** Throws what was found since. */
  check(): void {
    if (this.#found !== undefined) throw this.#found;
  }

  /** States a rule where nothing may be thrown. */
  note(rule: string, holds: boolean, detail: () => string): void {
    this.#guard(() => demand(rule, holds, detail));
  }

  group(id: string): GroupModel {
    const known = this.groups.get(id);
    if (known !== undefined) return known;
    const made: GroupModel = { id, founder: undefined, openedAt: undefined, history: new Map(), roster: EMPTY_ROSTER, membership: undefined, membershipAt: 0 };
    this.groups.set(id, made);
    return made;
  }

  /** Watches a session until it closes. */
  watch(session: GameSession): void {
    const group = this.group(session.groupId);
    session.node.follow((event) => this.#guard(() => this.#hear(group, session, event)));
    session.on("change", () => this.#guard(() => this.#look(group, session)));
    this.#guard(() => this.#look(group, session));
  }

  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#found ??= error;
    }
  }

  #hear(group: GroupModel, session: GameSession, event: LogEvent): void {
    if (event.type === "install") return;
    const digest = digestOf(event);
    const known = group.history.get(event.index);
    demand("one-log", known === undefined || known === digest, () => `${session.selfId} has another command at ${event.index} of group ${group.id} than somebody before it`);
    if (known !== undefined) return;
    group.history.set(event.index, digest);
    this.commands += 1;
    if (event.lane === LANE_SESSION) this.#fold(group, event);
  }

  #fold(group: GroupModel, event: CommittedCommand): void {
    const before = group.roster;
    group.roster = foldRoster(before, event);
    if (group.roster === before) return;
    this.#witness.say(`group ${group.id} [${event.index}] by ${event.proposer}: ${seatsOf(group.roster)}`);
    const kind = decodeRosterCommand(event.payload).type;
    group.roster.seats.forEach((taken, seat) => {
      const owner = before.seats[seat]?.peer;
      demand("one-owner", owner === undefined || taken === undefined || taken.peer === owner || kind === "reseat", () => `seat ${seat} of ${owner} was given to ${taken?.peer} by ${kind}`);
    });
    if (before.seats.length > 0) return;
    group.founder = event.proposer;
    group.openedAt = this.#witness.now();
    const known = this.#witness.couldHaveKnown(event.proposer, group.id);
    demand("one-host", known === undefined, () => `${event.proposer} opened group ${group.id} beside ${known}`);
  }

  #look(group: GroupModel, { roster, node, isClosed, selfId }: GameSession): void {
    if (isClosed) return;
    judgeRoster(roster, selfId);
    const { membership, status: { commitIndex } } = node;
    if (membership === group.membership || membership.votersOutgoing.length > 0 || commitIndex <= group.membershipAt) return;
    const before = group.membership;
    group.membership = membership;
    group.membershipAt = commitIndex;
    for (const peer of membersOf(membership)) demand("undeclared", this.#witness.hasDeclared(peer), () => `${peer} is a member of ${group.id} and never said what it came for`);
    if (before === undefined || sameSet(membersOf(before), membersOf(membership))) return;
    this.#witness.say(`group ${group.id} voters ${membership.voters.join()} learners ${membership.learners.join()} (seen by ${selfId})`);
    for (const peer of membersOf(before)) {
      if (membersOf(membership).includes(peer) || group.roster.kicked.some((entry) => entry.peer === peer)) continue;
      const excuse = this.#witness.excuseOf(peer, group.id);
      demand("put-out", excuse !== undefined, () => `${peer} was taken out of ${group.id} although it was there all the time`);
    }
  }
}

/** No seat has two owners and no peer two seats, whoever looks. */
function judgeRoster(roster: Roster, viewer: PeerId): void {
  const owners = roster.seats.flatMap((taken) => (taken === undefined ? [] : [taken.peer]));
  demand("one-owner", new Set(owners).size === owners.length, () => `${viewer} sees somebody on two seats: ${seatsOf(roster)}`);
  for (const owner of owners) demand("one-owner", !roster.kicked.some(({ peer }) => peer === owner), () => `${viewer} sees ${owner} seated and kicked`);
}

/** Voters and learners. */
export function membersOf({ voters, votersOutgoing, learners }: Membership): readonly PeerId[] {
  return [...new Set([...voters, ...votersOutgoing, ...learners])].sort();
}

/** A roster in words. */
export function seatsOf(roster: Roster): string {
  const seats = roster.seats.map((taken) => taken?.peer ?? "-").join(" ");
  const spares = roster.watchers.map(({ peer, spare }) => `${peer}${spare ? "*" : ""}`).join(" ");
  return `${seats}${spares === "" ? "" : ` | ${spares}`}${roster.kicked.length === 0 ? "" : ` | kicked ${roster.kicked.map(({ peer }) => peer).join(" ")}`}`;
}

function sameSet(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every((peer) => b.includes(peer));
}

/** What must be equal of one committed command on every node. */
export function digestOf({ lane, key, proposer, payload, duplicate }: Pick<CommittedCommand, "lane" | "key" | "proposer" | "payload" | "duplicate">): number {
  return hashText(`${lane} ${key.clientId} ${key.requestId} ${proposer} ${duplicate}`, hashBytes(payload));
}
