// What channels add to the seam contract.
import { describe, expect, test } from "vitest";
import { peerId, seededRandom, utf8 } from "../base/index.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { MemoryHub } from "./memory-seam.ts";
import { MuxSeam, NamedMux } from "./mux.ts";
import { BACKLOG_BYTES_MAX, BACKLOG_FRAMES_MAX, type Seam } from "./seam.ts";

function pair(): { a: Seam; b: Seam; clock: VirtualClock } {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, random: seededRandom(1) });
  return { a: hub.seam(peerId("a")), b: hub.seam(peerId("b")), clock };
}

function heardBy(seam: Seam): number[] {
  const heard: number[] = [];
  seam.on("frame", (_, bytes) => void heard.push(bytes[0] ?? -1));
  return heard;
}

const toB = peerId("b");

describe("MuxSeam", () => {
  test("[MX1] gives the same view for a tag until it is closed, then a new one", async () => {
    const mux = new MuxSeam(pair().a);
    const view = mux.channel(1);
    expect(mux.channel(1)).toBe(view);
    expect(mux.channel(2)).not.toBe(view);
    await view.close();
    expect(mux.channel(1)).not.toBe(view);
    expect(mux.channel(1).state).toEqual({ phase: "woven" });
  });

  test("[MX2] keeps channels apart and drops and counts a tag nobody opened", async () => {
    const { a, b, clock } = pair();
    const [here, there] = [new MuxSeam(a), new MuxSeam(b)];
    const [one, two] = [heardBy(there.channel(1)), heardBy(there.channel(2))];
    here.channel(1).sendTo(toB, Uint8Array.of(11));
    here.channel(2).broadcast(Uint8Array.of(22));
    here.channel(7).broadcast(Uint8Array.of(77));
    a.sendTo(toB, new Uint8Array(0));
    await clock.advance(1);
    expect([one, two, there.unknownDropped]).toEqual([[11], [22], 2]);
  });

  test("[SM1] a frame that is sent while another one of its channel is being sent changes neither, nor does a large one", async () => {
    const { a, b, clock } = pair();
    const sendTo = a.sendTo.bind(a);
    const channel = new MuxSeam(a).channel(1);
    let isNested = false;
    a.sendTo = (peer, bytes, options) => {
      if (!isNested) {
        isNested = true;
        channel.sendTo(toB, Uint8Array.of(2, 2, 2));
      }
      sendTo(peer, bytes, options);
    };
    const heard: number[][] = [];
    new MuxSeam(b).channel(1).on("frame", (_, bytes) => void heard.push([bytes.length, ...new Set(bytes)]));
    channel.sendTo(toB, Uint8Array.of(1, 1));
    channel.sendTo(toB, new Uint8Array(5_000).fill(3));
    channel.sendTo(toB, Uint8Array.of(4));
    await clock.advance(1);
    expect(heard).toEqual([[3, 2], [2, 1], [5_000, 3], [1, 4]]);
  });

  test("[MX3] closing a view or the mux ends views alone", async () => {
    const { a, b, clock } = pair();
    const mux = new MuxSeam(a);
    const [one, two] = [mux.channel(1), mux.channel(2)];
    const states: unknown[] = [];
    one.on("state", (state) => states.push(state));
    await one.close();
    await one.close();
    expect(states).toEqual([{ phase: "torn", reason: "closed" }]);
    expect([...one.peers]).toEqual(["a"]);
    expect(() => one.sendTo(toB, Uint8Array.of(1))).toThrow("closed");
    const heard = heardBy(new MuxSeam(b).channel(2));
    two.sendTo(toB, Uint8Array.of(5));
    await clock.advance(1);
    expect(heard).toEqual([5]);
    mux.close();
    expect([two.state.phase, a.state.phase]).toEqual(["torn", "woven"]);
    expect(b.peers.has(a.selfId)).toBe(true);
  });

  test("[MX4] forwards peers, state and the budget minus the header", async () => {
    const { a, b, clock } = pair();
    const view = new MuxSeam(a).channel(1);
    const inner = new NamedMux(view).channel("é");
    expect(a.payloadBytesMax - view.payloadBytesMax).toBe(1);
    expect(view.payloadBytesMax - inner.payloadBytesMax).toBe(3);
    const told: unknown[] = [];
    inner.on("peers", (peers) => told.push([...peers]));
    inner.on("state", (state) => told.push(state.phase));
    await b.close();
    await clock.advance(1);
    await a.close();
    expect(told).toEqual([["a"], ["a"], "torn"]);
    expect(() => inner.broadcast(Uint8Array.of(1))).toThrow("torn");
    expect(new MuxSeam(a).channel(1).state.phase).toBe("torn");
  });

  test("[MX4] a frame of the view's whole budget passes, and one byte more names the view's sizes", async () => {
    const { a, b, clock } = pair();
    const view = new NamedMux(new MuxSeam(a).channel(3)).channel("chat");
    let length = 0;
    new NamedMux(new MuxSeam(b).channel(3)).channel("chat").on("frame", (_, bytes) => {
      length = bytes.length;
    });
    view.sendTo(toB, new Uint8Array(view.payloadBytesMax));
    await clock.advance(1);
    expect(length).toBe(view.payloadBytesMax);
    expect(() => view.sendTo(toB, new Uint8Array(view.payloadBytesMax + 1))).toThrow(`${view.payloadBytesMax + 1} bytes is larger than the limit of ${view.payloadBytesMax}`);
  });

  test("[MX5] a view nobody listens to is bounded, loses its oldest, and blocks no other", async () => {
    const { a, b, clock } = pair();
    const [here, there] = [new MuxSeam(a), new MuxSeam(b)];
    const quiet = there.channel(1);
    const heard = heardBy(there.channel(2));
    for (let i = 0; i < BACKLOG_FRAMES_MAX + 5; i += 1) here.channel(1).sendTo(toB, Uint8Array.of(i & 0xff));
    here.channel(2).sendTo(toB, Uint8Array.of(9));
    await clock.advance(1);
    expect([heard, there.unheardDropped]).toEqual([[9], 5]);
    const late = heardBy(quiet);
    await clock.advance(1);
    expect([late.length, late[0]]).toEqual([BACKLOG_FRAMES_MAX, 5]);
    const large = here.channel(4);
    there.channel(4);
    for (let i = 0; i < 4; i += 1) large.sendTo(toB, new Uint8Array(BACKLOG_BYTES_MAX / 2));
    await clock.advance(1);
    expect(there.unheardDropped).toBe(5 + 2);
  });

  test("[MX6] refuses a tag outside one byte", () => {
    const mux = new MuxSeam(pair().a);
    for (const tag of [-1, 256, 1.5, Number.NaN]) expect(() => mux.channel(tag)).toThrow("whole number from 0 to 255");
  });
});

describe("NamedMux", () => {
  test("[MX1] [MX6] gives the same view for a name of 1 to 255 UTF-8 bytes and refuses others", () => {
    const mux = new NamedMux(pair().a);
    expect(mux.channel("chat")).toBe(mux.channel("chat"));
    expect(mux.channel("x".repeat(255)).state.phase).toBe("woven");
    expect(() => mux.channel("")).toThrow("got 0");
    expect(() => mux.channel("é".repeat(128))).toThrow("got 256");
  });

  test("[MX2] drops and counts names nobody opened and frames that carry none", async () => {
    const { a, b, clock } = pair();
    const there = new NamedMux(b);
    const heard = heardBy(there.channel("chat"));
    a.sendTo(toB, new Uint8Array(0));
    a.sendTo(toB, Uint8Array.of(0, 1));
    a.sendTo(toB, Uint8Array.of(200, 1, 2));
    a.sendTo(toB, Uint8Array.of(2, 0xff, 0xfe, 3));
    a.sendTo(toB, Uint8Array.of(4, ...utf8("chat"), 42));
    new NamedMux(a).channel("chatter").broadcast(Uint8Array.of(1));
    await clock.advance(1);
    expect([heard, there.unknownDropped]).toEqual([[42], 5]);
  });

  test("[MX7] any name is an application's own", async () => {
    const { a, b, clock } = pair();
    const [here, there] = [new NamedMux(a), new NamedMux(b)];
    for (const name of ["raft", "presence", "__proto__", "constructor", "\u0001", "日本"]) {
      const heard = heardBy(there.channel(name));
      here.channel(name).sendTo(toB, Uint8Array.of(1));
      await clock.advance(1);
      expect(heard).toEqual([1]);
    }
  });
});
