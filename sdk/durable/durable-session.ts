// A state that outlives its process: fenced writes, snapshots and a journal over ByteStores, and what to do after a crash.
import { ByteWriter, digestHex, InvalidArgumentError, utf8, type Codec } from "../base/index.ts";
import type { ByteStore } from "../storage/index.ts";
import { backendLabel, journalStoreOf, snapshotStoreOf, storesOf, type DurableBackend } from "./backend.ts";
import { reportContinuity, type ContinuityObjectives, type ContinuityReport } from "./continuity.ts";
import { LifecycleError } from "./errors.ts";
import { fenceLabel, fenceSignature, judgeClaim, type OwnershipFence } from "./fence.ts";
import { mustOwn, writeAsOwner } from "./fenced-store.ts";
import { encodeJournalRecord, journalKey, journalLabel, journalPrefix, type JournalEntry, type JournalKind } from "./journal.ts";
import { recover, type Recovered } from "./recovery.ts";
import { encodeStateImage, snapshotKey } from "./snapshot.ts";
import { readFence, StoreFence, takeOverWith } from "./store-fence.ts";

/** Live: taking deltas. Disconnected: the state is held, the client is not. Crashed: only what was stored is left. */
export type DurableLifecycle = "live" | "disconnected" | "crashed";

/**
 * What a restart does. `resume`: keep state and route (the state in memory when the process lived, else the stored one). `rehydrate`:
 * rebuild the state from snapshot and journal, always; keep the route. `remount`: a fresh state on the new route.
 */
export type ResumePolicy = "resume" | "rehydrate" | "remount";

/** How a session is made. `Delta` is one change of `State`. */
export interface DurableSessionOptions<State, Delta> {
  readonly sessionId: string;
  readonly backend: DurableBackend;
  readonly policy: ResumePolicy;
  /** Proof of ownership; opening claims it in every store of the backend. */
  readonly fence: OwnershipFence;
  readonly initial: State;
  /** Pure. */
  readonly apply: (state: State, delta: Delta) => State;
  readonly states: Codec<State>;
  readonly deltas: Codec<Delta>;
  /** When continuity counts as kept. Default: 2,000 ms and no lost event. */
  readonly objectives?: ContinuityObjectives | undefined;
}

/** What opening found. */
export interface OpeningReport {
  /** False: nothing was stored, the session is new. */
  readonly existed: boolean;
  /** A torn record at the journal's end that was cut. */
  readonly tornRecord: string | undefined;
}

/** Deltas `append` takes while earlier ones are still being written; one more is refused with `InvalidArgumentError`. */
export const DURABLE_PENDING_MAX = 10_000;

/** Entries `journal` shows at most, the latest; the rest is in the store alone. */
export const JOURNAL_SHOWN_MAX = 10_000;

/**
 * One owner's hold on a durable state. Every write is conditional on the owner's fence being in force in the store, so a stale owner's
 * write is refused however long it slept. Calls are carried out one after another; a failed call changes nothing.
 */
export class DurableSession<State, Delta> {
  readonly #options: DurableSessionOptions<State, Delta>;
  #memory: Recovered<State>;
  #lifecycle: DurableLifecycle;
  readonly #entries: JournalEntry[];
  #queue: Promise<unknown> = Promise.resolve();
  #pending = 0;
  #acknowledged: number;
  #goneSince: number | undefined;
  #lostEvents: number;
  #started: boolean;
  #checkpointFailures = 0;
  readonly opening: OpeningReport;

  private constructor(options: DurableSessionOptions<State, Delta>, memory: Recovered<State>, existed: boolean) {
    this.#options = options;
    this.#memory = memory;
    this.#entries = memory.entries.slice(-JOURNAL_SHOWN_MAX);
    this.#acknowledged = memory.position;
    // A session found in a store has no process any more, whatever its last words were.
    this.#lifecycle = existed ? "crashed" : "disconnected";
    this.#started = existed;
    this.#lostEvents = lostBefore(options.backend, memory);
    this.opening = { existed, tornRecord: memory.tornRecord };
  }

  /**
   * Claims the fence in every store of the backend and recovers what is there. A new session is `disconnected` and waits for `start`;
   * one that was there is `crashed` and waits for `restart`. Rejects with a fence refusal or `DurableCorruptError`; then nothing changed
   * but, for corruption, the fence.
   */
  static async open<State, Delta>(options: DurableSessionOptions<State, Delta>): Promise<DurableSession<State, Delta>> {
    const { backend, sessionId, fence } = options;
    await claimStores(storesOf(backend), sessionId, fence);
    const memory = await recover(options);
    const journalStore = journalStoreOf(backend);
    if (memory.tornRecord !== undefined && journalStore !== undefined) await writeAsOwner(journalStore, sessionId, fence, [{ type: "delete", key: memory.tornRecord }]);
    return new DurableSession(options, memory, memory.existed);
  }

  get lifecycle(): DurableLifecycle {
    return this.#lifecycle;
  }

  /** The state after `position` deltas. Throws `LifecycleError` when crashed: memory is gone until `restart`. */
  get state(): State {
    if (this.#lifecycle === "crashed") throw new LifecycleError("reading the state", "crashed", "live or disconnected");
    return this.#memory.state;
  }

  /** Deltas applied to the state since the session began or was last remounted. */
  get position(): number {
    return this.#memory.position;
  }

  /** Where the client is connected, or was last. */
  get route(): string {
    return this.#memory.route;
  }

  get fence(): OwnershipFence {
    return this.#options.fence;
  }

  /** Checkpoints that failed after their delta was journalled; the next one tries again. */
  get checkpointFailures(): number {
    return this.#checkpointFailures;
  }

  /** What was appended, in append order, as far as it was found when opening or written by this process: the latest {@link JOURNAL_SHOWN_MAX} entries. Cost: a copy. */
  get journal(): readonly JournalEntry[] {
    return this.#entries.slice(-JOURNAL_SHOWN_MAX);
  }

  /** First connection of a new session, on `route`. */
  start(route: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#started) throw new LifecycleError("start", "started before", "new");
      await this.#write("reconnected", utf8(route), { ...this.#memory, route });
      this.#started = true;
      this.#lifecycle = "live";
    });
  }

  /** Applies `delta`. Resolves when the backend keeps what it promises to keep of it: a journal keeps every delta, snapshots only every so many. */
  append(delta: Delta): Promise<number> {
    if (this.#pending >= DURABLE_PENDING_MAX) return Promise.reject(new InvalidArgumentError(`${DURABLE_PENDING_MAX} appends are under way already`));
    const payload = this.#options.deltas.encode(delta);
    return this.#inTurn(async () => {
      this.#mustBe("append", "live");
      const next = { ...this.#memory, state: this.#options.apply(this.#memory.state, delta), position: this.#memory.position + 1 };
      await this.#write("delta", payload, next);
      this.#acknowledged = next.position;
      return next.position;
    });
  }

  /** The client is gone, the process lives: the state is held. `at` is a clock reading, ms. */
  disconnect(at: number): Promise<void> {
    return this.#inTurn(async () => {
      this.#mustBe("disconnect", "live");
      this.#lifecycle = "disconnected";
      this.#goneSince = at;
    });
  }

  /** The process is gone: memory is dropped and the journal, if there is one, says so. `at` is a clock reading, ms. */
  crash(at: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#lifecycle === "crashed") throw new LifecycleError("crash", "crashed", "live or disconnected");
      await this.#write("crash-marked", new Uint8Array(0), this.#memory);
      this.#lifecycle = "crashed";
      this.#goneSince ??= at;
    });
  }

  /** Brings the state back by the policy (or another one). Afterwards the session is `disconnected` and waits for `reconnect`. */
  restart(policy: ResumePolicy = this.#options.policy): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#lifecycle === "live" || !this.#started) throw new LifecycleError("restart", this.#started ? "live" : "new", "crashed or disconnected");
      const held = this.#lifecycle === "disconnected" && policy === "resume";
      const stored = held ? this.#memory : await recover(this.#options);
      const next = policy === "remount" ? { ...stored, state: this.#options.initial, position: 0, route: "" } : stored;
      await this.#write("restarted", utf8(policy), next);
      this.#lostEvents += Math.max(0, this.#acknowledged - next.position);
      this.#acknowledged = next.position;
      this.#lifecycle = "disconnected";
    });
  }

  /** The client is back. It stays on the route it had; after a remount it gets `route`. Resolves to whether continuity was kept. `at` is a clock reading, ms. */
  reconnect(route: string, at: number): Promise<ContinuityReport> {
    return this.#inTurn(async () => {
      this.#mustBe("reconnect", "disconnected");
      if (!this.#started) throw new LifecycleError("reconnect", "new", "started");
      const kept = this.#memory.route === "" ? route : this.#memory.route;
      await this.#write("reconnected", utf8(kept), { ...this.#memory, route: kept });
      this.#lifecycle = "live";
      const report = reportContinuity({ goneAt: this.#goneSince ?? at, backAt: at, lostEvents: this.#lostEvents }, this.#options.objectives);
      this.#goneSince = undefined;
      this.#lostEvents = 0;
      return report;
    });
  }

  /** Makes `owner` the one in force under the next epoch, in every store: this session's writes are refused from then on. Resolves to the fence the new owner opens with. */
  requestTakeover(owner: string): Promise<OwnershipFence> {
    return this.#inTurn(() => takeOverStores(storesOf(this.#options.backend), this.#options.sessionId, owner));
  }

  /** A stable 16-digit signature of state, place, owner and backend: equal exactly when those are. */
  signature(): string {
    const { sessionId, fence, backend, states } = this.#options;
    const writer = new ByteWriter().text("flotilla-session-1").text(sessionId).text(fenceSignature(sessionId, fence)).text(backendLabel(backend));
    return digestHex(writer.uint(this.#memory.position).text(this.#memory.route).bytes(states.encode(this.#memory.state)).finish());
  }

  /** A short stable name for logs and reports: `session owner@epoch backend policy lifecycle #position`. */
  label(): string {
    const { sessionId, fence, backend, policy } = this.#options;
    return `${sessionId} ${fenceLabel(fence)} ${backendLabel(backend)} ${policy} ${this.#lifecycle} #${this.#memory.position}`;
  }

  /** The journal as labels, for reports. */
  journalLabels(): readonly string[] {
    return this.journal.map(journalLabel);
  }

  #mustBe(operation: string, wanted: DurableLifecycle): void {
    if (this.#lifecycle !== wanted) throw new LifecycleError(operation, this.#lifecycle, wanted);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.#pending += 1;
    const turn = this.#queue.then(work).finally(() => {
      this.#pending -= 1;
    });
    this.#queue = turn.catch(() => {});
    return turn;
  }

  /** Journals the change if there is a journal, else takes the snapshot it is due; then makes `next` the state in memory. */
  async #write(kind: JournalKind, payload: Uint8Array, next: Recovered<State>): Promise<void> {
    const { backend, sessionId, fence } = this.#options;
    const entry: JournalEntry = { kind, sequence: next.sequence + 1, position: next.position, epoch: fence.epoch, payload };
    const image = { ...next, sequence: entry.sequence };
    const due = checkpointDue(backend, entry);
    const journalStore = journalStoreOf(backend);
    if (journalStore !== undefined) {
      await writeAsOwner(journalStore, sessionId, fence, [{ type: "put", key: journalKey(sessionId, entry.sequence), value: encodeJournalRecord([entry]) }]);
    } else if (due) {
      await this.#checkpoint(image);
    } else {
      // Nothing of it is kept yet, and a stale owner is to hear that all the same.
      for (const store of storesOf(backend)) await mustOwn(store, sessionId, fence);
    }
    this.#memory = image;
    this.#remember(entry);
    if (journalStore !== undefined && due) await this.#trim(journalStore, image);
  }

  #remember(entry: JournalEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > 2 * JOURNAL_SHOWN_MAX) this.#entries.splice(0, this.#entries.length - JOURNAL_SHOWN_MAX);
  }

  /** The entry is durable already, so a checkpoint that fails is counted and tried again at the next one. */
  async #trim(journalStore: ByteStore, image: Recovered<State>): Promise<void> {
    const { sessionId, fence } = this.#options;
    try {
      await this.#checkpoint(image);
      await writeAsOwner(journalStore, sessionId, fence, [{ type: "delete-range", from: journalPrefix(sessionId), to: journalKey(sessionId, image.sequence + 1) }]);
    } catch {
      this.#checkpointFailures += 1;
    }
  }

  async #checkpoint(image: Recovered<State>): Promise<void> {
    const { backend, sessionId, states, fence } = this.#options;
    const store = snapshotStoreOf(backend);
    if (store === undefined) return;
    const value = encodeStateImage({ position: image.position, sequence: image.sequence, epoch: fence.epoch, route: image.route, state: states.encode(image.state) });
    await writeAsOwner(store, sessionId, fence, [{ type: "put", key: snapshotKey(sessionId), value }]);
  }
}

/** Snapshots on their own are also taken when the client comes back, so that its route and the policy's outcome are kept. */
function checkpointDue(backend: DurableBackend, entry: JournalEntry): boolean {
  if (backend.kind === "journal-only") return false;
  if (entry.kind === "delta") return entry.position % backend.checkpointEvery === 0;
  return backend.kind === "snapshot-only" && entry.kind !== "crash-marked";
}

/** The most events that can have been lost before this process opened the session. */
function lostBefore(backend: DurableBackend, memory: Recovered<unknown>): number {
  if (!memory.existed) return 0;
  return (backend.kind === "snapshot-only" ? backend.checkpointEvery - 1 : 0) + (memory.tornRecord === undefined ? 0 : 1);
}

/** Claims `fence` in every store. All are asked before the first one changes; a claim that comes in between is still refused by compare-and-set. */
async function claimStores(stores: readonly ByteStore[], sessionId: string, fence: OwnershipFence): Promise<void> {
  for (const store of stores) {
    const refusal = judgeClaim(sessionId, (await readFence(store, sessionId)).fence, fence);
    if (refusal !== undefined) throw refusal;
  }
  for (const store of stores) await new StoreFence(store).claim(sessionId, fence);
}

/** Claims the next epoch in every store: the highest epoch of any of them, plus one. */
async function takeOverStores(stores: readonly ByteStore[], sessionId: string, owner: string): Promise<OwnershipFence> {
  const current = async (): Promise<OwnershipFence | undefined> => {
    const fences = await Promise.all(stores.map(async (store) => (await readFence(store, sessionId)).fence));
    return fences.reduce((highest, fence) => ((fence?.epoch ?? 0) > (highest?.epoch ?? 0) ? fence : highest), undefined);
  };
  return takeOverWith({ current, claim: (_, fence) => claimStores(stores, sessionId, fence) }, sessionId, owner);
}
