// The metrics adapters with the libraries themselves: what a cluster does arrives under its written names, and reads as they mean it.
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import * as prom from "prom-client";
import { expect, test } from "vitest";
import { utf8 } from "../base/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { ClusterNode } from "./cluster-node.ts";
import { MemoryTransport } from "./memory-transport.ts";
import { CLUSTER_METRICS, openTelemetryMetrics, promClientMetrics, type ClusterMetrics } from "./metrics.ts";
import { ShardClient } from "./shard-client.ts";

/** A node that serves three shards, answers two calls, fails one and hears a notification; one more call finds nobody. */
async function work(metrics: ClusterMetrics): Promise<void> {
  const clock = new VirtualClock();
  const transport = new MemoryTransport({ clock, wallClock: () => clock.now() });
  const client = new ShardClient({ transport, numShards: 4, clock, wallClock: () => clock.now(), metrics, movedRetries: 0 });
  const node = new ClusterNode({ nodeId: "n", transport, shards: [], clock, metrics, handler: async ({ type }) => { if (type === "bad") throw new Error("no"); return utf8("1"); } });
  const stop = new AbortController();
  const running = node.run(stop.signal);
  await node.setShards([0, 1, 2]);
  for (const shard of [0, 1]) await client.requestShard(shard, {}, { type: "good" });
  await expect(client.requestShard(2, {}, { type: "bad" })).rejects.toMatchObject({ code: "handler-failed" });
  await client.notifyShard(0, {}, { type: "psst" });
  await expect(client.requestShard(3, {}, { type: "good" })).rejects.toMatchObject({ code: "no-shard-subscriber" });
  await clock.advance(0);
  stop.abort();
  await running;
  await node.setShards([0]);
}

test("[CL13] prom-client exposes what happened under the written names", async () => {
  const registry = new prom.Registry();
  await work(promClientMetrics(prom, registry));
  const text = await registry.metrics();
  for (const name of Object.values(CLUSTER_METRICS)) expect(text).toContain(`# TYPE ${name} `);
  for (const line of [
    'clstr_cluster_requests_total{type="good",ok="true"} 2',
    'clstr_cluster_requests_total{type="good",ok="false"} 1',
    'clstr_cluster_requests_total{type="bad",ok="false"} 1',
    'clstr_cluster_notifies_total{type="psst",ok="true"} 1',
    'clstr_cluster_transport_errors_total{code="no-shard-subscriber"} 1',
    'clstr_cluster_transport_errors_total{code="handler-failed"} 1',
    'clstr_cluster_handlers_total{type="good",ok="true"} 2',
    'clstr_cluster_handler_duration_seconds_count{type="good",ok="true"} 2',
    "clstr_cluster_handlers_active 0",
    "clstr_cluster_shards_owned 0",
  ]) expect(text.split("\n")).toContain(line);
});

test("[CL13] OpenTelemetry collects the same", async () => {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })] });
  await work(openTelemetryMetrics(provider.getMeter("flotilla")));
  await provider.forceFlush();
  const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics: all }) => all));
  expect(metrics.map(({ descriptor: { name } }) => name).sort()).toEqual(Object.values(CLUSTER_METRICS).sort());
  const points = (wanted: string): readonly unknown[] => metrics.find(({ descriptor: { name } }) => name === wanted)!.dataPoints.map(({ attributes, value }) => [attributes, typeof value === "object" ? value.count : value]);
  expect(points(CLUSTER_METRICS.requests)).toEqual([[{ type: "good", ok: true }, 2], [{ type: "bad", ok: false }, 1], [{ type: "good", ok: false }, 1]]);
  expect(points(CLUSTER_METRICS.handlerDuration)).toContainEqual([{ type: "good", ok: true }, 2]);
  expect(points(CLUSTER_METRICS.shardsOwned)).toEqual([[{}, 0]]);
  expect(points(CLUSTER_METRICS.handlersActive)).toEqual([[{}, 0]]);
  await provider.shutdown();
});
