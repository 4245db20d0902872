// Which shard a key belongs to, and which node a shard belongs to: pure functions every peer computes alike (rendezvous hashing, Thaler & Ravishankar 1998).
import { concatBytes, digest64, InvalidArgumentError, utf8 } from "../base/index.ts";

/** Shards a cluster may have: beyond it an assignment is no longer a table one keeps in memory. */
export const SHARDS_MAX = 1_048_576;

/** A 64-bit score as two 32-bit halves: no BigInt on the way. */
interface Score {
  readonly high: number;
  readonly low: number;
}

const ZERO = new Uint8Array(1);

function seedPrefix(seed: string): Uint8Array {
  return seed === "" ? new Uint8Array(0) : concatBytes(utf8(seed), ZERO);
}

function hash(bytes: Uint8Array): Score {
  const view = new DataView(digest64(bytes).slice().buffer);
  return { high: view.getUint32(0), low: view.getUint32(4) };
}

function checkedShards(numShards: number): number {
  if (!Number.isSafeInteger(numShards) || numShards < 0 || numShards > SHARDS_MAX) throw new InvalidArgumentError(`a number of shards is a whole number from 0 to ${SHARDS_MAX}, got ${numShards}`);
  return numShards;
}

/**
 * The shard of `key`, from 0 to `numShards` - 1 (0 when there are none): BLAKE2b with an 8-byte digest over seed and key, as a big-endian
 * number, modulo `numShards`. One hash, about 5 µs. Throws `InvalidArgumentError` unless `numShards` is a whole number from 0 to {@link SHARDS_MAX}.
 */
export function shardFromString(key: string, numShards: number, seed = ""): number {
  if (checkedShards(numShards) === 0) return 0;
  const { high, low } = hash(concatBytes(seedPrefix(seed), utf8(key)));
  // (high * 2^32 + low) mod n in doubles: both factors stay below 2^20, so the product is exact.
  return ((high % numShards) * (0x1_0000_0000 % numShards) + (low % numShards)) % numShards;
}

function scoreOf(prefix: Uint8Array, shard: number, node: Uint8Array): Score {
  return hash(concatBytes(prefix, utf8(`shard:${shard}`), ZERO, node));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A node and its scores, computed once and kept: a join costs one column, a leave nothing. */
interface Column {
  readonly nodeId: string;
  readonly bytes: Uint8Array;
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** How many scores are computed before the caller is asked whether the page needs a turn: about 1 ms of work. */
const SCORES_PER_TURN = 256;

/**
 * The assignment of all shards to a changing set of nodes. Keeps the scores of nodes it knows, so that a change costs only the new nodes'
 * hashes. Memory: 8 bytes per shard and node. An empty node id never owns anything.
 */
export class ShardTable {
  readonly #numShards: number;
  readonly #prefix: Uint8Array;
  #columns: readonly Column[] = [];
  #hashes = 0;

  constructor(numShards: number, seed = "") {
    this.#numShards = checkedShards(numShards);
    this.#prefix = seedPrefix(seed);
  }

  /** Hashes computed so far: what a change cost. */
  get hashes(): number {
    return this.#hashes;
  }

  get nodeIds(): readonly string[] {
    return this.#columns.map(({ nodeId }) => nodeId);
  }

  /** Makes `nodeIds` the nodes, in one go. */
  setNodes(nodeIds: readonly string[]): void {
    for (const _ of this.#change(nodeIds)) continue;
  }

  /** The same in slices of about 1 ms: `pause` is called between them, and what it returns is awaited; undefined goes on at once. Calls must not overlap. */
  async setNodesGently(nodeIds: readonly string[], pause: () => Promise<void> | undefined): Promise<void> {
    for (const _ of this.#change(nodeIds)) {
      const paused = pause();
      if (paused !== undefined) await paused;
    }
  }

  /** Owner of each shard; undefined without nodes. */
  owners(): readonly (string | undefined)[] {
    return Array.from({ length: this.#numShards }, (_, shard) => this.#ownerOf(shard)?.nodeId);
  }

  /** The shards `nodeId` owns, ascending. */
  shardsOf(nodeId: string): readonly number[] {
    return this.owners().flatMap((owner, shard) => (owner === nodeId ? [shard] : []));
  }

  #ownerOf(shard: number): Column | undefined {
    let best: Column | undefined;
    // Columns are in byte order, so that a tie goes to the first.
    for (const column of this.#columns) {
      if (best === undefined || beats(column, best, shard)) best = column;
    }
    return best;
  }

  *#change(nodeIds: readonly string[]): Generator<void> {
    const known = new Map(this.#columns.map((column) => [column.nodeId, column]));
    const columns: Column[] = [];
    let computed = 0;
    for (const nodeId of new Set(nodeIds)) {
      if (nodeId === "") continue;
      const kept = known.get(nodeId);
      if (kept !== undefined) {
        columns.push(kept);
        continue;
      }
      const column: Column = { nodeId, bytes: utf8(nodeId), high: new Uint32Array(this.#numShards), low: new Uint32Array(this.#numShards) };
      for (let shard = 0; shard < this.#numShards; shard += 1) {
        const score = scoreOf(this.#prefix, shard, column.bytes);
        column.high[shard] = score.high;
        column.low[shard] = score.low;
        computed += 1;
        this.#hashes += 1;
        if (computed % SCORES_PER_TURN === 0) yield;
      }
      columns.push(column);
    }
    this.#columns = columns.sort((a, b) => compareBytes(a.bytes, b.bytes));
  }
}

function beats(column: Column, best: Column, shard: number): boolean {
  const high = column.high[shard] ?? 0;
  const bestHigh = best.high[shard] ?? 0;
  return high > bestHigh || (high === bestHigh && (column.low[shard] ?? 0) > (best.low[shard] ?? 0));
}

/** The shards `nodeId` owns among `nodeIds`, ascending: for each the node with the highest score, ties to the first in byte order. Cost: one hash per shard and node; keep a {@link ShardTable} where nodes come and go. */
export function shardsForNode(nodeId: string, nodeIds: readonly string[], numShards: number, seed = ""): readonly number[] {
  const table = new ShardTable(numShards, seed);
  table.setNodes(nodeIds);
  return table.shardsOf(nodeId);
}
