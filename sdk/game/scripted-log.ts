// An OrderedLog whose fate is written by the test: nothing commits, fails or resets until it is told to.
import { peerId, SdkError, type LogIndex, type PeerId } from "../base/index.ts";
import type { CommittedAt, CommittedCommand, DedupKey, InstalledSnapshot, LANE_GAME, LogEvent, OrderedLog, ProposeOptions, ResumedCommand } from "../replica/index.ts";

const GAME_LANE: typeof LANE_GAME = 1;

/** A proposal waiting for its fate. */
export interface ScriptedProposal {
  readonly key: DedupKey;
  readonly payload: Uint8Array;
  readonly lane: number;
  readonly resolve: (at: CommittedAt) => void;
  readonly reject: (error: unknown) => void;
}

/** What a command may differ in from the ordinary. */
export interface ScriptedCommand {
  readonly payload: Uint8Array;
  readonly proposer?: PeerId | undefined;
  readonly key?: DedupKey | undefined;
  readonly lane?: number | undefined;
  readonly time?: number | undefined;
  readonly duplicate?: boolean | undefined;
}

/** For tests of the game layer. Keeps every event; replays them to a new follower. */
export class ScriptedLog implements OrderedLog {
  readonly id: PeerId;
  readonly clientId: string;
  /** Every proposal so far, in order. */
  readonly proposals: ScriptedProposal[] = [];
  /** Snapshots handed in. */
  readonly snapshots: { readonly through: LogIndex; readonly section: Uint8Array }[] = [];
  /** What `propose` refuses with before it stamps a serial, while set. */
  refusal: SdkError | undefined;
  /** What was handed to a later incarnation and waits for its fate. */
  readonly resumed: ScriptedProposal[] = [];
  /** Commits inside `propose`, as a one-player log does. */
  isImmediate = false;
  /** While set, nothing proposed leaves: it can be withdrawn. */
  isHeld = false;
  /** What entries are stamped with, if nothing else is said. */
  time = 1000;
  /** While set, reads wait: the log may not have caught up. */
  isBehind = false;
  lastRequestId = 0;
  appliedIndex: LogIndex = 0;
  /** The key of the last command of another peer. */
  lastForeignKey: DedupKey | undefined;
  #foreignSerial = 0;
  #events: LogEvent[] = [];
  #reads: { readonly answer: () => void; readonly fail: (error: unknown) => void }[] = [];
  readonly #followers = new Set<(event: LogEvent) => void>();

  constructor(id = "self") {
    this.id = peerId(id);
    this.clientId = `client-${id}`;
  }

  /** How many listeners follow. */
  get followers(): number {
    return this.#followers.size;
  }

  propose(payload: Uint8Array, options: ProposeOptions = {}): Promise<CommittedAt> {
    if (this.refusal !== undefined) return Promise.reject(this.refusal);
    const requestId = options.requestId ?? this.lastRequestId + 1;
    this.lastRequestId = Math.max(this.lastRequestId, requestId);
    const promise = new Promise<CommittedAt>((resolve, reject) => {
      this.proposals.push({ key: { clientId: this.clientId, requestId }, payload, lane: options.lane ?? GAME_LANE, resolve, reject });
      options.signal?.addEventListener("abort", () => reject(options.signal?.reason), { once: true });
    });
    if (this.isImmediate) this.commit(this.proposals.length - 1);
    return promise;
  }

  /** Commits the proposal at this place of `proposals`: followers hear of it first, then its promise resolves. */
  commit(at: number): LogIndex {
    const proposal = this.#proposal(at);
    const index = this.append({ payload: proposal.payload, key: proposal.key, lane: proposal.lane });
    this.tell(proposal.key, index);
    return index;
  }

  /** Everybody who waits for this key hears that it is committed. */
  tell(key: DedupKey, index: LogIndex): void {
    for (const each of [...this.proposals, ...this.resumed]) if (each.key.clientId === key.clientId && each.key.requestId === key.requestId) each.resolve({ index, key });
  }

  /** The command of an earlier proposal, as a later incarnation finds it in flight. */
  resume({ key, payload, lane }: Pick<ScriptedProposal, "key" | "payload" | "lane">): ResumedCommand {
    const outcome = new Promise<CommittedAt>((resolve, reject) => this.resumed.push({ key, payload, lane, resolve, reject }));
    outcome.catch(() => {});
    return { key, payload, lane, outcome };
  }

  /** Commits a command: by default another peer's, under its next key. */
  append(command: ScriptedCommand): LogIndex {
    const { payload, key, proposer = key?.clientId === this.clientId ? this.id : peerId("other"), lane = GAME_LANE, time = this.time, duplicate = false } = command;
    this.#foreignSerial += 1;
    const event: CommittedCommand = { type: "command", index: this.appliedIndex + 1, lane, key: key ?? { clientId: `client-${proposer}`, requestId: this.#foreignSerial }, proposer, payload, time, duplicate };
    if (key === undefined) this.lastForeignKey = event.key;
    this.#deliver(event);
    return event.index;
  }

  /** Everything committed before is here: reads are answered. */
  catchUp(): void {
    this.isBehind = false;
    for (const { answer } of this.#reads.splice(0)) answer();
  }

  /** Reads that wait are refused. */
  failReads(error: unknown): void {
    for (const { fail } of this.#reads.splice(0)) fail(error);
  }

  /** Entries that reach no follower: no-ops and memberships. */
  skip(entries: number): void {
    this.appliedIndex += entries;
  }

  /** Installs a snapshot; a later follower starts with it. */
  install(index: LogIndex, sections: ReadonlyMap<number, Uint8Array>): void {
    const event: InstalledSnapshot = { type: "install", index, sections };
    this.#events = [];
    this.#deliver(event);
  }

  /** Rejects the proposal at this place of `proposals`. */
  fail(at: number, error: unknown): void {
    this.#proposal(at).reject(error);
  }

  withdraw(requestId: number): boolean {
    const at = this.proposals.findIndex(({ key }) => key.requestId === requestId);
    if (!this.isHeld || at < 0) return false;
    this.proposals.splice(at, 1)[0]?.reject(new SdkError("withdrawn", "taken back"));
    return true;
  }

  readIndex(): Promise<LogIndex> {
    return this.isBehind ? new Promise((resolve, reject) => this.#reads.push({ answer: () => resolve(this.appliedIndex), fail: reject })) : Promise.resolve(this.appliedIndex);
  }

  follow(listener: (event: LogEvent) => void, from: LogIndex = 1): () => void {
    for (const event of this.#events) if (event.index >= from) listener(event);
    this.#followers.add(listener);
    return () => void this.#followers.delete(listener);
  }

  committed(): AsyncIterable<LogEvent> {
    throw new SdkError("not-here", "the scripted log has no iterable");
  }

  snapshot(through: LogIndex, section: Uint8Array): Promise<void> {
    this.snapshots.push({ through, section });
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #proposal(at: number): ScriptedProposal {
    const proposal = this.proposals[at];
    if (proposal === undefined) throw new SdkError("not-here", `no proposal ${at}`);
    return proposal;
  }

  #deliver(event: LogEvent): void {
    this.appliedIndex = event.index;
    this.#events.push(event);
    for (const follower of this.#followers) follower(event);
  }
}
