// The relay over real sockets: who meets through it, what the server can see, and what happens to who is too much.
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { seededRandom, type Clock, type PeerId } from "../base/index.ts";
import { identityOf, makeKeyPair, verifySignature, type Identity } from "../identity/identity.ts";
import { openNodeSocket } from "../node/index.ts";
import { decodeRelayFrame, encodeRelayFrame, MemorySignalingHub, RELAY_FRAME_BYTES_MAX, type RelayFrame, type Seam } from "../seam/index.ts";
import { seamContract } from "../seam/seam.contract.ts";
import { RelayLane } from "../seam/relay/index.ts";
import { WebRtcSeam, type WebRtcSeamOptions } from "../seam/webrtc/index.ts";
import { readArguments } from "./cli-options.ts";
import { DEFAULT_RELAY_LIMITS, TokenBucket } from "./limits.ts";
import { newCounts } from "./metrics.ts";
import { RelayRooms, type RelayClient } from "./relay-rooms.ts";
import { describeContract } from "../testing/contract.ts";
import { startServer, type RunningServer, type ServerOptions } from "./server.ts";

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function serve(options: ServerOptions = {}): Promise<RunningServer> {
  const server = await startServer({ port: 0, ...options });
  ends.push(() => server.close());
  return server;
}

const somebody = async (): Promise<Identity> => identityOf(await makeKeyPair(crypto.subtle), crypto.subtle);
let seed = 1;

interface Group {
  readonly server: RunningServer;
  readonly hub: MemorySignalingHub;
}

function open({ server, hub }: Group, identity: Identity, options: Partial<WebRtcSeamOptions> = {}): WebRtcSeam {
  const random = seededRandom((seed += 1));
  const lane = (): RelayLane => new RelayLane({ url: server.url, room: "r", clock, random, openSocket: openNodeSocket });
  const signaling = hub.join({ selfId: identity.peerId, room: "r" });
  const seam = new WebRtcSeam({ selfId: identity.peerId, identity: { ...identity, verify: verifySignature }, signaling, clock, random, relay: { links: lane }, ...options });
  ends.push(() => seam.close());
  return seam;
}

const until = (seam: Seam, size: number): Promise<void> =>
  new Promise((done) => {
    const look = (): void => {
      if (seam.peers.size === size) done();
    };
    seam.on("peers", look);
    look();
  });

async function meet(n: number, group: Group, options: Partial<WebRtcSeamOptions> = {}): Promise<WebRtcSeam[]> {
  const seams: WebRtcSeam[] = [];
  for (let i = 0; i < n; i += 1) seams.push(open(group, await somebody(), options));
  await Promise.all(seams.map((seam) => until(seam, n)));
  return seams;
}

const heardBy = (seam: Seam): { readonly frames: (readonly [PeerId, Uint8Array])[]; readonly count: (n: number) => Promise<void> } => {
  const frames: (readonly [PeerId, Uint8Array])[] = [];
  const waiting = new Set<() => void>();
  seam.on("frame", (from, bytes) => {
    frames.push([from, bytes]);
    for (const look of waiting) look();
  });
  const count = (n: number): Promise<void> =>
    new Promise((done) => {
      const look = (): void => {
        if (frames.length < n) return;
        waiting.delete(look);
        done();
      };
      waiting.add(look);
      look();
    });
  return { frames, count };
};

describeContract("WebRtcSeam keeps the seam contract through a real server", seamContract, {
  open: async (n) => meet(n, { server: await serve(), hub: new MemorySignalingHub() }),
  leave: (seam) => seam.close(),
  turn: () => new Promise((done) => setTimeout(done, 5)),
});

describe("seams in Node", () => {
  test("meet through the relay, both proven, and carry frames of every size", async () => {
    const group = { server: await serve(), hub: new MemorySignalingHub() };
    const [ann, bob] = (await meet(2, group)) as [WebRtcSeam, WebRtcSeam];
    expect([ann.laneOf(bob.selfId), bob.laneOf(ann.selfId)]).toEqual(["relay", "relay"]);
    const heard = heardBy(bob);
    const sizes = [0, 1, 16_000, 16_384, 900_000, 3];
    for (const size of sizes) ann.sendTo(bob.selfId, new Uint8Array(size).fill(7));
    await heard.count(sizes.length);
    expect(heard.frames.map(([from, bytes]) => [from, bytes.length])).toEqual(sizes.map((size) => [ann.selfId, size]));
    expect(group.server.counts.relayedBytesTotal).toBeGreaterThan(900_000);
  });

  test("[RL12] find each other again when the server was started anew, under the same ids", async () => {
    const server = await serve();
    const group = { server, hub: new MemorySignalingHub() };
    const [ann, bob] = (await meet(2, group)) as [WebRtcSeam, WebRtcSeam];
    const alone = Promise.all([until(ann, 1), until(bob, 1)]);
    await server.close();
    await alone;
    await serve({ port: server.port });
    await Promise.all([until(ann, 2), until(bob, 2)]);
    const heard = heardBy(bob);
    ann.sendTo(bob.selfId, Uint8Array.of(1));
    await heard.count(1);
  });

  test("[RL13] that send more than they may are slowed down, and lose nothing", async () => {
    const server = await serve({ relay: { bytesPerSecond: 400_000, byteBurst: 100_000, messageBurst: 50, messagesPerSecond: 200 } });
    const [ann, bob] = (await meet(2, { server, hub: new MemorySignalingHub() })) as [WebRtcSeam, WebRtcSeam];
    const heard = heardBy(bob);
    for (let at = 0; at < 6; at += 1) ann.sendTo(bob.selfId, new Uint8Array(100_000).fill(at));
    await heard.count(6);
    expect(heard.frames.map(([, bytes]) => [bytes[0], bytes.length])).toEqual([0, 1, 2, 3, 4, 5].map((at) => [at, 100_000]));
    expect(server.counts.pausesTotal).toBeGreaterThan(0);
    expect(ann.peers.has(bob.selfId)).toBe(true);
  });
});

interface Raw {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  next(): Promise<RelayFrame>;
  say(frame: RelayFrame): void;
}

/** A raw connection, for what no lane would say. */
async function raw(server: RunningServer, query: string): Promise<Raw> {
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/relay?${query}`);
  socket.binaryType = "arraybuffer";
  const frames: RelayFrame[] = [];
  const waiting: ((frame: RelayFrame) => void)[] = [];
  socket.on("message", (data: ArrayBuffer) => {
    const frame = decodeRelayFrame(new Uint8Array(data));
    const taker = waiting.shift();
    if (taker === undefined) frames.push(frame);
    else taker(frame);
  });
  socket.on("error", () => {});
  const closed = new Promise<number>((done) => socket.once("close", (code) => done(code)));
  ends.push(async () => socket.terminate());
  await Promise.race([new Promise((done) => socket.once("open", done)), closed]);
  const next = (): Promise<RelayFrame> => {
    const first = frames.shift();
    return first === undefined ? new Promise((done) => waiting.push(done)) : Promise.resolve(first);
  };
  return { socket, closed, next, say: (frame) => socket.send(encodeRelayFrame(frame)) };
}

async function place(server: RunningServer, room = "r"): Promise<Raw & { readonly address: Uint8Array }> {
  const connection = await raw(server, `room=${room}&v=1`);
  const welcome = await connection.next();
  if (welcome.kind !== "welcome") throw new Error(`welcomed by ${welcome.kind}`);
  return { ...connection, address: welcome.address };
}

describe("the relay of a server", () => {
  test("[RL12] passes bytes on under the sender's address, within a room only, and tells of an end", async () => {
    const server = await serve();
    const [ann, bob, eve] = [await place(server), await place(server), await place(server, "elsewhere")];
    ann.say({ kind: "frame", address: bob.address, bytes: Uint8Array.of(1, 2) });
    expect(await bob.next()).toEqual({ kind: "frame", address: ann.address, bytes: Uint8Array.of(1, 2) });
    eve.say({ kind: "frame", address: bob.address, bytes: Uint8Array.of(6) });
    expect(await eve.next()).toEqual({ kind: "gone", address: bob.address });
    ann.socket.close();
    expect(await bob.next()).toEqual({ kind: "gone", address: ann.address });
    expect([server.counts.relayed, server.counts.relayedBytesTotal, server.counts.droppedTotal]).toEqual([2, 2, 1]);
    expect(await (await fetch(`${server.url}/metrics`)).text()).toMatch(/^flotilla_relayed_peers 2$/m);
  });

  test("[RL10] drops and counts what is no frame, and answers a ping", async () => {
    const server = await serve();
    const ann = await place(server);
    ann.socket.send(Uint8Array.of(99));
    ann.say({ kind: "ping" });
    expect(await ann.next()).toEqual({ kind: "pong" });
    expect(server.counts.droppedTotal).toBe(1);
  });

  test("[RL14] has room for so many rooms, peers and connections, and takes messages of one size", async () => {
    const server = await serve({ relay: { roomsMax: 1, peersPerRoomMax: 2, connectionsMax: 3 } });
    const [ann] = [await place(server), await place(server)];
    expect(await (await raw(server, "room=r&v=1")).closed).toBe(4409);
    expect(await (await raw(server, "room=other&v=1")).closed).toBe(4503);
    for (const query of ["room=&v=1", "v=1", "room=r", "room=r&v=2", `room=${"x".repeat(129)}&v=1`]) expect(await (await raw(server, query)).closed).toBe(4400);
    ann?.socket.send(new Uint8Array(RELAY_FRAME_BYTES_MAX + 1));
    expect(await ann?.closed).toBe(1009);
  });

  test("[RL14] is not there when its owner does not want it, and is there by default", async () => {
    const server = await serve({ relay: false });
    expect(await (await raw(server, "room=r&v=1")).closed).toBe(1006);
    expect(readArguments(["--no-relay"], undefined)).toMatchObject({ relay: false });
    expect(readArguments([], undefined)).not.toHaveProperty("relay");
  });

  test("[RL13] makes who floods wait, and lets its messages through in the end", async () => {
    const server = await serve({ relay: { messagesPerSecond: 1_000, messageBurst: 10 } });
    const [ann, bob] = [await place(server), await place(server)];
    for (let at = 0; at < 100; at += 1) ann.say({ kind: "frame", address: bob.address, bytes: Uint8Array.of(at) });
    for (let at = 0; at < 100; at += 1) expect(await bob.next()).toMatchObject({ bytes: Uint8Array.of(at) });
    expect(server.counts.refusedTotal).toBe(0);
    expect(server.counts.pausesTotal).toBeGreaterThan(0);
  });
});

describe("what waits at the relay", () => {
  interface Fake extends RelayClient {
    readonly got: RelayFrame[];
    /** Lets what waits leave. */
    flush(): void;
  }
  const fake = (room: string, at: number): Fake => {
    const waiting: (() => void)[] = [];
    const got: RelayFrame[] = [];
    return {
      room,
      address: new Uint8Array(16).fill(at),
      got,
      send: (bytes, sent) => {
        got.push(decodeRelayFrame(bytes.slice()));
        if (sent !== undefined) waiting.push(sent);
      },
      flush: () => waiting.splice(0).forEach((sent) => sent()),
    };
  };
  const frameTo = (to: RelayClient, bytes: number): Uint8Array => encodeRelayFrame({ kind: "frame", address: to.address, bytes: new Uint8Array(bytes) });

  test("[RL13] is bounded for each pair: beyond it that pair is cut and told, others are not, and once all of it left it may begin anew", () => {
    const counts = newCounts();
    const rooms = new RelayRooms({ ...DEFAULT_RELAY_LIMITS, pairBytesMax: 1_000 }, counts, 0);
    const [ann, bob, eve] = [fake("r", 1), fake("r", 2), fake("r", 3)];
    for (const client of [ann, bob, eve]) expect(rooms.join(client, 0)).toBeUndefined();
    for (let at = 0; at < 5; at += 1) rooms.receive(eve, frameTo(bob, 400), 0);
    expect(eve.got.at(-1)).toEqual({ kind: "gone", address: bob.address });
    expect(bob.got.filter(({ kind }) => kind === "frame").length).toBe(2);
    expect(bob.got.at(-1)).toEqual({ kind: "gone", address: eve.address });
    rooms.receive(ann, frameTo(bob, 400), 0);
    expect(bob.got.at(-1)).toMatchObject({ kind: "frame", address: ann.address });
    bob.flush();
    rooms.receive(eve, frameTo(bob, 400), 0);
    expect(bob.got.at(-1)).toMatchObject({ kind: "frame", address: eve.address });
    expect([counts.relayCutTotal, counts.droppedTotal]).toEqual([1, 3]);
  });

  test("[RL13] a room's and the server's rates are shared by those who send: who overdraws one waits until it is paid back", () => {
    const limits = { ...DEFAULT_RELAY_LIMITS, roomBytesPerSecond: 1_000, roomByteBurst: 1_000, totalBytesPerSecond: 2_000, totalByteBurst: 2_000, pairBytesMax: 1_000_000 };
    const rooms = new RelayRooms(limits, newCounts(), 0);
    const [ann, bob, cy] = [fake("r", 1), fake("r", 2), fake("s", 3)];
    for (const client of [ann, bob, cy]) rooms.join(client, 0);
    const frame = frameTo(bob, 1_000 - 17);
    expect(rooms.receive(ann, frame, 0)).toBe(0);
    expect(rooms.receive(bob, frame, 0)).toBe(1_000);
    expect(rooms.receive(cy, frame, 0)).toBe(500);
    expect(rooms.receive(ann, encodeRelayFrame({ kind: "ping" }), 0)).toBe(0);
  });

  test("[RL13] a bucket that was overdrawn says how long it takes to fill", () => {
    const bucket = new TokenBucket(100, 50, 0);
    expect([bucket.spend(50, 0), bucket.spend(10, 0), bucket.spend(0, 50), bucket.spend(0, 100)]).toEqual([0, 100, 50, 0]);
  });
});
