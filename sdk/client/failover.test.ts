// Clients under load while servers fall and ways in misbehave: nothing that was answered is lost, nothing happens twice, and the node on top stays.
import { afterEach, expect, test } from "vitest";
import { below, hasCode, peerId, seededRandom } from "../base/index.ts";
import { clusterClient } from "./connect.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { applied, command, CORE, Room, type Mood, type TestEndpoint } from "./test-room.ts";

const bot = peerId("bot");
let room: Room;
afterEach(() => room.end());

test("[CC16] the way changes under the client while its node, its place in the log and what it has open stay", async () => {
  room = await Room.open();
  const endpoints = room.endpoints(bot, "good", "unreachable", "good");
  const client = await room.client(bot, endpoints);
  const { node, clientId } = client;
  await room.get(client.propose(command(1)));
  const open = client.propose(command(2));
  endpoints[0]!.drop();
  expect(client.status).toMatchObject({ phase: "connecting", link: { phase: "waiting", endpoint: "e2" }, leader: undefined, pendingCount: 1 });
  await room.get(open);
  expect(client.status).toMatchObject({ phase: "synced", link: { phase: "connected", endpoint: "e3" } });
  expect(client.node).toBe(node);
  expect(client.clientId).toBe(clientId);
  expect(applied(room.leader!.node).map(({ value }) => value)).toEqual([1, 2]);
});

test("[CC17] a way on which no leader is heard is left for the next after a while; the only one there is, is kept", async () => {
  room = await Room.open();
  const endpoints = room.endpoints(bot, "good", "good");
  const client = await room.client(bot, endpoints, { leaderlessMs: 5_000 });
  await room.until(() => client.status.phase === "synced");
  for (const core of CORE) room.hub.partition([bot], [core]);
  room.hub.partition([bot], [...CORE]);
  expect(await room.until(() => endpoints[1]!.asked.length > 0)).toBe(true);
  room.hub.heal();
  expect(await room.until(() => client.status.phase === "synced")).toBe(true);
  const lone = peerId("lone");
  const only = room.endpoints(lone, "good");
  const patient = await room.client(lone, only, { leaderlessMs: 5_000 });
  room.hub.partition([lone], [...CORE]);
  await room.until(() => false, 60_000);
  expect(only[0]!.asked).toHaveLength(1);
  room.hub.heal();
  expect(await room.until(() => patient.status.phase === "synced")).toBe(true);
});

test("[CC18] entering waits for servers that are not there yet and says how far it is; the signal and the deadline end that and leave nothing", async () => {
  room = new Room();
  const endpoints = room.endpoints(bot, "unreachable", "silent");
  const progress: string[] = [];
  const stop = new AbortController();
  const aborted = clusterClient({ ...room.options(bot, endpoints), signal: stop.signal, onProgress: ({ phase }) => progress.push(phase) });
  await room.until(() => false, 30_000);
  stop.abort(new Error("enough"));
  expect(await room.failure(aborted)).toMatchObject({ message: "enough" });
  expect(progress.slice(0, 4)).toEqual(["connecting", "waiting", "connecting", "waiting"]);
  const failed = await room.failure(clusterClient({ ...room.options(bot, endpoints), deadlineMs: 20_000 }));
  expect(hasCode(failed, "client-timeout")).toBe(true);
  expect(await room.failure(clusterClient(room.options(bot, [])))).toMatchObject({ code: "invalid-argument" });
  await expect(clusterClient({ ...room.options(bot, []), endpoints: ["wss://a"] })).rejects.toThrow(/publicKey/u);
  await room.clock.advance(1_000);
  expect(room.clock.pendingTimers).toBe(0);
  for (const endpoint of endpoints) endpoint.mood = "good";
  const late = room.client(bot, endpoints);
  await room.until(() => false, 25_000);
  await room.startCore();
  expect((await late).status.phase).toBe("synced");
});

test("[CC18] a listener of its progress that throws ends the entering, and nothing is left running", async () => {
  room = new Room();
  const onProgress = (): void => {
    throw new Error("broken");
  };
  expect(await room.failure(clusterClient({ ...room.options(bot, room.endpoints(bot, "silent")), onProgress }))).toMatchObject({ message: "broken" });
  await room.clock.advance(1_000);
  expect(room.clock.pendingTimers).toBe(0);
});

const moods: readonly Mood[] = ["good", "good", "unreachable", "silent", "late", "flapping"];

test.each([1, 2, 3, 4, 5, 6])("[CC19] under load, with ways in that fail in every way and servers that fall, everything proposed is committed once (seed %i)", async (seed) => {
  room = await Room.open(seed);
  const random = seededRandom(seed, 77);
  const ids = [peerId("x"), peerId("y")];
  const ways = new Map<string, TestEndpoint[]>(ids.map((id) => [id, room.endpoints(id, "good", "good", "good")]));
  const clients: ClusterClient[] = [];
  for (const id of ids) clients.push(await room.client(id, ways.get(id)!, { connectTimeoutMs: 1_000, backoff: { firstMs: 100, maxMs: 2_000 } }));
  const nodes = clients.map(({ node }) => node);
  const answers: Promise<{ readonly index: number; readonly value: number }>[] = [];
  let down: typeof bot | undefined;
  for (let step = 0; step < 40; step += 1) {
    for (const client of clients) for (let n = 0; n < 5; n += 1) {
      const value = answers.length;
      answers.push(client.propose(command(value)).then(({ index }) => ({ index, value })));
    }
    const endpoints = ways.get(ids[below(random, 2)]!)!;
    const endpoint = endpoints[below(random, 3)]!;
    endpoint.mood = moods[below(random, moods.length)]!;
    if (below(random, 3) === 0) for (const each of endpoints) each.drop();
    if (down === undefined && below(random, 4) === 0) await room.kill((down = below(random, 2) === 0 ? (room.leader?.selfId ?? CORE[0]!) : CORE[below(random, 3)]!));
    else if (down !== undefined && below(random, 2) === 0) {
      await room.restart(down);
      down = undefined;
    }
    await room.until(() => false, below(random, 1_500));
  }
  if (down !== undefined) await room.restart(down);
  for (const endpoint of [...ways.values()].flat()) endpoint.mood = "good";
  const settled = await room.get(Promise.all(answers));
  expect(clients.map(({ node }) => node)).toEqual(nodes);
  const logs = [...clients.map(({ node }) => node), ...[...room.cores.values()].map(({ node }) => node)];
  const through = Math.max(...logs.map(({ appliedIndex }) => appliedIndex));
  expect(await room.until(() => logs.every(({ appliedIndex }) => appliedIndex >= through))).toBe(true);
  const expected = [...settled].sort((a, b) => a.index - b.index);
  expect(new Set(settled.map(({ value }) => value)).size).toBe(400);
  for (const log of logs) expect(applied(log)).toEqual(expected);
}, 60_000);
