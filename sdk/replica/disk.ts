// Where a node's writes go: one atomic batch at a time, what gathered meanwhile in the next one; and what happens when a batch fails.
import { ClosedError, hasCode, type Logger } from "../base/index.ts";
import { CorruptStateError, type RestoredState, type Write } from "../raft/index.ts";
import type { ByteStore, ByteStoreOp } from "../storage/index.ts";
import { claimStorage, type NodeRecord } from "./node-records.ts";
import { RAFT_RECORDS, restoreFrom, writeToOps, type LogLayout } from "./raft-log-store.ts";

/**
 * `ok`: what was written last is durable. `full`: there was no room; nothing is acknowledged until there is. `reopening`: the connection was
 * lost and is being made anew. `failed`: given up; the node has stopped.
 */
export type StorageHealth = "ok" | "full" | "reopening" | "failed";

/** Records beside the Raft state that share its batches. */
export interface BesideWrites {
  /** Something waits that must not wait for another reason to write. */
  readonly isUrgent: boolean;
  /** What is to be written now; empty when nothing. Followed by `written` or `failed`, then by the next `take`. */
  take(): readonly ByteStoreOp[];
  /** What was taken is durable. */
  written(): void;
  /** What was taken did not happen, as far as is known; it is to be handed out again. */
  failed(): void;
}

/** Everything a {@link Disk} is made of. */
export interface DiskParts {
  readonly storage: ByteStore;
  /** Opens the same storage again; left out: a lost connection stops the node. */
  readonly reopen: (() => Promise<ByteStore>) | undefined;
  readonly layout: LogLayout;
  readonly owner: NodeRecord;
  readonly outbox: BesideWrites | undefined;
  readonly logger: Logger;
  /** Ticks before a full disk is asked again, at first; doubles up to 16 times that. A lost one is asked sooner. */
  readonly pauseTicks: number;
  /** The write is durable. */
  written(write: Write): void;
  /** The write failed; what to do instead. See `RaftMachine.rewrite`. */
  rewrite(write: Write, found: RestoredState): Write | undefined;
  /** See `RaftMachine.recheck`. */
  recheck(found: RestoredState): void;
  /** Given up for good. */
  failed(error: Error): void;
  /** The health changed. */
  changed(): void;
}

/** Attempts to reopen a lost storage before the node gives up. */
const REOPEN_MAX = 8;
const PAUSE_DOUBLINGS = 4;
const NO_OPS: readonly ByteStoreOp[] = [];
const NO_ASIDES: readonly Aside[] = [];
/** Codes with which a store refuses whoever does not own it. */
const OWNERSHIP_ENDED: readonly string[] = ["stale-owner", "split-brain", "invalid-token"];
/** Ticks after which lazy removals no longer wait for company. */
const LAZY_TICKS = 20;

interface Aside {
  readonly ops: readonly ByteStoreOp[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Batch {
  readonly write: Write | undefined;
  readonly asides: readonly Aside[];
  readonly ops: readonly ByteStoreOp[];
}

/** One node's way to its storage. Nothing is ever written while something is being written: batches can not overtake one another. */
export class Disk {
  readonly #parts: DiskParts;
  #store: ByteStore;
  #layout: LogLayout;
  #write: Write | undefined;
  #asides: Aside[] = [];
  #running: Promise<void> | undefined;
  #health: StorageHealth = "ok";
  #error: Error | undefined;
  #attempts = 0;
  #ticksToRetry = 0;
  #lazyTicks = 0;
  #isClosed = false;
  readonly #ended = (): void => {
    this.#running = undefined;
    this.flush();
  };

  constructor(parts: DiskParts) {
    this.#parts = parts;
    this.#store = parts.storage;
    this.#layout = parts.layout;
  }

  get health(): StorageHealth {
    return this.#health;
  }

  /** Why the health is not `ok`. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Takes the machine's write in; it starts with the next {@link flush}. The machine hands out no other before this one is durable. */
  take(write: Write): void {
    this.#write = write;
  }

  /** Stores a few operations of the node's own with the next batch. Rejects when that fails, and at once where there is no room. */
  async store(ops: readonly ByteStoreOp[]): Promise<void> {
    if (this.#isClosed) throw new ClosedError("the node");
    if (this.#health === "full" || this.#health === "failed") throw this.#error ?? new ClosedError("the node");
    return new Promise((resolve, reject) => {
      this.#asides.push({ ops, resolve, reject });
      this.flush();
    });
  }

  /** Starts a batch when nothing is under way and something is to be written. */
  flush(): void {
    if (this.#running !== undefined || this.#isClosed || this.#health !== "ok") return;
    if (this.#write !== undefined || this.#asides.length > 0 || this.#parts.outbox?.isUrgent === true) this.#run(this.#begin());
  }

  /** A tick passed: what failed may be tried again, and removals that nothing took along are written. */
  tick(): void {
    if (this.#running !== undefined || this.#isClosed) return;
    if (this.#health === "ok") {
      this.#lazyTicks += 1;
      if (this.#lazyTicks >= LAZY_TICKS) this.#run(this.#begin());
    } else if (this.#health !== "failed") {
      this.#ticksToRetry -= 1;
      if (this.#ticksToRetry <= 0) this.retry();
    }
  }

  /** Something changed that may make a failed write succeed. */
  retry(): void {
    if (this.#running !== undefined || this.#isClosed || this.#health === "ok" || this.#health === "failed") return;
    this.#running = this.#recover().then(this.#ended);
  }

  /** Writes nothing more than what is under way and, where that succeeds, what waits. Idempotent. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#rejectAsides(new ClosedError("the node"));
      // Started in the call's own task where it can be: in `pagehide` there may be no later one.
      if (this.#running === undefined) this.#writeLast();
    }
    await this.#running;
    this.#writeLast();
    await this.#running;
    if (this.#store !== this.#parts.storage) await this.#store.close();
  }

  #writeLast(): void {
    if (this.#health === "ok" && this.#running === undefined) this.#run(this.#begin());
  }

  #begin(): Batch {
    this.#lazyTicks = 0;
    const write = this.#write;
    const beside = this.#parts.outbox?.take() ?? NO_OPS;
    if (this.#asides.length === 0 && beside.length === 0) return { write, asides: NO_ASIDES, ops: write === undefined ? NO_OPS : writeToOps(write, this.#layout) };
    const asides = this.#asides;
    this.#asides = [];
    // The machine's part comes last, as it is the part whose beginning must never be believed.
    const ops = [...asides.flatMap((aside) => aside.ops), ...beside];
    if (write === undefined) return { write, asides, ops };
    ops.push(...writeToOps(write, this.#layout));
    return { write, asides, ops };
  }

  #run(batch: Batch): void {
    if (batch.ops.length === 0) return;
    this.#running = this.#perform(batch).then(this.#ended);
  }

  /** Never rejects. */
  async #perform(batch: Batch): Promise<void> {
    try {
      await this.#store.write(batch.ops);
    } catch (cause) {
      return this.#onFailure(batch, errorOf(cause));
    }
    if (batch.write === this.#write) this.#write = undefined;
    this.#attempts = 0;
    this.#parts.outbox?.written();
    for (const { resolve } of batch.asides) resolve();
    this.#be("ok", undefined);
    if (batch.write !== undefined) this.#parts.written(batch.write);
  }

  #onFailure({ asides }: Batch, error: Error): void {
    this.#parts.outbox?.failed();
    for (const { reject } of asides) reject(error);
    this.#giveUpOrWait(hasCode(error, "storage-quota") ? "full" : "reopening", error);
  }

  #giveUpOrWait(health: "full" | "reopening", error: Error): void {
    this.#rejectAsides(error);
    if (this.#health !== health) this.#attempts = 0;
    // Closed, or taken over by another owner (a fenced store says so): what it would find on opening again is not its own any more.
    const isOurs = !hasCode(error, "closed") && !OWNERSHIP_ENDED.some((code) => hasCode(error, code));
    const canGoOn = health === "full" || (this.#parts.reopen !== undefined && this.#attempts < REOPEN_MAX && isOurs);
    if (!canGoOn || this.#isClosed) return this.#fail(error);
    this.#parts.logger.error(health === "full" ? "storage is full: this node acknowledges nothing until there is room" : "storage was lost: this node acknowledges nothing until it is open again", error);
    this.#ticksToRetry = pauseBefore(health, this.#attempts, this.#parts.pauseTicks);
    this.#attempts += 1;
    this.#be(health, error);
  }

  #fail(error: Error): void {
    this.#be("failed", error);
    this.#parts.failed(error);
  }

  /** Never rejects. Reads again what is there, makes sure that it is everything promised, and writes anew what was not durable: perhaps with a snapshot that makes room. */
  async #recover(): Promise<void> {
    try {
      if (this.#health === "reopening") await this.#reopen();
      await this.#reread();
    } catch (cause) {
      const error = errorOf(cause);
      return hasCode(error, "corrupt-state") ? this.#fail(error) : this.#giveUpOrWait(hasCode(error, "storage-quota") ? "full" : "reopening", error);
    }
    if (this.#isClosed) return;
    const batch = this.#begin();
    if (batch.ops.length === 0) return this.#be("ok", undefined);
    await this.#perform(batch);
  }

  async #reopen(): Promise<void> {
    const { reopen, storage, owner } = this.#parts;
    if (this.#store !== storage) await this.#store.close().catch(() => {});
    if (reopen === undefined) return;
    this.#store = await reopen();
    const claim = await claimStorage(this.#store, owner);
    if (claim.length > 0) throw new CorruptStateError("replica/node", "it is gone: this storage is another one than before");
  }

  async #reread(): Promise<void> {
    const { restored, layout } = restoreFrom(await this.#store.readRange(RAFT_RECORDS.from, RAFT_RECORDS.to));
    if (this.#write === undefined) this.#parts.recheck(restored);
    else this.#write = this.#parts.rewrite(this.#write, restored);
    this.#layout = layout;
  }

  #rejectAsides(error: Error): void {
    for (const { reject } of this.#asides.splice(0)) reject(error);
  }

  #be(health: StorageHealth, error: Error | undefined): void {
    const isNews = this.#health !== health;
    this.#health = health;
    this.#error = error;
    if (isNews) this.#parts.changed();
  }
}

/** The first attempt to reopen comes with the next tick; a full disk is not asked again that soon. */
function pauseBefore(health: "full" | "reopening", attempts: number, pauseTicks: number): number {
  if (health === "full") return pauseTicks * 2 ** Math.min(attempts, PAUSE_DOUBLINGS);
  return attempts === 0 ? 1 : Math.ceil(pauseTicks / 4) * 2 ** Math.min(attempts - 1, PAUSE_DOUBLINGS);
}

function errorOf(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(String(cause));
}
