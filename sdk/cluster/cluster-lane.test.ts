// The cluster lane as a reducer: random commands against a model, its section, and what it refuses.
import fc from "fast-check";
import { expect, test } from "vitest";
import { hasCode } from "../base/index.ts";
import { encodeClusterCommand, type ClusterCommand, type ShardWrite } from "./cluster-command.ts";
import { applyClusterCommand, applyWrites, CLUSTER_STATE_BYTES_MAX, clusterLane, judgeWrite, SHARD_STATE_BYTES_MAX } from "./cluster-lane.ts";
import { changedShards, EMPTY_CLUSTER_TABLE, shardRecord, type ClusterTable } from "./cluster-table.ts";

const PEERS = ["ann", "bob", "cat", "dan"];
const SHARDS = 70;

function said(table: ClusterTable, command: ClusterCommand, index: number, proposer = "ann"): ClusterTable {
  return clusterLane.apply(table, { index, proposer, payload: encodeClusterCommand(command) });
}

function assigned(nodes: readonly string[], target: (shard: number) => number, base = 0): ClusterCommand {
  return { type: "assign", base, numShards: SHARDS, seed: "s", nodes, targets: Uint8Array.from({ length: SHARDS }, (_, shard) => target(shard)) };
}

const write = (more: Partial<ShardWrite> = {}): ShardWrite => ({ shard: 0, epoch: 1, base: 0, state: Uint8Array.of(7), release: false, ...more });

const commands = fc.array(fc.oneof(
  fc.record({ kind: fc.constant("assign" as const), nodes: fc.subarray(PEERS, { minLength: 1 }), spread: fc.nat(3), isStale: fc.boolean() }),
  fc.record({ kind: fc.constant("write" as const), proposer: fc.constantFrom(...PEERS), shards: fc.array(fc.nat(SHARDS - 1), { minLength: 1, maxLength: 5 }), epochOff: fc.constantFrom(0, 0, 0, 1, -1), baseOff: fc.constantFrom(0, 0, 0, 1, -1), release: fc.boolean(), bytes: fc.option(fc.uint8Array({ maxLength: 9 }), { nil: undefined }) }),
  fc.record({ kind: fc.constant("nonsense" as const), bytes: fc.uint8Array({ maxLength: 30 }) }),
), { maxLength: 40 });

test("[CL18] only the owner under its epoch writes, epochs only grow, and who is not moved keeps both", () => {
  fc.assert(fc.property(commands, (steps) => {
    let table: ClusterTable = EMPTY_CLUSTER_TABLE;
    for (const [at, step] of steps.entries()) {
      const index = at + 1;
      const before = table;
      if (step.kind === "nonsense") table = clusterLane.apply(table, { index, proposer: "ann", payload: step.bytes });
      else if (step.kind === "assign") table = said(table, assigned(step.nodes, (shard) => (shard * 7 + step.spread) % step.nodes.length, step.isStale ? table.index + 1 : table.index), index);
      else {
        const writes = step.shards.map((shard): ShardWrite => {
          const record = shardRecord(table, shard);
          return { shard, epoch: Math.max(0, (record?.epoch ?? 0) + step.epochOff), base: Math.max(0, (record?.version ?? 0) + step.baseOff), state: step.bytes, release: step.release };
        });
        table = said(table, { type: "write", writes }, index, step.proposer);
      }
      const changed = new Set(changedShards(before, table));
      let bytes = 0;
      for (let shard = 0; shard < table.numShards; shard += 1) {
        const was = shardRecord(before, shard);
        const is = shardRecord(table, shard)!;
        bytes += is.state?.length ?? 0;
        expect(changed.has(shard)).toBe(was !== is);
        if (was === undefined || was === is) continue;
        if (is.owner !== was.owner) expect(is.epoch).toBe(index);
        else expect(is.epoch).toBe(was.epoch);
        if (step.kind === "write") {
          expect([step.proposer, step.epochOff, step.baseOff]).toEqual([was.owner, expect.anything(), expect.anything()]);
          expect(is.version).toBeGreaterThan(was.version);
        } else expect([is.version, is.state]).toEqual([was.version, was.state]);
      }
      expect(table.stateBytes).toBe(bytes);
      const section = clusterLane.encode(table);
      expect(clusterLane.encode(clusterLane.decode(section))).toEqual(section);
      expect(clusterLane.decode(section)).toEqual(table);
    }
  }), { numRuns: 150 });
});

test("[CL18] of two assignments made at once the first in the log counts, and of two writes on one version too", () => {
  const one = said(EMPTY_CLUSTER_TABLE, assigned(["ann", "bob"], (shard) => shard % 2), 1);
  expect(said(one, assigned(["bob"], () => 0), 2)).toBe(one);
  const { table, verdicts } = applyWrites(one, [write(), write()], { proposer: "ann", index: 3 });
  expect(verdicts.map((verdict) => verdict?.code)).toEqual([undefined, "shard-conflict"]);
  expect(shardRecord(table, 0)).toMatchObject({ version: 1, epoch: 1, owner: "ann" });
});

test("[CL18] what is refused is refused for its reason", () => {
  const table = said(EMPTY_CLUSTER_TABLE, assigned(["ann", "bob"], (shard) => shard % 2), 5);
  const codes = (writes: readonly ShardWrite[], proposer = "ann"): unknown[] => writes.map((one) => judgeWrite(table, one, proposer)?.code);
  expect(codes([write({ epoch: 4 }), write({ epoch: 6 }), write({ epoch: 5 }), write({ epoch: 5, base: 1 }), write({ epoch: 5, shard: SHARDS })])).toEqual(["stale-owner", "stale-owner", undefined, "shard-conflict", "stale-owner"]);
  expect(codes([write({ epoch: 5 })], "bob")).toEqual(["split-brain"]);
  expect(codes([write({ epoch: 5, state: new Uint8Array(SHARD_STATE_BYTES_MAX + 1) })])).toEqual(["shard-full"]);
  expect(judgeWrite(EMPTY_CLUSTER_TABLE, write(), "ann")?.code).toBe("stale-owner");
});

test("[CL18] all states together have a limit, and a state that shrinks makes room", () => {
  let table: ClusterTable = said(EMPTY_CLUSTER_TABLE, { ...assigned(["ann"], () => 0), numShards: 130, targets: new Uint8Array(130) } as ClusterCommand, 1);
  const full = new Uint8Array(SHARD_STATE_BYTES_MAX);
  const fits = CLUSTER_STATE_BYTES_MAX / SHARD_STATE_BYTES_MAX;
  for (let shard = 0; shard < fits; shard += 1) table = applyWrites(table, [write({ shard, state: full })], { proposer: "ann", index: 2 + shard }).table;
  expect(table.stateBytes).toBe(CLUSTER_STATE_BYTES_MAX);
  expect(judgeWrite(table, write({ shard: fits }), "ann")?.code).toBe("shard-full");
  table = applyWrites(table, [write({ shard: 0, base: 1, state: new Uint8Array(1) })], { proposer: "ann", index: 999 }).table;
  expect(judgeWrite(table, write({ shard: fits }), "ann")).toBeUndefined();
});

test("[CL18] a shard goes over in the entry that lets it go, with its last state, and at once where the owner is gone", () => {
  const one = said(EMPTY_CLUSTER_TABLE, assigned(["ann"], () => 0), 1);
  const two = said(one, assigned(["ann", "bob"], (shard) => shard % 2, 1), 2);
  expect(shardRecord(two, 1)).toMatchObject({ owner: "ann", next: "bob", epoch: 1 });
  const three = applyWrites(two, [write({ shard: 1, release: true })], { proposer: "ann", index: 3 }).table;
  expect(shardRecord(three, 1)).toMatchObject({ owner: "bob", next: undefined, epoch: 3, state: Uint8Array.of(7) });
  const four = said(two, assigned(["bob"], () => 0, 2), 4);
  expect(shardRecord(four, 0)).toMatchObject({ owner: "bob", epoch: 4 });
  const back = said(two, assigned(["ann"], () => 0, 2), 5);
  expect(shardRecord(back, 1)).toMatchObject({ owner: "ann", next: undefined, epoch: 1 });
  expect(shardRecord(applyWrites(back, [write({ shard: 1, release: true })], { proposer: "ann", index: 6 }).table, 1)).toMatchObject({ owner: "ann", epoch: 1 });
});

test("[CL19] a section that is none is malformed, and an unused lane costs a byte", () => {
  expect(clusterLane.encode(EMPTY_CLUSTER_TABLE)).toHaveLength(1);
  expect(clusterLane.decode(Uint8Array.of(0))).toEqual(EMPTY_CLUSTER_TABLE);
  const section = clusterLane.encode(applyClusterCommand(EMPTY_CLUSTER_TABLE, { index: 1, proposer: "ann", payload: encodeClusterCommand(assigned(PEERS, (shard) => shard % 4)) }).table);
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.nat(section.length - 1).map((length) => section.slice(0, length)), fc.tuple(fc.nat(section.length - 1), fc.nat(255)).map(([at, byte]) => section.map((old, place) => (place === at ? byte : old)))), (bytes) => {
    try {
      clusterLane.decode(bytes);
    } catch (error) {
      expect(hasCode(error, "malformed")).toBe(true);
    }
  }), { numRuns: 500 });
});
