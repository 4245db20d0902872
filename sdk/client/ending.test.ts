// How a client ends by itself or by its caller, also where a part of it fails: everything ends, everybody is told why, nothing runs on.
import { afterEach, beforeEach, expect, test } from "vitest";
import { peerId, seededRandom } from "../base/index.ts";
import { openReplica, type RaftNode } from "../replica/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { clusterClient } from "./connect.ts";
import { EndpointRefusedError } from "./errors.ts";
import { LogClient, clusterClientWithNode } from "./log-client.ts";
import { applied, command, CORE, Room } from "./test-room.ts";

const bot = peerId("bot");
let room: Room;
beforeEach(async () => {
  room = await Room.open();
});
afterEach(() => room.end());

/** Rejections nobody listens to; a program of Node ends with the first. */
const unheard: unknown[] = [];
const note = (reason: unknown): void => void unheard.push(reason);
beforeEach(() => void process.on("unhandledRejection", note));
afterEach(() => {
  process.off("unhandledRejection", note);
  expect(unheard.splice(0)).toEqual([]);
});

/** A learner's node in a group of one. */
async function someNode(): Promise<{ readonly node: RaftNode; readonly end: () => Promise<void> }> {
  const { clock } = room;
  const [voter, learner] = [peerId("v"), peerId("l")];
  const environment = { groupId: "g", clock, random: seededRandom(3), wallClock: () => clock.now() };
  const leading = await openReplica({ ...environment, seam: room.hub.seam(voter), voters: [voter] });
  const node = await openReplica({ ...environment, seam: room.hub.seam(learner) });
  await room.until(() => leading.role === "leader" && leading.status.hasQuorum);
  await room.get(leading.changeMembership({ voters: [voter], learners: [learner] }));
  return { node, end: () => room.get(leading.close()) };
}

test("[CC24] who is put out while it runs is told so by name: status, listeners, readers and what is open, and nothing of it is left", async () => {
  const endpoints = room.endpoints(bot, "good");
  const idle = room.clock.pendingTimers;
  const client = await room.client(bot, endpoints);
  const closed: unknown[] = [];
  client.on("closed", (reason) => closed.push(reason));
  await room.get(client.propose(command(1)));
  const read = (async (): Promise<number> => {
    let count = 0;
    for await (const event of client.committed()) count += event.type === "command" && event.lane === 1 ? 1 : 0;
    return count;
  })();
  await room.get(room.leader!.kick(bot, "no bots"));
  const open = room.failure(client.propose(command(2)));
  expect(await open).toMatchObject({ code: "closed", cause: { code: "kicked", reason: "no bots" } });
  expect(await room.get(read)).toBe(1);
  await room.get(client.close());
  expect(closed).toMatchObject([{ code: "kicked", message: expect.stringContaining("no bots") }]);
  expect(client.status).toMatchObject({ phase: "closed", pendingCount: 0, failure: { code: "kicked" }, link: { phase: "closed" } });
  expect(await room.failure(client.propose(command(3)))).toMatchObject({ code: "closed", cause: { code: "kicked" } });
  expect(endpoints[0]!.given.size).toBe(0);
  await room.until(() => false, 30_000);
  expect(endpoints[0]!.asked).toHaveLength(1);
  expect(room.clock.pendingTimers).toBeLessThanOrEqual(idle);
  // Nor does it come in again.
  expect(await room.failure(clusterClient(room.options(bot, room.endpoints(bot, "good"))))).toMatchObject({ code: "kicked" });
});

test("[CC24] one whose way has ended for good ends with that reason, and what a durable one had open is settled by the next", async () => {
  const disk = new MemoryByteStore();
  const endpoints = room.endpoints(bot, "good");
  const client = await room.client(bot, endpoints, { storage: disk });
  await room.get(client.propose(command(1)));
  for (const core of CORE.slice(0, 2)) await room.kill(core);
  const open = room.failure(client.propose(command(2)));
  await room.clock.advance(500);
  endpoints[0]!.refuses = "invalid";
  endpoints[0]!.drop();
  expect(await open).toMatchObject({ code: "closed", cause: { code: "endpoint-refused", refusal: "invalid" } });
  await room.get(client.close());
  expect(client.status).toMatchObject({ phase: "closed", failure: { code: "endpoint-refused" } });
  for (const core of CORE.slice(0, 2)) await room.restart(core);
  const again = await room.client(bot, room.endpoints(bot, "good"), { storage: disk });
  await room.get(Promise.all(again.resumed.map(({ outcome }) => outcome)));
  expect(applied(room.leader!.node).map(({ value }) => value)).toEqual([1, 2]);
});

test("[CC22] entering ends with the refusal's name where no endpoint will ever have this client, and leaves nothing", async () => {
  const idle = room.clock.pendingTimers;
  const endpoints = room.endpoints(bot, "good", "good");
  for (const endpoint of endpoints) endpoint.refuses = "invalid";
  const failure = await room.failure(clusterClient(room.options(bot, endpoints)));
  expect(failure).toBeInstanceOf(EndpointRefusedError);
  expect(endpoints.map(({ asked }) => asked.length)).toEqual([2, 2]);
  expect(room.clock.pendingTimers).toBeLessThanOrEqual(idle);
});

test("[CC26] killed, and back under the same identity with nothing kept, a client is let in anew as soon as the group has let go of the one before", async () => {
  for (const goneMs of [0, 500, 5_000]) {
    const client = await room.client(bot, room.endpoints(bot, "good"));
    await room.get(client.propose(command(1)));
    room.hub.kill(bot, { noticedAfterMs: 0 });
    await room.get(client.close());
    await room.clock.advance(goneMs);
    const again = await room.client(bot, room.endpoints(bot, "good"), { deadlineMs: 30_000 });
    await room.get(again.propose(command(2)));
    expect(again.clientId).not.toBe(client.clientId);
    expect(applied(again.node)).toEqual(applied(room.leader!.node));
    await room.get(again.close());
  }
});

test("[CC8] a part that fails at the end leaves no other open: the caller hears of it once everything has ended", async () => {
  const { node, end } = await someNode();
  const ended: string[] = [];
  const logged: unknown[] = [];
  const logger = { error: (_: string, cause: unknown) => void logged.push(cause), info: () => {}, debug: () => {} };
  const client = new LogClient(node, {
    clock: room.clock,
    logger,
    part: () => {
      throw new Error("no goodbye");
    },
    close: async () => {
      ended.push("the way");
      throw new Error("no end");
    },
  });
  client.on("closed", () => ended.push("told"));
  const closing = client.close();
  await expect(closing).rejects.toThrow("no goodbye");
  await expect(client.close()).rejects.toThrow("no goodbye");
  expect(ended).toEqual(["the way", "told"]);
  expect(logged).toMatchObject([{ message: "no goodbye" }, { message: "no end" }]);
  await expect(node.propose(command(1))).rejects.toMatchObject({ code: "closed" });
  expect(client.status.phase).toBe("closed");
  await end();
});

test("[CC8] by itself it ends as whole, and what goes wrong then disturbs nobody", async () => {
  const { node, end } = await someNode();
  const client = new LogClient(node, { clock: room.clock, logger: { error: () => {}, info: () => {}, debug: () => {} }, close: () => Promise.reject(new Error("no end")) });
  const closed = new Promise((done) => client.on("closed", done));
  client.fail(new Error("the house is on fire"));
  expect(await closed).toMatchObject({ message: "the house is on fire" });
  await end();
});

test("[CC25] a listener that throws keeps nobody from proposing, closing, or hearing of it", async () => {
  const client = await room.client(bot, room.endpoints(bot, "good"));
  for (const event of ["status", "closed"] as const) {
    client.on(event, () => {
      throw new Error("a broken view");
    });
  }
  await room.get(client.propose(command(1)));
  expect(client.status.pendingCount).toBe(0);
  await room.get(client.close());
  expect(client.status.phase).toBe("closed");
});

test("[CC18] a deadline that is none is refused before anything starts", async () => {
  const endpoints = room.endpoints(bot, "good");
  for (const deadlineMs of [-1, Number.NaN]) await expect(clusterClient({ ...room.options(bot, endpoints), deadlineMs })).rejects.toMatchObject({ code: "invalid-argument" });
  expect(endpoints[0]!.asked).toEqual([]);
});

test("[CC11] a node that its owner closes ends the client with the next thing asked of it", async () => {
  const { node, end } = await someNode();
  const client = clusterClientWithNode(node, { clock: room.clock });
  const closed = new Promise((done) => client.on("closed", done));
  await room.get(node.close());
  expect(await room.failure(client.propose(command(1)))).toMatchObject({ code: "closed" });
  expect(await closed).toMatchObject({ code: "closed" });
  expect(client.status).toMatchObject({ phase: "closed", pendingCount: 0 });
  await end();
});
