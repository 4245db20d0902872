// One peer's place in a gathering: lobby, node, roster and management over one seam. How one gets in stands in enter.ts.
import { createNanoEvents } from "nanoevents";
import { ClosedError, hasCode, silentLogger, type Clock, type Logger, type PeerId, type Random } from "../base/index.ts";
import { fenceLane, fenceFor, LogFence, type OwnershipFence } from "../durable/index.ts";
import { LANE_FENCE, LANE_SESSION, isWitness, openReplica, raftConfig, witnessGroupOf, type LaneReducer, type LogEvent, type NodeChannel, type NodeStatus, type RaftConfig, type RaftNode, type Replica, type ReplicaOptions } from "../replica/index.ts";
import { APPLICATION_TAG, joinChannels, MuxSeam, NamedMux, PRESENCE_TAG, RAFT_TAG, type Seam } from "../seam/index.ts";
import type { ByteStore } from "../storage/index.ts";
import type { Admit } from "./admission.ts";
import { DuplicateHostError, KickedError } from "./errors.ts";
import { Liveness, type Standing } from "./liveness.ts";
import { fenceOf, isHeld, lineageOf, refusedBy } from "./lineage.ts";
import { betterGroup, publishedRefusal, visibleGroups } from "./lobby.ts";
import { Manager, type Mandate, type VerifyClaim } from "./manager.ts";
import { cleanName, cleanText, REASON_CHARS_MAX, type Declaration, type PresenceState, type SeatClaim } from "./presence-state.ts";
import { People, type Attendee } from "./people.ts";
import { Presence } from "./presence.ts";
import { RoundTripProbe } from "./probe.ts";
import { RematchWish } from "./rematch-wish.ts";
import { EMPTY_ROSTER, encodeRosterCommand, foldRoster, isKicked, rosterLane, seatOf, stoodUpAt, type Roster } from "./roster.ts";
import { storageOfGroup } from "./stored-group.ts";
import { waitFor } from "./wait.ts";
import { WayBack } from "./way-back.ts";
import { WitnessWatch, type OpenWitnessLink } from "./witness.ts";

/** How long a leader that leaves waits for a step under way, ms: a round trip or two. */
const LINGER_MS = 1_000;
/** Tag of the channel that carries probes; 1 to 3 are the contract's. */
const PROBE_TAG = 4;
/** Tag of the channel on which an audience is fed; 5 to 8 are those of a match. */
const FEED_TAG = 9;

/** Whether the page can be seen: a hidden one leaves leading to others. */
export interface PageVisibility {
  readonly isHidden: boolean;
  /** Calls `listener` after each change; returns the function that stops it. */
  on(event: "visibility", listener: () => void): () => void;
}

/** What every way in takes. */
export interface SessionOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Whole ms since 1970, stamped on log entries for games' logged time. Default: the clock's `now`. */
  readonly wallClock?: (() => number) | undefined;
  /** Shown to the others. Default "Player". */
  readonly name?: string | undefined;
  /** What is played, such as a game's `name@version`, at most 200 characters; peers that came for something else are refused. */
  readonly rules?: string | undefined;
  /** Overrides of the `browser` preset. */
  readonly raftConfig?: Partial<RaftConfig> | undefined;
  /** The game's own rule about newcomers; asked on whoever leads, so give it to every peer. Default: everybody may come. */
  readonly admit?: Admit | undefined;
  /** Silence after which a peer is shown as away, ms. Default 3000. */
  readonly awayAfterMs?: number | undefined;
  /** Silence after which a peer loses its vote (never its seat), ms. Default 10 000. */
  readonly evictAfterMs?: number | undefined;
  /** Spectators lend their votes where the number of voters would be even. Default true. */
  readonly spares?: boolean | undefined;
  /** Spectators that are members of the group, and can lend their votes; further ones are fed by members and by each other. Asked of whoever leads, so give it to every peer. Default 4. */
  readonly learningSpectators?: number | undefined;
  /** Spectators that this peer feeds at most. Default 8. */
  readonly feedFanOut?: number | undefined;
  /** This peer's own records, nobody else's: the logs of its groups, and which of them it was in last. It must hold everything this peer id ever wrote. Default: memory, which must never be followed by a return under the same id. Not closed with the session. */
  readonly storage?: ByteStore | undefined;
  /** Lanes of the log beside the session's own and the fences'. The same for everybody in the group: what a lane holds is lost where one peer does not fold it. Default: none. */
  readonly lanes?: readonly LaneReducer<unknown>[] | undefined;
  /** Opens the same records once more, when their connection was lost; without it that ends the node. */
  readonly reopenStorage?: (() => Promise<ByteStore>) | undefined;
  /** Checks who a returning player was (see {@link GameSession.claimSeat}); give it to everybody. Default: nobody is believed. */
  readonly verifyClaim?: VerifyClaim | undefined;
  /** Opens the way to a witness: where the people alone would be an even number of voters, it votes with them, once everybody reaches it. Default: none. */
  readonly witness?: OpenWitnessLink | undefined;
  /** Default: always visible. */
  readonly visibility?: PageVisibility | undefined;
  readonly logger?: Logger | undefined;
  /** Gives up entering and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

/** What a session tells its listeners. */
export interface SessionEvents {
  /** Anything changed: node status, roster, presence, peers, round trips. Not while it is unchanged. */
  change: () => void;
  /** It is over: by `close` or `leave` (no reason), a kick, a better host, a torn seam. Once, and the last event. */
  closed: (reason: Error | undefined) => void;
}

/** One peer's place in a gathering. */
export interface GameSession {
  readonly selfId: PeerId;
  readonly groupId: string;
  /** The node underneath. */
  readonly node: RaftNode;
  /** Who sits where, as committed. */
  readonly roster: Roster;
  /** Who is here: every seat taken and every spectator, `here`, `away` or `gone` as it looks from here. Seats first, then spectators by id; the same array while nothing changed, and `change` tells when it did. */
  readonly people: readonly Attendee[];
  /** Of a match that somebody went on with alone: who did, and under which epoch, as committed in its log. Undefined in the match as it was opened. */
  readonly fence: OwnershipFence | undefined;
  readonly presence: Presence;
  /** Peer → last round trip, ms. */
  readonly roundTripMs: Readonly<Record<string, number>>;
  /** True once closed. */
  readonly isClosed: boolean;
  /** Why it ended by itself; undefined while it has not. */
  readonly failure: Error | undefined;
  /** How a peer looks from here. */
  standingOf(peer: PeerId): Standing;
  /** Application traffic under a name of 1 to 255 UTF-8 bytes; every name is free. Same instance per name; closing it closes the view only. */
  appChannel(name: string): Seam;
  /** Adds a listener; returns the function that removes it. All are removed once `closed` was told. */
  on<K extends keyof SessionEvents>(event: K, listener: SessionEvents[K]): () => void;
  /** Puts a peer out for good; committed when it resolves. Void unless this peer holds a seat. */
  kick(peer: PeerId, reason?: string): Promise<void>;
  /** Changes the name in presence and, when seated, in the roster. */
  rename(name: string): Promise<void>;
  /**
   * A spectator's wish to play: resolves once it holds a seat, at once when it does already. Waits while none is free, behind those who came to play; `stand` or the
   * signal takes the wish back (`ClosedError`, the signal's reason). Rejects with `AdmissionRefusedError` when the game's own rule says no.
   */
  sit(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Gives up the seat, or the wish for one, and stays as a spectator; committed when it resolves. */
  stand(): Promise<void>;
  /**
   * Asks for another game with the same people, in the same seats. Resolves once it has begun: when everybody who sits asks for it, by a committed word; that somebody
   * goes begins nothing, asking again does. Until then the signal takes the wish back, unless another call waits, and rejects with its reason; whoever loses its seat
   * meanwhile, or calls `cancelRematch`, is rejected with `ClosedError`. While nobody leads it is said again and again. A wish outlives its tab: who comes back
   * asks still (`roster.asked`), and can ask again to wait, or `cancelRematch`. What it means that a game
   * begins (`roster.game` is one more) is for whoever folds the log. Rejects with `InvalidArgumentError` without a seat, and as a node that serves no more does.
   */
  rematch(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /** Takes back the wish for another game, this tab's or one from before it was reloaded. Resolves once that is committed, or nothing is left to take back. Rejects as a node that serves no more does. */
  cancelRematch(): Promise<void>;
  /** Frees the seat of somebody else, who may watch on, and may come back to whatever seat is free then. Committed when it resolves; void unless this peer holds a seat. */
  vacate(peer: PeerId): Promise<void>;
  /** Asks for the seat of a peer this person was before, with a proof signed by that peer's key over `seatClaimText`. The leader moves the seat once the proof holds, this peer is a caught-up member without a seat, and the other is not here any more. */
  claimSeat(claim: SeatClaim): void;
  /** Says at once and synchronously that this tab goes away (usable in `pagehide`), handing leadership over. Default `keep-seat`: it may come back. */
  part(seat?: "keep-seat" | "give-up-seat"): void;
  /**
   * Gives up the seat, hands leadership over, and closes: in this very task, except for a leader in the middle of a change of voters, which waits up to a second for it
   * (`close` ends that wait). `onParting` is called just before the goodbye is said.
   */
  leave(options?: { readonly onParting?: (() => void) | undefined }): Promise<void>;
  /** Ends everything the session started. The seam it was given stays open. Idempotent. */
  close(): Promise<void>;
}

/** The working parts; made and driven by enter.ts. */
export class Session implements GameSession {
  readonly selfId: PeerId;
  readonly presence: Presence;
  readonly options: SessionOptions;
  readonly wayBack: WayBack;
  readonly #seam: Seam;
  readonly #mux: MuxSeam;
  readonly #apps: NamedMux;
  readonly #liveness: Liveness;
  readonly #probe: RoundTripProbe;
  readonly #people = new People();
  readonly #rematch: RematchWish;
  readonly #events = createNanoEvents<SessionEvents>();
  readonly #offs: (() => void)[] = [];
  #membersLane: LaneReducer<Roster> = rosterLane;
  #roster: Roster = EMPTY_ROSTER;
  #groupId = "";
  #node: Replica | undefined;
  #witness: WitnessWatch | undefined;
  #stopNode: () => void = () => {};
  #manager: Manager | undefined;
  #closing: Promise<void> | undefined;
  #failure: Error | undefined;
  #isSeated = false;
  /** The fixed core this peer is of: its match is nobody else's to fork or to end. */
  #core: readonly PeerId[] | undefined;
  /** On its way in, what it came for: newer than the end of a seat that a log of before tells of. */
  #cameFor: Pick<PresenceState, "declares" | "asksSeat"> | undefined;
  #isLingering = false;
  #onParting: (() => void) | undefined;
  /** Set while somebody waits for a seat; `stand` takes it away. */
  #wish: object | undefined;
  /** Words under way that give up the seat: a wish to sit that came after them stands. */
  #standingUp = 0;
  #stopWatching: () => void = () => {};
  #standings = "";
  /** Whom the node begins with when it looks for somebody to be fed by. */
  #fedFrom: PeerId | undefined;
  #managed: Pick<NodeStatus, "role" | "term" | "membership"> | undefined;

  constructor(seam: Seam, declares: Declaration, options: SessionOptions, { asksSeat, opens, neverVotes }: Pick<PresenceState, "asksSeat" | "opens" | "neverVotes"> = {}) {
    this.selfId = seam.selfId;
    this.options = options;
    this.#seam = seam;
    this.#mux = new MuxSeam(seam);
    this.#apps = new NamedMux(this.#mux.channel(APPLICATION_TAG));
    const { clock, awayAfterMs = 3_000, evictAfterMs = 10_000 } = options;
    const lookedAtEveryMs = Math.max(50, Math.min(1_000, awayAfterMs / 3));
    this.#liveness = new Liveness(seam, { clock, awayAfterMs, goneAfterMs: evictAfterMs, lookedAtEveryMs });
    this.presence = new Presence(this.#mux.channel(PRESENCE_TAG), { declares, name: cleanName(options.name ?? ""), rules: options.rules, opens, neverVotes, synced: false, asksSeat, hidden: options.visibility?.isHidden || undefined });
    this.#probe = new RoundTripProbe(this.#mux.channel(PROBE_TAG), { clock, onChange: () => this.#events.emit("change"), stamp: () => this.presence.stamp, onStamp: (from, stamp) => this.presence.expect(from, stamp) });
    this.#watchStandings(lookedAtEveryMs);
    this.#rematch = new RematchWish({
      self: this.selfId, clock, roster: () => this.#roster, ended: () => (this.isClosed ? (this.#failure ?? new ClosedError("the session")) : undefined),
      propose: (command) => this.propose(command), subscribe: (changed) => this.#onAnyChange(changed),
    });
    this.wayBack = new WayBack(seam.selfId, options, () => this.changed());
    const { visibility } = options;
    if (visibility !== undefined) this.#offs.push(visibility.on("visibility", () => this.presence.set({ hidden: visibility.isHidden || undefined })));
    this.#offs.push(
      this.presence.on("change", (states) => {
        this.#people.heard(states, this.#groupId);
        this.changed();
      }),
      seam.on("peers", () => this.changed()),
      seam.on("state", (state) => {
        if (state.phase === "torn") this.fail(new ClosedError(`the seam (${state.reason})`));
      }),
    );
  }

  get groupId(): string {
    return this.#groupId;
  }

  get node(): RaftNode {
    if (this.#node === undefined) throw new ClosedError("the session (it has no node)");
    return this.#node;
  }

  /** The node, when there is one. */
  get openedNode(): RaftNode | undefined {
    return this.#node;
  }

  get fence(): OwnershipFence | undefined {
    return this.#node && fenceOf(this.#groupId, this.#node.laneState(fenceLane));
  }

  get roster(): Roster {
    return this.#roster;
  }

  get people(): readonly Attendee[] {
    const { selfId, presence, roster, node: { membership } } = this;
    const { self: { name: selfName }, states } = presence;
    return this.#people.look({ selfId, selfName, groupId: this.#groupId, roster, membership, states, standingOf: (peer) => this.standingOf(peer), farewellOf: (peer) => presence.farewellOf(peer) });
  }

  get roundTripMs(): Readonly<Record<string, number>> {
    return this.#probe.roundTripMs;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** Why the session ended by itself. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Everybody connected now. */
  get connected(): ReadonlySet<PeerId> {
    return this.#seam.peers;
  }

  standingOf(peer: PeerId): Standing {
    if (isWitness(peer)) return this.presence.self.witness === peer ? "here" : "gone";
    return this.#liveness.standingOf(peer);
  }

  appChannel(name: string): Seam {
    return this.#apps.channel(name);
  }

  on<K extends keyof SessionEvents>(event: K, listener: SessionEvents[K]): () => void {
    return this.#events.on(event, listener);
  }

  /** Starts this peer's node of a group: as one of `voters`, or empty, waiting to be told. `roster` is who sits where before the log says anything; `founding` an exported log the group begins with. */
  async openNode(groupId: string, voters: readonly PeerId[] | undefined, { roster = EMPTY_ROSTER, founding }: { readonly roster?: Roster | undefined; readonly founding?: Uint8Array | undefined } = {}): Promise<RaftNode> {
    const { clock, random, raftConfig: config, wallClock = (): number => Math.floor(clock.now()), logger, storage, reopenStorage: reopen } = this.options;
    this.#groupId = groupId;
    this.#membersLane = { ...rosterLane, initial: roster };
    this.#roster = roster;
    const ownStorage = storage === undefined ? undefined : storageOfGroup(storage, groupId);
    const reopenStorage = reopen === undefined ? undefined : async (): Promise<ByteStore> => storageOfGroup(await reopen(), groupId);
    const node = await openReplica({ groupId, seam: this.#channelOf(groupId), clock, random, config, wallClock, logger, voters, lanes: [this.#membersLane, fenceLane, ...(this.options.lanes ?? [])], storage: ownStorage, reopenStorage, identity: ownStorage === undefined ? "auto" : "durable", founding, feed: this.#feedOptions() });
    if (this.isClosed) {
      await node.close();
      await this.#witness?.stop();
      throw this.#failure ?? new ClosedError("the session");
    }
    this.#node = node;
    this.#fedFrom = undefined;
    this.wayBack.opened(node, groupId);
    const offs = [node.on("status", (status) => this.#nodeChanged(status)), node.follow((event) => this.#fold(event))];
    this.#stopNode = () => offs.forEach((off) => off());
    this.presence.set({ groupId, synced: false });
    this.#people.heard(this.presence.states, groupId);
    this.changed();
    return node;
  }

  /** Where the group's frames travel: between the tabs, and from each to a witness, which gets nothing else. */
  #channelOf(groupId: string): NodeChannel {
    const channel = this.#mux.channel(RAFT_TAG);
    const { witness: open, clock, awayAfterMs: graceMs = 3_000, raftConfig: config } = this.options;
    if (open === undefined) return channel;
    const watch = new WitnessWatch({ clock, graceMs, onReach: (witness) => this.presence.set({ witness }) });
    const onChange = (): void => {
      watch.look();
      this.changed();
    };
    const link = open({ group: witnessGroupOf(groupId), leaseMs: raftConfig(config).electionTimeoutMsMin, onChange });
    watch.link = link;
    this.#witness = watch;
    watch.look();
    return joinChannels(channel, link, isWitness);
  }

  #feedOptions(): ReplicaOptions["feed"] {
    return {
      channel: this.#mux.channel(FEED_TAG), fanOut: this.options.feedFanOut,
      admits: (peer) => this.#manager?.mayBeFed(peer) === true,
      refuses: (peer) => isKicked(this.#roster, peer),
    };
  }

  /** Who watches is fed, unless it is a member; a machine that hears its leader needs nobody else. */
  #watch(): void {
    const { declares, groupId } = this.presence.self;
    // What a feed says of a seat may be false: the way to the leader stays open until this peer's own log says so.
    const isFed = this.#node?.status.feed !== undefined;
    const leader = (declares === "spectate" || isFed) && groupId !== undefined ? visibleGroups(this.presence.states).find((group) => group.groupId === groupId)?.leader : undefined;
    if (this.#fedFrom === leader) return;
    this.#fedFrom = leader;
    this.#node?.feedFrom(leader);
  }

  /** On its way in from now until `cameIn`: a seat that is lost on the way, in a log of before, takes nothing from what it came for. */
  coming(): void {
    const { declares, asksSeat } = this.presence.self;
    this.#cameFor = { declares, asksSeat };
  }

  /** The roster it shows is the one it came in to: whoever loses a seat in it watches. */
  cameIn(): void {
    this.#cameFor = undefined;
  }

  /** Ends the node but not the session: another group is the right one. */
  async closeNode(): Promise<void> {
    const node = this.#node;
    this.#manager?.stop();
    this.#manager = undefined;
    this.#stopNode();
    this.#node = undefined;
    this.#groupId = "";
    // What a wish came after is an index of the log it was made in.
    this.presence.set({ groupId: undefined, synced: false, stranded: undefined, lead: undefined, stoodUpAt: undefined });
    await node?.close();
    await this.#witness?.stop();
    this.#witness = undefined;
  }

  /** Runs the session whenever this peer leads, from now on; as one of a fixed `core` where that is given. */
  manage(core?: readonly PeerId[]): void {
    this.#core = core;
    const { clock, admit, verifyClaim, spares = true, learningSpectators, evictAfterMs = 10_000, logger } = this.options;
    const sweepMs = Math.max(50, Math.min(1_000, evictAfterMs / 5));
    this.#manager = new Manager({ node: this.node, groupId: this.#groupId, presence: this.presence, liveness: this.#liveness, clock, roster: () => this.#roster, mandate: () => this.#mandate, admit, verifyClaim, spares, learningSpectators, witnessCaughtUp: () => this.#witness?.isCaughtUp === true, core, sweepMs, logger });
    this.#manager.poke();
  }

  /**
   * Claims the host role of a fork: a committed entry of its log, judged against the fences it took along. Until then the fork leads nobody, and nobody
   * comes back to it. Rejects with the refusal, or as proposing does.
   */
  async claimHostRole(): Promise<void> {
    const node = this.#node;
    if (node === undefined) throw new ClosedError("the session (it has no node)");
    const { root, epoch } = lineageOf(this.#groupId);
    await new LogFence(node, () => node.laneState(fenceLane)).claim(root, fenceFor(root, this.selfId, epoch));
  }

  /** A word for the session lane. */
  async propose(command: Parameters<typeof encodeRosterCommand>[0]): Promise<void> {
    await this.node.propose(encodeRosterCommand(command), { lane: LANE_SESSION });
  }

  async kick(peer: PeerId, reason = ""): Promise<void> {
    // Cut here already: a word too long to be read would be void for everybody.
    await this.propose({ type: "kick", peer, reason: cleanText(reason, REASON_CHARS_MAX) });
  }

  async rename(name: string): Promise<void> {
    this.presence.set({ name: cleanName(name) });
    await this.propose({ type: "rename", name: cleanName(name) });
  }

  sit({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (this.isClosed) return Promise.reject(this.#failure ?? new ClosedError("the session"));
    // What a tab that has just come back shows of its seat may be old.
    const isSettled = (): boolean => this.#isSeated && this.#standingUp === 0 && this.presence.self.synced;
    if (signal?.aborted === true || isSettled()) return signal?.aborted === true ? Promise.reject(signal.reason) : Promise.resolve();
    const wish = (this.#wish ??= {});
    this.presence.set({ asksSeat: true, stoodUpAt: stoodUpAt(this.#roster, this.selfId) || undefined });
    const check = (): true | undefined => {
      if (this.isClosed) throw this.#failure ?? new ClosedError("the session");
      if (isSettled()) return true;
      if (this.#wish !== wish) throw new ClosedError("the wish for a seat");
      const refusal = this.#ownGroup()?.refusal;
      if (refusal !== undefined) throw refusal;
      return undefined;
    };
    const subscribe = (changed: () => void): (() => void) => this.#onAnyChange(changed);
    const over = (): void => {
      if (this.#wish !== wish) return;
      this.#wish = undefined;
      this.presence.set({ asksSeat: undefined, stoodUpAt: undefined });
    };
    return waitFor({ check, subscribe, clock: this.options.clock, ms: Infinity, onTimeout: () => true as const, signal }).then(() => {}).finally(over);
  }

  #onAnyChange(changed: () => void): () => void {
    const offs = [this.on("change", changed), this.on("closed", changed)];
    return () => offs.forEach((off) => off());
  }

  async stand(): Promise<void> {
    const { declares } = this.presence.self;
    this.presence.set({ declares: "spectate", asksSeat: undefined, stoodUpAt: undefined });
    this.#wish = undefined;
    this.#standingUp += 1;
    this.#events.emit("change");
    try {
      await this.propose({ type: "spectate", peer: this.selfId, name: this.presence.self.name, spare: false });
    } catch (error) {
      // Whoever still sits plays on, and does not say otherwise; should the word be agreed on after all, the roster tells.
      if (this.#isSeated && this.#standingUp === 1) this.presence.set({ declares: declares === "spectate" ? "join" : declares });
      throw error;
    } finally {
      this.#standingUp -= 1;
      // Whoever waits to sit looks again.
      this.#events.emit("change");
    }
  }

  rematch({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    return this.#rematch.ask(signal);
  }

  cancelRematch(): Promise<void> {
    return this.#rematch.cancel();
  }

  async vacate(peer: PeerId): Promise<void> {
    const name = this.presence.states.get(peer)?.name;
    await this.propose(name === undefined ? { type: "vacate", peer } : { type: "spectate", peer, name, spare: false });
  }

  claimSeat(claim: SeatClaim): void {
    this.presence.set({ claim });
  }

  part(seat: "keep-seat" | "give-up-seat" = "keep-seat"): void {
    if (this.isClosed) return;
    this.#onParting?.();
    this.#manager?.stop();
    this.presence.set({ leaving: seat === "keep-seat" ? "part" : "vacate", lead: undefined });
    this.#node?.part();
  }

  async leave({ onParting }: { readonly onParting?: (() => void) | undefined } = {}): Promise<void> {
    this.#onParting = onParting;
    // In the middle of a change of voters nobody could take over: a pair that is becoming three needs this vote until it has.
    const finished = this.#node?.role === "leader" ? this.#manager?.finish() : undefined;
    if (finished !== undefined && !this.isClosed) await this.#linger(finished);
    this.part("give-up-seat");
    await this.wayBack.forget();
    await this.close();
  }

  /** Waits for a step under way, and not for long. Whoever closes meanwhile leaves at once. */
  async #linger(finished: Promise<void>): Promise<void> {
    let isFinished = false;
    this.#isLingering = true;
    const subscribe = (changed: () => void): (() => void) => {
      void finished.then(() => {
        isFinished = true;
        changed();
      });
      return this.on("closed", changed);
    };
    await waitFor({ check: () => isFinished || this.isClosed || undefined, subscribe, clock: this.options.clock, ms: LINGER_MS, onTimeout: () => true });
    this.#isLingering = false;
  }

  close(): Promise<void> {
    if (this.#isLingering) this.part("give-up-seat");
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends the session by itself, with a reason. */
  fail(reason: Error): void {
    if (this.isClosed) return;
    this.#failure = reason;
    (this.options.logger ?? silentLogger).info("session ends", reason);
    void this.close();
  }

  async #close(): Promise<void> {
    for (const off of this.#offs) off();
    this.#manager?.stop();
    this.#stopNode();
    this.#liveness.stop();
    this.#probe.stop();
    this.#stopWatching();
    this.presence.destroy();
    const failure = this.#failure;
    await this.#node?.close();
    await this.#witness?.stop();
    this.#apps.close();
    this.#mux.close();
    this.#events.emit("change");
    this.#events.emit("closed", failure);
    this.#events.events = {};
  }

  #fold(event: LogEvent): void {
    const before = this.#roster;
    this.#roster = foldRoster(before, event, this.#membersLane);
    if (this.#roster !== before || event.type === "install" || event.lane === LANE_FENCE) this.changed();
  }

  /** Looks again at everything: something changed. */
  changed(): void {
    if (this.isClosed) return;
    this.#watch();
    this.#sayWhetherSynced();
    this.#takeSeat();
    this.#stampWish();
    if (this.presence.self.leaving === undefined && this.#mandate !== undefined) this.wayBack.remember(this.#roster);
    this.#checkOut();
    if (this.isClosed) return;
    this.#manager?.poke();
    this.#events.emit("change");
  }

  /** Who was given a seat plays, whatever it came for, and has nothing to ask for any more; who was taken its seat watches. */
  #takeSeat(): void {
    const wasSeated = this.#isSeated;
    this.#isSeated = seatOf(this.#roster, this.selfId) !== undefined;
    if (this.#isSeated && !wasSeated) this.presence.set({ claim: undefined, asksSeat: undefined, declares: this.presence.self.declares === "spectate" ? "join" : this.presence.self.declares });
    if (wasSeated && !this.#isSeated) this.presence.set(this.#cameFor ?? { declares: "spectate", asksSeat: this.#wish !== undefined || undefined });
  }

  /** A wish says what it is newer than, so that nobody takes it for one after it was taken back. Who still wishes when it learns of more says so again. */
  #stampWish(): void {
    const { asksSeat, stoodUpAt: known } = this.presence.self;
    const at = asksSeat === true ? stoodUpAt(this.#roster, this.selfId) || undefined : undefined;
    if (at !== known) this.presence.set({ stoodUpAt: at });
  }

  /** The group this session is in, as its leader shows it, and what that one says of this peer: not somebody else's word while the node hears its leader. */
  #ownGroup(): { readonly refusal: Error | undefined } | undefined {
    const leader = this.#node?.leader;
    const group = visibleGroups(this.presence.states).find(({ groupId, leader: claims }) => groupId === this.#groupId && (leader === undefined || leader === claims));
    return group === undefined ? undefined : { refusal: publishedRefusal(this.selfId, group.lead.refused) };
  }

  /** The right to lead this group: undefined in a fork whose claim is not committed, as far as is known here. */
  get #mandate(): Mandate | undefined {
    const { fence } = this;
    return isHeld({ groupId: this.#groupId, fence }) ? { fence } : undefined;
  }

  /** Somebody went on without this peer's group: what that one says counts now. */
  #laterFork(): Error | undefined {
    const mandate = this.#mandate;
    if (this.#groupId === "" || mandate === undefined) return undefined;
    for (const { groupId, lead, leaving } of this.presence.states.values()) {
      if (groupId === undefined || lead === undefined || leaving !== undefined) continue;
      const refusal = refusedBy({ groupId: this.#groupId, fence: mandate.fence }, { groupId, fence: lead.fence });
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  /** Silence makes no event of its own: who fell silent, or is gone by now, is looked at from time to time. */
  #watchStandings(everyMs: number): void {
    this.#stopWatching = this.options.clock.after(everyMs, () => {
      this.#watchStandings(everyMs);
      const members = this.#node?.membership;
      const known = new Set<PeerId>([...this.#seam.peers, ...(members?.voters ?? []), ...(members?.learners ?? [])]);
      const standings = [...known].map((peer) => `${peer} ${this.standingOf(peer)}`).join();
      this.#sayWhetherStranded();
      // Who came back to a match that nobody leads, or watches it, gives it up after a time, which makes no event either.
      if (standings === this.#standings && !((this.wayBack.mayMoveOn || this.#isAudience) && this.#node?.leader === undefined)) return;
      this.#standings = standings;
      this.changed();
    });
  }

  /** Commits come by the thousand; only what management looks at wakes it. */
  #nodeChanged({ role, term, membership }: NodeStatus): void {
    const known = this.#managed;
    if (known !== undefined && known.role === role && known.term === term && known.membership === membership) return this.#events.emit("change");
    this.#managed = { role, term, membership };
    return this.changed();
  }

  /** A membership that came while this node runs and names this peer stands behind everything it has to know, so holding it means being caught up. */
  #sayWhetherSynced(): void {
    if (this.#node === undefined) return;
    const { membership: { voters, learners }, status: { feed } } = this.#node;
    // What was fed may tell of this peer's membership before its own log does.
    const isMember = feed === undefined && (voters.includes(this.selfId) || learners.includes(this.selfId));
    const synced = this.#roster.seats.length > 0 && isMember && this.wayBack.isCaughtUp(this.#node);
    if (synced !== this.presence.self.synced) this.presence.set({ synced });
  }

  /** It watches, and is nobody the match could wait for. */
  get #isAudience(): boolean {
    return this.presence.self.declares === "spectate" && seatOf(this.#roster, this.selfId) === undefined;
  }

  /** Who only watches a match that nobody leads keeps nobody from opening another. */
  #sayWhetherStranded(): void {
    const stranded = (this.#isAudience && this.wayBack.isStranded(this.presence.states)) || undefined;
    if (stranded !== this.presence.self.stranded) this.presence.set({ stranded });
  }

  /** Ends what has to end: kicked, or alone in a match beside a better one. */
  #checkOut(): void {
    const kicked = this.#roster.kicked.find((entry) => entry.peer === this.selfId);
    // Who is fed believes that of the leader alone.
    if (kicked !== undefined && this.#node?.status.feed === undefined) {
      this.part();
      return this.fail(new KickedError(kicked.reason));
    }
    // Who was taken out of the membership before the entry reached it hears of it from the leader alone.
    const refusal = this.#node === undefined ? undefined : this.#ownGroup()?.refusal;
    if (refusal !== undefined && hasCode(refusal, "kicked")) return this.fail(refusal);
    // A core stands where it stands: no word of a peer's ends it.
    if (this.#core !== undefined) return undefined;
    const fork = this.#laterFork();
    if (fork !== undefined) return this.fail(fork);
    const ending = this.wayBack.ending(this.presence.states, { isMember: this.presence.self.synced, isAudience: this.#isAudience });
    if (ending !== undefined) return this.fail(ending);
    const { lead } = this.presence.self;
    if (lead === undefined) return undefined;
    const better = betterGroup({ groupId: this.#groupId, leader: this.selfId, lead }, this.presence.states);
    return better === undefined ? undefined : this.fail(new DuplicateHostError(better.leader));
  }
}
