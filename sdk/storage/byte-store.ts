// The port: bytes under string keys that survive. Not for meaning: records and recovery are built above it.

/** One change in an atomic batch. */
export type ByteStoreOp =
  | { readonly type: "put"; readonly key: string; readonly value: Uint8Array }
  | { readonly type: "delete"; readonly key: string }
  /** Deletes every key `from <= key < to`, in the order of UTF-16 code units. */
  | { readonly type: "delete-range"; readonly from: string; readonly to: string }
  /** A condition: unless `key` holds exactly `value` (undefined: is absent) before the batch, the whole batch is refused with `StorageConflictError`. */
  | { readonly type: "expect"; readonly key: string; readonly value: Uint8Array | undefined };

/** Key-ordered bytes. Rules ST1… in SPEC.md hold for every implementation; all methods reject with `ClosedError` after close. */
export interface ByteStore {
  /** The bytes under `key`, or undefined. The result belongs to the caller. */
  read(key: string): Promise<Uint8Array | undefined>;
  /** Every record `from <= key < to` in key order. */
  readRange(from: string, to: string): Promise<readonly (readonly [key: string, value: Uint8Array])[]>;
  /** Applies all of `ops` in order, or none. Resolved means the bytes survive a crash of the tab. Batches are applied in the order of their calls. */
  write(ops: readonly ByteStoreOp[]): Promise<void>;
  /** Puts `next` (or deletes, when undefined) only if the bytes under `key` equal `expected` (undefined: absent). Returns whether it did. */
  compareAndSet(key: string, expected: Uint8Array | undefined, next: Uint8Array | undefined): Promise<boolean>;
  /** Waits for what was written and ends. Idempotent. */
  close(): Promise<void>;
}
