// One node's copy of the cluster lane: folds the log as it comes, and puts words into it, each judged exactly once.
import { hasCode, SdkError, type LogIndex } from "../base/index.ts";
import { encodeClusterCommand, type AssignCommand, type ShardWrite } from "./cluster-command.ts";
import { applyClusterCommand, CLUSTER_LANE, clusterLane, type WriteVerdict } from "./cluster-lane.ts";
import { EMPTY_CLUSTER_TABLE, shardRecord, type ClusterTable } from "./cluster-table.ts";
import { StaleOwnerError } from "../durable/index.ts";

/** What a cluster hears of a log. */
export type ClusterLogEvent =
  | { readonly type: "command"; readonly index: LogIndex; readonly lane: number; readonly key: { readonly clientId: string; readonly requestId: number }; readonly proposer: string; readonly payload: Uint8Array; readonly duplicate: boolean }
  | { readonly type: "install"; readonly index: LogIndex; readonly sections: ReadonlyMap<number, Uint8Array> };

/** What a cluster needs of a log: an OrderedLog with `clusterLane` among its lanes fits as it is. */
export interface ClusterLog {
  readonly clientId: string;
  /** The serial of the latest proposal, readable as soon as `propose` was called. */
  readonly lastRequestId: number;
  /** Resolves once the command is committed and applied here; rejects as `OrderedLog.propose` does. */
  propose(payload: Uint8Array, options: { readonly lane: number; readonly requestId?: number | undefined }): Promise<{ readonly index: LogIndex }>;
  /** Resolves once everything committed before the call is applied here. */
  readIndex(): Promise<LogIndex>;
  /** Calls `listener` for everything from the start on, then as it is applied. Returns the function that stops it. */
  follow(listener: (event: ClusterLogEvent) => void): () => void;
}

/** Verdicts of own words kept until they are asked for: those of an earlier life of this node are never asked for. */
const VERDICTS_KEPT = 64;
/** Pause before a word that found no room is said again, ms. */
const NO_ROOM_PAUSE_MS = 200;

export interface ClusterFollowerOptions {
  readonly log: ClusterLog;
  readonly selfId: string;
  readonly pause: (ms: number) => Promise<void>;
  /** The table changed. */
  readonly changed: (after: ClusterTable, before: ClusterTable) => void;
}

/** Follows one log until `stop`. */
export class ClusterFollower {
  readonly #options: ClusterFollowerOptions;
  readonly #verdicts = new Map<number, readonly WriteVerdict[]>();
  readonly #off: () => void;
  #table: ClusterTable = EMPTY_CLUSTER_TABLE;
  #isStopped = false;

  constructor(options: ClusterFollowerOptions) {
    this.#options = options;
    this.#off = options.log.follow((event) => this.#fold(event));
  }

  get table(): ClusterTable {
    return this.#table;
  }

  stop(): void {
    this.#isStopped = true;
    this.#off();
  }

  /** Proposes an assignment. Resolves once it is decided; whether it counts shows in the table. */
  async assign(command: AssignCommand): Promise<void> {
    await this.#options.log.propose(encodeClusterCommand(command), { lane: CLUSTER_LANE });
  }

  /**
   * Says `writes` in one entry, and resolves to how each was judged. While its fate is open it is said again under the same key, however often it takes;
   * a word that found no room waits. Rejects as proposing does, when it will never be known, or once stopped.
   */
  async write(writes: readonly ShardWrite[]): Promise<readonly WriteVerdict[]> {
    const { log, pause } = this.#options;
    const payload = encodeClusterCommand({ type: "write", writes });
    let requestId: number | undefined;
    for (;;) {
      try {
        const proposing = log.propose(payload, { lane: CLUSTER_LANE, requestId });
        requestId ??= log.lastRequestId;
        await proposing;
        const verdicts = this.#verdicts.get(requestId) ?? this.#guessed(writes);
        this.#verdicts.delete(requestId);
        return verdicts;
      } catch (error) {
        const isOpen = hasCode(error, "leadership-lost") || hasCode(error, "proposal-timeout");
        const isFull = hasCode(error, "busy") || hasCode(error, "storage-quota");
        if (this.#isStopped || !(isOpen || isFull)) throw error;
        if (isFull) requestId = undefined;
        await pause(isFull ? NO_ROOM_PAUSE_MS : 0);
      }
    }
  }

  #fold(event: ClusterLogEvent): void {
    const before = this.#table;
    if (event.type === "install") {
      const section = event.sections.get(CLUSTER_LANE);
      this.#table = section === undefined ? EMPTY_CLUSTER_TABLE : clusterLane.decode(section);
    } else if (event.lane === CLUSTER_LANE && !event.duplicate) {
      const { table, verdicts } = applyClusterCommand(before, event);
      this.#table = table;
      if (event.proposer === this.#options.selfId && event.key.clientId === this.#options.log.clientId) this.#keep(event.key.requestId, verdicts);
    }
    if (this.#table !== before) this.#options.changed(this.#table, before);
  }

  #keep(requestId: number, verdicts: readonly WriteVerdict[]): void {
    this.#verdicts.set(requestId, verdicts);
    if (this.#verdicts.size > VERDICTS_KEPT) this.#verdicts.delete(this.#verdicts.keys().next().value ?? requestId);
  }

  /** A snapshot stands for the entry: under the same epoch only this node wrote, so the version tells; under another nobody can say. */
  #guessed(writes: readonly ShardWrite[]): readonly WriteVerdict[] {
    return writes.map(({ shard, epoch, base }) => {
      const record = shardRecord(this.#table, shard);
      if (record?.epoch !== epoch) return new SdkError("outcome-unknown", `shard ${shard} has moved on: whether it was saved before is unknown`);
      return record.version > base ? undefined : new StaleOwnerError(record.epoch, epoch);
    });
  }
}
