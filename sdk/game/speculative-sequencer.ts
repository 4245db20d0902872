// Shows own actions at once and lets the log decide: confirmed state, pending actions on top, and the promise of each. Rules GA30 to GA53 in SPEC.md.
import { createNanoEvents, type Emitter } from "nanoevents";
import { bytesEqual, ClosedError, hasCode, MalformedError, type LogIndex } from "../base/index.ts";
import type { DedupKey, ResumedCommand } from "../replica/index.ts";
import { CountWaiters } from "./count-waiters.ts";
import { createDevelopmentJudge } from "./development-judge.ts";
import { stateDigest } from "./digest.ts";
import { RulesMismatchError } from "./errors.ts";
import { Flight } from "./flight.ts";
import { decodeGameSection, encodeGameSection, type GameSection } from "./game-section.ts";
import type { DefinedGame, Seat } from "./game.ts";
import { HeldBack, type Trial } from "./held-back.ts";
import { textOf, type GameFault } from "./fault.ts";
import { createJudge } from "./judge.ts";
import { rejected, type Outcome } from "./outcome.ts";
import type { GameReport, GameReportKind } from "./report.ts";
import { decodeResumed } from "./resumed-action.ts";
import { advance, predict, rebase, restart, tipOf, withdraw, type Advanced, type Departed, type LogPoint, type OwnAction, type Predicted, type Rebased, type Rulebook, type Speculation } from "./speculation.ts";
import type { EncodedAction, TurnProposeOptions, TurnSequencer } from "./turn-sequencer.ts";
import { sameKey, type CommittedTurn, type GameReset, type TurnEvent } from "./turn.ts";

/** Own actions whose fate is open; one more is rejected with `too-many-pending`. Replaying them all stays well under a millisecond for small games. */
export const PENDING_MAX = 128;

/** How often in a row an action whose outcome is unknown is proposed again at once, under its key; after that, when the log moves. */
export const UNKNOWN_RETRIES_MAX = 8;

/** Failures that leave open whether the action was committed. Every other failure of a proposal means that it was not. */
const UNKNOWN_CODES: readonly string[] = ["proposal-timeout", "leadership-lost", "closed"];

/** What a {@link SpeculativeSequencer} is made from. */
export interface SpeculativeSequencerOptions<State, Action> {
  readonly sequencer: TurnSequencer<Action>;
  readonly game: DefinedGame<State, Action>;
  readonly seats: number;
  /** The seat this peer holds now, undefined for none. */
  readonly player: () => Seat | undefined;
  /** The state before the first action. Default: `game.setup({ seats })`. */
  readonly initialState?: State | undefined;
  /**
   * Freezes states and runs everything twice, to find impure games (reported, never thrown). Costs several encodings per action. `rollback`: believes no
   * prediction either, so that every action is rolled back and replayed from bytes when it commits (then states have a new identity each time). Default false.
   */
  readonly development?: boolean | "rollback" | undefined;
  /** Own actions whose fate may be open at once. Default {@link PENDING_MAX}. */
  readonly pendingMax?: number | undefined;
  /** Hands the log a snapshot each time this many entries have passed, so that it can be compacted. Default: never. */
  readonly snapshotEvery?: number | undefined;
  /**
   * What an earlier incarnation of this writer left in flight (`RaftNode.resumed`), by rising serial; other lanes' are passed over. The log proposes
   * them again by itself: here they are shown, pending from the first moment, and settled. Default: nothing.
   */
  readonly resumed?: readonly ResumedCommand[] | undefined;
  /** What the log itself says, at the event being delivered, that it is played under (`name@version`); undefined while it says nothing. Other rules than the game's stop play before anything is applied under them. */
  readonly rulesOfLog?: (() => string | undefined) | undefined;
  /** `onDigest` hears of the state after each command whose count is a multiple of this. Costs one encoding each. Default: never. */
  readonly digestEvery?: number | undefined;
  /** Hears the digest of the confirmed state after an entry, also while the log is replayed in the constructor. Must not throw. */
  readonly onDigest?: ((at: { readonly index: LogIndex; readonly digest: string }) => void) | undefined;
  /** Hears of what deserves a look, also while the log is replayed in the constructor. Must not throw. */
  readonly onReport?: ((report: GameReport) => void) | undefined;
  /** Hears every event of the game's lane after it took effect, in log order: for recordings. Must not throw. */
  readonly onTurn?: ((event: TurnEvent<Action>) => void) | undefined;
}

/** An own action that is shown but not decided. */
export interface PendingAction<Action> {
  readonly action: Action;
  readonly dedupKey: DedupKey;
  /** Its proposal failed in a way that leaves its fate open. */
  readonly isUnknown: boolean;
}

/** An action that an earlier incarnation proposed and did not see decided. */
export interface ResumedAction<Action> {
  readonly action: Action;
  readonly dedupKey: DedupKey;
  /** As `propose` would have given it: the verdict of the log, or `OutcomeUnknownError` when this side closes before. Nobody has to listen. */
  readonly outcome: Promise<Outcome>;
}

/**
 * What came of {@link SpeculativeSequencer.undo}. Undone: the action never left this peer and never will. Not undone: nothing has changed, because it was
 * `sent` and the log alone decides, it is `settled` already, or `nothing` of this peer is open.
 */
export type UndoAnswer<Action> =
  | { readonly undone: true; readonly action: Action; readonly dedupKey: DedupKey }
  | { readonly undone: false; readonly reason: "sent" | "settled" | "nothing" };

/** What a {@link SpeculativeSequencer} tells its listeners. */
export interface SpeculativeEvents<State, Action> {
  /** `speculativeState` is a new value. */
  state: (state: State) => void;
  /** Anything of what this object shows is new: a state, the count, the pending actions. Once per change, after all of it is in place. */
  change: () => void;
  /** A pending action is not shown any more because others made it illegal. Its promise waits for the log all the same. */
  left: (action: PendingAction<Action>, reason: string) => void;
  /** Play stopped for good: `failure` is set. Not told of what stopped it in the constructor. */
  failed: (failure: Error) => void;
  /** It is over here: nothing will change any more. */
  closed: () => void;
}

/**
 * Predicts and reconciles one peer's actions. Follows the sequencer from construction (so `playerOf` and `observe` are called at once for
 * what is committed already) until `close`. An own action is decided by the log alone: one that was made illegal by another player
 * leaves the shown state at once, and its promise settles when its entry is judged.
 */
export class SpeculativeSequencer<State, Action> {
  /** What came over from an earlier incarnation and decodes, oldest first, decided since or not. */
  readonly resumed: readonly ResumedAction<Action>[];
  readonly #options: SpeculativeSequencerOptions<State, Action>;
  readonly #rules: Rulebook<State, Action>;
  readonly #initialState: State;
  readonly #emitter: Emitter<SpeculativeEvents<State, Action>> = createNanoEvents();
  readonly #waiters = new CountWaiters();
  /** Everything proposed and not settled, oldest first: the pending ones and those that left. */
  readonly #flights: Flight<Action>[] = [];
  readonly #held: HeldBack<State, Action>;
  /** Events that came while another was being handled: a one-player log commits inside `propose`. */
  readonly #inbox: TurnEvent<Action>[] = [];
  #stop: () => void = () => {};
  #speculation: Speculation<State, Action>;
  #point: LogPoint = { index: 0, time: 0 };
  #count = 0;
  #pending: readonly PendingAction<Action>[] = [];
  #isBusy = false;
  #isClosed = false;
  #failure: Error | undefined;
  #snapshotIndex: LogIndex = 0;
  #isSnapshotDue = false;

  constructor(options: SpeculativeSequencerOptions<State, Action>) {
    this.#options = options;
    const { game, seats, sequencer } = options;
    const { development = false } = options;
    this.#rules = { judge: (development === false ? createJudge : createDevelopmentJudge)(game, seats), states: game.states, rollsBack: development === "rollback" };
    this.#initialState = options.initialState === undefined ? game.setup({ seats }) : options.initialState;
    this.#speculation = { confirmed: this.#initialState, predicted: [] };
    // Before the replay, so that a turn that stands in the log finds the action it settles; shown after it, so that none is shown on top of itself.
    this.resumed = this.#takeOver(options.resumed ?? []);
    this.#held = new HeldBack(this.#flights);
    const stop = sequencer.follow((event) => this.#receive(event));
    this.#stop = stop;
    // What stopped play during the replay has closed this already, before there was anything to stop.
    if (this.#mayPlay(sequencer.index)) this.#resume();
    else stop();
  }

  /** What to draw: the committed state with this peer's pending actions on top. The same value until something changes. */
  get speculativeState(): State {
    return tipOf(this.#speculation);
  }

  /** Only what is committed. */
  get confirmedState(): State {
    return this.#speculation.confirmed;
  }

  /** Committed commands of the game's lane so far, duplicates and illegal ones included: the same on every peer at the same index. */
  get confirmedCount(): number {
    return this.#count;
  }

  /** Logged time of the last game entry taken in, ms since 1970; 0 before the first. */
  get confirmedTime(): number {
    return this.#point.time;
  }

  /** Index of the last game entry or snapshot taken in; 0 before the first. */
  get confirmedIndex(): LogIndex {
    return this.#point.index;
  }

  /** How many own actions are shown and not decided. */
  get pendingCount(): number {
    return this.#pending.length;
  }

  /** How many own actions are open in whatever way: shown, or not shown any more and still to be decided. */
  get openCount(): number {
    return this.#flights.length;
  }

  /** The own actions that are shown and not decided, oldest first. The same array until it changes. */
  get pending(): readonly PendingAction<Action>[] {
    return this.#pending;
  }

  /** Set when play stopped because the log, or a snapshot of it, does not fit this game. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Calls `listener` on each event; returns the function that stops it. A listener that throws is reported, and stops nothing. */
  on<K extends keyof SpeculativeEvents<State, Action>>(event: K, listener: SpeculativeEvents<State, Action>[K]): () => void {
    return this.#emitter.on(event, guarded(listener, (cause) => this.#report({ kind: "listener-threw", message: `a listener of "${event}" threw: ${textOf(cause)}`, cause })));
  }

  /**
   * Applies the action to `speculativeState` in this very task and proposes it. Resolves when the log decided; rejects with
   * `OutcomeUnknownError` when the fate stays open, and with the signal's reason when that fires (the action may still commit).
   * With the `requestId` of an own action whose fate is open, proposes that one again instead.
   */
  propose(action: Action, options: TurnProposeOptions = {}): Promise<Outcome> {
    if (options.signal?.aborted === true) return Promise.reject(options.signal.reason);
    if (this.#isClosed || this.#failure !== undefined) return Promise.resolve(rejected("closed", this.#failure));
    const open = this.#flights.find(({ own }) => own.dedupKey.requestId === options.requestId);
    if (open !== undefined) return this.#again(open);
    const player = this.#options.player();
    if (player === undefined) return Promise.resolve(rejected("not-seated"));
    if (this.#flights.length >= (this.#options.pendingMax ?? PENDING_MAX)) return Promise.resolve(rejected("too-many-pending"));
    const encoded = encodeSafely(this.#options.sequencer, action);
    return "outcome" in encoded ? Promise.resolve(encoded) : this.#launch(encoded, player, options);
  }

  /**
   * Takes back an own action: by its `requestId`, or the newest that is open. Only what has not left this peer can be taken back, which is so while nobody
   * leads (no quorum, an election, alone in the network) and in the very task that proposed it. Then it is gone from `speculativeState` in this task, what was
   * proposed after it is predicted anew without it, and its promise resolves as rejected, `undone`. For what was sent, a game that wants to take moves back
   * has an action that says so.
   */
  undo(requestId?: number): UndoAnswer<Action> {
    const flight = requestId === undefined ? this.#flights.at(-1) : this.#flights.find(({ own }) => own.dedupKey.requestId === requestId);
    const { log } = this.#options.sequencer;
    if (flight === undefined) return { undone: false, reason: requestId === undefined || requestId > log.lastRequestId ? "nothing" : "settled" };
    const { action, dedupKey } = flight.own;
    if (flight.isResumed || flight.committedIndex !== undefined || !log.withdraw(dedupKey.requestId)) return { undone: false, reason: "sent" };
    this.#change(() => {
      const departed = this.#rebased(withdraw(this.#rules, this.#speculation, dedupKey, this.#guessPoint()));
      this.#settle(flight, rejected("undone"));
      return departed;
    });
    return { undone: true, action, dedupKey };
  }

  /** Proposes every own action of unknown outcome again under its key. Happens by itself whenever the log moves; call it when a quorum is back and nothing moves yet. */
  retryUnknown(): void {
    for (const flight of this.#flights) if (flight.isUnknown) this.#resubmit(flight);
  }

  /** Resolves when `confirmedCount` is `count` or more. Rejects with the signal's reason, `ClosedError` on close, or `busy` when too many wait. */
  awaitConfirmedCount(count: number, signal?: AbortSignal): Promise<void> {
    if (this.#count >= count) return Promise.resolve();
    if (this.#isClosed) return Promise.reject(new ClosedError("the match"));
    return this.#waiters.wait(count, signal);
  }

  /** The game lane's section after `confirmedIndex`. Costs one encoding of the state. */
  section(): Uint8Array {
    return encodeGameSection(this.#options.game, { state: this.confirmedState, count: this.#count, time: this.#point.time });
  }

  /** Stops following. Open actions end with `OutcomeUnknownError`, waiters with `ClosedError`; states stay readable. Idempotent. The log stays open. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stop();
    for (const flight of this.#flights.splice(0)) flight.close();
    this.#waiters.close(new ClosedError("the match"));
    this.#emitter.emit("closed");
  }

  #takeOver(commands: readonly ResumedCommand[]): readonly ResumedAction<Action>[] {
    const player = this.#options.player();
    return commands.flatMap((command) => {
      const decoded = decodeResumed(this.#options.game, command);
      if (decoded === undefined) return [];
      if ("kind" in decoded) {
        this.#report({ ...decoded, player });
        return [];
      }
      const flight = new Flight<Action>({ ...decoded, player });
      flight.isResumed = true;
      this.#flights.push(flight);
      this.#watch(flight, command.outcome);
      return [{ action: decoded.action, dedupKey: decoded.dedupKey, outcome: flight.outcome }];
    });
  }

  #resume(): void {
    this.#held.begin(this.#flights);
    this.#change(() => []);
    this.#askWhetherCaughtUp();
  }

  #askWhetherCaughtUp(): void {
    this.#held.ask(() => this.#options.sequencer.log.readIndex(), () => this.#caughtUp());
  }

  #caughtUp(): void {
    if (this.#isClosed) return;
    this.#change(() => [...this.#showHeld(), ...this.#held.giveUp(this.#trial())]);
  }

  /** Shows what is legal now of what was held back, at its place in the order of proposals. */
  #showHeld(): readonly Departed<Action>[] {
    const rebased = this.#held.show(this.#trial(), this.#flights, this.#options.player());
    return rebased === undefined ? [] : this.#rebased(rebased);
  }

  #trial(): Trial<State, Action> {
    return { rules: this.#rules, speculation: this.#speculation, point: this.#guessPoint() };
  }

  #launch(encoded: EncodedAction<Action>, player: Seat, options: TurnProposeOptions): Promise<Outcome> {
    const { sequencer } = this.#options;
    const expected = { clientId: sequencer.log.clientId, requestId: options.requestId ?? sequencer.nextKey.requestId };
    const result = predict(this.#rules, this.#speculation, { ...encoded, player, dedupKey: expected }, this.#guessPoint());
    this.#reportFault(result.fault);
    if ("reason" in result) return Promise.resolve(rejected(result.reason, result.fault?.cause));
    // Events that arrive inside submit wait until the action stands in the pending list, or its own commit would not find it.
    const wasBusy = this.#isBusy;
    this.#isBusy = true;
    const { dedupKey, isStamped, committed } = sequencer.submit(encoded.payload, options);
    let outcome: Promise<Outcome>;
    if (isStamped) {
      const flight = new Flight<Action>({ ...encoded, player, dedupKey });
      outcome = flight.outcome;
      this.#flights.push(flight);
      this.#watch(flight, committed, options.signal);
      this.#change(() => this.#show(flight.own, expected, result));
    } else outcome = this.#unstamped(committed);
    this.#isBusy = wasBusy;
    if (!wasBusy) this.#drain();
    return outcome;
  }

  /** The prediction stands unless the log stamped another key than expected; then the random numbers may differ. */
  #show(own: OwnAction<Action>, expected: DedupKey, prediction: Predicted<State, Action>): readonly Departed<Action>[] {
    const { confirmed, predicted } = this.#speculation;
    if (!sameKey(own.dedupKey, expected)) return this.#rebased(rebase(this.#rules, confirmed, [...predicted.map((each) => each.own), own], this.#guessPoint()));
    this.#speculation = { confirmed, predicted: [...predicted, { ...prediction, own }] };
    return [];
  }

  /** The log refused before it named the action: nothing was shown, and nothing can come back. */
  async #unstamped(committed: Promise<{ readonly index: LogIndex }>): Promise<Outcome> {
    try {
      return { outcome: "committed", index: (await committed).index, judged: false };
    } catch (cause) {
      return this.#refusal(cause);
    }
  }

  #again(flight: Flight<Action>): Promise<Outcome> {
    this.#resubmit(flight);
    return flight.isUnknown ? flight.settled : flight.outcome;
  }

  #resubmit(flight: Flight<Action>): void {
    if (flight.isUnderWay || flight.isSettled) return;
    const { payload, dedupKey } = flight.own;
    this.#watch(flight, this.#options.sequencer.submit(payload, { requestId: dedupKey.requestId }).committed);
  }

  #watch(flight: Flight<Action>, committed: Promise<{ readonly index: LogIndex }>, signal?: AbortSignal): void {
    flight.isUnderWay = true;
    void committed.then(
      ({ index }) => this.#logSettled(flight, index),
      (error: unknown) => this.#failed(flight, error, signal),
    );
  }

  /** The log says "committed". Usually the turn came before; when it will never come, because a snapshot swallowed it, this is all there is. */
  #logSettled(flight: Flight<Action>, index: LogIndex): void {
    flight.isUnderWay = false;
    flight.committedIndex = index;
    if (!flight.isSettled && index <= this.#point.index) this.#change(() => this.#swallowed(flight, index));
  }

  #swallowed(flight: Flight<Action>, index: LogIndex): readonly Departed<Action>[] {
    const departed = this.#rebased(withdraw(this.#rules, this.#speculation, flight.own.dedupKey, this.#guessPoint()));
    this.#settle(flight, { outcome: "committed", index, judged: false });
    return departed;
  }

  #failed(flight: Flight<Action>, error: unknown, signal: AbortSignal | undefined): void {
    flight.isUnderWay = false;
    if (flight.isSettled) return;
    const isAborted = signal?.aborted === true && error === signal.reason;
    const isUnknown = UNKNOWN_CODES.some((code) => hasCode(error, code));
    // Once the fate is open, the refusal of a retry says nothing about the first attempt.
    if (!isAborted && !isUnknown && !flight.isUnknown) return this.#change(() => this.#rollBack(flight, error));
    this.#change(() => this.#leaveOpen(flight, error, isAborted));
    const isWorthwhile = !isAborted && isUnknown && !hasCode(error, "closed") && flight.retries < UNKNOWN_RETRIES_MAX;
    if (!isWorthwhile) return;
    flight.retries += 1;
    this.#resubmit(flight);
  }

  #rollBack(flight: Flight<Action>, error: unknown): readonly Departed<Action>[] {
    const departed = this.#rebased(withdraw(this.#rules, this.#speculation, flight.own.dedupKey, this.#guessPoint()));
    this.#settle(flight, this.#refusal(error));
    return departed;
  }

  /** The log moves again: what was given up for the moment is worth another try, after the log has finished delivering. */
  #scheduleRetry(): void {
    if (this.#flights.some((flight) => flight.isUnknown && !flight.isUnderWay)) void Promise.resolve().then(() => this.retryUnknown());
  }

  #leaveOpen(flight: Flight<Action>, error: unknown, isAborted: boolean): readonly Departed<Action>[] {
    if (isAborted) flight.stopWaiting(error);
    else if (!flight.isUnknown) {
      flight.leaveOpen(error);
      const { dedupKey, player } = flight.own;
      this.#report({ kind: "outcome-unknown", message: `whether an action was committed is open: ${textOf(error)}`, dedupKey, player, cause: error });
    }
    return [];
  }

  #refusal(error: unknown): Outcome {
    this.#report({ kind: "proposal-failed", message: `the log refused an action: ${textOf(error)}`, cause: error });
    return rejected(error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "failed", error);
  }

  #receive(event: TurnEvent<Action>): void {
    this.#inbox.push(event);
    if (!this.#isBusy) this.#drain();
  }

  #drain(): void {
    this.#isBusy = true;
    try {
      for (let event = this.#inbox.shift(); event !== undefined; event = this.#inbox.shift()) this.#handle(event);
    } finally {
      this.#isBusy = false;
    }
  }

  #handle(event: TurnEvent<Action>): void {
    if (!this.#mayPlay(event.index)) return;
    this.#change(() => (event.type === "reset" ? this.#reset(event) : this.#turn(event)));
    if (event.type === "committed") this.#takeDigest(event.index);
    const { onTurn } = this.#options;
    if (onTurn !== undefined && !this.#isClosed) guarded(onTurn, (cause) => this.#report({ kind: "listener-threw", message: `onTurn threw: ${textOf(cause)}`, cause }))(event);
    this.#scheduleSnapshot();
    this.#scheduleRetry();
    this.#askWhetherCaughtUp();
  }

  /** False when play is over, or ends here because the log is another game's. */
  #mayPlay(index: LogIndex): boolean {
    if (this.#isClosed) return false;
    const { game, rulesOfLog } = this.#options;
    const rules = rulesOfLog?.();
    if (rules === undefined || rules === game.rules) return true;
    this.#fail("rules-mismatch", new RulesMismatchError(game.rules, rules), index);
    return false;
  }

  #fail(kind: GameReportKind, cause: unknown, index: LogIndex): void {
    const failure = cause instanceof Error ? cause : new MalformedError(String(cause));
    this.#failure = failure;
    this.#report({ kind, message: `play stops: ${textOf(cause)}`, index, cause });
    this.close();
    this.#emitter.emit("failed", failure);
  }

  #takeDigest(index: LogIndex): void {
    const { game, digestEvery, onDigest } = this.#options;
    if (onDigest === undefined || digestEvery === undefined || this.#isClosed || this.#count % digestEvery !== 0) return;
    guarded(() => onDigest({ index, digest: stateDigest(game, this.confirmedState) }), (cause) => this.#report({ kind: "unserialisable", message: `no digest of the state could be taken: ${textOf(cause)}`, index, cause }))();
  }

  #turn(turn: CommittedTurn<Action>): readonly Departed<Action>[] {
    const { verdict, ...rebased } = advance(this.#rules, this.#speculation, turn);
    this.#point = { index: turn.index, time: turn.time };
    this.#count += 1;
    const departed = this.#rebased(rebased);
    this.#reportTurn(turn, verdict);
    const flight = this.#flights.find(({ own }) => sameKey(own.dedupKey, turn.dedupKey));
    if (flight !== undefined) this.#settle(flight, this.#outcomeOf(flight, turn, verdict));
    return departed;
  }

  #outcomeOf({ own }: Flight<Action>, turn: CommittedTurn<Action>, verdict: Advanced<State, Action>["verdict"]): Outcome {
    const { index, dedupKey, player } = turn;
    if (!bytesEqual(own.payload, turn.payload)) {
      this.#report({ kind: "key-collision", message: "another action was committed under the key of one of ours; ours will never apply", index, dedupKey, player });
      return rejected("key-taken");
    }
    if (verdict === undefined) return { outcome: "committed", index, judged: false };
    return verdict.reason === undefined ? { outcome: "committed", index, judged: true } : rejected(verdict.reason, verdict.fault?.cause);
  }

  #reset({ index, snapshot }: GameReset): readonly Departed<Action>[] {
    const section = this.#readSection(index, snapshot);
    if (section === undefined) return [];
    this.#point = { index, time: section.time };
    this.#count = section.count;
    this.#snapshotIndex = index;
    const swallowed = this.#flights.filter(({ committedIndex }) => committedIndex !== undefined && committedIndex <= index);
    const departed = [...this.#rebased(restart(this.#rules, this.#speculation, section.state, this.#point))];
    for (const flight of swallowed) departed.push(...this.#swallowed(flight, flight.committedIndex ?? index));
    return departed.filter(({ own }) => !swallowed.some((flight) => flight.own === own));
  }

  #readSection(index: LogIndex, snapshot: Uint8Array | undefined): GameSection<State> | undefined {
    if (snapshot === undefined) return { state: this.#initialState, count: 0, time: 0 };
    try {
      return decodeGameSection(this.#options.game, snapshot);
    } catch (cause) {
      this.#fail("snapshot-unreadable", cause, index);
      return undefined;
    }
  }

  /** Takes a new speculation over; what departed goes on to the events. */
  #rebased({ speculation, departed }: Rebased<State, Action>): readonly Departed<Action>[] {
    this.#speculation = speculation;
    return departed;
  }

  #settle(flight: Flight<Action>, outcome: Outcome): void {
    this.#flights.splice(this.#flights.indexOf(flight), 1);
    this.#held.release(flight);
    flight.settle(outcome);
  }

  /** Runs one change and tells of it once, after all of it is in place, so that a listener may propose. */
  #change(make: () => readonly Departed<Action>[]): void {
    const { speculativeState, confirmedState, confirmedCount, pending } = this;
    const kept = this.#held.keep(make(), this.#flights);
    // Whatever changed may have made legal what was held back.
    const departed = this.#held.isEmpty ? kept : [...kept, ...this.#held.keep(this.#showHeld(), this.#flights)];
    this.#pending = this.#listPending();
    const isNewState = this.speculativeState !== speculativeState;
    if (isNewState) this.#emitter.emit("state", this.speculativeState);
    if (isNewState || this.confirmedState !== confirmedState || this.#count !== confirmedCount || this.#pending !== pending) this.#emitter.emit("change");
    for (const { own, reason, fault } of departed) {
      this.#reportFault(fault);
      this.#emitter.emit("left", { action: own.action, dedupKey: own.dedupKey, isUnknown: false }, reason);
    }
    this.#waiters.reached(this.#count);
  }

  /** The list to show; the old one when it says the same. */
  #listPending(): readonly PendingAction<Action>[] {
    const shown = new Set(this.#speculation.predicted.map(({ own }) => own));
    const flights = this.#flights.filter(({ own }) => shown.has(own));
    const old = this.#pending;
    const isSame = flights.length === old.length && flights.every((flight, at) => old[at]?.dedupKey === flight.own.dedupKey && old[at]?.isUnknown === flight.isUnknown);
    return isSame ? old : flights.map(({ own: { action, dedupKey }, isUnknown }) => ({ action, dedupKey, isUnknown }));
  }

  /** Where the log stands as far as this peer heard: entries of other lanes move the index, too. */
  #guessPoint(): LogPoint {
    return { index: Math.max(this.#options.sequencer.index, this.#point.index), time: this.#point.time };
  }

  /** The snapshot is taken after the current batch of events, when every lane stands at the same index. */
  #scheduleSnapshot(): void {
    const every = this.#options.snapshotEvery;
    if (every === undefined || this.#isSnapshotDue || this.#point.index - this.#snapshotIndex < every) return;
    this.#isSnapshotDue = true;
    void Promise.resolve().then(() => this.#takeSnapshot());
  }

  /** Hands the log a snapshot after the current batch of events, so that it can be compacted: for when storage runs full. Nothing when one is due already or nothing is new. */
  makeRoom(): void {
    if (this.#isSnapshotDue || this.#isClosed || this.#point.index === this.#snapshotIndex) return;
    this.#isSnapshotDue = true;
    void Promise.resolve().then(() => this.#takeSnapshot());
  }

  async #takeSnapshot(): Promise<void> {
    this.#isSnapshotDue = false;
    if (this.#isClosed) return;
    const through = Math.max(this.#options.sequencer.index, this.#point.index);
    this.#snapshotIndex = through;
    try {
      await this.#options.sequencer.log.snapshot(through, this.section());
    } catch (cause) {
      this.#report({ kind: "snapshot-failed", message: `a snapshot through ${through} was not taken: ${textOf(cause)}`, index: through, cause });
    }
  }

  #reportTurn(turn: CommittedTurn<Action>, verdict: Advanced<State, Action>["verdict"]): void {
    if (verdict === undefined) return;
    const { index, player, dedupKey, error } = turn;
    const about = { index, player, dedupKey };
    if (verdict.fault !== undefined) this.#report({ ...verdict.fault, ...about });
    else if (turn.action === undefined && turn.system === undefined) this.#report({ kind: "undecodable", message: `a committed payload is not an action of this game: ${textOf(error)}`, ...about, cause: error });
    else if (verdict.reason !== undefined) this.#report({ kind: "illegal", message: `a committed action is illegal and did nothing: ${verdict.reason}`, ...about });
  }

  #reportFault(fault: GameFault | undefined): void {
    if (fault !== undefined) this.#report(fault);
  }

  #report(report: GameReport): void {
    // A reporter that throws has nobody left to be reported to; the match is worth more.
    guarded((each: GameReport) => this.#options.onReport?.(each), () => {})(report);
  }
}

function encodeSafely<Action>(sequencer: TurnSequencer<Action>, action: Action): EncodedAction<Action> | Outcome {
  try {
    return sequencer.encode(action);
  } catch (cause) {
    return rejected(cause instanceof Error && hasCode(cause, "invalid-action") ? cause.message : "invalid-action", cause);
  }
}

/** The same listener, whose exceptions go to `onThrow`: one broken view must not stop the log for the others. */
function guarded<Listener extends (...args: never[]) => void>(listener: Listener, onThrow: (cause: unknown) => void): Listener {
  const safe = (...args: Parameters<Listener>): void => {
    try {
      listener(...args);
    } catch (cause) {
      onThrow(cause);
    }
  };
  // The compiler can not see that a function over Parameters<Listener> is a Listener.
  return safe as Listener;
}
