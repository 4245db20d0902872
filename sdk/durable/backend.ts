// Where a durable session keeps what it must not lose: snapshots, a journal, or both, over ByteStores.
import { InvalidArgumentError } from "../base/index.ts";
import type { ByteStore } from "../storage/index.ts";

/** Keeps a snapshot every `checkpointEvery` deltas; what came after the last one is lost in a crash. */
export interface SnapshotOnly {
  readonly kind: "snapshot-only";
  readonly store: ByteStore;
  readonly checkpointEvery: number;
}

/** Keeps every delta; recovery replays them all. */
export interface JournalOnly {
  readonly kind: "journal-only";
  readonly store: ByteStore;
}

/** Keeps every delta and a snapshot every `checkpointEvery` deltas; recovery replays the deltas after it. */
export interface SnapshotJournal {
  readonly kind: "snapshot-journal";
  readonly snapshotStore: ByteStore;
  readonly journalStore: ByteStore;
  readonly checkpointEvery: number;
}

/** One of the three ways to keep a session; they differ in what a crash loses and what recovery costs. */
export type DurableBackend = SnapshotOnly | JournalOnly | SnapshotJournal;
/** The name of a backend kind. */
export type BackendKind = DurableBackend["kind"];

function checked(checkpointEvery: number): number {
  if (!Number.isSafeInteger(checkpointEvery) || checkpointEvery < 1) throw new InvalidArgumentError(`checkpointEvery is a whole number from 1, got ${checkpointEvery}`);
  return checkpointEvery;
}

/** A {@link SnapshotOnly} backend. Throws `InvalidArgumentError` unless `checkpointEvery` is a whole number from 1. */
export function snapshotOnly(store: ByteStore, checkpointEvery: number): SnapshotOnly {
  return { kind: "snapshot-only", store, checkpointEvery: checked(checkpointEvery) };
}

/** A {@link JournalOnly} backend. */
export function journalOnly(store: ByteStore): JournalOnly {
  return { kind: "journal-only", store };
}

/** A {@link SnapshotJournal} backend; the two stores may be the same. Throws `InvalidArgumentError` unless `checkpointEvery` is a whole number from 1. */
export function snapshotJournal(snapshotStore: ByteStore, journalStore: ByteStore, checkpointEvery: number): SnapshotJournal {
  return { kind: "snapshot-journal", snapshotStore, journalStore, checkpointEvery: checked(checkpointEvery) };
}

/** The kinds of backend a session can be given, in a stable order. */
export function supportedBackends(): readonly BackendKind[] {
  return ["snapshot-only", "journal-only", "snapshot-journal"];
}

/** A short stable name for logs and reports: `snapshot-only/8`. */
export function backendLabel(backend: DurableBackend): string {
  return backend.kind === "journal-only" ? backend.kind : `${backend.kind}/${backend.checkpointEvery}`;
}

/** The stores of a backend, each once; the fence is kept in every one. */
export function storesOf(backend: DurableBackend): readonly ByteStore[] {
  if (backend.kind !== "snapshot-journal") return [backend.store];
  return backend.snapshotStore === backend.journalStore ? [backend.journalStore] : [backend.journalStore, backend.snapshotStore];
}

/** The store that holds the journal, if the backend has one. */
export function journalStoreOf(backend: DurableBackend): ByteStore | undefined {
  if (backend.kind === "snapshot-only") return undefined;
  return backend.kind === "journal-only" ? backend.store : backend.journalStore;
}

/** The store that holds the snapshot, if the backend has one. */
export function snapshotStoreOf(backend: DurableBackend): ByteStore | undefined {
  if (backend.kind === "journal-only") return undefined;
  return backend.kind === "snapshot-only" ? backend.store : backend.snapshotStore;
}
