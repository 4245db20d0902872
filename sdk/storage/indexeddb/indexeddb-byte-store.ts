// Bytes in IndexedDB through idb-keyval: one database per room, one object store in it, one transaction per batch.
// The database is never upgraded: its one store is made with it, and everything else is a matter of keys. So two versions of the code can
// hold it open together, and "blocked" can only come from somebody else's upgrade or deletion.
import { get, promisifyRequest, type UseStore } from "idb-keyval";
import { bytesEqual, ClosedError, hasCode } from "../../base/index.ts";
import type { ByteStore, ByteStoreOp } from "../byte-store.ts";
import { StorageBlockedError, StorageConflictError, StorageQuotaError, StorageUnavailableError } from "../errors.ts";

const RECORDS = "records";

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

/**
 * A {@link ByteStore} in IndexedDB. It fails for good (`storage-unavailable`) when the browser loses its connection or somebody deletes the
 * database: what a half-remembering log may do then is decided above, by opening anew and reading everything again.
 */
export class IndexedDbByteStore implements ByteStore {
  readonly #db: IDBDatabase;
  readonly #use: UseStore;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;
  #lost: string | undefined;

  private constructor(db: IDBDatabase, durability: StorageDurability) {
    this.#db = db;
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
    if (!db.objectStoreNames.contains(RECORDS)) {
      db.close();
      throw new StorageUnavailableError(`database ${JSON.stringify(options.name)} was made by something else`);
    }
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
        return keys.flatMap((key, at) => {
          const value = values[at];
          return typeof key === "string" && value !== undefined ? [[key, value] as const] : [];
        });
      });
    });
  }

  async write(ops: readonly ByteStoreOp[]): Promise<void> {
    return this.#run(() => {
      // Copied before the first await, and refused whole before anything is put when a value is no bytes.
      const own = ops.map((op): ByteStoreOp => (op.type === "put" ? { ...op, value: op.value.slice() } : op.type === "expect" ? { ...op, value: op.value?.slice() } : op));
      return this.#use("readwrite", async (store) => {
        const done = committed(store.transaction);
        const broken = await firstConflict(store, own);
        if (broken === undefined) for (const op of own) perform(store, op);
        await done;
        if (broken !== undefined) throw new StorageConflictError(broken);
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

function ownFactory(): IDBFactory {
  // Some private modes have no indexedDB at all, others throw on touching it.
  try {
    if (typeof indexedDB !== "undefined") return indexedDB;
  } catch (cause) {
    throw new StorageUnavailableError("this page may not use IndexedDB", { cause });
  }
  throw new StorageUnavailableError("this browser has no IndexedDB here");
}

async function openDatabase(name: string, factory: IDBFactory): Promise<IDBDatabase> {
  try {
    const request = factory.open(name);
    request.onupgradeneeded = () => void request.result.createObjectStore(RECORDS);
    const blocked = new Promise<never>((_, reject) => {
      request.onblocked = () => reject(new StorageBlockedError(name));
    });
    const opened = promisifyRequest(request);
    // A database that opens after all must not be held by nobody.
    blocked.catch(() => opened.then((db) => db.close()).catch(() => {}));
    return await Promise.race([opened, blocked]);
  } catch (cause) {
    throw storageError(cause, undefined);
  }
}

/** The key of the first condition that does not hold. Without conditions it awaits nothing and the batch's requests are made at once. */
async function firstConflict(store: IDBObjectStore, ops: readonly ByteStoreOp[]): Promise<string | undefined> {
  for (const op of ops) {
    if (op.type === "expect" && !sameBytes(await promisifyRequest<Uint8Array | undefined>(store.get(op.key)), op.value)) return op.key;
  }
  return undefined;
}

function sameBytes(held: Uint8Array | undefined, wanted: Uint8Array | undefined): boolean {
  return held === undefined || wanted === undefined ? held === wanted : bytesEqual(held, wanted);
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

/** Resolves when the transaction is durable. Only `abort` knows the true reason of a failure (quota, for one); at `error` it is not known yet. */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new StorageUnavailableError("the transaction was aborted"));
  });
}

function storageError(cause: unknown, lost: string | undefined): Error {
  if (hasCode(cause, "storage-blocked") || hasCode(cause, "storage-unavailable") || hasCode(cause, "storage-conflict")) return cause as Error;
  const name = cause instanceof Error || (typeof cause === "object" && cause !== null && "name" in cause) ? String(cause.name) : "";
  if (name === "QuotaExceededError") return new StorageQuotaError({ cause });
  if (cause instanceof TypeError) return cause;
  return new StorageUnavailableError(lost ?? (cause instanceof Error ? cause.message : String(cause)), { cause });
}
