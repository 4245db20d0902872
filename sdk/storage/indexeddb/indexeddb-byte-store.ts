// Bytes in IndexedDB through idb-keyval: one database per room, one transaction per batch. Beside the bytes the same database keeps values that
// are not bytes, in the same transactions: a key and the records it belongs to come and go together.
import { get, promisifyRequest, type UseStore } from "idb-keyval";
import { bytesEqual, ClosedError } from "../../base/index.ts";
import type { ByteStore, ByteStoreOp } from "../byte-store.ts";
import { StorageConflictError, StorageUnavailableError } from "../errors.ts";
import { commitNow, committed, openDatabase, ownFactory, RECORDS, storageError, VALUES } from "./database.ts";

/**
 * What a resolved write survives. `relaxed`: the crash of the tab and of the whole browser, but perhaps not a power cut (about 0.4 ms a batch).
 * `strict`: a power cut too, at the price of one flush of the disk per batch (0.7 ms on a desktop, 5 to 50 ms on phones).
 */
export type StorageDurability = "strict" | "relaxed";

/** How an {@link IndexedDbByteStore} is opened. */
export interface IndexedDbByteStoreOptions {
  /** Name of the database; one per room. */
  readonly name: string;
  /** Default `relaxed`: whoever loses power loses its last moves only if every other player does, too. */
  readonly durability?: StorageDurability | undefined;
  /** Default: the page's `indexedDB`. */
  readonly factory?: IDBFactory | undefined;
}

/** A change of a value that is not bytes, in the same transaction as a batch. A value is stored as the structured clone makes it. */
export type ValueOp = { readonly type: "put"; readonly key: string; readonly value: unknown } | { readonly type: "delete"; readonly key: string };

/**
 * A {@link ByteStore} in IndexedDB. It fails for good (`storage-unavailable`) when the browser loses its connection or somebody deletes the
 * database: what a half-remembering log may do then is decided above, by opening anew and reading everything again.
 */
export class IndexedDbByteStore implements ByteStore {
  readonly #db: IDBDatabase;
  readonly #use: UseStore;
  readonly #durability: StorageDurability;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;
  #lost: string | undefined;

  private constructor(db: IDBDatabase, durability: StorageDurability) {
    this.#db = db;
    this.#durability = durability;
    // Called once per batch and synchronously, so that transactions are created, and therefore run, in the order of the calls.
    this.#use = async (mode, callback) => callback(db.transaction(RECORDS, mode, { durability }).objectStore(RECORDS));
    db.addEventListener("close", () => this.#lose("the browser closed the database"));
    db.addEventListener("versionchange", () => {
      this.#lose("another tab deletes or upgrades the database");
      db.close();
    });
  }

  /** Opens the database, making it when absent. Rejects with `StorageUnavailableError`, `StorageBlockedError` or `StorageQuotaError`. */
  static async open(options: IndexedDbByteStoreOptions): Promise<IndexedDbByteStore> {
    const db = await openDatabase(options.name, options.factory ?? ownFactory());
    return new IndexedDbByteStore(db, options.durability ?? "relaxed");
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    return this.#run(() => get<Uint8Array>(key, this.#use));
  }

  async readRange(from: string, to: string): Promise<readonly (readonly [key: string, value: Uint8Array])[]> {
    return this.#run(() => {
      if (from >= to) return Promise.resolve([]);
      return this.#use("readonly", async (store) => {
        const range = keysBetween(from, to);
        const [keys, values] = await Promise.all([promisifyRequest(store.getAllKeys(range)), promisifyRequest<Uint8Array[]>(store.getAll(range))]);
        return paired(keys, values);
      });
    });
  }

  /** Whether there is any record `from <= key < to`, without reading it. */
  async holdsAny(from: string, to: string): Promise<boolean> {
    if (from >= to) return false;
    return this.#run(() => this.#use("readonly", async (store) => (await promisifyRequest(store.getKey(keysBetween(from, to)))) !== undefined));
  }

  /** Every value that is not bytes, in key order. */
  async readValues(): Promise<readonly (readonly [key: string, value: unknown])[]> {
    return this.#run(async () => {
      const store = this.#db.transaction(VALUES, "readonly").objectStore(VALUES);
      const [keys, values] = await Promise.all([promisifyRequest(store.getAllKeys()), promisifyRequest<unknown[]>(store.getAll())]);
      return keys.flatMap((key, at) => (typeof key === "string" ? [[key, values[at]] as const] : []));
    });
  }

  /** Besides what the port promises: `values` happen in the same transaction, after `ops`. A value that can not be cloned refuses the whole batch. */
  async write(ops: readonly ByteStoreOp[], values: readonly ValueOp[] = []): Promise<void> {
    return this.#run(() => {
      // Copied before the first await, and refused whole before anything is put when a value is no bytes.
      const own = ops.map((op): ByteStoreOp => (op.type === "put" ? { ...op, value: op.value.slice() } : op.type === "expect" ? { ...op, value: op.value?.slice() } : op));
      if (values.length > 0) return this.#writeWithValues(own, values);
      return this.#use("readwrite", async (store) => {
        const done = committed(store.transaction);
        const judged = judgeConditions(store, own);
        for (const op of own) perform(store, op);
        await settled(store.transaction, done, judged);
      });
    });
  }

  async compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    return this.#run(() => {
      const wanted = expected?.slice();
      const value = next?.slice();
      return this.#use("readwrite", async (store) => {
        const done = committed(store.transaction);
        const held = await promisifyRequest<Uint8Array | undefined>(store.get(key));
        const holds = sameBytes(held, wanted);
        if (holds) perform(store, value === undefined ? { type: "delete", key } : { type: "put", key, value });
        commitNow(store.transaction);
        await done;
        return holds;
      });
    });
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      await Promise.allSettled(this.#underWay);
      this.#db.close();
    }
    await Promise.allSettled(this.#underWay);
  }

  async #writeWithValues(ops: readonly ByteStoreOp[], values: readonly ValueOp[]): Promise<void> {
    const transaction = this.#db.transaction([RECORDS, VALUES], "readwrite", { durability: this.#durability });
    const done = committed(transaction);
    const [records, kept] = [transaction.objectStore(RECORDS), transaction.objectStore(VALUES)];
    const judged = judgeConditions(records, ops);
    try {
      for (const op of ops) perform(records, op);
      for (const op of values) performValue(kept, op);
    } catch (error) {
      // What can not be cloned is refused by the call itself; requests made before it would still be committed.
      transaction.abort();
      await done.catch(() => {});
      throw error;
    }
    await settled(transaction, done, judged);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new ClosedError("the byte store");
    if (this.#lost !== undefined) throw new StorageUnavailableError(this.#lost);
    const running = work();
    this.#underWay.add(running);
    try {
      return await running;
    } catch (cause) {
      throw storageError(cause, this.#lost);
    } finally {
      this.#underWay.delete(running);
    }
  }

  #lose(why: string): void {
    this.#lost ??= why;
  }
}

/**
 * Asks for what a batch depends on: undefined without conditions, else the first key whose condition does not hold, once that is known. The batch's own
 * requests are made in the same task, behind these, and taken back by an abort: waiting for the answer first would cost a second way to the disk and back.
 */
function judgeConditions(store: IDBObjectStore, ops: readonly ByteStoreOp[]): Promise<string | undefined> | undefined {
  const asked = ops.flatMap((op) => (op.type === "expect" ? [{ op, held: promisifyRequest<Uint8Array | undefined>(store.get(op.key)) }] : []));
  if (asked.length === 0) return undefined;
  const judge = async (): Promise<string | undefined> => {
    const held = await Promise.all(asked.map((each) => each.held));
    return asked.find(({ op }, at) => !sameBytes(held[at], op.value))?.op.key;
  };
  const judged = judge();
  // Who began the transaction may hear of its abort first, and then never comes to await this.
  judged.catch(() => {});
  return judged;
}

/** Commits, with conditions as soon as every one is known to hold; where one does not, nothing of the batch happened. */
async function settled(transaction: IDBTransaction, done: Promise<void>, judged: Promise<string | undefined> | undefined): Promise<void> {
  // Why a question was not answered, only the end of its transaction tells.
  const broken = await judged?.catch(() => done.then(() => undefined));
  if (broken === undefined) {
    commitNow(transaction);
    return done;
  }
  transaction.abort();
  await done.catch(() => {});
  throw new StorageConflictError(broken);
}

function performValue(store: IDBObjectStore, op: ValueOp): void {
  if (op.type === "put") store.put(op.value, op.key);
  else store.delete(op.key);
}

function sameBytes(held: Uint8Array | undefined, wanted: Uint8Array | undefined): boolean {
  return held === undefined || wanted === undefined ? held === wanted : bytesEqual(held, wanted);
}

/** One list for all: a long log is thousands of records. */
function paired(keys: readonly IDBValidKey[], values: readonly Uint8Array[]): (readonly [key: string, value: Uint8Array])[] {
  const records: (readonly [key: string, value: Uint8Array])[] = [];
  for (const [at, key] of keys.entries()) {
    const value = values[at];
    if (typeof key === "string" && value !== undefined) records.push([key, value]);
  }
  return records;
}

function keysBetween(from: string, to: string): IDBKeyRange {
  return IDBKeyRange.bound(from, to, false, true);
}

function perform(store: IDBObjectStore, op: ByteStoreOp): void {
  switch (op.type) {
    case "put":
      store.put(op.value, op.key);
      return;
    case "delete":
      store.delete(op.key);
      return;
    case "delete-range":
      // IndexedDB refuses an empty range where the port means "nothing".
      if (op.from < op.to) store.delete(keysBetween(op.from, op.to));
      return;
    case "expect":
      return;
  }
}
