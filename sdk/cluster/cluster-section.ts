// The cluster lane's section in a snapshot.
import { ByteReader, ByteWriter, MalformedError } from "../base/index.ts";
import { CLUSTER_NODES_MAX, CLUSTER_SHARDS_MAX, EMPTY_CLUSTER_TABLE, ownersIn, shardRecord, withRecords, type ClusterTable, type ShardRecord } from "./cluster-table.ts";

/** History: 1 the first one. */
const SECTION_FORMAT = 1;
const NAME_BYTES_MAX = 512;
/** Peers that ever owned something and are still named: at most one a shard and one it is promised to. */
const NAMES_MAX = 2 * CLUSTER_SHARDS_MAX;

/** Bytes of a table; a match without a cluster costs one. */
export function encodeTable(table: ClusterTable): Uint8Array {
  const writer = new ByteWriter();
  if (table.numShards === 0) return writer.byte(0).finish();
  const names = ownersIn(table);
  const place = new Map(names.map((name, at) => [name, at + 1]));
  writer.byte(SECTION_FORMAT).uint(table.index).uint(table.numShards).text(table.seed);
  writer.list(table.nodes, (node) => writer.text(node)).list(names, (name) => writer.text(name));
  for (let shard = 0; shard < table.numShards; shard += 1) {
    const { owner, next, epoch, version, state } = shardRecord(table, shard) as ShardRecord;
    writer.uint(owner === undefined ? 0 : (place.get(owner) ?? 0)).uint(next === undefined ? 0 : (place.get(next) ?? 0)).uint(epoch).uint(version).bool(state !== undefined);
    if (state !== undefined) writer.bytes(state);
  }
  return writer.finish();
}

/** The table of {@link encodeTable}'s bytes. Throws `MalformedError`. */
export function decodeTable(section: Uint8Array): ClusterTable {
  const reader = new ByteReader(section);
  const format = reader.byte();
  if (format > SECTION_FORMAT) throw new MalformedError(`cluster format ${format} where ${SECTION_FORMAT} is known`);
  if (format === 0) {
    reader.end();
    return EMPTY_CLUSTER_TABLE;
  }
  const index = reader.uint();
  const numShards = reader.uint();
  if (numShards < 1 || numShards > CLUSTER_SHARDS_MAX) throw new MalformedError(`${numShards} shards`);
  const seed = reader.text(NAME_BYTES_MAX);
  const nodes = reader.list(() => reader.text(NAME_BYTES_MAX), CLUSTER_NODES_MAX);
  const names = reader.list(() => reader.text(NAME_BYTES_MAX), NAMES_MAX);
  const records = new Map<number, ShardRecord>();
  for (let shard = 0; shard < numShards; shard += 1) records.set(shard, readRecord(reader, names));
  reader.end();
  return { ...withRecords({ ...EMPTY_CLUSTER_TABLE, numShards, seed }, records), index, nodes };
}

function readRecord(reader: ByteReader, names: readonly string[]): ShardRecord {
  const owner = readName(reader, names);
  const next = readName(reader, names);
  const epoch = reader.uint();
  const version = reader.uint();
  return { owner, next, epoch, version, state: reader.bool() ? reader.bytes().slice() : undefined };
}

function readName(reader: ByteReader, names: readonly string[]): string | undefined {
  const place = reader.uint();
  if (place > names.length) throw new MalformedError(`name ${place} of ${names.length}`);
  return place === 0 ? undefined : names[place - 1];
}
