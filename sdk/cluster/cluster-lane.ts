// The cluster lane: which peer owns which shard since which entry, and what each shard last confirmed. A pure reducer over the committed log.
import { MalformedError, SdkError, type LogIndex } from "../base/index.ts";
import { SplitBrainError, StaleOwnerError } from "../durable/index.ts";
import { decodeClusterCommand, type AssignCommand, type ShardWrite } from "./cluster-command.ts";
import { decodeTable, encodeTable } from "./cluster-section.ts";
import { EMPTY_CLUSTER_TABLE, ownersIn, shardRecord, withRecords, type ClusterTable, type ShardRecord } from "./cluster-table.ts";

/** The number of the cluster lane in the log (see OrderedLog's lanes). */
export const CLUSTER_LANE = 4;
/** Bytes one shard may confirm at once. */
export const SHARD_STATE_BYTES_MAX: number = 64 * 1024;
/** Bytes all shards of a match may hold together: every peer keeps them, and they travel in every snapshot. */
export const CLUSTER_STATE_BYTES_MAX: number = 8 * 1024 * 1024;

/** What becomes of one write: undefined is taken. */
export type WriteVerdict = SdkError | undefined;

/** A table and how each write of a command was judged. */
export interface Written {
  readonly table: ClusterTable;
  readonly verdicts: readonly WriteVerdict[];
}

/**
 * Judges a write against the shard as it stands, in this order: an older epoch → `stale-owner`; the epoch in force from somebody else → `split-brain`;
 * an epoch nobody granted → `stale-owner` too; made on another version than the newest → `shard-conflict`; over a limit → `shard-full`.
 */
export function judgeWrite(table: ClusterTable, write: ShardWrite, proposer: string): WriteVerdict {
  const record = shardRecord(table, write.shard);
  if (record === undefined || record.owner === undefined) return new StaleOwnerError(0, write.epoch);
  if (write.epoch !== record.epoch) return new StaleOwnerError(record.epoch, write.epoch);
  if (record.owner !== proposer) return new SplitBrainError(record.owner, proposer, write.epoch);
  if (write.base !== record.version) return new SdkError("shard-conflict", `shard ${write.shard} is at version ${record.version}, the write was made on ${write.base}`);
  return sizeFault(table, record, write);
}

function sizeFault(table: ClusterTable, record: ShardRecord, { shard, state }: ShardWrite): WriteVerdict {
  if (state === undefined) return undefined;
  if (state.length > SHARD_STATE_BYTES_MAX) return new SdkError("shard-full", `${state.length} bytes for shard ${shard}, at most ${SHARD_STATE_BYTES_MAX} may stand`);
  const bytes = table.stateBytes - (record.state?.length ?? 0) + state.length;
  return bytes <= CLUSTER_STATE_BYTES_MAX ? undefined : new SdkError("shard-full", `all shards would hold ${bytes} bytes, at most ${CLUSTER_STATE_BYTES_MAX} may stand`);
}

/** The table after the writes of one command at `index`; a refused one changes nothing, and the others count. */
export function applyWrites(table: ClusterTable, writes: readonly ShardWrite[], { proposer, index }: { readonly proposer: string; readonly index: LogIndex }): Written {
  let after = table;
  const verdicts = writes.map((write) => {
    const verdict = judgeWrite(after, write, proposer);
    const record = shardRecord(after, write.shard);
    if (verdict === undefined && record !== undefined) after = withRecords(after, new Map([[write.shard, written(record, write, index)]]));
    return verdict;
  });
  return { table: after, verdicts };
}

function written(record: ShardRecord, { state, release }: ShardWrite, index: LogIndex): ShardRecord {
  const kept = { ...record, version: record.version + 1, state: state ?? record.state };
  // Let go of what nobody waits for any more: it stays.
  return release && record.next !== undefined ? { ...kept, owner: record.next, next: undefined, epoch: index } : kept;
}

/**
 * The table after an assignment at `index`, or the same when it was made on another one than the newest, or is for another number of shards. Shards whose
 * owner is gone change hands at once; those of a living owner are promised to the new one, and move when the owner lets them go.
 */
export function applyAssignment(table: ClusterTable, { base, numShards, seed, nodes, targets }: AssignCommand, index: LogIndex): ClusterTable {
  if (base !== table.index) return table;
  if (table.numShards !== 0 && (numShards !== table.numShards || seed !== table.seed)) return table;
  const here = new Set(nodes);
  const opened = table.numShards === 0 ? { ...table, numShards, seed } : table;
  const changed = new Map<number, ShardRecord>();
  for (let shard = 0; shard < numShards; shard += 1) {
    const record = shardRecord(opened, shard);
    const target = nodes[targets[shard] ?? 0];
    if (record === undefined || target === undefined) continue;
    const after = assigned(record, target, here, index);
    if (after !== record) changed.set(shard, after);
  }
  return { ...withRecords(opened, changed), index, nodes };
}

function assigned(record: ShardRecord, target: string, here: ReadonlySet<string>, index: LogIndex): ShardRecord {
  if (record.owner === undefined || !here.has(record.owner)) return { ...record, owner: target, next: undefined, epoch: index };
  const next = record.owner === target ? undefined : target;
  return record.next === next ? record : { ...record, next };
}

/** One command of the cluster lane, as the log delivers it. */
export interface ClusterCommandAt {
  readonly index: LogIndex;
  readonly proposer: string;
  readonly payload: Uint8Array;
}

/** The cluster lane as a pure reducer: what is refused or unreadable leaves the table as it is. Fits LaneReducer. */
export const clusterLane: {
  readonly lane: number;
  readonly initial: ClusterTable;
  /** The table after a command. Never throws. Cost: one pass over the shards for an assignment, one page of 64 for each written shard. */
  apply(table: ClusterTable, command: ClusterCommandAt): ClusterTable;
  /** The lane's section: equal tables give equal bytes. */
  encode(table: ClusterTable): Uint8Array;
  /** The table of a section. Throws `MalformedError` for bytes that are none. */
  decode(section: Uint8Array): ClusterTable;
} = {
  lane: CLUSTER_LANE,
  initial: EMPTY_CLUSTER_TABLE,
  apply: (table, command) => applyClusterCommand(table, command).table,
  encode: encodeTable,
  decode(section) {
    const table = decodeTable(section);
    if (table.stateBytes > CLUSTER_STATE_BYTES_MAX) throw new MalformedError(`shards of ${table.stateBytes} bytes together, at most ${CLUSTER_STATE_BYTES_MAX} may stand`);
    if (ownersIn(table).some((owner) => owner === "")) throw new MalformedError("an owner without a name");
    return table;
  },
};

/** The same with the verdicts, for whoever made the writes. */
export function applyClusterCommand(table: ClusterTable, { index, proposer, payload }: ClusterCommandAt): Written {
  let command: ReturnType<typeof decodeClusterCommand>;
  try {
    command = decodeClusterCommand(payload);
  } catch {
    return { table, verdicts: [] };
  }
  if (command.type === "write") return applyWrites(table, command.writes, { proposer, index });
  return { table: applyAssignment(table, command, index), verdicts: [] };
}
