// Rebuilding a session's state from whatever prefix of its writes is there: an acknowledged state, or a named error.
import { fromUtf8, type Codec } from "../base/index.ts";
import { journalStoreOf, snapshotStoreOf, type DurableBackend } from "./backend.ts";
import { DurableCorruptError } from "./errors.ts";
import { journalEnd, journalKey, journalPrefix, readJournal, type JournalEntry, type ReadJournal } from "./journal.ts";
import { decodeStateImage, snapshotKey, type StateImage } from "./snapshot.ts";

/** A state with its place. */
export interface Recovered<State> {
  readonly existed: boolean;
  readonly state: State;
  readonly position: number;
  /** Last journal entry applied; the next is one more. */
  readonly sequence: number;
  readonly route: string;
  /** Journal entries still kept. */
  readonly entries: readonly JournalEntry[];
  readonly tornRecord: string | undefined;
}

/** What recovery needs to know of a session. */
export interface RecoveryOptions<State, Delta> {
  readonly sessionId: string;
  readonly backend: DurableBackend;
  readonly initial: State;
  readonly apply: (state: State, delta: Delta) => State;
  readonly states: Codec<State>;
  readonly deltas: Codec<Delta>;
}

/** Reads and replays. Cost: the snapshot plus every journal entry after it. Throws `DurableCorruptError` naming the record; changes nothing. */
export async function recover<State, Delta>(options: RecoveryOptions<State, Delta>): Promise<Recovered<State>> {
  const image = await readImage(options);
  const journal = await readEntries(options);
  let recovered: Recovered<State> = {
    existed: image !== undefined || journal.entries.length > 0 || journal.tornRecord !== undefined,
    state: image === undefined ? options.initial : decoded(snapshotKey(options.sessionId), () => options.states.decode(image.state)),
    position: image?.position ?? 0,
    sequence: image?.sequence ?? 0,
    route: image?.route ?? "",
    entries: journal.entries,
    tornRecord: journal.tornRecord,
  };
  for (const entry of journal.entries) {
    if (entry.sequence > recovered.sequence) recovered = replayed(options, recovered, entry);
  }
  return recovered;
}

async function readImage<State, Delta>({ backend, sessionId }: RecoveryOptions<State, Delta>): Promise<StateImage | undefined> {
  const key = snapshotKey(sessionId);
  const record = await snapshotStoreOf(backend)?.read(key);
  return record === undefined ? undefined : decodeStateImage(key, record);
}

async function readEntries<State, Delta>({ backend, sessionId }: RecoveryOptions<State, Delta>): Promise<ReadJournal> {
  const store = journalStoreOf(backend);
  return store === undefined ? { entries: [], tornRecord: undefined } : readJournal(await store.readRange(journalPrefix(sessionId), journalEnd(sessionId)));
}

function replayed<State, Delta>(options: RecoveryOptions<State, Delta>, before: Recovered<State>, entry: JournalEntry): Recovered<State> {
  const key = journalKey(options.sessionId, entry.sequence);
  if (entry.sequence !== before.sequence + 1) throw new DurableCorruptError(key, `entry ${entry.sequence} follows entry ${before.sequence}`);
  const after = { ...before, sequence: entry.sequence, position: entry.position };
  switch (entry.kind) {
    case "delta":
      return { ...after, state: decoded(key, () => options.apply(before.state, options.deltas.decode(entry.payload))) };
    case "restarted":
      return decoded(key, () => fromUtf8(entry.payload)) === "remount" ? { ...after, state: options.initial, route: "" } : after;
    case "reconnected":
      return { ...after, route: decoded(key, () => fromUtf8(entry.payload)) };
    case "crash-marked":
      return after;
  }
}

function decoded<T>(record: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new DurableCorruptError(record, "does not read back", { cause });
  }
}
