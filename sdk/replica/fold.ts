// The replicated state above the log: the exactly-once table and one state per registered lane, folded in lockstep.
import { ByteReader, ByteWriter, MalformedError } from "../base/index.ts";
import { ClientSessionTable } from "./client-sessions.ts";
import type { LaneReducer } from "./lane.ts";
import type { CommittedCommand } from "./ordered-log.ts";

/** First byte of every snapshot. History: 1, the first one. */
const SNAPSHOT_VERSION = 1;
/** Lanes in one snapshot at most. */
const LANES_MAX = 255;

/** A snapshot's data taken apart: the table, and lane → section. */
export interface SnapshotParts {
  readonly table: Uint8Array;
  readonly sections: ReadonlyMap<number, Uint8Array>;
}

/** Bytes of a snapshot: version, table, then the sections in the order of their lanes. */
export function encodeParts({ table, sections }: SnapshotParts): Uint8Array {
  const writer = new ByteWriter().byte(SNAPSHOT_VERSION).bytes(table);
  const lanes = [...sections].sort(([a], [b]) => a - b);
  return writer.list(lanes, ([lane, section]) => writer.byte(lane).bytes(section)).finish();
}

/** The parts of a snapshot; byte fields are views. Throws `MalformedError`. */
export function decodeParts(data: Uint8Array): SnapshotParts {
  const reader = new ByteReader(data);
  const version = reader.byte();
  if (version !== SNAPSHOT_VERSION) throw new MalformedError(`a snapshot of version ${version}, this build reads ${SNAPSHOT_VERSION}`);
  const table = reader.bytes();
  const sections = new Map<number, Uint8Array>();
  reader.list(() => {
    const lane = reader.byte();
    if (sections.has(lane)) throw new MalformedError(`lane ${lane} stands twice`);
    sections.set(lane, reader.bytes());
  }, LANES_MAX);
  reader.end();
  return { table, sections };
}

/** Table and lanes after some index. `apply` moves it on by one command. */
export class Fold {
  readonly #reducers: ReadonlyMap<number, LaneReducer<unknown>>;
  readonly #states = new Map<number, unknown>();
  #table = new ClientSessionTable();

  constructor(lanes: readonly LaneReducer<unknown>[]) {
    this.#reducers = new Map(lanes.map((lane) => [lane.lane, lane]));
    for (const lane of lanes) this.#states.set(lane.lane, lane.initial);
  }

  get table(): ClientSessionTable {
    return this.#table;
  }

  /** True when a reducer is registered for this lane. */
  folds(lane: number): boolean {
    return this.#reducers.has(lane);
  }

  /** State of a registered lane, else undefined. */
  state(lane: number): unknown {
    return this.#states.get(lane);
  }

  /** Lets the command's lane see it, unless it is a duplicate. */
  apply(command: CommittedCommand): void {
    if (command.duplicate) return;
    const reducer = this.#reducers.get(command.lane);
    if (reducer !== undefined) this.#states.set(command.lane, reducer.apply(this.#states.get(command.lane), command));
  }

  /** The registered lanes' sections. */
  sections(): Map<number, Uint8Array> {
    return new Map([...this.#reducers.values()].map((reducer) => [reducer.lane, reducer.encode(this.#states.get(reducer.lane))]));
  }

  /** Replaces everything by a snapshot's parts; lanes without a section start anew. Throws `MalformedError` and then changed nothing. */
  restore({ table, sections }: SnapshotParts): void {
    const restored = ClientSessionTable.decode(table);
    const states = [...this.#reducers.values()].map((reducer): [number, unknown] => {
      const section = sections.get(reducer.lane);
      return [reducer.lane, section === undefined ? reducer.initial : reducer.decode(section)];
    });
    this.#table = restored;
    for (const [lane, state] of states) this.#states.set(lane, state);
  }
}
