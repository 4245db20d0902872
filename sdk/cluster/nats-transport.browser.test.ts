// The transport contract from a page against a real nats-server: what `wsconnect` makes in a browser is a connection as it is.
import { wsconnect, type NatsConnection } from "@nats-io/nats-core";
import { afterAll, describe, expect, inject, test } from "vitest";
import { jsonCodec } from "../base/index.ts";
import { describeContract } from "../testing/contract.ts";
import { ClusterNode } from "./cluster-node.ts";
import { NatsTransport } from "./nats-transport.ts";
import { ShardClient } from "./shard-client.ts";
import { natsPairs } from "./test-room.ts";
import { transportContract, type TransportHarness } from "./transport.contract.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Where a nats-server takes WebSockets; empty: there is none. */
    readonly natsUrl: string;
  }
}

const servers = inject("natsUrl");
const gap = servers === "" ? "no nats-server on this machine, and none could be installed (apt-get install nats-server)" : undefined;
const connections: NatsConnection[] = [];

async function connect(): Promise<NatsConnection> {
  const connection = await wsconnect({ servers, reconnect: false });
  connections.push(connection);
  return connection;
}

afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
});

const pair = natsPairs(connect);
const harness: TransportHarness = { open: pair };
describeContract("NatsTransport from a page", transportContract.map((obligation) => ({ ...obligation, unless: () => gap })), harness);

describe.skipIf(gap !== undefined)(`[CL26] over a NATS server from a page${gap === undefined ? "" : ` — not here: ${gap}`}`, () => {
  test("a node serves shards, and a client on another connection finds it by key", async () => {
    const { server, near, prefix, clock, wallMs } = await pair();
    const json = jsonCodec<unknown>();
    const node = new ClusterNode({ nodeId: "n", transport: server, shards: [], clock, handler: async ({ data }) => json.encode({ heard: json.decode(data) }) });
    const stop = new AbortController();
    const running = node.run(stop.signal);
    await node.setShards([0, 1, 2, 3]);
    const client = new ShardClient({ transport: new NatsTransport({ connection: near, id: "page", prefix, clock, wallClock: wallMs }), numShards: 4, clock, wallClock: wallMs });
    for (const key of ["ann", "bob", "cat"]) expect(await client.requestKey(key, key, { type: "t" })).toEqual({ heard: key });
    expect(await client.key("ann").getNodeInfo()).toEqual({ nodeId: "n", shards: [0, 1, 2, 3] });
    stop.abort();
    await running;
  });
});
