// The machine as a whole, in small groups.
import { describe, expect, test } from "vitest";
import { A, B, C, TestNetwork } from "./test-network.ts";

describe("a group of machines", () => {
  test("a founder alone leads and commits with its own disk", () => {
    const net = TestNetwork.of([A]);
    net.run(2);
    expect(net.leaders).toEqual([A]);
    net.propose(A, "x", "y");
    expect(net.node(A).payloads).toEqual(["x", "y"]);
  });

  test("three founders elect one leader and commit the same log", () => {
    const net = TestNetwork.of([A, B, C]);
    net.run(60);
    expect(net.leaders).toHaveLength(1);
    const leader = net.leaders[0]!;
    for (let i = 0; i < 3000; i += 1) net.propose(leader, `v${i}`);
    net.run(5);
    for (const id of [A, B, C]) expect(net.node(id).payloads).toHaveLength(3000);
  });
});
