// The owner's side of a cluster in a log: takes shards when the log gives them, saves their states into it, and hands them on.
import { ClosedError, PayloadTooLargeError, type Clock, type Logger } from "../base/index.ts";
import { fenceFor, StaleOwnerError, type OwnershipFence } from "../durable/index.ts";
import type { ShardWrite } from "./cluster-command.ts";
import { SHARD_STATE_BYTES_MAX, type WriteVerdict } from "./cluster-lane.ts";
import { ShardMovedError } from "./errors.ts";
import { changedShards, EMPTY_CLUSTER_TABLE, shardRecord, type ClusterTable, type ShardRecord } from "./cluster-table.ts";

/** A shard while this peer owns it. */
export interface OwnedShard {
  readonly shard: number;
  /** Proof of ownership; its epoch is the index of the log entry that gave the shard to this peer. */
  readonly fence: OwnershipFence;
  /** What was last confirmed, by whichever owner. Not to be changed. */
  readonly state: Uint8Array | undefined;
  /**
   * Fires before anybody else owns the shard: when it is handed over, or this peer was out of touch with the others for too long (`shard-moved`), when it
   * learns that it does not own it any more (`stale-owner`), or when the match ends. Stop simulating. Where the shard stays after all, `onOwned` is called
   * again.
   */
  readonly lost: AbortSignal;
  /**
   * Makes `state` the shard's confirmed state: one entry of the log for all shards saved meanwhile, at most one at a time; of several saves that wait the
   * last one stands for all. Resolves once a majority holds it: then no closing of tabs loses it. Rejects with `StaleOwnerError` when somebody else owns
   * the shard (then nothing changed), `PayloadTooLargeError`, an error with code `shard-full`, or `ClosedError` (outcome unknown).
   */
  save(state: Uint8Array): Promise<void>;
}

/** Bytes of states in one entry, as long as there is more than one. */
const ENTRY_BYTES = 64 * 1024;
/** How long handlers may run on when their shard is to be handed over, ms. */
export const HAND_OVER_MS_MAX = 2_000;

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Saving {
  state: Uint8Array | undefined;
  release: boolean;
  readonly waiters: Waiter[];
}

class Owned implements OwnedShard {
  readonly shard: number;
  readonly fence: OwnershipFence;
  readonly abort: AbortController = new AbortController();
  readonly #keeper: ShardKeeper;
  /** Calls being handled. */
  running = 0;
  idle: (() => void) | undefined;
  /** It is being handed over: no more calls. */
  isLeaving = false;
  /** It went away while a call was still being handled: what that call did may have gone along. */
  isHandedOver = false;
  /** Saves that count, or may: sent, and not refused. */
  savesSent = 0;
  /** Its last word is on the way: until that is judged nobody may be answered. */
  isReleasing = false;
  saving: Saving | undefined;

  constructor(keeper: ShardKeeper, shard: number, fence: OwnershipFence) {
    this.#keeper = keeper;
    this.shard = shard;
    this.fence = fence;
  }

  get state(): Uint8Array | undefined {
    return this.#keeper.recordOf(this.shard)?.state;
  }

  get lost(): AbortSignal {
    return this.abort.signal;
  }

  save(state: Uint8Array): Promise<void> {
    return this.#keeper.save(this, state);
  }
}

/** A shard as the keeper handles it. */
export type KeptShard = OwnedShard & { readonly running: number; readonly isLeaving: boolean; readonly isHandedOver: boolean; readonly savesSent: number };

export interface ShardKeeperOptions {
  readonly selfId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: () => ClusterTable;
  readonly write: (writes: readonly ShardWrite[]) => Promise<readonly WriteVerdict[]>;
  /** What goes to the next owner beyond what was saved; undefined: what was saved stands. */
  readonly handOver: ((shard: OwnedShard) => Uint8Array | undefined) | undefined;
  /** The shards that are served changed. */
  readonly changed: () => void;
  readonly onOwned: ((shard: OwnedShard) => void) | undefined;
}

/** Everything this peer owns, on one log. */
export class ShardKeeper {
  readonly #options: ShardKeeperOptions;
  readonly #owned = new Map<number, Owned>();
  /** Shards with something to save, in the order it came. */
  readonly #dirty = new Set<Owned>();
  #isWriting = false;
  #isFlushDue = false;
  /** It is known that the table is the newest, or was a moment ago: without that nothing is taken. */
  #isOpen = false;
  /** To be opened as soon as what is being written is judged: until then the table may lack what this peer itself confirms under the same epoch. */
  #isOpenDue = false;
  #ending: Error | undefined;

  constructor(options: ShardKeeperOptions) {
    this.#options = options;
  }

  /** Shards that take calls, ascending. */
  get served(): readonly number[] {
    return [...this.#owned.values()].filter(({ isLeaving }) => !isLeaving).map(({ shard }) => shard).sort((a, b) => a - b);
  }

  get owned(): readonly OwnedShard[] {
    return [...this.#owned.values()].sort((a, b) => a.shard - b.shard);
  }

  /** The shard, when this peer owns it. */
  get(shard: number): KeptShard | undefined {
    return this.#owned.get(shard);
  }

  recordOf(shard: number): ShardRecord | undefined {
    return shardRecord(this.#options.table(), shard);
  }

  /** Runs a call of a shard, so that handing over waits for it. */
  async during<T>(shard: OwnedShard, call: () => Promise<T>): Promise<T> {
    const owned = this.#owned.get(shard.shard);
    if (owned !== shard || owned === undefined) return call();
    owned.running += 1;
    try {
      return await call();
    } finally {
      owned.running -= 1;
      if (owned.running === 0) owned.idle?.();
    }
  }

  /** The table changed: takes what is given, lets go of what is lost, begins to hand over what is promised away. */
  update(after: ClusterTable, before: ClusterTable): void {
    if (this.#ending !== undefined || !this.#isOpen) return;
    let isChanged = false;
    for (const shard of changedShards(before, after)) isChanged = this.#look(shard) || isChanged;
    if (isChanged) this.#options.changed();
  }

  /** The table is the newest: takes what it gives. */
  open(): void {
    this.#isOpenDue = this.#isWriting && !this.#isOpen;
    if (this.#isOpen || this.#isOpenDue) return;
    this.#isOpen = true;
    this.update(this.#options.table(), EMPTY_CLUSTER_TABLE);
  }

  /** Out of touch for so long that somebody else may own everything soon: lets go of it, until `open`. */
  shut(): void {
    this.#isOpenDue = false;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const owned of this.#owned.values()) this.#lose(owned, new ShardMovedError(owned.shard));
    this.#options.changed();
  }

  /** Lets go of everything at once: this peer's part in the log ends. */
  stop(reason: Error): void {
    this.#ending = reason;
    for (const owned of this.#owned.values()) this.#lose(owned, reason);
    this.#options.changed();
  }

  save(owned: Owned, state: Uint8Array): Promise<void> {
    if (state.length > SHARD_STATE_BYTES_MAX) return Promise.reject(new PayloadTooLargeError(state.length, SHARD_STATE_BYTES_MAX, `state of shard ${owned.shard}`));
    if (owned.lost.aborted) return Promise.reject(owned.lost.reason);
    return new Promise((resolve, reject) => {
      const saving = this.#savingOf(owned);
      saving.state = state.slice();
      saving.waiters.push({ resolve, reject });
      this.#flushSoon();
    });
  }

  #look(shard: number): boolean {
    const { selfId } = this.#options;
    const record = this.recordOf(shard);
    let owned = this.#owned.get(shard);
    let isChanged = false;
    if (owned !== undefined && (record?.owner !== selfId || record.epoch !== owned.fence.epoch)) {
      this.#lose(owned, new StaleOwnerError(record?.epoch ?? 0, owned.fence.epoch));
      owned = undefined;
      isChanged = true;
    }
    if (record?.owner !== selfId) return isChanged;
    if (owned === undefined) {
      owned = this.#take(shard, record.epoch);
      isChanged = true;
    }
    if (record.next !== undefined && !owned.isLeaving) {
      owned.isLeaving = true;
      void this.#letGo(owned);
      return true;
    }
    if (record.next === undefined && owned.isLeaving && !owned.isReleasing) {
      // It is to stay after all.
      owned.isLeaving = false;
      return true;
    }
    return isChanged;
  }

  #take(shard: number, epoch: number): Owned {
    const { selfId, onOwned, logger } = this.#options;
    const owned = new Owned(this, shard, fenceFor(`shard:${shard}`, selfId, epoch));
    this.#owned.set(shard, owned);
    try {
      onOwned?.(owned);
    } catch (error) {
      logger.error(`shard ${shard} was taken, and onOwned failed`, error);
    }
    return owned;
  }

  #lose(owned: Owned, reason: Error): void {
    this.#owned.delete(owned.shard);
    this.#dirty.delete(owned);
    owned.abort.abort(reason);
    for (const { reject } of owned.saving?.waiters.splice(0) ?? []) reject(reason);
    owned.idle?.();
  }

  /** Takes no more calls, waits for those that run, and writes the last word: from its entry on the shard is the next owner's. */
  async #letGo(owned: Owned): Promise<void> {
    if (owned.running > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.clock.after(HAND_OVER_MS_MAX, resolve);
        owned.idle = (): void => {
          cancel();
          resolve();
        };
      });
      owned.idle = undefined;
    }
    if (!this.#isKept(owned) || !owned.isLeaving || owned.isReleasing) return;
    owned.isReleasing = true;
    owned.isHandedOver = owned.running > 0;
    const last = this.#lastWord(owned);
    const saving = this.#savingOf(owned);
    if (last !== undefined) saving.state = last;
    saving.release = true;
    owned.abort.abort(new ShardMovedError(owned.shard));
    this.#flushSoon();
  }

  #lastWord(owned: Owned): Uint8Array | undefined {
    try {
      const last = this.#options.handOver?.(owned);
      if (last === undefined || last.length <= SHARD_STATE_BYTES_MAX) return last?.slice();
      this.#options.logger.error(`shard ${owned.shard} was to be handed over with ${last.length} bytes; what was saved stands instead`);
    } catch (error) {
      this.#options.logger.error(`handing over shard ${owned.shard} failed; what was saved stands`, error);
    }
    return undefined;
  }

  #savingOf(owned: Owned): Saving {
    owned.saving ??= { state: undefined, release: false, waiters: [] };
    this.#dirty.add(owned);
    return owned.saving;
  }

  /** What is saved in one task goes into one entry. */
  #flushSoon(): void {
    if (this.#isFlushDue || this.#isWriting) return;
    this.#isFlushDue = true;
    void Promise.resolve().then(() => {
      this.#isFlushDue = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    if (this.#isWriting) return;
    const batch = this.#nextBatch();
    if (batch.length === 0) return;
    this.#isWriting = true;
    try {
      const verdicts = await this.#options.write(batch.map(({ write }) => write));
      batch.forEach(({ owned, saving }, at) => this.#judged(owned, saving, verdicts[at]));
    } catch (error) {
      for (const { owned, saving } of batch) this.#failed(owned, saving, error);
    } finally {
      this.#isWriting = false;
      if (this.#isOpenDue) this.open();
      if (this.#dirty.size > 0) this.#flushSoon();
    }
  }

  #nextBatch(): { readonly owned: Owned; readonly saving: Saving; readonly write: ShardWrite }[] {
    const batch: { owned: Owned; saving: Saving; write: ShardWrite }[] = [];
    let bytes = 0;
    for (const owned of this.#dirty) {
      const { saving } = owned;
      const record = this.recordOf(owned.shard);
      if (saving === undefined || record === undefined) {
        // Of a log that knows nothing of this shard any more.
        this.#lose(owned, new StaleOwnerError(0, owned.fence.epoch));
        continue;
      }
      bytes += 16 + (saving.state?.length ?? 0);
      if (batch.length > 0 && bytes > ENTRY_BYTES) break;
      this.#dirty.delete(owned);
      owned.saving = undefined;
      owned.savesSent += 1;
      batch.push({ owned, saving, write: { shard: owned.shard, epoch: owned.fence.epoch, base: record.version, state: saving.state, release: saving.release } });
    }
    return batch;
  }

  #judged(owned: Owned, saving: Saving, verdict: WriteVerdict): void {
    if (verdict !== undefined) owned.savesSent -= 1;
    // Something of an earlier life of this peer came in between: the same word, on the newest version.
    if (verdict?.code === "shard-conflict" && this.#isKept(owned)) return this.#again(owned, saving);
    for (const { resolve, reject } of saving.waiters) {
      if (verdict === undefined) resolve();
      // Refused for its version, and somebody else's by now: in the words of the latter.
      else reject(verdict.code === "shard-conflict" ? owned.lost.reason : verdict);
    }
    if (saving.release) this.#keep(owned);
    return undefined;
  }

  /** The last word was refused, or nobody wants the shard any more: it is taken anew, and handed over again where it is still promised. */
  #keep(owned: Owned): void {
    if (!this.#isKept(owned)) return;
    this.#owned.delete(owned.shard);
    this.#dirty.delete(owned);
    if (this.#isOpen && this.#look(owned.shard)) this.#options.changed();
  }

  #isKept(owned: Owned): boolean {
    return this.#owned.get(owned.shard) === owned;
  }

  #again(owned: Owned, old: Saving): void {
    const saving = this.#savingOf(owned);
    saving.state ??= old.state;
    saving.release ||= old.release;
    saving.waiters.unshift(...old.waiters);
  }

  #failed(owned: Owned, saving: Saving, error: unknown): void {
    // Whatever became of the shard meanwhile: whether this was written is unknown, and must not be taken for a refusal.
    for (const { reject } of saving.waiters) reject(new ClosedError("the log of the match", { cause: error }));
    // Not at once: what failed now would fail again. Whether the word is in the log is unknown, so nobody is answered meanwhile.
    if (saving.release && this.#isKept(owned)) this.#options.clock.after(HAND_OVER_MS_MAX, () => this.#keep(owned));
  }
}
