// The bare disk: one idb-keyval transaction per record, in a database like those of the SDK, on the very same browser profile.

/** The part of idb-keyval that is used. It is loaded as a file of its own: in the SDK one module alone imports it, and the bench is no reason for a second. */
interface Keyval {
  set(key: IDBValidKey, value: unknown, store: UseStore): Promise<void>;
  clear(store: UseStore): Promise<void>;
  promisifyRequest<T>(request: IDBRequest<T>): Promise<T>;
}

type UseStore = <T>(mode: IDBTransactionMode, callback: (store: IDBObjectStore) => T | PromiseLike<T>) => Promise<T>;

const STORE = "records";
const KEYVAL_URL = "/keyval.js";

/** Records under rising keys, each put in a transaction of its own. */
export class BareDisk {
  readonly #keyval: Keyval;
  readonly #use: UseStore;
  readonly #prefix: string;
  #next = 1;

  private constructor(keyval: Keyval, use: UseStore, prefix: string) {
    this.#keyval = keyval;
    this.#use = use;
    this.#prefix = prefix;
  }

  /** Opens or makes the database; every key begins with `prefix`. */
  static async open(name: string, durability: "relaxed" | "strict", prefix: string): Promise<BareDisk> {
    const keyval = (await import(/* @vite-ignore */ KEYVAL_URL)) as Keyval;
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    const db = await keyval.promisifyRequest(request);
    return new BareDisk(keyval, async (mode, callback) => callback(db.transaction(STORE, mode, { durability }).objectStore(STORE)), prefix);
  }

  /** Resolves when the transaction is complete. */
  put(record: Uint8Array): Promise<void> {
    const key = this.#prefix + String(this.#next).padStart(16, "0");
    this.#next += 1;
    return this.#keyval.set(key, record, this.#use);
  }

  clear(): Promise<void> {
    return this.#keyval.clear(this.#use);
  }
}

/** Everything in a range of a database by its names, read in one transaction over a connection that is open already. */
export class BareReader {
  readonly #db: IDBDatabase;

  private constructor(db: IDBDatabase) {
    this.#db = db;
  }

  static async open(name: string): Promise<BareReader> {
    const keyval = (await import(/* @vite-ignore */ KEYVAL_URL)) as Keyval;
    return new BareReader(await keyval.promisifyRequest(indexedDB.open(name)));
  }

  /** The bytes of the values, and how many records there were. */
  read(from: string, to: string): Promise<{ readonly records: number; readonly bytes: number }> {
    return new Promise((resolve, reject) => {
      const store = this.#db.transaction(STORE, "readonly").objectStore(STORE);
      const range = IDBKeyRange.bound(from, to, false, true);
      const keys = store.getAllKeys(range);
      const values: IDBRequest<Uint8Array[]> = store.getAll(range);
      values.onerror = () => reject(values.error);
      values.onsuccess = () => resolve({ records: keys.result.length, bytes: values.result.reduce((sum, value) => sum + value.length, 0) });
    });
  }

  close(): void {
    this.#db.close();
  }
}
