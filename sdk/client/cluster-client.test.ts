// The client's promises, over three servers in virtual time: role, replay, proposing, exactly once across failover, deadlines, the end.
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { peerId, seededRandom } from "../base/index.ts";
import { openReplica, type LogEvent } from "../replica/index.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { applied, command, CORE, Room } from "./test-room.ts";
import { clusterClientWithNode } from "./log-client.ts";

const bot = peerId("bot");
let room: Room;
beforeEach(async () => {
  room = await Room.open();
});
afterEach(() => room.end());

describe("a client of a core", () => {
  test("[CC1] is a learner of the group, and stays one whatever becomes of the voters", async () => {
    const client = await room.client(bot, room.endpoints(bot, "good"));
    expect(client.role).toBe("learner");
    expect(room.leader!.node.membership).toMatchObject({ voters: [...CORE], learners: [bot] });
    await room.kill(room.leader!.selfId);
    expect(await room.until(() => room.leader !== undefined)).toBe(true);
    expect(await room.until(() => client.status.leader === room.leader?.selfId)).toBe(true);
    expect(client.node.role).toBe("learner");
    expect(room.leader!.node.membership.voters).not.toContain(bot);
  });

  test("[CC1] is a learner in a room of tabs too, where a spectator would lend its vote to a pair", async () => {
    const tabs = await Room.open(2, CORE.slice(0, 2));
    const client = await tabs.client(bot, tabs.endpoints(bot, "good"));
    await tabs.until(() => false, 5_000);
    expect(tabs.leader!.node.membership).toMatchObject({ voters: CORE.slice(0, 2), learners: [bot] });
    expect(client.node.role).toBe("learner");
    await tabs.get(client.propose(command(1)));
    await tabs.end();
  });

  test("[CC20] so many that some are fed beside the group follow and propose all the same, and nobody's coming or going costs another its place", async () => {
    const ids = Array.from({ length: 7 }, (_, at) => peerId(`bot-${at}`));
    const clients: ClusterClient[] = [];
    for (const id of ids) clients.push(await room.client(id, room.endpoints(id, "good")));
    expect(room.leader!.node.membership.learners.length).toBeLessThan(ids.length);
    await room.get(Promise.all(clients.map((client, at) => client.propose(command(at)))));
    await room.get(clients[0]!.close());
    await room.kill(room.leader!.selfId);
    const others = clients.slice(1);
    await room.get(Promise.all(others.map((client, at) => client.propose(command(10 + at)))));
    expect(others.map(({ node }) => node.role)).toEqual(others.map(() => "learner"));
    const all = (client: ClusterClient): number[] => applied(client.node).map(({ value }) => value).sort((a, b) => a - b);
    expect(await room.until(() => others.every((client) => all(client).length === 13))).toBe(true);
    for (const client of others) expect(all(client)).toEqual([0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 14, 15]);
  });

  test("[CC2] replays what was committed before it came, then follows, each index once", async () => {
    for (let value = 0; value < 5; value += 1) await room.get(room.leader!.node.propose(command(value)));
    const client = await room.client(bot, room.endpoints(bot, "good"));
    const seen: number[] = [];
    const read = (async (): Promise<void> => {
      for await (const event of client.committed()) if (event.type === "command" && event.lane === 1) seen.push(event.payload[1]!);
    })();
    for (let value = 5; value < 8; value += 1) await room.get(room.leader!.node.propose(command(value)));
    expect(await room.until(() => seen.length === 8)).toBe(true);
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const { index } = applied(client.node)[6]!;
    const later = client.committed(index)[Symbol.asyncIterator]();
    expect(await room.get(later.next())).toMatchObject({ value: { index, payload: command(6) } });
    await room.get(client.close());
    await room.get(read);
    expect(seen).toHaveLength(8);
  });

  test("[CC3] proposes under ids that rise by themselves, and learns where each was committed", async () => {
    const client = await room.client(bot, room.endpoints(bot, "good"));
    const asked = [1, 2, 3].map((value) => {
      const answer = client.propose(command(value));
      return { requestId: client.lastRequestId, answer };
    });
    expect(asked.map(({ requestId }) => requestId)).toEqual([1, 2, 3]);
    expect(client.status.pendingCount).toBe(3);
    const answers = await room.get(Promise.all(asked.map(({ answer }) => answer)));
    expect(answers.map(({ key }) => key)).toEqual([1, 2, 3].map((requestId) => ({ clientId: client.clientId, requestId })));
    expect(applied(room.leader!.node)).toEqual(answers.map(({ index }, at) => ({ index, value: at + 1 })));
    expect(client.status).toMatchObject({ phase: "synced", pendingCount: 0 });
  });

  test("[CC4] the same id asked for again, before and after the leader fell, is the entry first committed", async () => {
    const client = await room.client(bot, room.endpoints(bot, "good"));
    const first = await room.get(client.propose(command(7), { requestId: 40 }));
    expect(await room.get(client.propose(command(7), { requestId: 40 }))).toEqual(first);
    // The leader dies with a proposal on its way: whether it was appended nobody can tell.
    const open = client.propose(command(8));
    const { lastRequestId: requestId } = client;
    await room.clock.advance(4);
    await room.kill(room.leader!.selfId);
    const again = client.propose(command(8), { requestId });
    expect(await room.get(again)).toEqual(await room.get(open));
    expect(await room.get(client.propose(command(7), { requestId: 40 }))).toEqual(first);
    expect(applied(client.node).map(({ value }) => value)).toEqual([7, 8]);
  });

  test("[CC4] what was appended while its proposer was cut off for longer than a node waits is not proposed a second time under another id", async () => {
    const endpoints = room.endpoints(bot, "good");
    const client = await room.client(bot, endpoints);
    const open = client.propose(command(1));
    // Long enough for the leader to have it (5 ms), too short for the answer (20).
    await room.clock.advance(0);
    await room.clock.advance(8);
    endpoints[0]!.mood = "unreachable";
    endpoints[0]!.drop();
    expect(await room.until(() => applied(room.leader!.node).length === 1, 1_000)).toBe(true);
    await room.until(() => false, 40_000);
    endpoints[0]!.mood = "good";
    const { index, key } = await room.get(open);
    expect(key.requestId).toBe(1);
    await room.get(client.propose(command(2)));
    expect(applied(room.leader!.node)).toEqual([{ index, value: 1 }, { index: expect.any(Number), value: 2 }]);
    expect(client.lastRequestId).toBe(2);
  });

  test("[CC5] a proposal waits as long as nobody leads, and longer than a node alone would", async () => {
    const client = await room.client(bot, room.endpoints(bot, "good"));
    const [a, b] = CORE as [typeof bot, typeof bot];
    await room.kill(a);
    await room.kill(b);
    let answered = false;
    const open = client.propose(command(9)).finally(() => (answered = true));
    await room.until(() => answered, 40_000);
    expect(answered).toBe(false);
    await room.restart(a);
    await room.get(open);
    expect(applied(client.node).map(({ value }) => value)).toEqual([9]);
  });

  test("[CC6] a deadline ends the waiting and names the id, an aborted signal ends it with its reason, and asking again under the id settles it", async () => {
    const client = await room.client(bot, room.endpoints(bot, "good"));
    for (const core of CORE.slice(0, 2)) await room.kill(core);
    const late = client.propose(command(1), { deadlineMs: 2_000 });
    const { lastRequestId: requestId } = client;
    expect(await room.failure(late)).toMatchObject({ code: "proposal-timeout", requestId });
    const stop = new AbortController();
    const stopped = client.propose(command(2), { signal: stop.signal });
    stop.abort(new Error("not now"));
    expect(await room.failure(stopped)).toMatchObject({ message: "not now" });
    expect(await room.failure(client.propose(command(3), { signal: stop.signal }))).toMatchObject({ message: "not now" });
    expect(await room.failure(client.propose(command(3), { deadlineMs: Number.NaN }))).toMatchObject({ code: "invalid-argument" });
    expect(client.status.pendingCount).toBe(0);
    for (const core of CORE.slice(0, 2)) await room.restart(core);
    const { index } = await room.get(client.propose(command(1), { requestId }));
    expect(applied(client.node)).toEqual([{ index, value: 1 }]);
  });

  test("[CC7] what can not be taken in is refused at once, and nothing happened", async () => {
    const client = await room.client(bot, room.endpoints(bot, "good"));
    expect(await room.failure(client.propose(new Uint8Array(300_000)))).toMatchObject({ code: "payload-too-large" });
    await expect(client.propose(undefined as never)).rejects.toThrow(TypeError);
    expect(client.lastRequestId).toBe(0);
    expect(client.status.pendingCount).toBe(0);
    await room.get(client.propose(command(1)));
    expect(client.status.pendingCount).toBe(0);
  });

  test("[CC8] closing ends what is open and what is read, is told once, and leaves nothing running", async () => {
    const client = await room.client(bot, room.endpoints(bot, "good"));
    const closed: unknown[] = [];
    client.on("closed", (reason) => closed.push(reason));
    for (const core of CORE.slice(0, 2)) await room.kill(core);
    await room.until(() => room.leader === undefined);
    const open = client.propose(command(1));
    const read = client.committed(client.status.commitIndex + 1)[Symbol.asyncIterator]().next();
    const failure = room.failure(open);
    await room.get(Promise.all([client.close(), client.close()]));
    expect(await failure).toMatchObject({ code: "closed" });
    expect(await room.get(read)).toEqual({ done: true, value: undefined });
    expect(closed).toEqual([undefined]);
    expect(client.status).toMatchObject({ phase: "closed", link: { phase: "closed" } });
    expect(await room.failure(client.propose(command(2)))).toMatchObject({ code: "closed" });
    expect([...room.cores.values()].every(({ presence }) => !presence.states.has(bot))).toBe(true);
  });

  test("[CC8] who closes is taken out of the group at once, and no other client with it", async () => {
    const other = peerId("other");
    const client = await room.client(bot, room.endpoints(bot, "good"));
    await room.client(other, room.endpoints(other, "good"));
    await room.get(client.close());
    expect(await room.until(() => !room.leader!.node.membership.learners.includes(bot), 2_000)).toBe(true);
    expect(room.leader!.node.membership.learners).toEqual([other]);
  });
});

describe("a client with records of its own", () => {
  test("[CC9] what it proposed before it crashed is settled once after it, under the same ids", async () => {
    const disk = room.disk(bot);
    const client = await room.client(bot, room.endpoints(bot, "good"), { storage: disk });
    await room.get(client.propose(command(1)));
    const { clientId } = client;
    for (const core of CORE.slice(0, 2)) await room.kill(core);
    const lost = [2, 3].map((value) => client.propose(command(value)).catch(() => {}));
    await room.clock.advance(500);
    // The process is gone: nothing of it is settled, nobody is told.
    room.hub.kill(bot, { noticedAfterMs: 0 });
    await room.get(client.close());
    await Promise.all(lost);
    for (const core of CORE.slice(0, 2)) await room.restart(core);
    const again = await room.client(bot, room.endpoints(bot, "good"), { storage: disk });
    expect(again.clientId).toBe(clientId);
    expect(again.resumed.map(({ key, payload }) => [key.requestId, payload[1]])).toEqual([[2, 2], [3, 3]]);
    await room.get(Promise.all(again.resumed.map(({ outcome }) => outcome)));
    expect(await room.get(again.propose(command(2), { requestId: 2 }))).toEqual(await again.resumed[0]!.outcome);
    await room.get(again.propose(command(4)));
    for (const log of [again.node, room.leader!.node]) expect(applied(log).map(({ value }) => value)).toEqual([1, 2, 3, 4]);
  });

  test("[CC10] one that was away while the log was compacted takes an install, then what came after it", async () => {
    const disk = room.disk(bot);
    const endpoints = room.endpoints(bot, "good");
    const client = await room.client(bot, endpoints, { storage: disk });
    await room.get(client.propose(command(1)));
    await room.get(client.close());
    for (let value = 2; value < 40; value += 1) await room.get(room.leader!.node.propose(command(value)));
    const through = room.leader!.node.appliedIndex;
    for (const { node } of room.cores.values()) await room.get(node.snapshot(through, Uint8Array.of(99)));
    await room.get(room.leader!.node.propose(command(40)));
    const again = await room.client(bot, room.endpoints(bot, "good"), { storage: disk });
    const seen: LogEvent[] = [];
    again.node.follow((event) => seen.push(event));
    expect(await room.until(() => seen.some((event) => event.type === "command" && event.payload[1] === 40))).toBe(true);
    expect(seen[0]).toMatchObject({ type: "install", index: through });
    expect(seen[0]!.type === "install" && seen[0]!.sections.get(1)).toEqual(Uint8Array.of(99));
    expect((await room.get(again.propose(command(41)))).index).toBeGreaterThan(through);
  });

  test("[CC10] one that was cut off for so long that it was taken out is taken in again and misses nothing", async () => {
    const endpoints = room.endpoints(bot, "good");
    const client = await room.client(bot, endpoints);
    endpoints[0]!.mood = "unreachable";
    endpoints[0]!.drop();
    expect(await room.until(() => !room.leader!.node.membership.learners.includes(bot))).toBe(true);
    for (let value = 1; value < 30; value += 1) await room.get(room.leader!.node.propose(command(value)));
    const through = room.leader!.node.appliedIndex;
    for (const { node } of room.cores.values()) await room.get(node.snapshot(through, Uint8Array.of(99)));
    const { node } = client;
    endpoints[0]!.mood = "good";
    expect(await room.until(() => client.status.phase === "synced" && client.status.appliedIndex >= through)).toBe(true);
    expect(client.node).toBe(node);
    await room.get(client.propose(command(41)));
  });
});

describe("a client on a node of the caller's", () => {
  test("[CC1] a node that votes is refused", async () => {
    const clock = room.clock;
    const node = await openReplica({ seam: room.hub.seam(peerId("v")), groupId: "g", clock, random: seededRandom(3), wallClock: () => clock.now(), voters: [peerId("v")] });
    expect(() => clusterClientWithNode(node)).toThrow(/learner/u);
    await room.get(node.close());
  });

  test("[CC11] it does what the real one does, and the transport stays the caller's", async () => {
    const clock = room.clock;
    const [voter, learner] = [peerId("v"), peerId("l")];
    const environment = { groupId: "g", clock, random: seededRandom(3), wallClock: () => clock.now(), config: { proposeTimeoutMs: 500 } };
    const seam = room.hub.seam(learner);
    const leading = await openReplica({ ...environment, seam: room.hub.seam(voter), voters: [voter] });
    const client = clusterClientWithNode(await openReplica({ ...environment, seam }), { clock });
    expect(client.status).toMatchObject({ phase: "connected", link: undefined });
    const early = client.propose(command(1));
    await room.until(() => false, 3_000);
    await room.get(leading.changeMembership({ voters: [voter], learners: [learner] }));
    await room.get(early);
    expect(client.status.phase).toBe("synced");
    expect(applied(leading).map(({ value }) => value)).toEqual([1]);
    await room.get(client.close());
    expect(seam.state.phase).toBe("woven");
    await room.get(leading.close());
  });
});
