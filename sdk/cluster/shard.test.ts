// Shards and owners against another implementation's results, and the properties that make them worth using.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { shardFromString, shardsForNode, ShardTable, SHARDS_MAX } from "./shard.ts";
import vectors from "./shard.vectors.json" with { type: "json" };

describe("[CL1] the vectors of another implementation agree", () => {
  test("for every key, seed and number of shards", () => {
    let compared = 0;
    for (const [s, seed] of vectors.seeds.entries()) {
      for (const [k, key] of vectors.keys.entries()) {
        for (const [n, numShards] of vectors.numShards.entries()) {
          expect([key, shardFromString(key, numShards, seed)]).toEqual([key, vectors.shards[s]?.[k]?.[n]]);
          compared += 1;
        }
      }
    }
    expect(compared).toBe(3 * vectors.keys.length * 8);
  });

  test("for every assignment", () => {
    for (const { nodes, numShards, seed, owner } of vectors.ownership) {
      const table = new ShardTable(numShards, seed);
      table.setNodes(nodes);
      expect(table.owners()).toEqual(owner.map((at) => nodes[at]));
    }
  });

  test("at the edges", () => {
    expect(shardFromString("k", 0)).toBe(0);
    expect(shardsForNode("a", [], 8)).toEqual([]);
    expect(shardsForNode("a", ["a"], 0)).toEqual([]);
    expect(shardsForNode("z", ["a", "b"], 8)).toEqual([]);
    expect(shardsForNode("a", ["a", ""], 16)).toEqual(vectors.edge['ShardsForNode(a,[a,""],16,"") (empty id)']);
  });
});

const nodeIds = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 9 });

test("[CL2] the order of the node ids and their repetition change nothing", () => {
  fc.assert(fc.property(nodeIds, fc.string(), fc.nat(200), (ids, seed, numShards) => {
    const one = new ShardTable(numShards, seed);
    one.setNodes(ids);
    const two = new ShardTable(numShards, seed);
    two.setNodes([...ids, ...ids].reverse());
    expect(two.owners()).toEqual(one.owners());
  }), { numRuns: 50 });
});

test("[CL3] a join moves shards only to the newcomer, a leave only those of the leaver, at the price of one column or none", () => {
  fc.assert(fc.property(nodeIds, fc.string({ minLength: 1 }), (ids, newcomer) => {
    fc.pre(!ids.includes(newcomer));
    const table = new ShardTable(64);
    table.setNodes(ids);
    const before = table.owners();
    const hashes = table.hashes;
    table.setNodes([...ids, newcomer]);
    expect(table.hashes - hashes).toBe(64);
    for (const [shard, owner] of table.owners().entries()) if (owner !== newcomer) expect(owner).toBe(before[shard]);
    const during = table.owners();
    table.setNodes(ids);
    expect(table.hashes - hashes).toBe(64);
    expect(table.owners()).toEqual(before);
    for (const [shard, owner] of during.entries()) if (owner !== newcomer) expect(table.owners()[shard]).toBe(owner);
  }), { numRuns: 50 });
});

test("[CL4] keys and shards are spread evenly", () => {
  const counts = new Map<number, number>();
  for (let key = 0; key < 20_000; key += 1) counts.set(shardFromString(`key-${key}`, 16), (counts.get(shardFromString(`key-${key}`, 16)) ?? 0) + 1);
  // Chi-square with 15 degrees of freedom: 37.7 is the 0.1 % point.
  expect([...counts.values()].reduce((sum, count) => sum + (count - 1250) ** 2 / 1250, 0)).toBeLessThan(37.7);
  const table = new ShardTable(4096);
  table.setNodes(Array.from({ length: 8 }, (_, at) => `node-${at}`));
  for (const nodeId of table.nodeIds) {
    expect(table.shardsOf(nodeId).length).toBeGreaterThan(400);
    expect(table.shardsOf(nodeId).length).toBeLessThan(625);
  }
});

test("[CL5] a large first assignment gives the page its turns", async () => {
  const table = new ShardTable(4096);
  let pauses = 0;
  await table.setNodesGently(["a", "b", "c"], async () => void (pauses += 1));
  expect(pauses).toBe(48);
  const whole = new ShardTable(4096);
  whole.setNodes(["c", "b", "a"]);
  expect(table.owners()).toEqual(whole.owners());
});

test("[CL1] impossible numbers of shards are refused", () => {
  for (const bad of [-1, 1.5, Number.NaN, SHARDS_MAX + 1]) expect(() => shardFromString("k", bad)).toThrow(/number of shards/);
});
