// What stands in the log of a cluster: an assignment made by whoever leads, and the writes of owners.
import { ByteReader, ByteWriter, InvalidArgumentError, MalformedError, utf8, type LogIndex } from "../base/index.ts";
import { CLUSTER_NODES_MAX, CLUSTER_SHARDS_MAX } from "./cluster-table.ts";

/** Writes in one command at most. */
export const WRITES_MAX = 4_096;
const NAME_BYTES_MAX = 512;

/** Who shall own what, from now on. */
export interface AssignCommand {
  readonly type: "assign";
  /** Index of the assignment it was made on: of two made at once the first in the log counts. */
  readonly base: LogIndex;
  readonly numShards: number;
  readonly seed: string;
  readonly nodes: readonly string[];
  /** For each shard the place of its owner in `nodes`. */
  readonly targets: Uint8Array;
}

/** One owner's word about one shard. */
export interface ShardWrite {
  readonly shard: number;
  /** The epoch it owns the shard under. */
  readonly epoch: LogIndex;
  /** The version it was made on. */
  readonly base: number;
  /** The new state; undefined: unchanged. */
  readonly state: Uint8Array | undefined;
  /** The shard goes to whom it is promised to. */
  readonly release: boolean;
}

/** Several writes of one owner, judged one by one. */
export interface WriteCommand {
  readonly type: "write";
  readonly writes: readonly ShardWrite[];
}

/** A command of the cluster lane. */
export type ClusterCommand = AssignCommand | WriteCommand;

const ASSIGN = 1;
const WRITE = 2;
const RELEASE_FLAG = 1;
const STATE_FLAG = 2;

/** Bytes of a command, as it stands in the log: an assignment takes one byte a shard, a write about 8 and its state. */
export function encodeClusterCommand(command: ClusterCommand): Uint8Array {
  if (command.type === "assign") {
    const writer = new ByteWriter().byte(ASSIGN).uint(command.base).uint(command.numShards).text(command.seed);
    return writer.list(command.nodes, (node) => writer.text(node)).raw(command.targets).finish();
  }
  const writer = new ByteWriter().byte(WRITE);
  writer.list(command.writes, ({ shard, epoch, base, state, release }) => {
    writer.uint(shard).uint(epoch).uint(base).byte((release ? RELEASE_FLAG : 0) | (state === undefined ? 0 : STATE_FLAG));
    if (state !== undefined) writer.bytes(state);
  });
  return writer.finish();
}

/** The command of these bytes. Throws `MalformedError`, also for what could never be applied. */
export function decodeClusterCommand(bytes: Uint8Array): ClusterCommand {
  const reader = new ByteReader(bytes);
  const type = reader.byte();
  const command = type === ASSIGN ? readAssign(reader) : type === WRITE ? readWrites(reader) : undefined;
  if (command === undefined) throw new MalformedError(`cluster command ${type} is unknown`);
  reader.end();
  return command;
}

function readAssign(reader: ByteReader): AssignCommand {
  const base = reader.uint();
  const numShards = reader.uint();
  if (numShards < 1 || numShards > CLUSTER_SHARDS_MAX) throw new MalformedError(`${numShards} shards`);
  const seed = reader.text(NAME_BYTES_MAX);
  const nodes = reader.list(() => reader.text(NAME_BYTES_MAX), CLUSTER_NODES_MAX);
  if (nodes.length === 0 || nodes.includes("") || new Set(nodes).size !== nodes.length) throw new MalformedError("nodes without a name, or twice the same");
  const targets = reader.raw(numShards).slice();
  if (targets.some((target) => target >= nodes.length)) throw new MalformedError("a shard for a node that is not there");
  return { type: "assign", base, numShards, seed, nodes, targets };
}

function readWrites(reader: ByteReader): WriteCommand {
  const writes = reader.list(() => {
    const shard = reader.uint();
    const epoch = reader.uint();
    const base = reader.uint();
    const flags = reader.byte();
    if (flags > (RELEASE_FLAG | STATE_FLAG)) throw new MalformedError(`flags ${flags} of a write`);
    // A copy: the entry's bytes are not the table's to keep.
    const state = (flags & STATE_FLAG) === 0 ? undefined : reader.bytes().slice();
    return { shard, epoch, base, state, release: (flags & RELEASE_FLAG) !== 0 };
  }, WRITES_MAX);
  return { type: "write", writes };
}

/** Throws `InvalidArgumentError` unless a match can have so many shards, and this seed. */
export function checkClusterShards(numShards: number, seed: string): void {
  if (utf8(seed).length > NAME_BYTES_MAX) throw new InvalidArgumentError(`a seed has at most ${NAME_BYTES_MAX} bytes, got ${utf8(seed).length}`);
  if (!Number.isSafeInteger(numShards) || numShards < 1 || numShards > CLUSTER_SHARDS_MAX) throw new InvalidArgumentError(`a match has 1 to ${CLUSTER_SHARDS_MAX} shards, got ${numShards}`);
}
