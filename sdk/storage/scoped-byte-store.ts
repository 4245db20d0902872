// A part of a store that looks like a store of its own: every key under one prefix, which nobody inside sees.
import { ClosedError, hasCode } from "../base/index.ts";
import type { ByteStore, ByteStoreOp } from "./byte-store.ts";
import { StorageConflictError } from "./errors.ts";

/**
 * The records of `base` whose keys begin with `prefix`, under the rest of their keys. Whatever is in `base` besides them is neither seen nor
 * touched. Two scopes are apart when neither prefix begins with the other one: end prefixes with a sign that names do not have.
 * Closing a scope waits for its own calls and leaves `base` open.
 */
export function scopedByteStore(base: ByteStore, prefix: string): ByteStore {
  return new ScopedByteStore(base, prefix);
}

class ScopedByteStore implements ByteStore {
  readonly #base: ByteStore;
  readonly #prefix: string;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed = false;

  constructor(base: ByteStore, prefix: string) {
    this.#base = base;
    this.#prefix = prefix;
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    return this.#run(() => this.#base.read(this.#prefix + key));
  }

  async readRange(from: string, to: string): Promise<readonly (readonly [key: string, value: Uint8Array])[]> {
    // Both bounds begin with the prefix, so every key between them does.
    const records = await this.#run(() => this.#base.readRange(this.#prefix + from, this.#prefix + to));
    return records.map(([key, value]) => [key.slice(this.#prefix.length), value] as const);
  }

  async write(ops: readonly ByteStoreOp[]): Promise<void> {
    try {
      await this.#run(() => this.#base.write(ops.map((op) => this.#placed(op))));
    } catch (error) {
      throw hasCode(error, "storage-conflict") ? this.#ownConflict(error) : error;
    }
  }

  async compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    return this.#run(() => this.#base.compareAndSet(this.#prefix + key, expected, next));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#underWay);
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new ClosedError("the byte store");
    const running = call();
    this.#underWay.add(running);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }

  #placed(op: ByteStoreOp): ByteStoreOp {
    return op.type === "delete-range" ? { type: op.type, from: this.#prefix + op.from, to: this.#prefix + op.to } : { ...op, key: this.#prefix + op.key };
  }

  #ownConflict(error: unknown): unknown {
    const key = typeof error === "object" && error !== null && "key" in error ? String(error.key) : "";
    return key.startsWith(this.#prefix) ? new StorageConflictError(key.slice(this.#prefix.length)) : error;
  }
}
