// Tokens that mean nothing, proofs that do not hold and twins, at the real way in of a real core: who comes anew loses nothing, who never can is told so.
import { createServer, type Socket } from "node:net";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
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

const somebody = async () => identityOf(await makeKeyPair(crypto.subtle), crypto.subtle);

async function enter(endpoints: readonly string[], options: Partial<ClusterClientOptions> = {}): Promise<ClusterClient> {
  const client = await clusterClient({ endpoints, room: "a room", identity: await somebody(), openSocket: openNodeSocket, opens: { seats: 2, spectators: "open" }, deadlineMs: 20_000, connectTimeoutMs: 2_000, ...options });
  ends.push(() => client.close());
  return client;
}

/** Resolves with the first status of which it holds. */
const until = (client: ClusterClient, holds: () => boolean): Promise<void> =>
  new Promise((done) => {
    const off = client.on("status", () => {
      if (!holds()) return;
      off();
      done();
    });
    if (holds()) done();
  });

/** The same bytes but for one bit. */
function tampered(token: Uint8Array, at: number): Uint8Array {
  const bytes = token.slice();
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

test("[CC14] a token that is tampered with, cut short, too long, another room's or another peer's lets nobody in as somebody: each comes anew, and what was open is settled", async () => {
  const running = await core();
  const [endpoint] = running.endpoints as [string];
  const identity = await somebody();
  const storage = new MemoryByteStore();
  let token: Uint8Array | undefined;
  const keep = (given: Uint8Array | undefined): void => void (token = given);
  const first = await enter([endpoint], { identity, storage, onToken: keep });
  await first.propose(command(1));
  await first.close();
  const good = token!;
  await (await enter([endpoint], { room: "another room", identity, onToken: keep })).close();
  const ofAnotherRoom = token!;
  await (await enter([endpoint], { onToken: keep })).close();
  const ofAnotherPeer = token!;
  const bad: readonly Uint8Array[] = [tampered(good, 0), tampered(good, 5), tampered(good, good.length - 1), good.subarray(0, 20), Uint8Array.of(0), new Uint8Array(5_000), ofAnotherRoom, ofAnotherPeer];
  for (const [at, presented] of bad.entries()) {
    const kept: (Uint8Array | undefined)[] = [];
    const client = await enter([endpoint], { identity, storage, token: presented, onToken: (given) => kept.push(given) });
    expect(client.status.link, `${at}`).toMatchObject({ phase: "connected", window: "closed" });
    // It goes on as who it was, in the log it had, under the ids that are next.
    expect(client.clientId).toBe(first.clientId);
    await client.propose(command(2 + at));
    expect(applied(client.node).map(({ value }) => value)).toEqual(Array.from({ length: 2 + at }, (_, value) => value + 1));
    await client.close();
    // And the token it was given now is good.
    const again = await enter([endpoint], { identity, storage, token: kept.at(-1) });
    expect(again.status.link).toMatchObject({ window: "resumed" });
    await again.close();
  }
}, 60_000);

test("[CC14] a token that expired while its client was connected costs a fresh visit at the next server, while the node and what is open stay", async () => {
  const running = await core({ resumeMs: 1 });
  const client = await enter(running.endpoints);
  const { node, clientId } = client;
  await client.propose(command(1));
  const open = client.propose(command(2));
  await running.stop("a");
  await open;
  await until(client, () => client.status.link?.phase === "connected" && client.status.link.endpoint !== new URL(running.endpoints[0]!).href);
  expect(client.status.link).toMatchObject({ phase: "connected", window: "closed" });
  await client.propose(command(3));
  expect(client.node).toBe(node);
  expect(client.clientId).toBe(clientId);
  expect(applied(client.node).map(({ value }) => value)).toEqual([1, 2, 3]);
}, 60_000);

test("[CC23] of two programs under one identity the first ends with a name for it, and the other goes on", async () => {
  const running = await core();
  const identity = await somebody();
  const first = await enter(running.endpoints, { identity });
  await first.propose(command(1));
  const over = new Promise((done) => first.on("closed", done));
  const second = await enter([...running.endpoints].reverse(), { identity });
  expect(await over).toMatchObject({ code: "identity-in-use" });
  expect(first.status).toMatchObject({ phase: "closed", failure: { code: "identity-in-use" } });
  await expect(first.propose(command(2))).rejects.toMatchObject({ code: "closed", cause: { code: "identity-in-use" } });
  await second.propose(command(3));
  expect(second.status.phase).toBe("synced");
  expect(applied(second.node).map(({ value }) => value)).toEqual([1, 3]);
}, 60_000);

test("[CC22] who can not prove to be who it says, or asks for a room that none can be, is told so instead of asking for ever", async () => {
  const running = await core();
  const [one, other] = [await somebody(), await somebody()];
  await expect(enter(running.endpoints, { identity: { peerId: one.peerId, publicKey: one.publicKey, sign: other.sign } })).rejects.toMatchObject({ code: "endpoint-refused", refusal: "invalid", message: expect.stringContaining("prove") });
  const guarded = await core({ rooms: ["another room"] });
  await expect(enter(guarded.endpoints)).rejects.toMatchObject({ code: "endpoint-refused", refusal: "invalid", message: expect.stringContaining("no such room") });
  await expect(enter(running.endpoints, { room: "r".repeat(500) })).rejects.toMatchObject({ code: "endpoint-refused", refusal: "invalid" });
}, 60_000);

test("[CC18] giving up while a server says nothing leaves no socket and no timer of it behind", async () => {
  const accepted: Socket[] = [];
  const mute = createServer((socket) => {
    accepted.push(socket);
    socket.on("error", () => {});
    socket.resume();
  });
  mute.listen(0, "127.0.0.1");
  await once(mute, "listening");
  const endpoint = `ws://127.0.0.1:${(mute.address() as AddressInfo).port}`;
  const running = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout" || name === "TCPSocketWrap" || name === "TCPConnectWrap").length;
  const before = running();
  const stop = new AbortController();
  const entering = enter([endpoint], { signal: stop.signal, connectTimeoutMs: 60_000 });
  await once(mute, "connection");
  expect(running()).toBeGreaterThan(before);
  stop.abort(new Error("enough"));
  await expect(entering).rejects.toThrow("enough");
  await expect(enter([endpoint], { deadlineMs: 50, connectTimeoutMs: 60_000 })).rejects.toMatchObject({ code: "client-timeout" });
  for (const socket of accepted) if (!socket.destroyed) await once(socket, "close");
  // What a closed socket is given to say goodbye holds no program up, and is not counted here.
  await new Promise((done) => setTimeout(done));
  expect(running()).toBeLessThanOrEqual(before);
  mute.close();
}, 30_000);
