// Runs the session while this peer leads: looks at the world, takes the one step the decision names, looks again. Idle on everybody else.
import { hasCode, silentLogger, type Clock, type Logger, type PeerId } from "../base/index.ts";
import type { OwnershipFence } from "../durable/index.ts";
import { LANE_SESSION, type RaftNode } from "../replica/index.ts";
import type { AdmissionRequest, Admit } from "./admission.ts";
import type { Liveness } from "./liveness.ts";
import { audienceOf, decideManagement, type ManagementStep, type ManagementView, type Person } from "./management.ts";
import { cleanText, REASON_CHARS_MAX, REFUSALS_MAX, SEATS_MAX, seatClaimText, type LeadNotice, type PresenceState, type PublishedRefusal, type SeatClaim } from "./presence-state.ts";
import type { Presence } from "./presence.ts";
import { encodeRosterCommand, freeSeat, isKicked, seatOf, type Roster } from "./roster.ts";

export interface ManagerOptions {
  readonly node: RaftNode;
  readonly groupId: string;
  readonly presence: Presence;
  readonly liveness: Liveness;
  readonly clock: Clock;
  readonly roster: () => Roster;
  /** What the group is led under; undefined while that is nobody's to say. */
  readonly mandate: () => Mandate | undefined;
  readonly admit: Admit | undefined;
  readonly verifyClaim: VerifyClaim | undefined;
  readonly spares: boolean;
  readonly learningSpectators?: number | undefined;
  /** The witness this peer reaches is caught up. */
  readonly witnessCaughtUp: () => boolean;
  /** The fixed core this peer is of, in byte order. */
  readonly core?: readonly PeerId[] | undefined;
  /** How often silence is looked at, ms. */
  readonly sweepMs: number;
  readonly logger?: Logger | undefined;
}

/** The right to lead: a fork's is the fence committed in its log. */
export interface Mandate {
  readonly fence: OwnershipFence | undefined;
}

/** Whether the claim was signed, over `text`, with a key whose peer id is `claim.peer`. */
export type VerifyClaim = (claim: SeatClaim, text: string) => Promise<boolean>;

/** What the game's own rule said of a peer at the door, or of a spectator that wants a seat. */
type Verdict = "asking" | "admitted" | { readonly refuse: string } | { readonly seatOf: PeerId };

/** A verdict, and what it was asked for: whoever may watch may not yet play. */
interface Asked {
  readonly wants: AdmissionRequest["wants"];
  readonly verdict: Verdict;
}

/** A step under way. */
interface Running {
  readonly step: ManagementStep;
  readonly abort: AbortController;
  /** Resolves once it ended, in whatever way. */
  done: Promise<void>;
}

/** One leader's work; make one per node and `poke` it after every change. */
export class Manager {
  readonly #options: ManagerOptions;
  readonly #verdicts = new Map<PeerId, Asked>();
  /** Claims as they were made → whether they hold; undefined while that is being found out. */
  readonly #claims = new Map<SeatClaim, boolean | undefined>();
  /** Who may be fed; empty while somebody else leads. */
  #audience: ReadonlySet<PeerId> = new Set();
  #leadsTerm = 0;
  #running: Running | undefined;
  /** The last step done and the world it was done in: a step that changed nothing is not repeated before the world changes. */
  #done = "";
  #isScheduled = false;
  #isStopped = false;
  #stopSweep: () => void = () => {};
  #stopWaiting: () => void = () => {};

  constructor(options: ManagerOptions) {
    this.#options = options;
  }

  /** Something changed: looks again, soon and once. */
  poke(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    void Promise.resolve().then(() => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#look();
    });
  }

  /** While this peer leads: the peer watches without being a member, and may. */
  mayBeFed(peer: PeerId): boolean {
    return this.#audience.has(peer);
  }

  /** Takes no further step; resolves once the one under way has ended, undefined when there is none. */
  finish(): Promise<void> | undefined {
    this.#isStopped = true;
    this.#stopSweep();
    this.#stopWaiting();
    return this.#running?.done;
  }

  /** Takes no further step and leaves no timer. */
  stop(): void {
    this.#isStopped = true;
    this.#running?.abort.abort();
    this.#stopSweep();
    this.#stopWaiting();
  }

  #look(): void {
    const { node, presence } = this.#options;
    const { role, term } = node.status;
    const mandate = this.#options.mandate();
    if (role !== "leader" || mandate === undefined) return this.#rest();
    if (this.#leadsTerm !== term) this.#begin(term);
    this.#forgetVerdicts();
    const view = this.#view();
    presence.set({ lead: { ...this.#notice(view), fence: mandate.fence } });
    this.#audience = new Set([...audienceOf(view), ...[...this.#audience].filter((peer) => this.#watchesOn(view, peer))]);
    const step = decideManagement(view);
    if (step !== undefined) this.#take(step, view);
  }

  /** Who was let in to watch is in as long as it stays, also where it is refused a seat. */
  #watchesOn({ membership: { voters, learners }, people, roster }: ManagementView, peer: PeerId): boolean {
    const person = people.get(peer);
    return person?.declares === "spectate" && person.inGroup && person.leaving === undefined && !isKicked(roster, peer) && !voters.includes(peer) && !learners.includes(peer);
  }

  #begin(term: number): void {
    this.#rest();
    this.#leadsTerm = term;
    this.#done = "";
    const { membership } = this.#options.node;
    this.#options.liveness.restart([...membership.voters, ...membership.votersOutgoing, ...membership.learners]);
    this.#sweepLater();
  }

  /** Not the leader (any more): the word of the leader is somebody else's. */
  #rest(): void {
    this.#stopSweep();
    this.#stopSweep = () => {};
    this.#stopWaiting();
    this.#running?.abort.abort();
    this.#leadsTerm = 0;
    this.#audience = new Set();
    this.#options.presence.set({ lead: undefined });
  }

  #sweepLater(): void {
    const { clock, liveness, sweepMs } = this.#options;
    this.#stopSweep = clock.after(sweepMs, () => {
      liveness.sweep(sweepMs);
      this.#done = "";
      this.#sweepLater();
      this.poke();
    });
  }

  #view(): ManagementView {
    const { node, presence, spares, learningSpectators, witnessCaughtUp, core } = this.#options;
    const { membership } = node;
    const known = new Set<PeerId>([...membership.voters, ...membership.votersOutgoing, ...membership.learners, ...presence.states.keys()]);
    for (const taken of this.#roster.seats) if (taken !== undefined) known.add(taken.peer);
    const people = new Map<PeerId, Person>();
    for (const peer of known) people.set(peer, peer === node.id ? selfAsPerson(presence.self) : this.#person(peer));
    this.#forgetClaims();
    return { self: node.id, membership, roster: this.#roster, people, spares, learningSpectators, witnessCaughtUp: witnessCaughtUp(), core };
  }

  get #roster(): Roster {
    return this.#options.roster();
  }

  #person(peer: PeerId): Person {
    const { presence, liveness, groupId } = this.#options;
    const state = presence.states.get(peer);
    const standing = liveness.standingOf(peer);
    return {
      declares: state?.declares,
      name: state?.name ?? "",
      inGroup: state?.groupId === groupId,
      elsewhere: state?.groupId !== undefined && state.groupId !== groupId,
      synced: state?.synced === true,
      // Without a word in the lobby a peer is not here, however alive its link looks: it left, or it never said what it wants.
      standing: standing === "here" && state === undefined ? "away" : standing,
      leaving: presence.farewellOf(peer),
      hidden: state?.hidden === true,
      asksSeat: state?.asksSeat === true,
      neverVotes: state?.neverVotes === true,
      stoodUpAt: state?.stoodUpAt,
      admitted: this.#isAdmitted(peer, state),
      was: this.#provenPast(peer, state?.claim),
      witness: state?.witness,
      opens: state?.opens,
      rules: state?.rules,
    };
  }

  /** Whom `peer` has been, by the game's own rule or by a proof; asks for the proof to be checked when that is new. */
  #provenPast(peer: PeerId, claim: SeatClaim | undefined): PeerId | undefined {
    const { verifyClaim, groupId, logger = silentLogger } = this.#options;
    const verdict = this.#verdicts.get(peer)?.verdict;
    if (typeof verdict === "object" && "seatOf" in verdict) return verdict.seatOf;
    if (claim === undefined || verifyClaim === undefined || claim.peer === peer) return undefined;
    if (this.#claims.has(claim)) return this.#claims.get(claim) === true ? claim.peer : undefined;
    this.#claims.set(claim, undefined);
    const settle = (holds: boolean): void => {
      this.#claims.set(claim, holds);
      if (!holds) logger.info(`${peer} claims the seat of ${claim.peer} without proof`);
      this.poke();
    };
    void verifyClaim(claim, seatClaimText(groupId, claim.peer, peer)).then(settle, () => settle(false));
    return undefined;
  }

  #forgetClaims(): void {
    const made = new Set([...this.#options.presence.states.values()].map(({ claim }) => claim));
    for (const claim of this.#claims.keys()) if (!made.has(claim)) this.#claims.delete(claim);
  }

  /** Members and returning players were admitted before; everybody else, and a spectator that wants a seat, is put to the game's rule, once per visit. */
  #isAdmitted(peer: PeerId, state: PresenceState | undefined): boolean {
    const { admit, node, presence, core } = this.#options;
    const isSeated = seatOf(this.#roster, peer) !== undefined;
    const isInside = isSeated || node.membership.voters.includes(peer) || node.membership.learners.includes(peer) || this.#audience.has(peer);
    const wants = state?.declares === "spectate" && !(isInside && state.asksSeat === true) ? "watch" : "seat";
    const isKnown = isInside && (isSeated || state?.declares !== "spectate" || wants === "watch");
    if (isKnown || state === undefined) return true;
    // A core plays nothing itself: what is played there is what the first one asks for.
    const isOpen = core === undefined || this.#roster.seats.length > 0;
    const rules = core === undefined ? presence.self.rules : this.#roster.rules;
    if (isOpen && state.rules !== rules) this.#verdicts.set(peer, { wants, verdict: { refuse: `this match plays ${rules ?? "something else"}: load the same version` } });
    else if (admit === undefined) return true;
    const asked = this.#verdicts.get(peer);
    if (asked?.wants !== wants && admit !== undefined) this.#ask(admit, { peer, name: state.name, wants, returning: false, absent: this.#absent() });
    const settled = this.#verdicts.get(peer)?.verdict;
    return settled === "admitted" || (typeof settled === "object" && "seatOf" in settled);
  }

  #absent(): AdmissionRequest["absent"] {
    const { presence, liveness, node } = this.#options;
    return this.#roster.seats.flatMap((taken, seat) => {
      const isHere = taken === undefined || taken.peer === node.id || (presence.states.has(taken.peer) && liveness.standingOf(taken.peer) === "here");
      return isHere ? [] : [{ seat, ...taken }];
    });
  }

  #ask(admit: Admit, request: AdmissionRequest): void {
    const { wants } = request;
    const asking: Asked = { wants, verdict: "asking" };
    this.#verdicts.set(request.peer, asking);
    const settle = (verdict: Verdict): void => {
      if (this.#verdicts.get(request.peer) !== asking) return;
      this.#verdicts.set(request.peer, { wants, verdict });
      this.poke();
    };
    void Promise.resolve(request)
      .then(admit)
      .then(
        (verdict) => settle(verdict === true ? "admitted" : "seatOf" in verdict ? verdict : { refuse: cleanText(verdict.refuse, REASON_CHARS_MAX) }),
        (error: unknown) => {
          this.#options.logger?.error("admit failed; the peer is refused", error);
          settle({ refuse: "admission failed" });
        },
      );
  }

  #forgetVerdicts(): void {
    for (const peer of this.#verdicts.keys()) if (!this.#options.presence.states.has(peer)) this.#verdicts.delete(peer);
  }

  #notice({ membership, roster, people }: ManagementView): LeadNotice {
    // A seat that was given up is as good as free: nobody is turned away in the moment before that is committed.
    const isSeatComing = roster.seats.some((taken) => taken !== undefined && people.get(taken.peer)?.leaving === "vacate");
    const seated = roster.seats.flatMap((taken) => (taken === undefined ? [] : [taken.peer])).slice(0, SEATS_MAX);
    return {
      term: this.#leadsTerm,
      members: membership.voters.length + membership.learners.length,
      admission: freeSeat(roster) === undefined && !isSeatComing ? "closed" : "open",
      spectators: roster.spectators,
      seats: roster.seats.length,
      openedAt: roster.openedAt,
      seated,
      refused: this.#refusals(roster),
    };
  }

  /** Kicked peers first find out why before they hear that all seats are taken; the game's refusals are answers to who stands at the door. */
  #refusals(roster: Roster): readonly PublishedRefusal[] {
    const refused = [...this.#verdicts].flatMap(([peer, { verdict }]): PublishedRefusal[] => (typeof verdict === "object" && "refuse" in verdict ? [{ peer, code: "refused", reason: verdict.refuse }] : []));
    const kicked = roster.kicked.map(({ peer, reason }): PublishedRefusal => ({ peer, code: "kicked", reason }));
    return [...kicked.slice(-REFUSALS_MAX / 2), ...refused].slice(-REFUSALS_MAX);
  }

  #take(step: ManagementStep, view: ManagementView): void {
    const fingerprint = JSON.stringify([step, view.membership, view.roster.index]);
    if (fingerprint === this.#done) return;
    if (this.#running !== undefined) {
      // What can not commit while a dead voter is counted must not keep that voter from being taken out.
      const isOvertaken = step.type === "change" && (this.#running.step.type === "command" || step.voters.length === 1);
      if (isOvertaken && JSON.stringify(step) !== JSON.stringify(this.#running.step)) this.#running.abort.abort();
      return;
    }
    const running: Running = { step, abort: new AbortController(), done: Promise.resolve() };
    this.#running = running;
    running.done = this.#run(running).then(
      () => this.#ended(running, fingerprint),
      (error: unknown) => {
        this.#options.logger?.debug("a management step did not finish", step, error);
        // Too early: an entry of this term, or a change before, is not committed.
        if (hasCode(error, "membership-change-in-progress")) return this.#putOff(running);
        // Refused, timed out or no longer leading: the next sweep or change looks again.
        this.#ended(running, running.abort.signal.aborted ? "" : fingerprint);
      },
    );
  }

  async #run({ step, abort: { signal } }: Running): Promise<void> {
    const { node, logger = silentLogger } = this.#options;
    logger.info(`session: ${step.type}`, step);
    if (step.type === "transfer") await node.transferLeadership(step.to);
    else if (step.type === "change") await node.changeMembership({ voters: step.voters, learners: step.learners }, { signal });
    else await node.propose(encodeRosterCommand(step.command), { lane: LANE_SESSION, signal });
  }

  /** As if it had not been tried; looked at again as soon as the node has got further. */
  #putOff(running: Running): void {
    if (this.#running === running) this.#running = undefined;
    this.#done = "";
    this.#stopWaiting();
    this.#stopWaiting = this.#options.node.on("status", () => {
      this.#stopWaiting();
      this.poke();
    });
  }

  #ended(running: Running, fingerprint: string): void {
    if (this.#running === running) this.#running = undefined;
    this.#done = fingerprint;
    this.poke();
  }
}

function selfAsPerson({ declares, name, hidden = false, asksSeat = false, stoodUpAt, claim, witness }: PresenceState): Person {
  return { declares, name, inGroup: true, elsewhere: false, synced: true, standing: "here", leaving: undefined, hidden, asksSeat, stoodUpAt, was: claim?.peer, admitted: true, witness };
}
