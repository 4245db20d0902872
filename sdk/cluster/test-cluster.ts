// A whole cluster in one process, for tests.
import { type Clock } from "../base/index.ts";
import { ClusterNode } from "./cluster-node.ts";
import { MemoryTransport } from "./memory-transport.ts";
import { ShardClient } from "./shard-client.ts";
import { ShardTable } from "./shard.ts";
import type { ShardHandler, Transport } from "./transport.ts";

/** What a test cluster is made from. */
export interface TestClusterOptions {
  /** Default: a `MemoryTransport` of its own. */
  readonly transport?: Transport | undefined;
  readonly nodes: number;
  readonly shards: number;
  readonly seed?: string | undefined;
  readonly handler: ShardHandler;
  /** Default: a clock that never moves (nothing times out). */
  readonly clock?: Clock | undefined;
}

/** A running test cluster. */
export interface TestCluster {
  readonly transport: Transport;
  readonly nodes: readonly ClusterNode[];
  readonly client: ShardClient;
  /** Resolves when every shard is served. */
  start(): Promise<void>;
  /** Ends the nodes and waits for them; closes the transport unless it was given. */
  stop(): Promise<void>;
}

const stillClock: Clock = { now: () => 0, after: () => () => {} };

/** Makes `nodes` nodes `node-0`, `node-1`, … that share `shards` shards by rendezvous hashing, and a client. */
export function createTestCluster({ transport: given, nodes: count, shards, seed = "", handler, clock = stillClock }: TestClusterOptions): TestCluster {
  const transport = given ?? new MemoryTransport({ clock, wallClock: () => clock.now() });
  const table = new ShardTable(shards, seed);
  table.setNodes(Array.from({ length: count }, (_, at) => `node-${at}`));
  const nodes = table.nodeIds.map((nodeId) => new ClusterNode({ nodeId, transport, shards: table.shardsOf(nodeId), handler, clock }));
  const client = new ShardClient({ transport, numShards: shards, seed, clock, wallClock: () => clock.now() });
  const stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  return {
    transport,
    nodes,
    client,
    start: async () => {
      running = Promise.all(nodes.map((node) => node.run(stopping.signal)));
      await Promise.all(nodes.map((node) => node.setShards(table.shardsOf(node.nodeId))));
    },
    stop: async () => {
      stopping.abort();
      await running;
      if (given === undefined) await transport.close();
    },
  };
}
