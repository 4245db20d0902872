// An OrderedLog of one player in one process: no network, no storage. For game tests and for playing alone.
import { ClosedError, InvalidArgumentError, PayloadTooLargeError, peerId, silentLogger, type LogIndex, type PeerId } from "../base/index.ts";
import { ENTRY_COMMAND, type Entry } from "../raft/index.ts";
import { onAbort, throwIfAborted } from "./abort.ts";
import { AppliedLog } from "./applied-log.ts";
import { encodeEnvelope } from "./envelope.ts";
import { BusyError } from "./errors.ts";
import type { LaneReducer } from "./lane.ts";
import { LogFeed } from "./log-feed.ts";
import { LANE_GAME, type CommittedAt, type LogEvent, type OrderedLog, type ProposeOptions } from "./ordered-log.ts";
import { SerialBook } from "./serial-book.ts";

/** What a {@link LocalLog} can be told. */
export interface LocalLogOptions {
  /** Default `local`. */
  readonly id?: PeerId | undefined;
  /** Default: the id. */
  readonly clientId?: string | undefined;
  readonly lanes?: readonly LaneReducer<unknown>[] | undefined;
  /** Stamped on commands, ms since 1970. Default: always 0. */
  readonly wallClock?: (() => number) | undefined;
  /** Larger payloads are refused, bytes. Default 256 KiB, as in RaftConfig. */
  readonly commandBytesMax?: number | undefined;
}

const COMMAND_BYTES_MAX = 256 * 1024;

interface Waiting {
  readonly lane: number;
  readonly serial: number;
  readonly payload: Uint8Array;
  readonly settle: (outcome: CommittedAt | { readonly error: unknown }) => void;
}

/** A log that commits whatever is proposed, in a microtask after the call. Keeps rules OL1… like every OrderedLog. */
export class LocalLog implements OrderedLog {
  readonly id: PeerId;
  readonly clientId: string;
  readonly #log: AppliedLog;
  /** Everything after the last snapshot. */
  #entries: Entry[] = [];
  readonly #feed: LogFeed;
  readonly #serials = new SerialBook();
  readonly #wallClock: () => number;
  readonly #commandBytesMax: number;
  #queue: Waiting[] = [];
  #time = 0;
  #closed = false;

  constructor(options: LocalLogOptions = {}) {
    this.id = options.id ?? peerId("local");
    this.clientId = options.clientId ?? this.id.slice(0, 64);
    this.#log = new AppliedLog(options.lanes ?? [], (from, through) => {
      const before = (this.#entries[0]?.index ?? 1) - 1;
      return this.#entries.slice(from - 1 - before, through - before);
    });
    this.#feed = new LogFeed(this.#log, silentLogger);
    this.#wallClock = options.wallClock ?? (() => 0);
    this.#commandBytesMax = options.commandBytesMax ?? COMMAND_BYTES_MAX;
  }

  get lastRequestId(): number {
    return this.#serials.last;
  }

  get appliedIndex(): LogIndex {
    return this.#log.appliedIndex;
  }

  /** State of a registered lane after `appliedIndex`. */
  laneState<S>(lane: LaneReducer<S>): S {
    return this.#log.state(lane.lane) as S;
  }

  async propose(payload: Uint8Array, options: ProposeOptions = {}): Promise<CommittedAt> {
    if (this.#closed) throw new ClosedError("the log");
    throwIfAborted(options.signal);
    if (payload.length > this.#commandBytesMax) throw new PayloadTooLargeError(payload.length, this.#commandBytesMax, "command");
    const known = options.requestId === undefined ? undefined : this.#log.firstIndex(this.clientId, options.requestId);
    if (known !== undefined && known > 0 && options.requestId !== undefined) return { index: known, key: { clientId: this.clientId, requestId: options.requestId } };
    if (this.#serials.isFull(options.requestId)) throw new BusyError("too many commands are open");
    const serial = this.#serials.take(options.requestId);
    return new Promise((resolve, reject) => {
      const letGo = onAbort(options.signal, reject);
      const settle = (outcome: CommittedAt | { readonly error: unknown }): void => {
        letGo();
        if ("error" in outcome) reject(outcome.error);
        else resolve(outcome);
      };
      this.#queue.push({ lane: options.lane ?? LANE_GAME, serial, payload: payload.slice(), settle });
      if (this.#queue.length === 1) void Promise.resolve().then(() => this.#commit());
    });
  }

  /** Always false: what is proposed here stands in the log before anybody could think again. */
  withdraw(): boolean {
    return false;
  }

  async readIndex(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<LogIndex> {
    if (this.#closed) throw new ClosedError("the log");
    throwIfAborted(options.signal);
    return this.#log.appliedIndex;
  }

  follow(listener: (event: LogEvent) => void, from?: LogIndex): () => void {
    return this.#feed.follow(listener, from);
  }

  committed(from?: LogIndex): AsyncIterable<LogEvent> {
    return this.#feed.committed(from);
  }

  async snapshot(through: LogIndex, gameSection: Uint8Array): Promise<void> {
    if (this.#closed) throw new ClosedError("the log");
    if (through > this.#log.appliedIndex) throw new InvalidArgumentError(`a snapshot through ${through} where ${this.#log.appliedIndex} is applied`);
    if (this.#log.compose(through, gameSection) === undefined) return;
    this.#log.rebase();
    this.#entries = this.#entries.filter(({ index }) => index > through);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of this.#queue.splice(0)) waiting.settle({ error: new ClosedError("the log") });
    this.#feed.close();
  }

  #commit(): void {
    for (const waiting of this.#queue.splice(0)) {
      const { lane, serial } = waiting;
      const index = this.#log.appliedIndex + 1;
      this.#time = Math.max(this.#time, this.#wallClock());
      const data = encodeEnvelope({ lane, clientId: this.clientId, requestId: serial, lowestOutstanding: Math.min(this.#serials.lowest, serial), birth: 0, proposer: this.id, payload: waiting.payload });
      const entry: Entry = { index, term: 1, kind: ENTRY_COMMAND, time: this.#time, data };
      const applied = this.#log.apply(entry);
      if (applied === undefined) {
        waiting.settle({ error: this.#log.failure ?? new InvalidArgumentError("not a command") });
        continue;
      }
      this.#serials.settle(serial);
      this.#entries.push(entry);
      this.#feed.deliver({ events: this.#log.eventsOf([entry])() });
      waiting.settle({ index: applied.verdict > 0 ? applied.verdict : index, key: { clientId: this.clientId, requestId: serial } });
    }
  }
}
