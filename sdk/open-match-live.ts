// A running match over one seam: its session may end and begin again (another host was first, the page was away), its atoms stay.
import { atom, type ReadableAtom, type WritableAtom } from "nanostores";
import { ClosedError, hasCode, InvalidArgumentError, silentLogger, utf8, toHex, type PeerId } from "./base/index.ts";
import { LogCluster, type MatchCluster, type MatchClusterOptions } from "./cluster/index.ts";
import { isFenceRefusal } from "./durable/index.ts";
import { viewerOf, type DefinedGame, type Divergence, type Outcome, type SpeculativeSequencer, type UndoAnswer } from "./game/index.ts";
import { CLUSTER_TAG, groundOf } from "./open-match-cluster.ts";
import { enterMatch, isElsewhere } from "./open-match-enter.ts";
import { Farewells } from "./open-match-farewell.ts";
import { encodeMatchFile, type Beginning } from "./open-match-file.ts";
import type { Home } from "./open-match-home.ts";
import { NotAVoterError, QuorumPresentError, WrongPasswordError } from "./open-match-errors.ts";
import { looksSame, phaseOf, playersOf, statusOf, statusWithout, type Place } from "./open-match-people.ts";
import type { Invite } from "./open-match-room.ts";
import { reportTo, runGame } from "./open-match-run.ts";
import { secretsIn } from "./open-match-secrets.ts";
import type { Meeting } from "./open-match-seam.ts";
import type { MatchPlayer, MatchStatus } from "./open-match-status.ts";
import type { Match, MatchOptions } from "./open-match-types.ts";
import { exportIdentity, type Identity } from "./identity/index.ts";
import type { PageLifecycle } from "./platform/index.ts";
import type { RaftNode } from "./replica/index.ts";
import { APPLICATION_TAG, ManagedSeam, MuxSeam, NamedMux, type Seam } from "./seam/index.ts";
import { gameFork, seatClaimText, seatOf, shareDoc, type GameForkOptions, type Doc, type GameSession, type SessionOptions, type SharedDoc, waitFor } from "./session/index.ts";

/** Tag of the channel that carries shared documents, so that their names and `channel`'s never meet. */
const SHARED_TAG = 5;
/** Tag of the channel on which peers compare their states. */
const DIGEST_TAG = 6;
/** Tag of the channel on which peers hand each other the keys of their goodbyes. */
const FAREWELL_TAG = 7;

/** Why a match ends whose records another owner took: they are whole, and in use. Nothing of them is this tab's to give up. */
const RECORDS_TAKEN = "another tab goes on as this player: what is stored of it is that tab's now";

/** What a match is made of. */
export interface LiveMatchParts<State, Action> {
  readonly options: MatchOptions<State, Action>;
  readonly game: DefinedGame<State, Action>;
  readonly seats: number;
  /** The state a new match is to begin with; undefined: enter whatever the room plays. */
  readonly beginning: Beginning | undefined;
  /** Its voters are servers. */
  readonly hasCore: boolean;
  readonly home: Home;
  /** Goes out to meet the others: once at the start, and again when a page comes back from the back/forward cache. */
  readonly meet: (onSealed: (from: PeerId, bytes: Uint8Array) => void) => Meeting;
  readonly page: PageLifecycle;
  readonly session: SessionOptions;
  readonly invite: Invite;
}

/** By what is stored, by what is in the room, with a state brought along, or as a fork of a match whose others are gone. */
type Entering = "resume" | "anew" | Beginning | Pick<GameForkOptions, "from" | "log">;

/** Why an attempt to enter was broken off: the page went away, and comes back or not. */
class SuspendedError extends ClosedError {}

/** The match behind `openMatch`. */
export class LiveMatch<State, Action> implements Match<State, Action> {
  readonly invite: Invite;
  /** Resolves once everything of the match has ended. */
  readonly ended: Promise<void>;
  #hasEnded: () => void = () => {};
  readonly #parts: LiveMatchParts<State, Action>;
  readonly #place: Place;
  readonly #seam: ManagedSeam;
  readonly #mux: MuxSeam;
  readonly #channels: NamedMux;
  readonly #sharedChannels: NamedMux;
  readonly #digests: Seam;
  readonly #shared = new Map<string, SharedDoc>();
  readonly #state: WritableAtom<State>;
  readonly #confirmed: WritableAtom<State>;
  readonly #pending: WritableAtom<readonly Action[]> = atom<readonly Action[]>([]);
  readonly #status: WritableAtom<MatchStatus>;
  readonly #players: WritableAtom<readonly MatchPlayer[]> = atom<readonly MatchPlayer[]>([]);
  readonly #leaving = new AbortController();
  readonly #offs: (() => void)[];
  readonly #meet: () => Meeting;
  readonly #farewells: Farewells | undefined;
  #meeting: Meeting;
  #entering: AbortController | undefined;
  #cluster: LogCluster | undefined;
  #session: GameSession | undefined;
  #sequencer: SpeculativeSequencer<State, Action> | undefined;
  #divergences: readonly Divergence[] = [];
  /** Who this tab was before, once it can prove it. */
  #formerSelf: Identity | undefined;
  /** Wishes for a rematch that are not fulfilled or taken back. */
  #rematching = 0;
  #isRefreshing = false;
  #isUnloaded = false;
  /** What is stored can not be believed: this identity is not used again. */
  #isDamaged = false;
  #closing: Promise<void> | undefined;
  /** The player has left; the match may still be needed for a moment. */
  #isLeaving = false;
  #left: Promise<void> | undefined;
  /** Set while the page is frozen or kept in the back/forward cache; called when it is back. */
  #wake: (() => void) | undefined;
  #awake: Promise<void> = Promise.resolve();
  /** Sessions that were ended, until they have. */
  #ended: Promise<unknown> = Promise.resolve();

  constructor(parts: LiveMatchParts<State, Action>) {
    const { home, invite, game, seats, page } = parts;
    // The author's code comes first: if it throws, nothing has been started.
    const initial = game.setup({ seats });
    this.#parts = parts;
    this.invite = invite;
    this.ended = new Promise((resolve) => (this.#hasEnded = resolve));
    this.#place = { selfId: home.peerId, storage: home.kind, storageNote: home.why };
    this.#meet = () => parts.meet((from, bytes) => this.#farewells?.hear(from, bytes));
    this.#meeting = this.#meet();
    this.#seam = new ManagedSeam(home.peerId, this.#meeting.seam.payloadBytesMax, (reason) => void this.#seam.end(reason));
    this.#seam.attach(this.#meeting.seam);
    this.#watchWay();
    this.#mux = new MuxSeam(this.#seam);
    this.#channels = new NamedMux(this.#mux.channel(APPLICATION_TAG));
    this.#sharedChannels = new NamedMux(this.#mux.channel(SHARED_TAG));
    // Opened before anybody listens, so that what the others say while this tab enters is kept for it.
    this.#digests = this.#mux.channel(DIGEST_TAG);
    this.#farewells = home.identity === undefined ? undefined : this.#farewellsOf(home.identity);
    this.#state = atom<State>(initial);
    this.#confirmed = atom<State>(initial);
    this.#status = atom<MatchStatus>(statusWithout(this.#place, "connecting"));
    this.#offs = [
      page.on("hide", () => this.#pageHides()),
      page.on("show", () => this.#pageShows()),
      page.on("freeze", () => this.#pageFreezes()),
      page.on("resume", () => this.#pageResumes()),
    ];
  }

  get state(): ReadableAtom<State> {
    return this.#state;
  }

  get confirmed(): ReadableAtom<State> {
    return this.#confirmed;
  }

  get pending(): ReadableAtom<readonly Action[]> {
    return this.#pending;
  }

  get status(): ReadableAtom<MatchStatus> {
    return this.#status;
  }

  get players(): ReadableAtom<readonly MatchPlayer[]> {
    return this.#players;
  }

  get node(): RaftNode {
    if (this.#session === undefined) throw new ClosedError("the match (it has no node now)");
    return this.#session.node;
  }

  /** Enters; on failure everything is closed before the caller hears of it. */
  async open(signal: AbortSignal | undefined): Promise<void> {
    const { onProgress } = this.#parts.options;
    const stopProgress = onProgress === undefined ? (): void => {} : this.#status.subscribe((status) => onProgress(status));
    const abort = (): void => this.#leaving.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    // Only on the way in: who is inside is not put out by somebody who knocks with another password.
    const stopDoubting = this.#meeting.onOtherKeys(() => this.#leaving.abort(new WrongPasswordError()));
    try {
      await this.#enter(this.#parts.beginning ?? (this.#parts.options.resume === false ? "anew" : "resume"));
    } catch (error) {
      await this.#failed(error);
      throw error;
    } finally {
      stopDoubting();
      stopProgress();
      signal?.removeEventListener("abort", abort);
    }
    void this.#becomeFormerSelf();
  }

  play(action: Action): Promise<Outcome> {
    if (this.#closing !== undefined || this.#isLeaving) return Promise.resolve({ outcome: "rejected", reason: "closed" });
    if (this.#sequencer === undefined) return Promise.resolve({ outcome: "rejected", reason: "not-seated" });
    if (this.#rematching > 0 || this.#session?.roster.asked.includes(this.#place.selfId) === true) return Promise.resolve({ outcome: "rejected", reason: "rematch-asked" });
    return this.#sequencer.propose(action);
  }

  undo(): UndoAnswer<Action> {
    return this.#sequencer?.undo() ?? { undone: false, reason: "nothing" };
  }

  channel(name: string): Seam {
    return this.#channels.channel(name);
  }

  shared(name: string): Doc {
    const known = this.#shared.get(name);
    if (known !== undefined) return known.doc;
    const shared = shareDoc(this.#sharedChannels.channel(name));
    this.#shared.set(name, shared);
    return shared.doc;
  }

  cluster(options: MatchClusterOptions): MatchCluster {
    if (this.#closing !== undefined) throw new ClosedError("the match");
    if (this.#parts.hasCore) throw new InvalidArgumentError("with a core there are no shards of tabs: its servers lead, and assign none");
    if (this.#cluster !== undefined) throw new InvalidArgumentError("a match has one cluster, and it is open already");
    const { home: { peerId: selfId }, session: { clock, wallClock = (): number => Math.floor(clock.now()) }, options: { logger } } = this.#parts;
    const channels = new NamedMux(this.#mux.channel(CLUSTER_TAG));
    const cluster = new LogCluster({ selfId, options, calls: channels.channel("calls"), nodes: channels.channel("nodes"), clock, wallClock, logger });
    this.#cluster = cluster;
    if (this.#session !== undefined) cluster.settle(groundOf(this.#session, this.#parts.session));
    return cluster;
  }

  async kick(peer: PeerId, reason?: string): Promise<void> {
    await this.#taking().kick(peer, reason);
  }

  async sit(): Promise<void> {
    await this.#taking().sit();
  }

  async stand(): Promise<void> {
    await this.#taking().stand();
  }

  async rematch({ signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { roster: { game }, groupId } = this.#taking();
    this.#rematching += 1;
    try {
      for (;;) {
        const session = await this.#nextSession(signal);
        if (session.groupId !== groupId) throw new ClosedError("the match in which it was asked");
        if (session.roster.game > game) return;
        try {
          return await this.#rematchIn(session, signal);
        } catch (error) {
          // The page was away, or the records moved: the match goes on in another session, and the wish with it.
          if (!session.isClosed || this.#closing !== undefined || signal?.aborted === true) throw error;
        }
      }
    } finally {
      this.#rematching -= 1;
    }
  }

  async cancelRematch(): Promise<void> {
    await this.#taking().cancelRematch();
  }

  async #rematchIn(session: GameSession, signal: AbortSignal | undefined): Promise<void> {
    const sequencer = this.#sequencer;
    const subscribe = (changed: () => void): (() => void) => {
      const offs = [session.on("change", changed), session.on("closed", changed), sequencer?.on("change", changed)];
      return () => offs.forEach((off) => off?.());
    };
    const isNothingOpen = (): true | undefined => {
      if (session.isClosed) throw session.failure ?? new ClosedError("the match");
      return (sequencer?.openCount ?? 0) === 0 || undefined;
    };
    // What is open now would be decided in the next game.
    await waitFor({ check: isNothingOpen, subscribe, clock: this.#parts.session.clock, ms: Infinity, onTimeout: () => true as const, signal });
    await session.rematch({ signal });
  }

  /** This tab's place in the match: at once, or as soon as it is back. */
  #nextSession(signal: AbortSignal | undefined): Promise<GameSession> {
    const check = (): GameSession | undefined => {
      if (this.#closing !== undefined) throw new ClosedError("the match");
      return this.#session?.isClosed === false ? this.#session : undefined;
    };
    return waitFor({ check, subscribe: (changed) => this.#status.listen(changed), clock: this.#parts.session.clock, ms: Infinity, onTimeout: () => this.#inSession(), signal });
  }

  async rename(name: string): Promise<void> {
    await this.#taking().rename(name);
  }

  leave(): Promise<void> {
    this.#left ??= this.#leave();
    return this.#left;
  }

  async export(): Promise<Uint8Array> {
    const { node, roster } = this.#inSession();
    return encodeMatchFile({ rules: this.#parts.game.rules, seats: roster.seats.length, log: node.exportLog() });
  }

  async exportIdentity(passphrase: string): Promise<Uint8Array> {
    const { identity } = this.#parts.home;
    if (identity === undefined) throw new ClosedError("the identity of this tab (it has none)");
    return exportIdentity(identity, passphrase);
  }

  async continueWithout(): Promise<void> {
    if (this.#parts.hasCore) throw new InvalidArgumentError("with a core the servers decide, and players can not go on without them");
    const session = this.#taking();
    const { selfId, node, groupId } = session;
    if (phaseOf(session) !== "no-quorum") throw new QuorumPresentError();
    if (!node.membership.voters.includes(selfId) && !node.membership.votersOutgoing.includes(selfId)) throw new NotAVoterError();
    const log = node.exportLog({ uncommitted: true });
    this.#cluster?.uproot(new ClosedError("this stay in the match"));
    this.#sequencer?.close();
    this.#session = undefined;
    this.#sequencer = undefined;
    await session.close();
    try {
      await this.#enter({ from: groupId, log });
    } catch (error) {
      // The match as it was is still on the disk, and in what the others hold.
      if (this.#closing === undefined) this.#enterAgain("resume");
      throw error;
    }
  }

  #farewellsOf(identity: Identity): Farewells {
    const { random } = this.#parts.session;
    const send = (to: PeerId, bytes: Uint8Array): void => this.#meeting.sendSealed(to, bytes);
    return new Farewells({ identity, channel: this.#mux.channel(FAREWELL_TAG), random, send, node: () => (this.#session?.isClosed === false ? this.#session.node : undefined) });
  }

  /** For what changes the match: who has left it has no say any more. */
  #taking(): GameSession {
    if (this.#closing !== undefined || this.#isLeaving) throw new ClosedError("the match");
    return this.#inSession();
  }

  #inSession(): GameSession {
    if (this.#session === undefined) throw new ClosedError("the match");
    return this.#session;
  }

  /** Whoever can be spared goes in this very task; a leader in the middle of a change of voters once nobody needs its vote any more, or when the page goes. */
  async #leave(): Promise<void> {
    const session = this.#session;
    this.#isLeaving = true;
    const left = session?.leave({ onParting: () => this.#farewells?.say() });
    this.#ended = Promise.all([this.#ended, left]);
    const isNeeded = session?.isClosed === false && session.presence.self.leaving === undefined;
    if (isNeeded) await Promise.allSettled([left]);
    await this.#close("left");
  }

  /** Enters as often as it takes: an attempt the page's going away broke off is made again when it is back. */
  async #enter(how: Entering): Promise<void> {
    const { session: options } = this.#parts;
    for (;;) {
      await this.#awake;
      const attempt = new AbortController();
      const { signal } = this.#leaving;
      const leave = (): void => attempt.abort(signal.reason);
      if (signal.aborted) leave();
      signal.addEventListener("abort", leave, { once: true });
      this.#entering = attempt;
      try {
        const own = { ...options, signal: attempt.signal };
        const session = await this.#find(how, own);
        if (!attempt.signal.aborted) return this.#begin(session);
        await session.close();
        attempt.signal.throwIfAborted();
      } catch (error) {
        if (!(error instanceof SuspendedError)) throw error;
      } finally {
        signal.removeEventListener("abort", leave);
      }
    }
  }

  #find(how: Entering, session: SessionOptions): Promise<GameSession> {
    if (typeof how === "object" && "from" in how) return gameFork(this.#seam, { ...session, ...how });
    const { seats, hasCore, options: { spectate = false } } = this.#parts;
    const beginning = typeof how === "object" ? how : undefined;
    return enterMatch({ meeting: { ...this.#meeting, seam: this.#seam }, seats, spectate, mayResume: how === "resume", beginning, hasCore, session });
  }

  #begin(session: GameSession): void {
    this.#session = session;
    session.on("closed", (reason) => this.#sessionEnded(session, reason));
    session.on("change", () => this.#refreshSoon());
    this.#startGame(session);
    this.#cluster?.settle(groundOf(session, this.#parts.session));
    this.#refresh();
    void this.#claimFormerSeat(session);
    if (session.isClosed) this.#sessionEnded(session, session.failure);
  }

  #startGame(session: GameSession): void {
    const { game, seats, home, session: { clock, random, wallClock }, options: { development, onReport, logger } } = this.#parts;
    this.#divergences = [];
    const onDivergences = (divergences: readonly Divergence[]): void => {
      if (this.#session !== session) return;
      this.#divergences = divergences;
      this.#refreshSoon();
    };
    const digests = { channel: this.#digests, onDivergences };
    const sequencer = runGame({ session, game, seats: session.roster.seats.length || seats, development, onReport, logger, digests, clock, random, wallClock: wallClock ?? ((): number => Math.floor(clock.now())), secrets: secretsIn(home.store, session.groupId) });
    this.#sequencer = sequencer;
    const view = viewerOf(game, this.#state.get(), onReport ?? reportTo(logger ?? silentLogger));
    const show = (): void => {
      const pending = sequencer.pending.map(({ action }) => action);
      if (pending.length + this.#pending.get().length > 0) this.#pending.set(pending);
      this.#confirmed.set(sequencer.confirmedState);
      this.#state.set(view(sequencer.speculativeState, seatOf(session.roster, session.selfId)));
      this.#refreshSoon();
    };
    sequencer.on("change", show);
    // Who takes a seat sees more, or less.
    if (game.view !== undefined) sequencer.on("closed", session.on("change", show));
    if (sequencer.failure !== undefined) throw sequencer.failure;
    sequencer.on("failed", (failure) => void this.#failed(failure));
    show();
  }

  /** A session that ended by itself: who gave way to another match of the room goes in again, everything else is the end. */
  #sessionEnded(session: GameSession, reason: Error | undefined): void {
    if (this.#session !== session || this.#closing !== undefined) return;
    if (this.#isLeaving) return void this.#close("left");
    this.#cluster?.uproot(new ClosedError("this stay in the match"));
    this.#sequencer?.close();
    this.#session = undefined;
    this.#sequencer = undefined;
    // Who brought a match along came for that one, not for whichever was here before.
    const hasLost = this.#parts.beginning !== undefined && hasCode(reason, "duplicate-host");
    if (hasLost || !isElsewhere(reason)) return void this.#close(reason === undefined ? "closed" : messageOf(reason));
    return this.#enterAgain("anew");
  }

  #enterAgain(how: Entering): void {
    this.#refresh();
    void this.#enter(how).catch((error: unknown) => this.#failed(error));
  }

  #failed(error: unknown): Promise<void> {
    this.#isDamaged ||= hasCode(error, "corrupt-state");
    return this.#close(isFenceRefusal(error) ? RECORDS_TAKEN : messageOf(error));
  }

  /** Waits until the identity this tab had is nobody's any more, and asks for its seat. */
  async #becomeFormerSelf(): Promise<void> {
    const { home, options: { logger } } = this.#parts;
    if (home.displaced === undefined) return;
    try {
      this.#formerSelf = await home.takeOver(this.#leaving.signal);
      if (this.#session !== undefined) await this.#claimFormerSeat(this.#session);
    } catch (error) {
      if (!this.#leaving.signal.aborted) logger?.error("the seat this tab had could not be asked for", error);
    }
  }

  async #claimFormerSeat(session: GameSession): Promise<void> {
    const former = this.#formerSelf;
    if (former === undefined) return;
    const signature = await former.sign(utf8(seatClaimText(session.groupId, former.peerId, session.selfId)));
    session.claimSeat({ peer: former.peerId, publicKey: toHex(former.publicKey), signature: toHex(signature) });
  }

  /** Many things change in one task; status and players are assigned once after it. */
  #refreshSoon(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    void Promise.resolve().then(() => {
      this.#isRefreshing = false;
      this.#refresh();
    });
  }

  #refresh(): undefined {
    if (this.#closing !== undefined) return;
    const session = this.#session;
    if (session !== undefined) this.#meeting.way?.hears(session.node.leader !== undefined);
    const before = this.#status.get();
    // Before the first session it is on its way in, after it on its way back.
    const phase = before.phase === "connecting" ? "connecting" : "reconnecting";
    const status = session === undefined ? statusWithout(this.#place, phase, { way: this.#meeting.way?.status, before }) : statusOf(session, this.#place, { pendingCount: this.#sequencer?.pendingCount ?? 0, peers: this.#seam.peers, laneOf: this.#meeting.laneOf, way: this.#meeting.way?.status, divergences: this.#divergences });
    if (!looksSame(status, before)) this.#status.set(status);
    if (session === undefined) return;
    // A node without its disk promises nothing any more; nor can it come back under its id before this tab is opened anew.
    const { failure, storage } = session.node.status;
    if (storage === "full") this.#sequencer?.makeRoom();
    if (failure !== undefined && storage === "failed") return void this.#failed(failure);
    const players = playersOf(session);
    if (!looksSame(players, this.#players.get())) this.#players.set(players);
  }

  /** In `pagehide` there is no time left: what must be said is said at once. Whether the page comes back nobody knows. */
  #pageHides(): void {
    this.#isUnloaded = true;
    this.#suspend();
    void this.#seam.detach()?.close();
  }

  #pageShows(): void {
    if (this.#closing !== undefined) return;
    this.#isUnloaded = false;
    this.#meeting = this.#meet();
    this.#seam.attach(this.#meeting.seam);
    this.#watchWay();
    this.#wake?.();
  }

  /** What the way to a core says ends with it. */
  #watchWay(): void {
    this.#meeting.way?.on("status", () => this.#refreshSoon());
  }

  /** Out of the back/forward cache this comes before `show`, when there is no way to the others yet. */
  #pageResumes(): void {
    if (!this.#isUnloaded) this.#wake?.();
  }

  /** A frozen leader leads nobody; a frozen follower is only silent, and its links hold. */
  #pageFreezes(): void {
    if (this.#session?.node.role === "leader") this.#suspend();
  }

  #suspend(): void {
    if (this.#closing !== undefined || this.#wake !== undefined) return;
    if (this.#isLeaving) return void this.#close("left");
    const session = this.#session;
    this.#awake = new Promise((resolve) => {
      this.#wake = (): void => {
        this.#wake = undefined;
        resolve();
      };
    });
    this.#entering?.abort(new SuspendedError("the page"));
    if (session === undefined) return;
    this.#farewells?.say();
    session.part();
    this.#cluster?.uproot(new ClosedError("this stay in the match"));
    this.#sequencer?.close();
    this.#session = undefined;
    this.#sequencer = undefined;
    this.#ended = session.close();
    this.#awake = Promise.all([this.#awake, this.#ended]).then(() => {});
    this.#enterAgain("resume");
  }

  #close(reason: string): Promise<void> {
    this.#closing ??= this.#end(reason);
    return this.#closing;
  }

  async #end(reason: string): Promise<void> {
    for (const off of this.#offs) off();
    this.#farewells?.stop();
    this.#leaving.abort(new ClosedError("the match"));
    this.#wake?.();
    this.#sequencer?.close();
    for (const shared of this.#shared.values()) shared.stop();
    this.#status.set(statusWithout(this.#place, "closed", { reason, before: this.#status.get() }));
    this.#cluster?.close(new ClosedError("the match"));
    const ended = this.#session?.close();
    this.#channels.close();
    this.#sharedChannels.close();
    this.#mux.close();
    // The goodbye is sent by closing the seam, so that goes out in this very task too.
    const torn = this.#seam.close();
    await Promise.all([ended, this.#ended, torn]);
    const { home, options: { logger } } = this.#parts;
    await (this.#isDamaged ? home.abandon() : home.release()).catch((error: unknown) => logger?.error("this tab's place in the room was not left as it should be", error));
    this.#hasEnded();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
