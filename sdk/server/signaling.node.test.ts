// WebSocketSignaling against the real server over real sockets.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { peerId, seededRandom, type Clock, type PeerId } from "../base/index.ts";
import { describeContract } from "../testing/contract.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { combineSignaling, encodeSignalingFrame, MemorySignalingHub, WebSocketSignaling, type Signaling, type SocketFactory, type WebSocketSignalingOptions } from "../seam/index.ts";
import { signalingContract } from "../seam/signaling.contract.ts";
import { startServer, type RunningServer } from "./server.ts";

const systemClock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

/** The socket of Node, where there is no global WebSocket yet. */
const nodeSocket: SocketFactory = (url, listener) => {
  const socket = new WebSocket(url);
  let over = false;
  socket.binaryType = "arraybuffer";
  socket.on("error", () => {});
  socket.on("open", () => over || listener.opened());
  socket.on("message", (data) => over || listener.received(data));
  socket.on("close", (code, reason) => over || listener.lost(code, reason.toString()));
  return {
    send: (bytes) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(bytes);
    },
    close: () => {
      over = true;
      socket.close();
    },
  };
};

let seed = 1;

function make(url: string, options: Partial<WebSocketSignalingOptions> = {}): WebSocketSignaling {
  return new WebSocketSignaling({ selfId: peerId("ann"), room: "r", url, clock: systemClock, random: seededRandom((seed += 1)), openSocket: nodeSocket, ...options });
}

function status(place: Signaling, wanted: string): Promise<string> {
  return new Promise((done) => place.on("status", (now, reason) => now === wanted && done(reason)));
}

async function join(url: string, options: Partial<WebSocketSignalingOptions> = {}): Promise<WebSocketSignaling> {
  const place = make(url, options);
  await status(place, "up");
  return place;
}

let server: RunningServer;
beforeAll(async () => {
  server = await startServer({ port: 0 });
});
afterAll(() => server.close());

const turn = (): Promise<void> => new Promise((done) => setTimeout(done, 2));

describeContract("WebSocketSignaling keeps the signaling contract with the real server", signalingContract, {
  join: (room, selfId) => join(server.url, { room, selfId }),
  turn,
});

const hub = new MemorySignalingHub();
describeContract("CombinedSignaling keeps the signaling contract over the server and another channel", signalingContract, {
  join: async (room, selfId) => {
    const place = combineSignaling([hub.join({ selfId, room: `two-${room}` }), make(server.url, { room: `two-${room}`, selfId })]);
    let ups = 0;
    await new Promise<void>((done) => place.on("status", (now) => now === "up" && (ups += 1) === 2 && done()));
    return place;
  },
  turn,
});

describe("WebSocketSignaling", () => {
  test("[SG10] comes back after the server was away, and is announced again", async () => {
    let own = await startServer({ port: 0 });
    const { port } = own;
    const quick = { backoff: { firstMs: 20, maxMs: 40 } };
    const [ann, bob] = await Promise.all([join(own.url, quick), join(own.url, { ...quick, selfId: peerId("bob") })]);
    // Both, because who comes back first is heard by the other only when that one announces itself.
    ann.announce();
    bob.announce();
    const down = status(bob, "down");
    const back = status(bob, "up");
    await own.close();
    await down;
    const again = new Promise<PeerId>((done) => bob.on("announced", done));
    own = await startServer({ port });
    await back;
    expect(await again).toBe("ann");
    const heard = new Promise<PeerId>((done) => bob.on("message", done));
    ann.send(bob.selfId, Uint8Array.of(1));
    expect(await heard).toBe("ann");
    await Promise.all([ann.close(), bob.close(), own.close()]);
  });

  test("[SG10] waits longer from try to try, with jitter, on the clock it was given", async () => {
    const clock = new VirtualClock();
    let tries = 0;
    const refusing: SocketFactory = (_, listener) => {
      tries += 1;
      queueMicrotask(() => listener.lost(1006, ""));
      return { send: () => {}, close: () => {} };
    };
    const place = make("ws://nowhere", { clock, openSocket: refusing });
    await clock.advance(0);
    await clock.advance(4_000);
    expect(tries).toBeGreaterThanOrEqual(4);
    expect(tries).toBeLessThanOrEqual(7);
    await clock.advance(600_000);
    expect(tries).toBeLessThan(100);
    await place.close();
    expect(clock.pendingTimers).toBe(0);
  });

  test("[SG10] ends a connection whose server says nothing any more", async () => {
    const clock = new VirtualClock();
    const sent: number[] = [];
    let opened = 0;
    const mute: SocketFactory = (_, listener) => {
      opened += 1;
      queueMicrotask(() => listener.opened());
      return { send: (bytes) => void sent.push(bytes[1] ?? -1), close: () => {} };
    };
    const place = make("ws://nowhere", { clock, openSocket: mute });
    const down = status(place, "down");
    await clock.advance(0);
    await clock.advance(45_000);
    expect(await down).toBe("no answer from the server");
    expect(sent).toEqual([3, 3]);
    await clock.advance(1_000);
    expect(opened).toBe(2);
    await place.close();
  });

  test("[SG11] a refusal is told as failed, and not asked again", async () => {
    const full = await startServer({ port: 0, limits: { peersPerRoomMax: 1 } });
    const ann = await join(full.url);
    const bob = make(full.url, { selfId: peerId("bob"), backoff: { firstMs: 1, maxMs: 1 } });
    expect(await status(bob, "failed")).toBe("the room is full");
    const { connectionsTotal } = full.counts;
    await turn();
    await turn();
    expect(full.counts.connectionsTotal).toBe(connectionsTotal);
    await Promise.all([ann.close(), bob.close(), full.close()]);
  });

  test("[SG11] an id in use is not given to somebody else, but to its own next connection it is", async () => {
    const ann = await join(server.url, { room: "ids", random: seededRandom(5) });
    const thief = make(server.url, { room: "ids", random: seededRandom(6) });
    expect(await status(thief, "failed")).toBe("this peer id is in use");
    const taken = status(ann, "failed");
    const again = await join(server.url, { room: "ids", random: seededRandom(5) });
    expect(await taken).toBe("another connection took over");
    await Promise.all([ann.close(), thief.close(), again.close()]);
  });

  test("[SG9] the server drops and counts rubbish and forged senders, and the room goes on", async () => {
    const ann = await join(server.url, { room: "rubbish" });
    const before = server.counts.droppedTotal;
    const rogue = new WebSocket(`${server.url.replace("http", "ws")}/signal?room=rubbish&peer=rogue&key=k`);
    await new Promise((done) => rogue.once("open", done));
    const heard: string[] = [];
    ann.on("message", (from) => void heard.push(from));
    rogue.send("text");
    rogue.send(new Uint8Array(0));
    rogue.send(Uint8Array.of(1, 99));
    rogue.send(encodeSignalingFrame({ kind: "message", from: peerId("bob"), to: peerId("ann"), payload: Uint8Array.of(1) }));
    rogue.send(encodeSignalingFrame({ kind: "message", from: peerId("rogue"), to: peerId("ann"), payload: Uint8Array.of(1) }));
    await new Promise<void>((done) => ann.on("message", () => done()));
    expect(heard).toEqual(["rogue"]);
    expect(server.counts.droppedTotal - before).toBe(4);
    rogue.close();
    await ann.close();
  });
});
