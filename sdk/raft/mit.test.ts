// The claims of MIT's 6.5840 laboratory tests about counts, bytes and recoveries that no other test of this folder makes.
import { describe, expect, test } from "vitest";
import { below, peerId, seededRandom, type PeerId } from "../base/index.ts";
import { encodeMessage } from "./codec.ts";
import { A, B, C, D, E, TestNetwork } from "./test-network.ts";

const FIVE: readonly PeerId[] = [A, B, C, D, E];

/** Nobody outside `inside` hears anybody inside, and the other way round. */
function isolate(net: TestNetwork, inside: readonly PeerId[]): void {
  net.filter = (from, to) => inside.includes(from) !== inside.includes(to);
}

/** Time passes until exactly one reachable node leads a majority, at most `ticks`. */
function leaderAmong(net: TestNetwork, ids: readonly PeerId[], ticks = 200): PeerId {
  for (let i = 0; i < ticks; i += 1) {
    net.run(1);
    const leaders = ids.filter((id) => !net.node(id).isDown && net.raft(id).role === "leader");
    const [leader] = leaders;
    if (leaders.length === 1 && leader !== undefined && ids.filter((id) => net.raft(id).leader === leader).length > 2) return leader;
  }
  throw new Error("nobody leads");
}

function commands(net: TestNetwork, id: PeerId): string[] {
  return net.node(id).payloads;
}

describe("elections (3A)", () => {
  test("without faults one leader stays, and nobody's term moves", () => {
    const net = TestNetwork.of([A, B, C]);
    net.run(60);
    const [leader] = net.leaders;
    const { term } = net.raft(A);
    net.run(500);
    expect(net.leaders).toEqual([leader]);
    expect([A, B, C].map((id) => net.raft(id).term)).toEqual([term, term, term]);
  });

  test("a new leader comes when the old one is cut off, none without a majority, and the old one follows when it is back", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    isolate(net, [A]);
    net.run(100);
    expect(net.leaders).toHaveLength(1);
    expect(net.leaders).not.toContain(A);
    net.filter = () => true;
    net.run(100);
    expect(net.leaders).toEqual([]);
    net.filter = () => false;
    net.run(100);
    expect(net.leaders).toHaveLength(1);
    expect(new Set([A, B, C].map((id) => net.raft(id).leader)).size).toBe(1);
  });

  test("seven nodes, three random ones cut off, nine times: there always is a leader", () => {
    const ids = ["a", "b", "c", "d", "e", "f", "g"].map((name) => peerId(name));
    const net = TestNetwork.of(ids);
    const random = seededRandom(7, 0);
    for (let round = 0; round < 9; round += 1) {
      const away = new Set<PeerId>();
      while (away.size < 3) away.add(ids[below(random, ids.length)]!);
      net.filter = (from, to) => away.has(from) || away.has(to);
      leaderAmong(net, ids.filter((id) => !away.has(id)));
      net.filter = () => false;
      leaderAmong(net, ids);
    }
  });
});

describe("agreement (3B)", () => {
  test("entries stand at the indexes promised, and none is handed up before it is proposed", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(3);
    for (let i = 1; i <= 3; i += 1) {
      expect(commands(net, B)).toHaveLength(i - 1);
      expect(net.propose(A, `v${i}`)).toBe(2 + i);
      expect(net.node(A).committed.at(-1)?.index).toBe(2 + i);
    }
  });

  test("[RF89] ten commands of five kilobytes travel to each follower once", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(5);
    net.sent.length = 0;
    for (let i = 0; i < 10; i += 1) net.propose(A, String(i).repeat(5000));
    const bytes = net.sent.reduce((sum, { message }) => sum + encodeMessage(message).length, 0);
    // The laboratory allows servers × payload + 50 kB; this is two followers × payload and 5 % more.
    expect(bytes).toBeLessThan(2 * 10 * 5000 * 1.05);
    const appends = net.sent.filter(({ message }) => message.type === "append");
    expect(appends).toHaveLength(20);
  });

  test("[RF89] what a new leader sends first travels once, too, though it is acknowledged in parts", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.run(5);
    net.filter = (_from, to) => to === C;
    net.propose(A, "x".repeat(5000));
    net.crash(A);
    net.filter = () => false;
    net.sent.length = 0;
    net.run(60);
    expect(net.leaders).toEqual([B]);
    expect(commands(net, C)).toHaveLength(1);
    const entries = net.sent.flatMap(({ to, message }) => (to === C && message.type === "append" ? message.entries : []));
    // C acknowledges what it held before and, once written, the rest; between the two nothing is sent again.
    expect(entries.filter(({ data }) => data.length === 5000)).toHaveLength(1);
  });

  test("a majority goes on without one follower, without the leader, and not without a majority", () => {
    const net = TestNetwork.of(FIVE);
    net.elect(A);
    net.crash(E);
    net.propose(A, "one");
    net.run(3);
    expect(commands(net, B)).toEqual(["one"]);
    net.crash(A);
    const leader = leaderAmong(net, [B, C, D]);
    net.propose(leader, "two");
    expect(commands(net, leader)).toEqual(["one", "two"]);
    const others = [B, C, D].filter((id) => id !== leader);
    net.crash(others[0]!);
    net.raft(leader).propose([new TextEncoder().encode("three")]);
    net.run(200);
    expect(commands(net, leader)).toEqual(["one", "two"]);
    for (const id of FIVE) if (net.node(id).isDown) net.restart(id);
    const next = leaderAmong(net, FIVE);
    net.propose(next, "four");
    net.run(5);
    for (const id of FIVE) expect(commands(net, id).filter((text) => text !== "three")).toEqual(["one", "two", "four"]);
  });

  test("five proposals at once commit exactly once each, in the order of their indexes", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    const indexes = Array.from({ length: 5 }, (_, i) => {
      const answer = net.raft(A).propose([new TextEncoder().encode(`v${i}`)]);
      return "first" in answer ? answer.first : 0;
    });
    net.run(5);
    expect(new Set(indexes).size).toBe(5);
    for (const id of [A, B, C]) expect(commands(net, id)).toEqual(["v0", "v1", "v2", "v3", "v4"]);
  });

  test("an old leader's three uncommitted entries are replaced when it rejoins", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.propose(A, "kept");
    isolate(net, [A]);
    net.propose(A, "lost 1", "lost 2", "lost 3");
    const leader = leaderAmongTwo(net);
    net.propose(leader, "new");
    net.filter = () => false;
    net.run(60);
    for (const id of [A, B, C]) expect(commands(net, id)).toEqual(["kept", "new"]);
  });

  test("wrong tails of fifty entries on both sides are repaired in a few messages", () => {
    const net = TestNetwork.of(FIVE);
    net.elect(A);
    const some = (prefix: string): string[] => Array.from({ length: 50 }, (_, i) => `${prefix}${i}`);
    isolate(net, [A, B]);
    for (const text of some("lost")) net.propose(A, text);
    const leader = leaderAmong(net, [C, D, E]);
    for (const text of some("new")) net.propose(leader, text);
    net.sent.length = 0;
    net.filter = () => false;
    net.run(30);
    for (const id of FIVE) expect(commands(net, id)).toEqual(some("new"));
    const repairs = net.sent.filter(({ to, message }) => (to === A || to === B) && message.type === "append");
    expect(repairs.length).toBeLessThanOrEqual(8);
  });

  test("an election, ten entries and an idle second cost as few messages as the laboratory allows", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    // Every message counted alone; the laboratory counts a call and its answer as one and allows 30, 42 and 60.
    const requests = (): number => net.sent.filter(({ message }) => !message.type.endsWith("-reply")).length;
    expect(requests()).toBeLessThanOrEqual(30);
    net.run(5);
    net.sent.length = 0;
    for (let i = 0; i < 10; i += 1) net.propose(A, `v${i}`);
    expect(requests()).toBeLessThanOrEqual(42);
    net.sent.length = 0;
    // An idle second in the laboratory is one election timeout; twenty ticks here.
    net.run(20);
    expect(requests()).toBeLessThanOrEqual(2 * 7);
  });
});

function leaderAmongTwo(net: TestNetwork): PeerId {
  net.run(100);
  const leader = [B, C].find((id) => net.raft(id).role === "leader");
  if (leader === undefined) throw new Error("nobody leads");
  return leader;
}

describe("persistence (3C)", () => {
  test("everybody crashes, rotating minorities crash, and a leader in a partition crashes: nothing committed is lost", () => {
    const net = TestNetwork.of(FIVE);
    const said: string[] = [];
    const say = (text: string): void => {
      const leader = leaderAmong(net, FIVE.filter((id) => !net.node(id).isDown));
      net.propose(leader, text);
      said.push(text);
      expect(commands(net, leader)).toEqual(said);
    };
    say("one");
    for (const id of FIVE) net.crash(id);
    for (const id of FIVE) net.restart(id);
    say("two");
    for (let round = 0; round < 5; round += 1) {
      const away = [FIVE[round]!, FIVE[(round + 1) % 5]!];
      for (const id of away) net.crash(id);
      say(`round ${round}`);
      for (const id of away) net.restart(id);
    }
    const leader = leaderAmong(net, FIVE);
    isolate(net, [leader]);
    net.crash(leader);
    net.restart(leader);
    net.filter = () => false;
    say("last");
    net.run(10);
    for (const id of FIVE) expect(commands(net, id)).toEqual(said);
  });

  test("leaders that crash soon after a proposal, hundreds of times, end in one log", () => {
    const net = TestNetwork.of(FIVE, { seed: 8 });
    const random = seededRandom(8, 1);
    for (let round = 0; round < 300; round += 1) {
      for (const id of net.leaders) {
        net.raft(id).propose([new TextEncoder().encode(`v${round}`)]);
        net.drain(id);
        for (let i = below(random, 12); i > 0; i -= 1) net.deliverOne();
        if (below(random, 2) === 0) net.crash(id);
      }
      net.run(1 + below(random, 10));
      const down = FIVE.filter((id) => net.node(id).isDown);
      if (down.length > 2 || below(random, 4) === 0) for (const id of down.slice(0, 1)) net.restart(id);
    }
    for (const id of FIVE) if (net.node(id).isDown) net.restart(id);
    const leader = leaderAmong(net, FIVE);
    net.propose(leader, "end");
    net.run(10);
    const log = commands(net, leader);
    expect(log.length).toBeGreaterThan(20);
    expect(new Set(log).size).toBe(log.length);
    for (const id of FIVE) expect(commands(net, id)).toEqual(log);
  });
});

describe("snapshots (3D)", () => {
  test("everybody crashes after a snapshot: indexes do not go back, and the next write keeps it", () => {
    const net = TestNetwork.of([A, B, C]);
    net.elect(A);
    net.propose(A, "x", "y");
    net.run(5);
    for (const id of [A, B, C]) {
      net.raft(id).compact(4, new TextEncoder().encode("xy"));
      net.drain(id);
      net.restart(id);
      expect([net.raft(id).snapshotIndex, net.raft(id).commitIndex]).toEqual([4, 4]);
    }
    net.elect(B);
    net.propose(B, "z");
    net.run(5);
    for (const id of [A, B, C]) {
      net.restart(id);
      expect(net.raft(id).snapshotIndex).toBe(4);
      expect(net.node(id).disk.state.entries[0]?.index).toBe(5);
    }
    net.run(60);
    expect(commands(net, A).at(-1)).toBe("z");
  });
});
