// Bytes in memory: for tests, and for pages where nothing durable may be used.
import { bytesEqual, ClosedError } from "../base/index.ts";
import type { ByteStore, ByteStoreOp } from "./byte-store.ts";
import { StorageConflictError, StorageQuotaError } from "./errors.ts";

/** What outlives a {@link MemoryByteStore}: several stores opened on one disk see the same records, as tabs of one browser would. */
export class MemoryDisk {
  /** Key → bytes. Treat as read-only outside tests that damage it on purpose. */
  readonly records: Map<string, Uint8Array> = new Map();
  /** Keys and values together may not take more, bytes. Default: no limit. */
  bytesMax: number;

  constructor(bytesMax: number = Number.POSITIVE_INFINITY) {
    this.bytesMax = bytesMax;
  }
}

/** A {@link ByteStore} on a {@link MemoryDisk}. Every call takes effect in the task that makes it. */
export class MemoryByteStore implements ByteStore {
  readonly #disk: MemoryDisk;
  #closed = false;

  constructor(disk: MemoryDisk = new MemoryDisk()) {
    this.#disk = disk;
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    this.#mustBeOpen();
    return this.#disk.records.get(key)?.slice();
  }

  async readRange(from: string, to: string): Promise<readonly (readonly [key: string, value: Uint8Array])[]> {
    this.#mustBeOpen();
    return keysBetween(this.#disk.records, from, to).flatMap((key) => {
      const value = this.#disk.records.get(key);
      return value === undefined ? [] : [[key, value.slice()] as const];
    });
  }

  async write(ops: readonly ByteStoreOp[]): Promise<void> {
    this.#mustBeOpen();
    const { records } = this.#disk;
    for (const op of ops) if (op.type === "expect" && !sameBytes(records.get(op.key), op.value)) throw new StorageConflictError(op.key);
    this.#apply(ops);
  }

  async compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean> {
    this.#mustBeOpen();
    if (!sameBytes(this.#disk.records.get(key), expected)) return false;
    this.#apply([next === undefined ? { type: "delete", key } : { type: "put", key, value: next }]);
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new ClosedError("the byte store");
  }

  /** All or nothing. A disk with a limit is copied for that, which costs what it holds; without one nothing can fail once the values are copied. */
  #apply(ops: readonly ByteStoreOp[]): void {
    const { records, bytesMax } = this.#disk;
    const own = ops.map((op) => (op.type === "put" ? op.value.slice() : undefined));
    if (bytesMax !== Number.POSITIVE_INFINITY) {
      const next = new Map(records);
      applyTo(next, ops, own);
      if (sizeOf(next) > bytesMax) throw new StorageQuotaError();
    }
    applyTo(records, ops, own);
  }
}

/** Of a `put` the value in its place in `values` is kept, as it is. */
function applyTo(records: Map<string, Uint8Array>, ops: readonly ByteStoreOp[], values: readonly (Uint8Array | undefined)[]): void {
  for (let at = 0; at < ops.length; at += 1) {
    const op = ops[at];
    if (op !== undefined) applyOp(records, op, values[at]);
  }
}

function applyOp(records: Map<string, Uint8Array>, op: ByteStoreOp, value: Uint8Array | undefined): void {
  switch (op.type) {
    case "put":
      if (value !== undefined) records.set(op.key, value);
      return;
    case "delete":
      records.delete(op.key);
      return;
    case "delete-range":
      for (const key of keysBetween(records, op.from, op.to)) records.delete(key);
      return;
    case "expect":
      return;
  }
}

/** Strings compare by UTF-16 code units in the language itself, which is the port's order. */
function keysBetween(records: ReadonlyMap<string, Uint8Array>, from: string, to: string): string[] {
  return [...records.keys()].filter((key) => key >= from && key < to).sort((a, b) => (a < b ? -1 : 1));
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === undefined || b === undefined ? a === b : bytesEqual(a, b);
}

function sizeOf(records: ReadonlyMap<string, Uint8Array>): number {
  let bytes = 0;
  for (const [key, value] of records) bytes += key.length * 2 + value.length;
  return bytes;
}
