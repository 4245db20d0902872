// A room full of people in virtual time: they come, leave, crash, reload and lose the network, as a plan says.
import { below, hasCode, peerId, seededRandom, utf8, type PeerId, type Random } from "../../base/index.ts";
import { isElsewhere } from "../../open-match-enter.ts";
import { MemoryHub } from "../../seam/index.ts";
import { seatOf, type GameSession } from "../../session/index.ts";
import { MemoryDisk } from "../../storage/index.ts";
import { STREAM, stream } from "../sim/draw.ts";
import { EventClock } from "./clock.ts";
import { Disturbances } from "./disturbances.ts";
import { digestOf, Observer } from "./observer.ts";
import type { GatheringPlan, Happening } from "./plan.ts";
import { isWorthAnotherTry, Tab } from "./tab.ts";

/** Silence after which a peer loses its vote, less what a probe and a sweep may add: nobody silent for less may be missed. */
const MISSED_AFTER_MS = 7_000;
/** How long ago a silence may have been for which somebody is put out now: a new leader begins to count anew. */
const MISSED_WITHIN_MS = 40_000;
/** Names as they are drawn: the order of arrival is not the order of ids. */
const LETTERS = "mzbkycxadwe";

/** Somebody in the room, with a disk and at most one tab. */
export interface Person {
  readonly id: PeerId;
  readonly disk: MemoryDisk;
  wants: "play" | "watch";
  tab: Tab | undefined;
  /** Comes back when everything is over; false: left, was put out, or lost its identity. */
  stays: boolean;
  /** When its last tab ended, or it last went in to another group. */
  downAt: number;
  /** The match it sat in when it was last looked at: where its next tab must come back to. */
  home: string | undefined;
  /** Its tab is on its way out. */
  ending: Promise<unknown>;
}

/** The world of one run. */
export class Gathering {
  readonly plan: GatheringPlan;
  readonly clock: EventClock = new EventClock();
  readonly hub: MemoryHub;
  readonly people: Person[] = [];
  readonly observer: Observer;
  readonly disturbances: Disturbances;
  /** What happened how often. */
  readonly marks: Map<string, number> = new Map();
  log: ((atMs: number, line: string) => void) | undefined;
  readonly #random: Random;
  readonly #mute = new Set<PeerId>();
  /** Ends of disturbances under way. */
  readonly #ends = new Set<() => void>();
  #count = 0;
  #moves = 0;

  constructor(plan: GatheringPlan) {
    this.plan = plan;
    this.#random = stream(plan.seed, STREAM.workload);
    const { delayMs, jitterMs, drop } = plan;
    this.hub = new MemoryHub({ clock: this.clock, random: stream(plan.seed, STREAM.network), faults: { delayMs, jitterMs, drop } });
    const now = (): number => this.clock.now();
    this.disturbances = new Disturbances(now);
    this.observer = new Observer({
      now,
      say: (line) => this.say(line),
      hasDeclared: (id) => this.people.some((person) => person.id === id),
      excuseOf: (id, groupId) => this.#excuseOf(id, groupId),
      couldHaveKnown: (founder, groupId) => this.#couldHaveKnown(founder, groupId),
    });
  }

  /** People with a tab that is in. */
  get inside(): readonly (Person & { readonly tab: Tab })[] {
    return this.people.filter((person): person is Person & { readonly tab: Tab } => sessionOf(person) !== undefined);
  }

  say(line: string): void {
    this.log?.(this.clock.now(), line);
  }

  mark(name: string): void {
    this.marks.set(name, (this.marks.get(name) ?? 0) + 1);
  }

  /** Lets one thing of the plan happen; returns whether it could. */
  happen(happening: Happening): void {
    const isDone = this.#happen(happening);
    if (isDone) this.mark(happening.kind);
  }

  /** Everything that was done to the network and to pages is undone, and who stays comes back. */
  heal(): void {
    for (const end of this.#ends) end();
    this.hub.setFaults({ delayMs: this.plan.delayMs, jitterMs: this.plan.jitterMs });
    this.say("healed");
    for (const person of this.people) if (person.stays && person.tab === undefined) this.open(person);
  }

  /** Opens the person's tab, as soon as the last one has given its disk back. */
  open(person: Person): void {
    void person.ending.then(() => {
      if (!person.stays || person.tab !== undefined) return;
      this.say(`${person.id} opens a tab to ${person.wants}`);
      const { seats, spares, learningSpectators } = this.plan;
      person.tab = new Tab({
        id: person.id, name: person.id, disk: person.disk, watches: person.wants === "watch", seats, spares, learningSpectators, clock: this.clock, hub: this.hub, random: this.#random,
        onSession: (session, isFirst) => this.#entered(person, session, isFirst),
        onOver: (why) => this.#over(person, why),
      });
    });
  }

  /** Ends a tab in whatever way, and demands that it leaves nothing. */
  end(person: Person, how: (tab: Tab) => Promise<void>): void {
    const { tab } = person;
    if (tab === undefined) return;
    person.tab = undefined;
    person.downAt = this.clock.now();
    person.ending = how(tab).then(() => this.observer.note("leak", tab.leftOver === "", () => `the tab of ${person.id} left ${tab.leftOver}`));
  }

  #entered(person: Person, session: GameSession, isFirst: boolean): void {
    this.say(`${person.id} is in ${session.groupId} ${seatOf(session.roster, person.id) === undefined ? "watching" : "seated"}`);
    person.downAt = this.clock.now();
    const { home } = person;
    let wasFed = false;
    const settle = (): void => {
      if (session.isClosed) return;
      const hasLostSeat = person.home === session.groupId && seatOf(session.roster, person.id) === undefined;
      person.home = seatOf(session.roster, person.id) === undefined ? undefined : session.groupId;
      const isFed = session.node.status.feed !== undefined;
      if (isFed && !wasFed) this.mark("fed");
      if (!isFed && wasFed) this.mark("fed-no-more");
      wasFed = isFed;
      // What a tab that has just come back shows of its seat may be old: whoever then finds that it has none asks for one.
      if (hasLostSeat && person.wants === "play") void session.sit().catch(() => undefined);
    };
    person.home = undefined;
    settle();
    session.on("change", settle);
    this.observer.watch(session);
    // Whoever finds nobody in its old match may join one that is played; a new one it must not open.
    const isNew = this.observer.group(session.groupId).founder === person.id;
    this.observer.note("way-back", !isFirst || !isNew || home === undefined || home === session.groupId, () => `${person.id} sat in ${home} and opened ${session.groupId}`);
    if (person.wants === "play" && seatOf(session.roster, person.id) === undefined) void session.sit().catch(() => undefined);
    if (person.wants === "watch" && seatOf(session.roster, person.id) !== undefined) this.#standUp(person, session);
    session.on("closed", (reason) => {
      person.downAt = this.clock.now();
      if (isElsewhere(reason)) person.home = undefined;
      this.say(`session of ${person.id} ended: ${reason?.message ?? "closed"}`);
    });
  }

  #over(person: Person, why: unknown): void {
    this.say(`${person.id} is out: ${why instanceof Error ? why.message : String(why)}`);
    this.end(person, (tab) => tab.ended);
    person.stays = isWorthAnotherTry(why);
    if (person.stays) this.clock.after(1_000, () => this.open(person));
    else this.observer.note("out", isKick(why), () => `${person.id} could not stay: ${String(why)}`);
  }

  #happen({ kind, who, ms }: Happening): boolean {
    const random = seededRandom(who);
    const one = <T>(list: readonly T[]): T | undefined => (list.length === 0 ? undefined : list[below(random, list.length)]);
    const live = this.people.filter(({ tab }) => tab !== undefined);
    switch (kind) {
      case "arrive":
        return this.#arrive("play");
      case "watch":
        return this.#arrive("watch");
      case "mute":
        return this.#arriveMute();
      case "leave":
        return this.#go(one(live.filter((person) => this.#mayLose(person))), "leave", ms);
      case "close":
        return this.#go(one(live), "close", ms * 3);
      case "reload":
        return this.#go(one(live), "reload", 50 + (ms % 2_000));
      case "crash":
        return this.#go(one(live), "crash", ms);
      case "wipe":
        return this.#go(one(live.filter((person) => this.#mayLose(person))), "wipe", ms);
      case "return":
        return this.#return(one(this.people.filter((person) => person.tab === undefined && person.stays)));
      case "blip":
        return this.#isolate(one(live), "both", ms % 4_000);
      case "one-way":
        return this.#isolate(one(live), below(random, 2) === 0 ? "in" : "out", ms);
      case "split":
        return this.#split(live, random, ms);
      case "cut":
        return this.#cut(one(live), one(live), ms);
      case "hide":
        return this.#turn(one(this.inside.filter((person) => sessionOf(person)?.node.role === "leader")) ?? one(live), true);
      case "show":
        return this.#turn(one(live.filter(({ tab }) => tab?.page.isHidden === true)), false);
      case "kick":
        return this.#kick(one(this.inside), one(live.filter((person) => this.#mayLose(person))));
      case "stand":
      case "sit":
        return this.#changePlaces(one(this.inside), kind);
      case "rename":
        return this.#ask(one(this.inside), (session) => session.rename(`name ${who % 100}`));
      case "move":
        return this.#move(one(this.inside));
    }
  }

  #newcomer(wants: "play" | "watch"): Person {
    const id = peerId(`${LETTERS[this.#count % LETTERS.length]}${(this.#count += 1)}`);
    const person: Person = { id, disk: new MemoryDisk(), wants, tab: undefined, stays: true, downAt: 0, home: undefined, ending: Promise.resolve() };
    this.people.push(person);
    return person;
  }

  #arrive(wants: "play" | "watch"): boolean {
    if (this.people.filter(({ stays }) => stays).length >= 7) return false;
    this.open(this.#newcomer(wants));
    return true;
  }

  /** A peer that connects and never says a word. */
  #arriveMute(): boolean {
    if (this.#mute.size >= 2) return false;
    const id = peerId(`q${(this.#count += 1)}`);
    this.#mute.add(id);
    this.hub.seam(id);
    return true;
  }

  #go(person: Person | undefined, how: "leave" | "close" | "reload" | "crash" | "wipe", ms: number): boolean {
    if (person === undefined) return false;
    this.say(`${person.id} ${how}`);
    if (how === "leave" || how === "wipe") person.stays = false;
    if (how === "crash" || how === "wipe") this.end(person, (tab) => tab.crash(ms % 7 === 0 ? undefined : 200 + (ms % 6_000)));
    else this.end(person, (tab) => (how === "leave" ? tab.leave() : tab.close()));
    if (person.stays) this.clock.after(ms, () => this.open(person));
    // The person stands at the door as somebody nobody knows.
    if (how === "wipe") this.clock.after(500 + ms % 3_000, () => this.open(this.#newcomer(person.wants)));
    return true;
  }

  #return(person: Person | undefined): boolean {
    if (person === undefined) return false;
    this.open(person);
    return true;
  }

  #block(pairs: readonly (readonly [PeerId, PeerId])[], ms: number): boolean {
    if (pairs.length === 0) return false;
    for (const [from, to] of pairs) {
      this.hub.block(from, to);
      this.disturbances.block(from, to);
    }
    return this.#undoAfter(ms, () => {
      for (const [from, to] of pairs) this.#join(from, to);
    });
  }

  #undoAfter(ms: number, undo: () => void): boolean {
    const end = (): void => {
      cancel();
      this.#ends.delete(end);
      undo();
    };
    const cancel = this.clock.after(ms, end);
    this.#ends.add(end);
    return true;
  }

  #isolate(person: Person | undefined, way: "both" | "in" | "out", ms: number): boolean {
    if (person === undefined) return false;
    this.say(`${person.id} is cut off (${way}) for ${ms} ms`);
    const others = this.people.filter((other) => other !== person).map(({ id }) => id);
    const inward = others.map((other) => [other, person.id] as const);
    const outward = others.map((other) => [person.id, other] as const);
    return this.#block([...(way === "out" ? [] : inward), ...(way === "in" ? [] : outward)], ms);
  }

  #split(live: readonly Person[], random: Random, ms: number): boolean {
    const side = new Map(live.map(({ id }) => [id, below(random, 2)]));
    this.say(`the network splits for ${ms} ms: ${[...side].map(([id, at]) => `${id}:${at}`).join(" ")}`);
    return this.#block(live.flatMap(({ id: a }) => live.flatMap(({ id: b }) => (side.get(a) !== side.get(b) ? [[a, b] as const] : []))), ms);
  }

  #cut(a: Person | undefined, b: Person | undefined, ms: number): boolean {
    if (a === undefined || b === undefined || a === b) return false;
    this.say(`the link of ${a.id} and ${b.id} breaks for ${ms} ms`);
    this.hub.cut(a.id, b.id);
    this.disturbances.block(a.id, b.id);
    this.disturbances.block(b.id, a.id);
    return this.#undoAfter(ms, () => this.#join(a.id, b.id));
  }

  /** Two people hear each other again, whatever was between them. */
  #join(a: PeerId, b: PeerId): void {
    this.hub.heal(a, b);
    this.disturbances.heal(a, b);
    this.disturbances.heal(b, a);
  }

  #turn(person: Person | undefined, isHidden: boolean): boolean {
    if (person?.tab === undefined) return false;
    this.say(`the page of ${person.id} is ${isHidden ? "hidden" : "shown"}`);
    person.tab.page.turn(isHidden);
    return true;
  }

  #kick(by: Person | undefined, whom: Person | undefined): boolean {
    if (by === undefined || whom === undefined || by === whom) return false;
    this.say(`${by.id} kicks ${whom.id}`);
    return this.#ask(by, (session) => session.kick(whom.id, "sim"));
  }

  #changePlaces(person: Person | undefined, kind: "stand" | "sit"): boolean {
    const session = person === undefined ? undefined : sessionOf(person);
    if (person === undefined || session === undefined) return false;
    if ((kind === "stand") !== (person.wants === "play")) return false;
    person.wants = kind === "stand" ? "watch" : "play";
    this.say(`${person.id} wants to ${person.wants}`);
    if (kind === "sit") return this.#ask(person, (entered) => entered.sit());
    this.#standUp(person, session);
    return true;
  }

  /** A word that was not agreed on in time is said again, as whoever presses the button would: nobody else may decide that. */
  #standUp(person: Person, session: GameSession): void {
    void session.stand().catch((error: unknown) => {
      const isStillWanted = person.wants === "watch" && sessionOf(person) === session && seatOf(session.roster, person.id) !== undefined;
      if (hasCode(error, "proposal-timeout") && isStillWanted) this.#standUp(person, session);
    });
  }

  /** A word whose outcome may stay open: it is asked for and nobody waits. */
  #ask(person: Person | undefined, word: (session: GameSession) => Promise<unknown>): boolean {
    const session = person === undefined ? undefined : sessionOf(person);
    if (session === undefined) return false;
    void word(session).catch(() => undefined);
    return true;
  }

  #move(person: Person | undefined): boolean {
    const session = person === undefined ? undefined : sessionOf(person);
    if (session === undefined) return false;
    const { groupId, node } = session;
    const payload = utf8(`move ${(this.#moves += 1)}`);
    void node.propose(payload).then(({ index, key }) => {
      this.mark("confirmed");
      const digest = digestOf({ lane: 1, key, proposer: node.id, payload, duplicate: false });
      this.observer.note("lost-move", this.observer.group(groupId).history.get(index) === digest, () => `a move confirmed to ${node.id} is not at ${index}`);
    }, () => undefined);
    return true;
  }

  /** Whether a match can go on without this person for ever, by whatever membership anybody may hold; a network that is whole hears it leave. */
  #mayLose(person: Person): boolean {
    if (this.#ends.size > 0) return false;
    return this.inside.every((other) => {
      const { voters, votersOutgoing } = other.tab.session?.node.membership ?? { voters: [], votersOutgoing: [] };
      return [voters, votersOutgoing].every((list) => !list.includes(person.id) || this.#returning(list).filter((id) => id !== person.id).length * 2 > list.length);
    });
  }

  /** Those of these voters that are here or will be. */
  #returning(voters: readonly PeerId[]): readonly PeerId[] {
    return voters.filter((id) => this.people.some((person) => person.id === id && person.stays));
  }

  /** The groups somebody is in that nobody can decide in any more: too many of its voters are gone for ever. */
  get stranded(): ReadonlySet<string> {
    const stranded = new Set<string>();
    for (const { tab } of this.inside) {
      const { groupId, node } = tab.session!;
      const { voters, votersOutgoing } = node.membership;
      if ([voters, votersOutgoing].some((list) => list.length > 0 && this.#returning(list).length * 2 <= list.length)) stranded.add(groupId);
    }
    return stranded;
  }

  #excuseOf(id: PeerId, groupId: string): string | undefined {
    const person = this.people.find((known) => known.id === id);
    if (person === undefined || !person.stays) return "left";
    const session = sessionOf(person);
    if (session === undefined || session.groupId !== groupId) return "not in";
    if (this.clock.now() - person.downAt < MISSED_WITHIN_MS) return "was down";
    if (this.disturbances.longestOf(id, MISSED_WITHIN_MS) >= MISSED_AFTER_MS) return "was cut off";
    // A learner that was promised a seat somebody else holds by now is not kept.
    return person.wants === "play" && seatOf(this.observer.group(groupId).roster, id) === undefined ? "has no seat" : undefined;
  }

  /** Somebody in another group whom `founder` must have heard before it opened one of its own. */
  #couldHaveKnown(founder: PeerId, groupId: string): string | undefined {
    const host = this.people.find(({ id }) => id === founder)?.tab;
    if (host === undefined) return undefined;
    const since = Math.max(host.openedAt, this.clock.now() - 5_000);
    const other = this.inside.find(({ id, tab }) => {
      const { groupId: theirs, isClosed } = tab.session!;
      if (id === founder || isClosed || theirs === groupId || (this.observer.groups.get(theirs)?.openedAt ?? this.clock.now()) > this.clock.now() - 1_000) return false;
      return tab.openedAt < this.clock.now() - 3_000 && this.disturbances.inTouch(id, founder, since);
    });
    return other === undefined ? undefined : `group ${other.tab.session?.groupId} of ${other.id}`;
  }
}

/** The person's running session. */
export function sessionOf({ tab }: Pick<Person, "tab">): GameSession | undefined {
  const session = tab?.session;
  return session === undefined || session.isClosed ? undefined : session;
}

function isKick(why: unknown): boolean {
  return typeof why === "object" && why !== null && "code" in why && (why.code === "kicked" || why.code === "roster-full");
}
