// What was applied: folds committed entries into table and lanes, reads them back for replay, and composes snapshots at exact indexes.
import { MalformedError, type LogIndex } from "../base/index.ts";
import { ENTRY_COMMAND, type Entry } from "../raft/index.ts";
import { ClientSessionTable, REFUSED_WINDOW } from "./client-sessions.ts";
import { decodeHead, type EnvelopeHead } from "./envelope.ts";
import { UnknownLaneError } from "./errors.ts";
import { decodeParts, encodeParts, Fold, type SnapshotParts } from "./fold.ts";
import type { LaneReducer } from "./lane.ts";
import { LANE_CLUSTER, LANE_FENCE, LANE_GAME, LANE_SESSION, type CommittedCommand, type InstalledSnapshot, type LogEvent } from "./ordered-log.ts";

/** Lanes this build knows even where no reducer is registered. */
export const KNOWN_LANES: ReadonlySet<number> = new Set([LANE_GAME, LANE_SESSION, LANE_FENCE, LANE_CLUSTER]);

/** Entries read back at a time: what replaying a long log holds in memory beside it. */
const CHUNK_ENTRIES = 256;

/** Who keeps the entries: those from `from` to `through` that are still held. It must hold everything after the last snapshot composed or installed here. */
export type EntryReader = (from: LogIndex, through: LogIndex) => readonly Entry[];

/** How the table judged a command: applied at `first` (its own index when new, 0 when forgotten), or refused for one of the table's reasons. */
export interface AppliedCommand {
  readonly head: EnvelopeHead;
  /** What {@link ClientSessionTable.admit} answered. */
  readonly verdict: number;
}

/** A snapshot composed and not yet known to be taken. */
interface Composed {
  readonly through: LogIndex;
  readonly parts: SnapshotParts;
}

/** The state that committed commands lead to, and the last snapshot of it. The entries themselves stay with whoever keeps the log. */
export class AppliedLog {
  readonly #lanes: readonly LaneReducer<unknown>[];
  readonly #read: EntryReader;
  /** After `#applied`. */
  #live: Fold;
  #base: InstalledSnapshot = { type: "install", index: 0, sections: new Map() };
  /** The table after `#base.index`, encoded; with the base's sections all that the next snapshot is composed from. */
  #baseTable: Uint8Array = new ClientSessionTable().encode();
  /** Which commands after the base were not applied: ascending, replaced instead of shortened, so that events built later still see what was true. */
  #duplicates: LogIndex[] = [];
  #composed: Composed | undefined;
  #applied: LogIndex = 0;
  #failure: Error | undefined;
  #malformed = 0;

  constructor(lanes: readonly LaneReducer<unknown>[], read: EntryReader) {
    this.#lanes = lanes;
    this.#read = read;
    this.#live = new Fold(lanes);
  }

  get appliedIndex(): LogIndex {
    return this.#applied;
  }

  /** Set once something came that this build can not apply; nothing is applied from then on. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Committed commands that were no envelopes; skipped alike on every node. */
  get malformedCount(): number {
    return this.#malformed;
  }

  /** The index that replay can not go below without an install. */
  get baseIndex(): LogIndex {
    return this.#base.index;
  }

  /** The snapshot after `baseIndex`, encoded; undefined while the log is held from its beginning. */
  baseData(): Uint8Array | undefined {
    return this.#base.index === 0 ? undefined : encodeParts({ table: this.#baseTable, sections: this.#base.sections });
  }

  /** The exactly-once table and the states of all registered lanes after `appliedIndex`, as a snapshot has them, but for the game's, which is not folded here. Cost: that of encoding them. */
  image(): Uint8Array {
    const sections = this.#live.sections();
    sections.delete(LANE_GAME);
    return encodeParts({ table: this.#live.table.encode(), sections });
  }

  /** State of a registered lane after `appliedIndex`. */
  state(lane: number): unknown {
    return this.#live.state(lane);
  }

  /** Where a key was first applied; see {@link ClientSessionTable.firstIndex}. */
  firstIndex(clientId: string, requestId: number): LogIndex | undefined {
    return this.#live.table.firstIndex(clientId, requestId);
  }

  /** An index without a command passed. */
  skip(index: LogIndex): void {
    if (this.#failure === undefined) this.#applied = index;
  }

  /** Applies the command at the next index. Undefined when it is not one (skipped) or the log failed. */
  apply(entry: Entry): AppliedCommand | undefined {
    if (this.#failure !== undefined) return undefined;
    const head = headOf(entry.data);
    if (head === undefined) {
      this.#malformed += 1;
      this.#applied = entry.index;
      return undefined;
    }
    const isFolded = this.#live.folds(head.lane);
    if (!isFolded && !KNOWN_LANES.has(head.lane)) {
      this.#failure = new UnknownLaneError(head.lane, `entry ${entry.index}`);
      return undefined;
    }
    const verdict = this.#live.table.admit(head, entry.index);
    if (verdict !== entry.index) this.#duplicates.push(entry.index);
    else if (isFolded) this.#live.apply(commandOf(entry, head, false));
    this.#applied = entry.index;
    return { head, verdict };
  }

  /** The events of entries just applied, whenever they are wanted: building them costs more than applying, and often nobody follows. */
  eventsOf(entries: readonly Entry[]): () => LogEvent[] {
    const duplicates = this.#duplicates;
    const applied = this.#applied;
    return () => {
      const events: LogEvent[] = [];
      for (const entry of entries) if (entry.index <= applied) pushCommand(events, entry, duplicates);
      return events;
    };
  }

  /** Replaces everything by a snapshot taken after `index`. Undefined, and the log failed, when this build can not read it. */
  install(index: LogIndex, data: Uint8Array): InstalledSnapshot | undefined {
    if (this.#failure !== undefined) return undefined;
    try {
      const parts = decodeParts(data);
      for (const lane of parts.sections.keys()) {
        if (!KNOWN_LANES.has(lane) && !this.#live.folds(lane)) throw new UnknownLaneError(lane, `the snapshot after ${index}`);
      }
      const live = new Fold(this.#lanes);
      live.restore(parts);
      this.#live = live;
      this.#moveBase(index, parts);
    } catch (cause) {
      this.#failure = cause instanceof UnknownLaneError ? cause : new MalformedError(`the snapshot after ${index} can not be read`, { cause });
      return undefined;
    }
    this.#applied = index;
    return this.#base;
  }

  /**
   * The data of a snapshot after `through`, made of what this log folded and the caller's game section. Undefined when `through` is not above the
   * base, not applied yet, the entries are gone (a snapshot is about to replace them), or the base holds the section of a lane that only another
   * build can fold on. Cost: that of encoding the state; where `through` lies behind, also that of applying the entries again.
   */
  compose(through: LogIndex, gameSection: Uint8Array): Uint8Array | undefined {
    if (through <= this.#base.index || through > this.#applied) return undefined;
    for (const lane of this.#base.sections.keys()) if (lane !== LANE_GAME && !this.#live.folds(lane)) return undefined;
    const fold = through === this.#applied ? this.#live : this.#foldedThrough(through);
    if (fold === undefined) return undefined;
    const sections = fold.sections();
    sections.set(LANE_GAME, gameSection.slice());
    const parts = { table: fold.table.encode(), sections };
    this.#composed = { through, parts };
    return encodeParts(parts);
  }

  /** Drops what the snapshot just composed replaces. */
  rebase(): void {
    if (this.#composed !== undefined) this.#moveBase(this.#composed.through, this.#composed.parts);
  }

  /**
   * At most `max` events from `from` on that were applied already: an install first where the commands are gone. While a received snapshot is
   * about to replace the log there may be fewer; its install follows.
   */
  replay(from: LogIndex, max: number = Number.POSITIVE_INFINITY): LogEvent[] {
    const events: LogEvent[] = [];
    if (Math.max(from, 1) <= this.#base.index) events.push(this.#base);
    this.#walk(Math.max(from, this.#base.index + 1), this.#applied, (entry) => {
      if (events.length < max) pushCommand(events, entry, this.#duplicates);
      return events.length < max;
    });
    return events;
  }

  /** Folding the entries a second time costs what applying them cost; keeping a copy of the state per index would cost more. */
  #foldedThrough(through: LogIndex): Fold | undefined {
    const fold = new Fold(this.#lanes);
    fold.restore({ table: this.#baseTable, sections: this.#base.sections });
    const isWhole = this.#walk(this.#base.index + 1, through, (entry) => {
      const head = entry.kind === ENTRY_COMMAND ? headOf(entry.data) : undefined;
      if (head !== undefined && fold.table.admit(head, entry.index) === entry.index && fold.folds(head.lane)) fold.apply(commandOf(entry, head, false));
      return true;
    });
    return isWhole ? fold : undefined;
  }

  /** Reads entries back, a chunk at a time, while `visit` wants more. False when one was not there any more. */
  #walk(from: LogIndex, through: LogIndex, visit: (entry: Entry) => boolean): boolean {
    for (let at = from; at <= through; at += CHUNK_ENTRIES) {
      const last = Math.min(through, at + CHUNK_ENTRIES - 1);
      const entries = this.#read(at, last);
      if (entries.length !== last - at + 1) return false;
      for (const entry of entries) if (!visit(entry)) return true;
    }
    return true;
  }

  #moveBase(index: LogIndex, { table, sections }: SnapshotParts): void {
    this.#base = { type: "install", index, sections };
    this.#baseTable = table;
    this.#composed = undefined;
    this.#duplicates = this.#duplicates.filter((duplicate) => duplicate > index);
  }
}

/** True when the command was neither applied now nor before. */
export function wasRefused(verdict: number): boolean {
  return verdict <= REFUSED_WINDOW;
}

function headOf(data: Uint8Array): EnvelopeHead | undefined {
  try {
    return decodeHead(data);
  } catch {
    return undefined;
  }
}

/** Appends the entry's event, if it is a command's. */
function pushCommand(events: LogEvent[], entry: Entry, duplicates: readonly LogIndex[]): void {
  const head = entry.kind === ENTRY_COMMAND ? headOf(entry.data) : undefined;
  if (head !== undefined) events.push(commandOf(entry, head, isAmong(duplicates, entry.index)));
}

/** True when `index` stands in the ascending list. */
function isAmong(indexes: readonly LogIndex[], index: LogIndex): boolean {
  let low = 0;
  let high = indexes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((indexes[middle] ?? 0) < index) low = middle + 1;
    else high = middle;
  }
  return indexes[low] === index;
}

/** The event of a command. Everything the layers above get of an entry. */
export function commandOf(entry: Entry, head: EnvelopeHead, duplicate: boolean): CommittedCommand {
  const { lane, clientId, requestId, proposer, payloadAt } = head;
  return { type: "command", index: entry.index, lane, key: { clientId, requestId }, proposer, payload: entry.data.subarray(payloadAt), time: entry.time, duplicate };
}
