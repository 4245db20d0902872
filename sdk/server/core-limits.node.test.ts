// What one connection of a core may do to the others: how fast it speaks, how slowly it listens, and how long it proves nothing.
import { createHmac } from "node:crypto";
import { afterEach, describe, expect, test } from "vitest";
import { concatBytes, utf8 } from "../base/index.ts";
import type { Identity } from "../identity/index.ts";
import { decodeCoreFrame, encodeCoreFrame } from "../seam/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { decodeCoreLinkFrame, encodeCoreLinkFrame } from "./core-link-frame.ts";
import type { CoreLimits } from "./limits.ts";
import { startServer, type RunningServer } from "./server.ts";
import { prove, somebody, TestCore, until, type RawConnection } from "./test-room.ts";

const core = new TestCore();
afterEach(() => core.end());

const secret = new Uint8Array(32).fill(3);

/** The process c of a core whose others do not run. */
async function alone(limits: Partial<CoreLimits>): Promise<RunningServer> {
  const server = await startServer({ port: 0, core: { id: "c", processes: { a: "", b: "", c: "ws://c" }, secret, storage: new MemoryByteStore(), limits } });
  core.ends.push(() => server.close());
  return server;
}

const addressOf = ({ port }: RunningServer): string => `ws://127.0.0.1:${port}/core`;
const knock = (server: RunningServer, { peerId }: Identity): Promise<RawConnection> => core.raw(`${addressOf(server)}?room=r&peer=${peerId}`);
const dial = (server: RunningServer): Promise<RawConnection> => core.raw(`${addressOf(server)}/link?core=core:a`);

/** A connection that was let in. */
async function enter(server: RunningServer, identity: Identity): Promise<RawConnection> {
  const connection = await knock(server, identity);
  await prove(connection, identity, { room: "r", peer: identity.peerId, host: "127.0.0.1" });
  expect(decodeCoreFrame(await connection.next()).kind).toBe("welcome");
  return connection;
}

/** Says what the process a would say, which knows the secret. */
async function link(connection: RawConnection): Promise<void> {
  const [nonce, mark] = [new Uint8Array(32).fill(1), new Uint8Array(16).fill(2)];
  const theirs = decodeCoreLinkFrame(await connection.next());
  if (theirs.kind !== "challenge") throw new Error(theirs.kind);
  connection.socket.send(encodeCoreLinkFrame({ kind: "challenge", nonce, mark }));
  const text = concatBytes(utf8("flotilla/core-link/2\0core:a\0core:c\0"), theirs.nonce, nonce, mark);
  connection.socket.send(encodeCoreLinkFrame({ kind: "proof", code: Uint8Array.from(createHmac("sha256", secret).update(text).digest()) }));
}

const lump = encodeCoreFrame({ kind: "relay", peer: undefined, isLossy: false, bytes: new Uint8Array(500_000) });

describe("one connection of a core", () => {
  test("[CO10] that sends too many messages, or too many bytes, is refused", async () => {
    const server = await alone({ messagesPerSecond: 1e-6, messageBurst: 8, bytesPerSecond: 1e-6, byteBurst: 10_000 });
    const ping = encodeCoreFrame({ kind: "ping" });
    const chatty = await enter(server, await somebody());
    for (let n = 0; n < 8; n += 1) chatty.socket.send(ping);
    expect(await chatty.closed).toBe(4429);
    const loud = await enter(server, await somebody());
    for (let n = 0; n < 2; n += 1) loud.socket.send(encodeCoreFrame({ kind: "relay", peer: undefined, isLossy: false, bytes: new Uint8Array(6_000) }));
    expect(await loud.closed).toBe(4429);
    const calm = await enter(server, await somebody());
    for (let n = 0; n < 7; n += 1) calm.socket.send(ping);
    for (let n = 0; n < 7; n += 1) expect(decodeCoreFrame(await calm.next()).kind).toBe("pong");
    expect(server.counts).toMatchObject({ refusedTotal: 2, corePeers: 1 });
  });

  test("[CO10] that does not take what is sent to it is let go, and the others go on", async () => {
    const server = await alone({ bufferedBytesMax: 1_000_000, bytesPerSecond: 1e9, byteBurst: 1e9 });
    const [talker, slow] = [await enter(server, await somebody()), await enter(server, await somebody())];
    slow.socket.pause();
    // As much as the network between them holds, and a megabyte.
    for (let sent = 0; server.counts.refusedTotal === 0; sent += 1) {
      expect(sent).toBeLessThan(2_000);
      talker.socket.send(lump);
      await new Promise((done) => setImmediate(done));
    }
    slow.socket.resume();
    expect(await slow.closed).toBe(4508);
    expect(talker.socket.readyState).toBe(talker.socket.OPEN);
  });

  test("[CO10] that proves nothing makes room for one that would, and takes no place of one that has", async () => {
    const server = await alone({ connectionsMax: 2, unprovenMax: 3 });
    const [ann, bob, cat, dan] = [await somebody(), await somebody(), await somebody(), await somebody()];
    const first = await enter(server, ann);
    const idle = [await knock(server, bob), await knock(server, bob), await knock(server, bob), await knock(server, bob)];
    expect(await idle[0]!.closed).toBe(1006);
    const second = await enter(server, cat);
    // As many as there may be have proven themselves.
    expect(await (await knock(server, dan)).closed).toBe(1006);
    second.socket.close();
    await until(() => server.counts.corePeers === 1, "one is gone");
    await enter(server, dan);
    expect(first.socket.readyState).toBe(first.socket.OPEN);
  });
});

describe("a link of a core", () => {
  test("[CO9] finds a place however many connections prove nothing, those that were refused among them, and keeps it", async () => {
    const server = await alone({});
    const idle = await Promise.all(Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? dial(server) : core.raw(`${addressOf(server)}/link?core=nobody`))));
    await link(await dial(server));
    await until(() => server.counts.coreLinks === 1, "the link");
    await Promise.all(Array.from({ length: 100 }, () => dial(server)));
    expect(server.counts.coreLinks).toBe(1);
    expect(idle.length).toBe(100);
  });

  test("[CO9] of one process takes the place of its older one, which ends", async () => {
    const server = await alone({});
    const older = await dial(server);
    await link(older);
    await until(() => server.counts.coreLinks === 1, "the link");
    await link(await dial(server));
    expect(await older.closed).toBe(1006);
    expect(server.counts.coreLinks).toBe(1);
  });

  test("[CO10] over which more waits than may is ended, to be made anew", async () => {
    const server = await alone({ linkBytesMax: 1_000_000, bytesPerSecond: 1e9, byteBurst: 1e9 });
    const slow = await dial(server);
    await link(slow);
    await until(() => server.counts.coreLinks === 1, "the link");
    slow.socket.pause();
    const talker = await enter(server, await somebody());
    for (let sent = 0; server.counts.coreLinks === 1; sent += 1) {
      expect(sent).toBeLessThan(2_000);
      talker.socket.send(lump);
      await new Promise((done) => setImmediate(done));
    }
    await link(await dial(server));
    await until(() => server.counts.coreLinks === 1, "a new one");
  });
});
