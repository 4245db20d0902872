// The composition root: one call that joins seam, replica, session and game. The one module that may know every layer.
import { atom, type ReadableAtom, type WritableAtom } from "nanostores";
import { ClosedError, hasCode, InvalidArgumentError, peerId, type Clock, type Logger, type PeerId, type Random } from "./base/index.ts";
import { defineGame, type DefinedGame, type Game, type GameReport, type Outcome, type SpeculativeSequencer } from "./game/index.ts";
import { enterMatch } from "./open-match-enter.ts";
import { looksSame, playersOf, statusOf, statusWithout } from "./open-match-people.ts";
import { inviteTo, roomFrom, type Invite } from "./open-match-room.ts";
import { runGame } from "./open-match-run.ts";
import { meet, meetOver, type Meeting } from "./open-match-seam.ts";
import type { MatchPlayer, MatchStatus } from "./open-match-status.ts";
import type { RaftConfig } from "./raft/index.ts";
import { randomId, systemClock, systemRandom, wallClock } from "./platform/index.ts";
import type { RaftNode } from "./replica/index.ts";
import { APPLICATION_TAG, MuxSeam, NamedMux, type Seam, type SignalingFactory } from "./seam/index.ts";
import { SEATS_MAX, shareDoc, type Admit, type Doc, type GameSession, type SessionOptions, type SharedDoc } from "./session/index.ts";

export type { MatchPhase, MatchPlayer, MatchStatus } from "./open-match-status.ts";

/** How an action ended: committed at an index, or without effect for a reason. */
export type PlayOutcome = Outcome;

/** What `openMatch` takes: the game, and whatever differs from the defaults. */
export interface MatchOptions<State, Action> {
  /** Room code; everybody with the same code (and secret) meets. Default: read from the page's URL (`#room=…`), else a new one is made up. */
  readonly room?: string | undefined;
  readonly game: Game<State, Action>;
  /** Number of seats. Default 2. */
  readonly seats?: number | undefined;
  /** Shown to the others. Default: "Player". At most 40 characters. */
  readonly name?: string | undefined;
  /** How strangers meet: a WebSocket URL of the bundled server (with BroadcastChannel beside it, so that tabs of one browser need no server), or factories of your own, which run side by side. Default: BroadcastChannel between tabs of this browser. */
  readonly signaling?: string | SignalingFactory | readonly SignalingFactory[] | undefined;
  /** Only watch. Default false; a full room offers spectating by itself. */
  readonly spectate?: boolean | undefined;
  /** A value, or a function asked anew for every link. Default: two public STUN servers; TURN is yours to add. */
  readonly iceServers?: readonly RTCIceServer[] | (() => Promise<readonly RTCIceServer[]>) | undefined;
  /** Overrides of the `browser` timing. The same for everybody in the room. */
  readonly raft?: Partial<RaftConfig> | undefined;
  /** Silence after which a peer loses its vote (never its seat), ms. Default 10 000. */
  readonly evictAfterMs?: number | undefined;
  /** The game's own rule about newcomers; asked on whoever leads, so give it to everybody. Default: everybody may come. */
  readonly admit?: Admit | undefined;
  /** Hears the status while the room is being opened, before there is a match to ask. */
  readonly onProgress?: ((status: MatchStatus) => void) | undefined;
  /** Freezes states and runs the game's functions twice to find impure ones; see `onReport`. Default false. */
  readonly development?: boolean | undefined;
  /** Hears what deserves a look: illegal committed actions, impure games, listeners that threw. Default: the logger. */
  readonly onReport?: ((report: GameReport) => void) | undefined;
  /** A seam made elsewhere (tests); then `signaling` and `iceServers` are not used. */
  readonly seam?: Seam | undefined;
  /** Time and timers made elsewhere (tests). Default: the page's. */
  readonly clock?: Clock | undefined;
  /** Randomness made elsewhere (tests). Default: `crypto`. */
  readonly random?: Random | undefined;
  readonly logger?: Logger | undefined;
  /** Gives up opening and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

/** A running match. Its atoms are assigned only when their value is a new one. */
export interface Match<State, Action> {
  /** What to draw: the committed state with this tab's pending actions on top. Same identity while nothing changed. */
  readonly state: ReadableAtom<State>;
  /** Only what is committed. */
  readonly confirmed: ReadableAtom<State>;
  readonly status: ReadableAtom<MatchStatus>;
  readonly players: ReadableAtom<readonly MatchPlayer[]>;
  /** This tab's actions that are not settled yet, oldest first. */
  readonly pending: ReadableAtom<readonly Action[]>;
  /** Applies to `state` in this very task and proposes. Rejections carry the game's reason, or `not-seated`, `closed`. Throws `OutcomeUnknownError` (with `settled` to await) when the fate stays open. */
  play(action: Action): Promise<PlayOutcome>;
  /** The room's code and a link that leads there. */
  readonly invite: { readonly room: string; readonly url: string };
  /** Ephemeral traffic beside the log, to everybody who opens the same name (1 to 255 UTF-8 bytes). Not ordered with actions, not stored. */
  channel(name: string): Seam;
  /** A Y.Doc kept in step with everybody who opens the same name. Same instance per name; ends with the match. Names are apart from `channel`'s. */
  shared(name: string): Doc;
  /** The node underneath, for inspectors. */
  readonly node: RaftNode;
  /** Puts a player out for good. Void unless this tab holds a seat. */
  kick(peer: PeerId, reason?: string): Promise<void>;
  /** Changes this player's name for everybody. */
  rename(name: string): Promise<void>;
  /** Gives up the seat, says goodbye, hands leadership over, frees everything. Idempotent. */
  leave(): Promise<void>;
}

/** Tag of the channel that carries shared documents, so that their names and `channel`'s never meet. */
const SHARED_TAG = 5;

/**
 * Opens a room and plays in it: the first one in hosts, the next join, a full room is watched. Resolves once this tab is in, which for
 * the first one means at once, with seats still free. If any tab closes, the host's included, the others go on.
 *
 * Rejects with `InvalidArgumentError` (before anything starts), `KickedError`, `AdmissionRefusedError`, `RosterFullError` (full, and
 * nobody may watch), `JoinTimeoutError` or `SpectateTimeoutError` (a minute without anybody who could let it in), `SeamTornError`
 * (signaling failed for good), or the signal's reason. Then nothing is left running.
 */
export async function openMatch<State, Action>(options: MatchOptions<State, Action>): Promise<Match<State, Action>> {
  const { seats = 2, signal } = options;
  if (!Number.isInteger(seats) || seats < 1 || seats > SEATS_MAX) throw new InvalidArgumentError(`seats is a whole number from 1 to ${SEATS_MAX}, got ${seats}`);
  const game = defineGame(options.game);
  const random = options.random ?? systemRandom();
  const clock = options.clock ?? systemClock;
  const room = roomFrom(options.room, random);
  signal?.throwIfAborted();
  const { signaling, iceServers } = options;
  const selfId = options.seam?.selfId ?? peerId(randomId(26, random));
  const meeting = options.seam === undefined ? meet({ selfId, room, signaling, iceServers, clock, random }) : meetOver(options.seam);
  const session: SessionOptions = {
    clock,
    random,
    wallClock: options.clock === undefined ? wallClock : undefined,
    name: options.name,
    rules: game.rules,
    raftConfig: options.raft,
    admit: options.admit,
    evictAfterMs: options.evictAfterMs,
    logger: options.logger,
  };
  const match = new LiveMatch({ options, game, seats, meeting, session, invite: inviteTo(room) });
  await match.open(signal);
  return match;
}

interface Parts<State, Action> {
  readonly options: MatchOptions<State, Action>;
  readonly game: DefinedGame<State, Action>;
  readonly seats: number;
  readonly meeting: Meeting;
  readonly session: SessionOptions;
  readonly invite: Invite;
}

/** A match over one seam. Its session and game may be replaced once: when a lone host finds that the room had another. */
class LiveMatch<State, Action> implements Match<State, Action> {
  readonly invite: Invite;
  readonly #parts: Parts<State, Action>;
  readonly #seam: Seam;
  readonly #mux: MuxSeam;
  readonly #channels: NamedMux;
  readonly #sharedChannels: NamedMux;
  readonly #shared = new Map<string, SharedDoc>();
  readonly #state: WritableAtom<State>;
  readonly #confirmed: WritableAtom<State>;
  readonly #pending: WritableAtom<readonly Action[]> = atom<readonly Action[]>([]);
  readonly #status: WritableAtom<MatchStatus>;
  readonly #players: WritableAtom<readonly MatchPlayer[]> = atom<readonly MatchPlayer[]>([]);
  readonly #leaving = new AbortController();
  #session: GameSession | undefined;
  #sequencer: SpeculativeSequencer<State, Action> | undefined;
  #isRefreshing = false;
  #closing: Promise<void> | undefined;
  #stopWatchingPage: () => void = () => {};

  constructor(parts: Parts<State, Action>) {
    this.#parts = parts;
    this.invite = parts.invite;
    this.#seam = parts.meeting.seam;
    this.#mux = new MuxSeam(this.#seam);
    this.#channels = new NamedMux(this.#mux.channel(APPLICATION_TAG));
    this.#sharedChannels = new NamedMux(this.#mux.channel(SHARED_TAG));
    const initial = parts.game.setup({ seats: parts.seats });
    this.#state = atom<State>(initial);
    this.#confirmed = atom<State>(initial);
    this.#status = atom<MatchStatus>(statusWithout(this.#seam.selfId, "connecting", undefined));
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
    // The page going away while the room is being opened must not leave a silent half-member behind.
    const abort = (): void => this.#leaving.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#stopWatchingPage = onPageHide(() => this.#partAndClose());
    try {
      await this.#enter();
    } catch (error) {
      await this.#close(messageOf(error));
      throw error;
    } finally {
      stopProgress();
      signal?.removeEventListener("abort", abort);
    }
  }

  play(action: Action): Promise<Outcome> {
    if (this.#closing !== undefined) return Promise.resolve({ outcome: "rejected", reason: "closed" });
    if (this.#sequencer === undefined) return Promise.resolve({ outcome: "rejected", reason: "not-seated" });
    return this.#sequencer.propose(action);
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

  async kick(peer: PeerId, reason?: string): Promise<void> {
    await this.#inSession().kick(peer, reason);
  }

  async rename(name: string): Promise<void> {
    await this.#inSession().rename(name);
  }

  async leave(): Promise<void> {
    this.#session?.part("give-up-seat");
    await this.#close("left");
  }

  #inSession(): GameSession {
    if (this.#session === undefined) throw new ClosedError("the match");
    return this.#session;
  }

  async #enter(): Promise<void> {
    const { meeting, seats, session: options, options: { spectate = false } } = this.#parts;
    const { signal } = this.#leaving;
    const session = await enterMatch({ meeting, seats, spectate, session: { ...options, signal } });
    if (signal.aborted) {
      await session.close();
      signal.throwIfAborted();
    }
    this.#session = session;
    session.on("closed", (reason) => this.#sessionEnded(session, reason));
    session.on("change", () => this.#refreshSoon());
    this.#startGame(session);
    this.#refresh();
  }

  #startGame(session: GameSession): void {
    const { game, seats, options: { development, onReport, logger } } = this.#parts;
    const sequencer = runGame({ session, game, seats: session.roster.seats.length || seats, development, onReport, logger });
    this.#sequencer = sequencer;
    const show = (): void => {
      const pending = sequencer.pending.map(({ action }) => action);
      if (pending.length + this.#pending.get().length > 0) this.#pending.set(pending);
      this.#confirmed.set(sequencer.confirmedState);
      this.#state.set(sequencer.speculativeState);
      this.#refreshSoon();
    };
    sequencer.on("change", show);
    show();
  }

  /** A session that ended by itself: a lone host that gave way goes in again, everything else is the end. */
  #sessionEnded(session: GameSession, reason: Error | undefined): void {
    if (this.#session !== session || this.#closing !== undefined) return;
    this.#sequencer?.close();
    this.#session = undefined;
    this.#sequencer = undefined;
    if (!hasCode(reason, "duplicate-host")) return void this.#close(reason === undefined ? "closed" : messageOf(reason));
    this.#refresh();
    void this.#enter().catch((error: unknown) => this.#close(messageOf(error)));
    return undefined;
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

  #refresh(): void {
    if (this.#closing !== undefined) return;
    const session = this.#session;
    const status = session === undefined ? statusWithout(this.#seam.selfId, "connecting", undefined) : statusOf(session, this.#sequencer?.pendingCount ?? 0, this.#seam.peers);
    const players = session === undefined ? [] : playersOf(session);
    if (!looksSame(status, this.#status.get())) this.#status.set(status);
    if (!looksSame(players, this.#players.get())) this.#players.set(players);
  }

  /** In `pagehide` there is no time left: what must be said is said at once. */
  #partAndClose(): void {
    this.#session?.part();
    void this.#close("the page went away");
  }

  #close(reason: string): Promise<void> {
    this.#closing ??= this.#end(reason);
    return this.#closing;
  }

  async #end(reason: string): Promise<void> {
    this.#stopWatchingPage();
    this.#leaving.abort(new ClosedError("the match"));
    this.#sequencer?.close();
    for (const shared of this.#shared.values()) shared.stop();
    this.#status.set(statusWithout(this.#seam.selfId, "closed", reason, this.#status.get()));
    const ended = this.#session?.close();
    this.#channels.close();
    this.#sharedChannels.close();
    this.#mux.close();
    // The goodbye is sent by closing the seam, so that goes out in this very task too.
    const torn = this.#seam.close();
    await Promise.all([ended, torn]);
  }
}

/** Calls `then` when the page goes away; does nothing where there is no page. Returns the function that stops it. */
function onPageHide(then: () => void): () => void {
  if (typeof document === "undefined") return () => {};
  addEventListener("pagehide", then);
  return () => removeEventListener("pagehide", then);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
