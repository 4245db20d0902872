// Clients of a real core over real sockets, in one process: every voter stopped and started again under load, tokens that servers know and do not know.
import { afterEach, expect, test } from "vitest";
import { identityOf, makeKeyPair } from "../identity/identity.ts";
import { openNodeSocket } from "../node/index.ts";
import { startCore, type RunningCore, type StartCoreOptions } from "../server/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import type { ClusterClient } from "./cluster-client.ts";
import { clusterClient, type ClusterClientOptions } from "./connect.ts";
import { applied, command } from "./test-room.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function core(options: StartCoreOptions = {}): Promise<RunningCore> {
  const running = await startCore(options);
  ends.push(() => running.close());
  return running;
}

const somebody = async (): Promise<ClusterClientOptions["identity"]> => identityOf(await makeKeyPair(crypto.subtle), crypto.subtle);

async function enter(endpoints: readonly string[], options: Partial<ClusterClientOptions> = {}): Promise<ClusterClient> {
  const client = await clusterClient({ endpoints, room: "a room", identity: await somebody(), openSocket: openNodeSocket, opens: { seats: 2, spectators: "open" }, deadlineMs: 20_000, connectTimeoutMs: 1_000, ...options });
  ends.push(() => client.close());
  return client;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((done) => setTimeout(done, 5));
}

test("[CC19] each server of a real core is stopped and started again under load: everything proposed is committed once, in one order", async () => {
  const running = await core();
  const [a, b, c] = running.endpoints as [string, string, string];
  const nobody = "ws://127.0.0.1:9/core";
  const clients = await Promise.all([enter([a, nobody, b, c]), enter([nobody, b, c, a]), enter([c, a, b])]);
  const answers: Promise<{ readonly index: number; readonly value: number }>[] = [];
  const propose = (count: number): void => {
    for (let n = 0; n < count; n += 1) {
      const value = answers.length;
      answers.push(clients[value % 3]!.propose(command(value)).then(({ index }) => ({ index, value })));
    }
  };
  for (const name of running.names) {
    propose(200);
    await Promise.race(answers.slice(-50));
    await running.stop(name);
    propose(200);
    await Promise.all(answers.slice(-20));
    await running.start(name);
  }
  const settled = await Promise.all(answers);
  const expected = settled.sort((one, other) => one.index - other.index);
  await until(() => clients.every(({ status }) => status.appliedIndex >= expected.at(-1)!.index));
  for (const client of clients) expect(applied(client.node)).toEqual(expected);
  expect(new Set(expected.map(({ value }) => value)).size).toBe(1_200);
}, 60_000);

test("[CC14] a token is known at every server of the core, and at none of another one: that one lets the client in afresh", async () => {
  const running = await core();
  const kept: (Uint8Array | undefined)[] = [];
  const identity = await somebody();
  const client = await enter([running.endpoints[0]!], { identity, onToken: (token) => kept.push(token) });
  expect(client.status.link).toMatchObject({ phase: "connected", window: "fresh" });
  await client.close();
  const again = await enter([running.endpoints[1]!], { identity, token: kept[0] });
  expect(again.status.link).toMatchObject({ phase: "connected", window: "resumed" });
  await again.close();
  const elsewhere = await enter([running.endpoints[2]!], { token: kept[0] });
  expect(elsewhere.status.link).toMatchObject({ phase: "connected", window: "closed" });
  await elsewhere.close();
  const other = await core();
  const stranger = await enter([other.endpoints[0]!], { identity, token: kept[0] });
  expect(stranger.status.link).toMatchObject({ phase: "connected", window: "closed" });
});

test("[CC9] what a client had proposed when its process ended, with no server up, is settled once by the next one on its records", async () => {
  const running = await core();
  const identity = await somebody();
  const storage = new MemoryByteStore();
  const client = await enter(running.endpoints, { identity, storage });
  await client.propose(command(1));
  for (const name of running.names) await running.stop(name);
  const lost = client.propose(command(2));
  lost.catch(() => {});
  await new Promise((done) => setTimeout(done, 50));
  await client.close();
  await expect(lost).rejects.toMatchObject({ code: "closed" });
  for (const name of running.names) await running.start(name);
  const again = await enter(running.endpoints, { identity, storage });
  await Promise.all(again.resumed.map(({ outcome }) => outcome));
  expect(applied(again.node).map(({ value }) => value)).toEqual([1, 2]);
}, 60_000);
