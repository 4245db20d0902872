// The mesh on real RTCPeerConnections in one page.
import { afterEach, describe, expect, test } from "vitest";
import { peerId, seededRandom, type Clock, type PeerId } from "../../base/index.ts";
import { describeContract } from "../../testing/contract.ts";
import { BroadcastChannelSignaling } from "../broadcast-channel-signaling.ts";
import { combineSignaling } from "../combined-signaling.ts";
import { MemorySignalingHub } from "../memory-signaling.ts";
import { MuxSeam, NamedMux } from "../mux.ts";
import { seamContract, type SeamHarness } from "../seam.contract.ts";
import type { Seam } from "../seam.ts";
import { signalingContract } from "../signaling.contract.ts";
import type { Signaling } from "../signaling.ts";
import { WebRtcSeam, type WebRtcSeamOptions } from "./webrtc-seam.ts";

const clock: Clock = {
  now: () => performance.now(),
  after: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
};

const opened: WebRtcSeam[] = [];
let seed = 1;

function make(signaling: Signaling, options: Partial<WebRtcSeamOptions> = {}): WebRtcSeam {
  return new WebRtcSeam({ selfId: signaling.selfId, signaling, clock, random: seededRandom((seed += 1)), iceServers: [], ...options });
}

function open(signaling: Signaling, options: Partial<WebRtcSeamOptions> = {}): WebRtcSeam {
  const seam = make(signaling, options);
  opened.push(seam);
  return seam;
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((seam) => seam.close()));
});

/** Resolves once `seam.peers` has this many members. */
function rosterOf(seam: Seam, size: number): Promise<void> {
  return new Promise((done) => {
    const look = (): void => {
      if (seam.peers.size === size) done();
    };
    seam.on("peers", look);
    look();
  });
}

const ids = (n: number): PeerId[] => Array.from({ length: n }, (_, i) => peerId(`peer-${i}`));

/** Seams of a fresh room per group, with `over` between them and the suite. */
function harness(over: (seam: Seam) => Seam = (seam) => seam): SeamHarness {
  const bases = new Map<Seam, Seam>();
  return {
    open: async (n) => {
      const hub = new MemorySignalingHub();
      const seams = ids(n).map((selfId) => make(hub.join({ selfId, room: "r" })));
      const outer = seams.map((base) => {
        const seam = over(base);
        bases.set(seam, base);
        return seam;
      });
      await Promise.all(seams.map((seam) => rosterOf(seam, n)));
      return outer;
    },
    leave: (seam) => (bases.get(seam) ?? seam).close(),
    turn: () => new Promise((done) => setTimeout(done, 5)),
    patience: 1_000,
  };
}

const closeStays = "closing a view leaves its base open";
describeContract("WebRtcSeam keeps the seam contract in Chromium", seamContract, harness());
describeContract("a MuxSeam view of a WebRtcSeam keeps it too", seamContract, { ...harness((base) => new MuxSeam(base).channel(1)), closeStays });
describeContract("and a NamedMux view", seamContract, { ...harness((base) => new NamedMux(new MuxSeam(base).channel(3)).channel("chat")), closeStays });

describeContract("BroadcastChannelSignaling keeps the signaling contract in Chromium", signalingContract, {
  join: async (room, selfId) => new BroadcastChannelSignaling({ selfId, room: `browser-${room}` }),
  turn: () => new Promise((done) => setTimeout(done, 1)),
});

/** The next trouble that has this code. */
function troubleOf(seam: WebRtcSeam, code: string): Promise<Error> {
  return new Promise((done) => {
    seam.on("trouble", (error) => {
      if ("code" in error && error.code === code) done(error);
    });
  });
}

async function pair(options: Partial<WebRtcSeamOptions> = {}): Promise<[WebRtcSeam, WebRtcSeam]> {
  const hub = new MemorySignalingHub();
  const [a, b] = ids(2).map((selfId) => open(hub.join({ selfId, room: "r" }), options)) as [WebRtcSeam, WebRtcSeam];
  await Promise.all([rosterOf(a, 2), rosterOf(b, 2)]);
  return [a, b];
}

describe("WebRtcSeam in Chromium", () => {
  test.each([2, 3, 5])("%i tabs' worth of seams find each other and a broadcast reaches each exactly once", async (n) => {
    const hub = new MemorySignalingHub();
    const seams = ids(n).map((selfId) => open(hub.join({ selfId, room: "r" })));
    await Promise.all(seams.map((seam) => rosterOf(seam, n)));
    const heard: string[] = [];
    const all = new Promise<void>((done) => {
      for (const seam of seams) {
        seam.on("frame", (from, bytes) => {
          heard.push(`${from}>${seam.selfId}:${bytes[0]}`);
          if (heard.length === n * (n - 1)) done();
        });
      }
    });
    seams.forEach((seam, i) => seam.broadcast(Uint8Array.of(i)));
    await all;
    const expected = ids(n).flatMap((from, i) => ids(n).filter((to) => to !== from).map((to) => `${from}>${to}:${i}`));
    expect(heard.sort()).toEqual(expected.sort());
  });

  test("[WR1] peers that hear of each other over several channels at once still make one link", async () => {
    const hub = new MemorySignalingHub();
    const seams = ids(3).map((selfId) => open(combineSignaling([hub.join({ selfId, room: "r" }), new BroadcastChannelSignaling({ selfId, room: "wr1" })])));
    await Promise.all(seams.map((seam) => rosterOf(seam, 3)));
    const changes: number[] = [];
    for (const seam of seams) seam.on("peers", (peers) => void changes.push(peers.size));
    const [a, b] = seams as [WebRtcSeam, WebRtcSeam];
    const heard: number[] = [];
    const last = new Promise<void>((done) => {
      b.on("frame", (_, bytes) => {
        heard.push(bytes[0] ?? -1);
        if (bytes[0] === 99) done();
      });
    });
    for (let i = 0; i < 100; i += 1) a.sendTo(b.selfId, Uint8Array.of(i));
    await last;
    expect(heard).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect(changes).toEqual([]);
  });

  test("[WR3] a link that fails after it was open is dialled again from either side, and nothing arrives twice", async () => {
    const [a, b] = await pair();
    const heard: number[] = [];
    b.on("frame", (_, bytes) => void heard.push(bytes[0] ?? -1));
    for (const [round, breaker] of [a, b, a].entries()) {
      const other = breaker === a ? b : a;
      a.sendTo(b.selfId, Uint8Array.of(round));
      const lost = Promise.all([rosterOf(a, 1), rosterOf(b, 1)]);
      breaker.breakLink(other.selfId);
      await lost;
      await Promise.all([rosterOf(a, 2), rosterOf(b, 2)]);
    }
    const last = new Promise<void>((done) => b.on("frame", (_, bytes) => bytes[0] === 9 && done()));
    a.sendTo(b.selfId, Uint8Array.of(9));
    await last;
    expect(new Set(heard).size).toBe(heard.length);
    expect(heard.at(-1)).toBe(9);
  });

  test("[WR4] a peer that comes back under its id without a goodbye replaces its old link", async () => {
    const hub = new MemorySignalingHub();
    const [low, high] = ids(2) as [PeerId, PeerId];
    for (const returning of [low, high]) {
      const stayId = returning === low ? high : low;
      const room = `wr4-${returning}`;
      const stay = open(hub.join({ selfId: stayId, room }));
      // The old incarnation falls silent without a word, while its link still looks open.
      const signaling = mutable(hub.join({ selfId: returning, room }));
      const old = open(signaling);
      await Promise.all([rosterOf(stay, 2), rosterOf(old, 2)]);
      signaling.muted = true;
      const dropped = rosterOf(stay, 1);
      const back = open(hub.join({ selfId: returning, room }));
      await dropped;
      await Promise.all([rosterOf(stay, 2), rosterOf(back, 2)]);
      const heard = new Promise<number>((done) => stay.on("frame", (_, bytes) => done(bytes[0] ?? -1)));
      back.sendTo(stayId, Uint8Array.of(5));
      expect(await heard).toBe(5);
    }
  });

  test("[WR5] [MX8] a heartbeat sent behind a megabyte of another channel arrives before it", async () => {
    const [a, b] = await pair();
    const [here, there] = [new MuxSeam(a), new MuxSeam(b)];
    const order: string[] = [];
    const both = new Promise<void>((done) => {
      there.channel(3).on("frame", (_, bytes) => order.push(`bulk ${bytes.length}`) === 4 && done());
      there.channel(1).on("frame", () => order.push("heartbeat") === 4 && done());
    });
    const bulk = new Uint8Array(here.channel(3).payloadBytesMax);
    for (let i = 0; i < 3; i += 1) here.channel(3).sendTo(b.selfId, bulk);
    here.channel(1).sendTo(b.selfId, Uint8Array.of(1));
    await both;
    expect(order.indexOf("heartbeat")).toBe(0);
    expect(order).toHaveLength(4);
  });

  test("[WR6] what waits for a link is limited: then trouble is told and the peer dialled again", async () => {
    const [a, b] = await pair();
    const trouble = troubleOf(a, "send-queue-full");
    const bytes = new Uint8Array(a.payloadBytesMax);
    for (let i = 0; i < 40 && a.peers.has(b.selfId); i += 1) a.sendTo(b.selfId, bytes);
    await trouble;
    expect(a.bufferedBytes(b.selfId)).toBe(0);
    await Promise.all([rosterOf(a, 2), rosterOf(b, 2)]);
  });

  test("[WR8] when no path is found, trouble says to add TURN", async () => {
    const hub = new MemorySignalingHub();
    // Relayed paths only, and no relay: both descriptions pass, and no candidate ever does.
    const [a] = ids(2).map((selfId) => open(hub.join({ selfId, room: "r" }), { relayOnly: true, dialTimeoutMs: 1_500 })) as [WebRtcSeam];
    const error = await troubleOf(a, "nat-traversal");
    expect(error.message).toContain("TURN");
    expect(error.name).toBe("NatTraversalError");
  });

  test("[WR9] iceServers may be an async function, and its failure is told", async () => {
    let asked = 0;
    await pair({
      iceServers: async () => {
        asked += 1;
        return [];
      },
    });
    expect(asked).toBe(2);
    const hub = new MemorySignalingHub();
    const [a] = ids(2).map((selfId) => open(hub.join({ selfId, room: "r" }), { iceServers: () => Promise.reject(new Error("no credentials today")) })) as [WebRtcSeam];
    const error = await new Promise<Error>((done) => a.on("trouble", done));
    expect(error.message).toBe("no credentials today");
  });
});

/** A place in a room that can fall silent without a word, as a crashed tab does. */
function mutable(base: Signaling): Signaling & { muted: boolean } {
  const place: Signaling & { muted: boolean } = {
    selfId: base.selfId,
    muted: false,
    on: (event, listener) => {
      const hear = listener as (...args: unknown[]) => void;
      return base.on(event, (...args: unknown[]) => {
        if (!place.muted) hear(...args);
      });
    },
    announce: () => {
      if (!place.muted) base.announce();
    },
    send: (to, payload) => {
      if (!place.muted) base.send(to, payload);
    },
    close: () => (place.muted ? Promise.resolve() : base.close()),
  };
  return place;
}

test("[WR18] lossy frames go over an unordered channel of their own, and a heap of them never ends the link", async () => {
  const hub = new MemorySignalingHub();
  const [a, b] = ids(2).map((selfId) => open(hub.join({ selfId, room: "lossy" }))) as [WebRtcSeam, WebRtcSeam];
  await Promise.all([rosterOf(a, 2), rosterOf(b, 2)]);
  const { send } = RTCDataChannel.prototype;
  const lanes: (readonly [label: string, ordered: boolean, retransmits: number | null])[] = [];
  RTCDataChannel.prototype.send = function (this: RTCDataChannel, data: string | Blob | ArrayBuffer | ArrayBufferView<ArrayBuffer>): void {
    lanes.push([this.label, this.ordered, this.maxRetransmits]);
    (send as (this: RTCDataChannel, data: unknown) => void).call(this, data);
  };
  try {
    const heard: number[] = [];
    const one = new Promise<void>((done) => b.on("frame", (_, bytes) => {
      heard.push(bytes.length);
      if (bytes.length === 5) done();
    }));
    // It opens a moment after the link.
    while (!lanes.some(([label]) => label === "lossy")) {
      a.sendTo(b.selfId, new Uint8Array(1), { lossy: true });
      await new Promise((done) => setTimeout(done, 1));
    }
    lanes.length = 0;
    for (let times = 0; times < 2_000; times += 1) a.sendTo(b.selfId, new Uint8Array(1_000), { lossy: true });
    expect(lanes.every(([label, ordered, retransmits]) => label === "lossy" && !ordered && retransmits === 0)).toBe(true);
    expect(lanes.length, "what would only be late is not sent").toBeLessThan(2_000);
    a.sendTo(b.selfId, new Uint8Array(5));
    await one;
    expect(heard.filter((length) => length === 1_000).length).toBeLessThanOrEqual(lanes.length);
    expect([a.peers.size, b.peers.size]).toEqual([2, 2]);
  } finally {
    RTCDataChannel.prototype.send = send;
  }
});
