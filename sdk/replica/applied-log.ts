// What was applied: folds committed entries into table and lanes, remembers them for replay, and composes snapshots at exact indexes.
import { MalformedError, type LogIndex } from "../base/index.ts";
import { REFUSED_WINDOW } from "./client-sessions.ts";
import { decodeEnvelope, type Envelope } from "./envelope.ts";
import { UnknownLaneError } from "./errors.ts";
import { decodeParts, encodeParts, Fold } from "./fold.ts";
import type { LaneReducer } from "./lane.ts";
import { LANE_CLUSTER, LANE_FENCE, LANE_GAME, LANE_SESSION, type CommittedCommand, type InstalledSnapshot, type LogEvent } from "./ordered-log.ts";

/** Lanes this build knows even where no reducer is registered. */
export const KNOWN_LANES: ReadonlySet<number> = new Set([LANE_GAME, LANE_SESSION, LANE_FENCE, LANE_CLUSTER]);

/** An entry as far as the layers above care; `command` false for no-ops and memberships. */
export interface AppliedEntry {
  readonly index: LogIndex;
  readonly time: number;
  readonly data: Uint8Array;
}

/** How the table judged a command: applied at `first` (its own index when new, 0 when forgotten), or refused for one of the table's reasons. */
export interface AppliedCommand {
  readonly event: CommittedCommand;
  /** What {@link ClientSessionTable.admit} answered. */
  readonly verdict: number;
}

/** Committed commands from the last snapshot on, and the state they lead to. */
export class AppliedLog {
  readonly #lanes: readonly LaneReducer<unknown>[];
  /** After `#applied`. */
  #live: Fold;
  /** After `#base.index`: what the next snapshot is composed from. */
  #baseFold: Fold;
  #base: InstalledSnapshot = { type: "install", index: 0, sections: new Map() };
  /** Commands in (base, applied], as the machine's own entry objects, so that retaining costs a reference. */
  #entries: AppliedEntry[] = [];
  readonly #duplicates = new Set<LogIndex>();
  #applied: LogIndex = 0;
  #failure: Error | undefined;
  #malformed = 0;

  constructor(lanes: readonly LaneReducer<unknown>[] = []) {
    this.#lanes = lanes;
    this.#live = new Fold(lanes);
    this.#baseFold = new Fold(lanes);
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
  apply(entry: AppliedEntry): AppliedCommand | undefined {
    if (this.#failure !== undefined) return undefined;
    const envelope = envelopeOf(entry.data);
    if (envelope === undefined) {
      this.#malformed += 1;
      this.#applied = entry.index;
      return undefined;
    }
    if (!KNOWN_LANES.has(envelope.lane) && !this.#live.folds(envelope.lane)) {
      this.#failure = new UnknownLaneError(envelope.lane, `entry ${entry.index}`);
      return undefined;
    }
    const verdict = this.#live.table.admit(envelope, entry.index);
    const event = commandOf(entry, envelope, verdict !== entry.index);
    if (event.duplicate) this.#duplicates.add(entry.index);
    this.#live.apply(event);
    this.#entries.push(entry);
    this.#applied = entry.index;
    return { event, verdict };
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
      const base = new Fold(this.#lanes);
      live.restore(parts);
      base.restore(parts);
      this.#live = live;
      this.#baseFold = base;
      this.#base = { type: "install", index, sections: parts.sections };
    } catch (cause) {
      this.#failure = cause instanceof UnknownLaneError ? cause : new MalformedError(`the snapshot after ${index} can not be read`, { cause });
      return undefined;
    }
    this.#entries = [];
    this.#duplicates.clear();
    this.#applied = index;
    return this.#base;
  }

  /**
   * The data of a snapshot after `through`, made of what this log folded and the caller's game section. Undefined when `through` is not above the
   * base, not applied yet, or the base holds the section of a lane that only another build can fold on.
   */
  compose(through: LogIndex, gameSection: Uint8Array): Uint8Array | undefined {
    if (through <= this.#base.index || through > this.#applied) return undefined;
    for (const lane of this.#base.sections.keys()) if (lane !== LANE_GAME && !this.#baseFold.folds(lane)) return undefined;
    // Folding the retained entries a second time costs what applying them cost; keeping a copy of the state per index would cost more.
    const ahead = new Fold(this.#lanes);
    ahead.restore({ table: this.#baseFold.table.encode(), sections: this.#baseFold.sections() });
    const count = this.#positionAfter(through);
    for (let at = 0; at < count; at += 1) this.#refold(ahead, this.#entries[at]);
    const sections = ahead.sections();
    sections.set(LANE_GAME, gameSection.slice());
    this.#composed = { fold: ahead, through, sections };
    return encodeParts({ table: ahead.table.encode(), sections });
  }

  /** The snapshot last composed, until it is known whether it was taken. */
  #composed: { readonly fold: Fold; readonly through: LogIndex; readonly sections: ReadonlyMap<number, Uint8Array> } | undefined;

  /** Drops what the snapshot just composed replaces. */
  rebase(): void {
    if (this.#composed === undefined) return;
    const { fold, through, sections } = this.#composed;
    this.#composed = undefined;
    this.#entries = this.#entries.slice(this.#positionAfter(through));
    for (const index of this.#duplicates) if (index <= through) this.#duplicates.delete(index);
    this.#baseFold = fold;
    this.#base = { type: "install", index: through, sections };
  }

  /** At most `max` events from `from` on that were applied already: an install first where the commands are gone. */
  replay(from: LogIndex, max: number = Number.POSITIVE_INFINITY): LogEvent[] {
    const events: LogEvent[] = [];
    if (Math.max(from, 1) <= this.#base.index) events.push(this.#base);
    for (let at = this.#positionAfter(Math.max(from - 1, 0)); at < this.#entries.length && events.length < max; at += 1) {
      const entry = this.#entries[at];
      const envelope = entry && envelopeOf(entry.data);
      if (entry !== undefined && envelope !== undefined) events.push(commandOf(entry, envelope, this.#duplicates.has(entry.index)));
    }
    return events;
  }

  #refold(fold: Fold, entry: AppliedEntry | undefined): void {
    const envelope = entry && envelopeOf(entry.data);
    if (entry === undefined || envelope === undefined) return;
    fold.apply(commandOf(entry, envelope, fold.table.admit(envelope, entry.index) !== entry.index));
  }

  /** How many retained entries have an index of at most `index`. */
  #positionAfter(index: LogIndex): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.index ?? 0) <= index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** True when the command was neither applied now nor before. */
export function wasRefused(verdict: number): boolean {
  return verdict <= REFUSED_WINDOW;
}

function envelopeOf(data: Uint8Array): Envelope | undefined {
  try {
    return decodeEnvelope(data);
  } catch {
    return undefined;
  }
}

function commandOf(entry: AppliedEntry, envelope: Envelope, duplicate: boolean): CommittedCommand {
  const { lane, clientId, requestId, proposer, payload } = envelope;
  return { type: "command", index: entry.index, lane, key: { clientId, requestId }, proposer, payload, time: entry.time, duplicate };
}
