// Who owns what, as one immutable value: shards in pages of 64, so that a change copies one page and not the whole table.
import type { LogIndex } from "../base/index.ts";

/** Shards of a match at most: an assignment is one byte a shard in one log entry. */
export const CLUSTER_SHARDS_MAX = 16_384;
/** Owners of a match at most. */
export const CLUSTER_NODES_MAX = 64;
/** Shards in one page. */
export const SHARDS_PER_PAGE = 64;

/** One shard. */
export interface ShardRecord {
  /** The peer that owns it; undefined before the first assignment. */
  readonly owner: string | undefined;
  /** The peer it is promised to, as soon as the owner lets it go. */
  readonly next: string | undefined;
  /** Index of the entry that made `owner` its owner: the fence epoch. 0 before. */
  readonly epoch: LogIndex;
  /** Writes taken so far, in all epochs. */
  readonly version: number;
  /** What was last confirmed; undefined: nothing yet. Not to be changed. */
  readonly state: Uint8Array | undefined;
}

/** The whole assignment after some index. A new object per change; pages without a change stay the same object. */
export interface ClusterTable {
  /** Index of the assignment in force; 0 before the first. */
  readonly index: LogIndex;
  readonly numShards: number;
  readonly seed: string;
  /** The peers of the assignment in force. */
  readonly nodes: readonly string[];
  readonly pages: readonly (readonly ShardRecord[])[];
  /** Bytes of all states together. */
  readonly stateBytes: number;
}

/** The table before any command. */
export const EMPTY_CLUSTER_TABLE: ClusterTable = { index: 0, numShards: 0, seed: "", nodes: [], pages: [], stateBytes: 0 };

const BLANK: ShardRecord = { owner: undefined, next: undefined, epoch: 0, version: 0, state: undefined };

/** The record of a shard; undefined for one the table does not have. */
export function shardRecord(table: ClusterTable, shard: number): ShardRecord | undefined {
  if (shard < 0 || shard >= table.numShards) return undefined;
  return table.pages[Math.floor(shard / SHARDS_PER_PAGE)]?.[shard % SHARDS_PER_PAGE] ?? BLANK;
}

/** The table with these records instead of the ones it had. */
export function withRecords(table: ClusterTable, changed: ReadonlyMap<number, ShardRecord>): ClusterTable {
  if (changed.size === 0) return table;
  const pages = [...table.pages];
  const copied = new Map<number, ShardRecord[]>();
  let { stateBytes } = table;
  for (const [shard, record] of changed) {
    const page = Math.floor(shard / SHARDS_PER_PAGE);
    let copy = copied.get(page);
    if (copy === undefined) {
      copy = [...(pages[page] ?? blankPage(table.numShards, page))];
      copied.set(page, copy);
      pages[page] = copy;
    }
    stateBytes += (record.state?.length ?? 0) - (copy[shard % SHARDS_PER_PAGE]?.state?.length ?? 0);
    copy[shard % SHARDS_PER_PAGE] = record;
  }
  // No holes: a page nobody wrote yet is blank.
  for (let page = 0; page < pages.length; page += 1) pages[page] ??= blankPage(table.numShards, page);
  return { ...table, pages, stateBytes };
}

function blankPage(numShards: number, page: number): readonly ShardRecord[] {
  return Array.from({ length: Math.min(SHARDS_PER_PAGE, numShards - page * SHARDS_PER_PAGE) }, () => BLANK);
}

/** Shards whose records differ between two tables of one match, ascending. Cost: one comparison per page, and those of the pages that changed. */
export function changedShards(before: ClusterTable, after: ClusterTable): readonly number[] {
  const changed: number[] = [];
  if (before === after) return changed;
  for (let page = 0; page * SHARDS_PER_PAGE < after.numShards; page += 1) {
    if (before.pages[page] === after.pages[page] && before.numShards === after.numShards) continue;
    for (let at = 0; at < SHARDS_PER_PAGE && page * SHARDS_PER_PAGE + at < after.numShards; at += 1) {
      const shard = page * SHARDS_PER_PAGE + at;
      if (shardRecord(before, shard) !== shardRecord(after, shard)) changed.push(shard);
    }
  }
  return changed;
}

/** Everybody named in the records, each once, in a fixed order. */
export function ownersIn(table: ClusterTable): readonly string[] {
  const names = new Set<string>();
  for (const page of table.pages) {
    for (const { owner, next } of page) {
      if (owner !== undefined) names.add(owner);
      if (next !== undefined) names.add(next);
    }
  }
  return [...names].sort();
}
