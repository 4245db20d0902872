// Actions in, committed turns out: the game's lane of the one log, in order, with who acted. Not for state: nothing is applied here.
import { hasCode, InvalidArgumentError, type Codec, type LogIndex, type PeerId } from "../base/index.ts";
import type { CommittedCommand, DedupKey, InstalledSnapshot, LANE_GAME, LogEvent, OrderedLog } from "../replica/index.ts";
import type { Seat } from "./game.ts";
import { textOf } from "./fault.ts";
import { encodeSystemCommand, systemCommandOf, type SystemCommand } from "./system-command.ts";
import type { CommittedTurn, TurnEvent } from "./turn.ts";

// The value is written here because the game layer imports replica's types and nothing it runs; the type keeps the two equal.
const GAME_LANE: typeof LANE_GAME = 1;

/** What a {@link TurnSequencer} is made from. */
export interface TurnSequencerOptions<Action> {
  readonly log: OrderedLog;
  /** Usually `definedGame.actions`. */
  readonly actions: Codec<Action>;
  /** The seat the proposer holds at this very point of the log, undefined for none. Called once per committed action, in log order with `observe`. */
  readonly playerOf: (proposer: PeerId) => Seat | undefined;
  /** Hears every event that is not the game's, in log order: commands of other lanes and installs (before the reset is delivered). Here the caller folds its seat map. */
  readonly observe?: ((event: LogEvent) => void) | undefined;
  /** Whether the game begins anew, from its setup, at the command just observed. Default: never. */
  readonly isBeginning?: (() => boolean) | undefined;
}

/** How one action is proposed. */
export interface TurnProposeOptions {
  /** A serial used before, to settle an action whose outcome is unknown. Default: the next serial. */
  readonly requestId?: number | undefined;
  /** Stops waiting (rejects with the signal's reason); the action may still commit. */
  readonly signal?: AbortSignal | undefined;
}

/** An action as it will come back from the log. */
export interface EncodedAction<Action> {
  /** What the bytes decode to: the proposer predicts with exactly what everybody will apply. */
  readonly action: Action;
  readonly payload: Uint8Array;
}

/** What a proposal resolves to. */
export interface ProposedTurn<Action> {
  /** Where the action was first committed. */
  readonly index: LogIndex;
  readonly action: Action;
  readonly dedupKey: DedupKey;
}

/** A proposal on its way. */
export interface Submission {
  readonly dedupKey: DedupKey;
  /** False when the log refused before it reserved a serial: the key then names nothing, and `committed` rejects. */
  readonly isStamped: boolean;
  /** Resolves and rejects as `OrderedLog.propose` does. */
  readonly committed: Promise<{ readonly index: LogIndex }>;
}

/** The game's view of an `OrderedLog`. One follower at a time, because the caller's seat map is folded alongside. */
export class TurnSequencer<Action> {
  readonly #options: TurnSequencerOptions<Action>;
  #index: LogIndex = 0;
  #isFollowed = false;

  constructor(options: TurnSequencerOptions<Action>) {
    this.#options = options;
  }

  /** The log underneath. */
  get log(): OrderedLog {
    return this.#options.log;
  }

  /** Index of the last event delivered, of any lane; 0 before the first. */
  get index(): LogIndex {
    return this.#index;
  }

  /** The key the next proposal will be stamped with, if nobody else proposes before. */
  get nextKey(): DedupKey {
    return { clientId: this.log.clientId, requestId: this.log.lastRequestId + 1 };
  }

  /** Bytes of an action, and the action they decode to. Throws `InvalidActionError` for one that the schema refuses, `InvalidArgumentError` for one that does not encode. */
  encode(action: Action): EncodedAction<Action> {
    const { actions } = this.#options;
    try {
      const payload = actions.encode(action);
      const decoded = actions.decode(payload);
      if (decoded !== undefined) return { action: decoded, payload };
    } catch (cause) {
      if (hasCode(cause, "invalid-action")) throw cause;
      throw new InvalidArgumentError(`not an action of this game: ${textOf(cause)}`);
    }
    throw new InvalidArgumentError("not an action of this game: it decodes to undefined");
  }

  /**
   * Proposes an action from any role. Rejects as `OrderedLog.propose` does, and as {@link TurnSequencer.encode} does for what is no action.
   * The key is also readable at once, through `log.lastRequestId`.
   */
  async propose(action: Action, options: TurnProposeOptions = {}): Promise<ProposedTurn<Action>> {
    const encoded = this.encode(action);
    const { dedupKey, committed } = this.submit(encoded.payload, options);
    const { index } = await committed;
    return { index, action: encoded.action, dedupKey };
  }

  /** Proposes encoded bytes and returns their key in the same task. Never throws: what goes wrong is in `committed`. */
  submit(payload: Uint8Array, options: TurnProposeOptions = {}): Submission {
    const { log } = this;
    const before = log.lastRequestId;
    const committed = proposeSafely(log, payload, options);
    const requestId = options.requestId ?? Math.max(log.lastRequestId, before + 1);
    return { dedupKey: { clientId: log.clientId, requestId }, isStamped: options.requestId !== undefined || log.lastRequestId > before, committed };
  }

  /** Proposes a command of the table itself. Rejects as `OrderedLog.propose` does. Only games with a clock or dice take any. */
  async proposeSystem(command: SystemCommand): Promise<void> {
    await this.log.propose(encodeSystemCommand(command), { lane: GAME_LANE });
  }

  /**
   * Calls `listener` synchronously and in log order with every turn from index `from` on and every reset, then as the log grows.
   * The log itself is always followed from its start, so that seats are right at `from`. Returns the function that stops it.
   * Throws `InvalidArgumentError` while another follower is active: make a second sequencer with a seat map of its own.
   */
  follow(listener: (event: TurnEvent<Action>) => void, from: LogIndex = 1): () => void {
    if (this.#isFollowed) throw new InvalidArgumentError("a turn sequencer has one follower at a time: make another sequencer, with its own seat map, over the same log");
    this.#isFollowed = true;
    this.#index = 0;
    const stop = this.log.follow((event) => {
      this.#index = event.index;
      const turn = this.#toTurn(event);
      if (turn !== undefined && turn.index >= from) listener(turn);
    });
    let isStopped = false;
    return () => {
      if (isStopped) return;
      isStopped = true;
      this.#isFollowed = false;
      stop();
    };
  }

  #toTurn(event: LogEvent): TurnEvent<Action> | undefined {
    if (event.type === "command" && event.lane === GAME_LANE) return this.#committed(event);
    this.#options.observe?.(event);
    if (event.type === "install") return reset(event);
    return this.#options.isBeginning?.() === true ? begun(event) : undefined;
  }

  #committed(event: CommittedCommand): CommittedTurn<Action> {
    const { index, time, key: dedupKey, proposer, duplicate, payload } = event;
    const player = this.#options.playerOf(proposer);
    const shared = { type: "committed", index, time, dedupKey, proposer, duplicate, payload, player } as const;
    const system = systemCommandOf(this.#options.actions, payload);
    if (system !== undefined) return { ...shared, action: undefined, system };
    try {
      return { ...shared, action: this.#options.actions.decode(payload) };
    } catch (error) {
      return { ...shared, action: undefined, error };
    }
  }
}

/** A log may refuse by throwing; its caller here keeps one path for failures. */
function proposeSafely(log: OrderedLog, payload: Uint8Array, options: TurnProposeOptions): Promise<{ readonly index: LogIndex }> {
  try {
    return log.propose(payload, { lane: GAME_LANE, requestId: options.requestId, signal: options.signal });
  } catch (error) {
    return Promise.reject(error);
  }
}

/** A turn like any other: counted, recorded and replayed. */
function begun({ index, time, key: dedupKey, proposer }: CommittedCommand): CommittedTurn<never> {
  return { type: "committed", index, time, dedupKey, proposer, duplicate: false, payload: new Uint8Array(0), player: undefined, action: undefined, system: { type: "begin" } };
}

function reset({ index, sections }: InstalledSnapshot): TurnEvent<never> {
  return { type: "reset", index, snapshot: sections.get(GAME_LANE), sections };
}
