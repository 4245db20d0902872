// The door of a core: which rooms there are and who enters them, which names it goes by, whom the game's own rule lets in, and what one connection may do.
import { createServer } from "node:http";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { decodeCoreFrame } from "../seam/index.ts";
import { readArguments } from "./cli-options.ts";
import { hostNameOf, hostNamesOf, isRoomAllowed } from "./core-door.ts";
import { startServer } from "./server.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { prove, somebody, TestCore } from "./test-room.ts";

const core = new TestCore();
afterEach(() => core.end());

describe("the rooms of a core", () => {
  test("[CO13] are all there are, or those of the list: names, and patterns that take no longer for being strange", () => {
    expect(isRoomAllowed("whatever", "any")).toBe(true);
    expect(isRoomAllowed("whatever", [])).toBe(false);
    const said = (pattern: string, ...rooms: string[]): readonly boolean[] => rooms.map((room) => isRoomAllowed(room, ["other", pattern]));
    expect(said("lobby", "lobby", "lobby2", "a lobby", "", "other")).toEqual([true, false, false, false, true]);
    expect(said("lobby-*", "lobby-", "lobby-1", "lobby", "my lobby-1")).toEqual([true, true, false, false]);
    expect(said("*-*-x", "a-b-x", "a--x", "a-x", "-x-y-x", "a-b-xx")).toEqual([true, true, false, true, false]);
    expect(said("a.c", "a.c", "abc")).toEqual([true, false]);
    expect(said(`${"a*".repeat(30)}b`, "a".repeat(64))).toEqual([false]);
  });

  test("[CO13] nobody enters one that there is not; it is opened nowhere, the refusal says why, and it is counted", async () => {
    const asked: unknown[] = [];
    const running = await core.start({ rooms: ["lobby-*"], admitRoom: async (room, peer) => {
      asked.push([room, peer]);
      if (room === "lobby-9") throw new Error("the rule is broken");
      return room !== "lobby-13";
    } });
    const [ann, bob] = [await somebody(), await somebody()];
    const url = running.endpoints[0]!;
    await core.seam(url, ann, { room: "lobby-1" });
    for (const room of ["another", "lobby-13", "lobby-9"]) await expect(core.seam(url, bob, { room })).rejects.toThrow("this core has no such room");
    expect(asked).toEqual([["lobby-1", ann.peerId], ["lobby-13", bob.peerId], ["lobby-9", bob.peerId]]);
    for (const name of running.names) expect(running.server(name)!.counts.coreRooms).toBeLessThanOrEqual(1);
    expect(running.server("a")!.counts).toMatchObject({ coreRoomsRefusedTotal: 3, corePeers: 1 });
    expect(await (await fetch(`${running.server("a")!.url}/metrics`)).text()).toContain("flotilla_core_rooms_refused_total 3\n");
  });

  test("[CO13] who has not proven who it is learns nothing of which rooms there are", async () => {
    const running = await core.start({ size: 1, rooms: ["lobby"] });
    const [ann, bob] = [await somebody(), await somebody()];
    for (const room of ["lobby", "another"]) {
      const asked = await core.raw(`${running.endpoints[0]!}?room=${room}&peer=${ann.peerId}`);
      await prove(asked, bob, { room, peer: ann.peerId, host: "127.0.0.1" });
      expect(await asked.closed).toBe(4401);
    }
  });
});

describe("the names of a core", () => {
  test("[CO8] are names of hosts as URLs have them", () => {
    expect(hostNamesOf(["A.Example.org", "127.0.0.1", "[::1]"])).toEqual(["a.example.org", "127.0.0.1", "[::1]"]);
    expect(["a.example.org:8443", "[::1]:80", "LOCALHOST", "a b", "a/b", "", "x@y"].map(hostNameOf)).toEqual(["a.example.org", "[::1]", "localhost", undefined, undefined, undefined, undefined]);
    for (const wrong of ["a.example.org:443", "a:80", "wss://a", "a/core", ""]) expect(() => hostNamesOf([wrong])).toThrow("names of hosts");
  });

  test("[CO8] a proof that was signed for another server is worth nothing here: one that passes it on gets nobody in", async () => {
    const running = await core.start({ size: 1, names: ["127.0.0.1"] });
    // Its own door, and the true one behind it.
    const server = createServer();
    const rogue = new WebSocketServer({ server });
    const codes: number[] = [];
    rogue.on("connection", (front, request) => {
      const back = new WebSocket(`${running.endpoints[0]!}${(request.url ?? "").replace("/core", "")}`, { headers: { host: request.headers.host } });
      const early: Buffer[] = [];
      front.on("message", (data: Buffer) => (back.readyState === back.OPEN ? back.send(data) : early.push(data)));
      back.on("open", () => early.forEach((data) => back.send(data)));
      back.on("message", (data: Buffer) => front.send(data));
      back.on("close", (code) => {
        codes.push(code);
        front.close(code);
      });
    });
    await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
    core.ends.push(async () => {
      for (const socket of rogue.clients) socket.terminate();
      await new Promise((done) => server.close(done));
    });
    const address = server.address();
    const port = typeof address === "object" ? address?.port : 0;
    await expect(core.seam(`ws://localhost:${port}/core`, await somebody())).rejects.toThrow("code 4421");
    expect(codes).toEqual([4421]);
    expect(running.server("a")!.counts.corePeers).toBe(0);
    // A proxy of the core's own goes by a name that is its own, too.
    await core.seam(`ws://127.0.0.1:${port}/core`, await somebody());
  });

  test("[CO8] without a list the name is the one that the connection asked for", async () => {
    const running = await core.start({ size: 1 });
    const ann = await somebody();
    const url = `${running.endpoints[0]!}?room=r&peer=${ann.peerId}`;
    for (const [host, said, code] of [["a.example.org:1", "a.example.org", undefined], ["a.example.org", "b.example.org", 4421], ["a b", "a b", 4421]] as const) {
      const asked = await core.raw(url, { headers: { host } });
      if (code === undefined) {
        await prove(asked, ann, { room: "r", peer: ann.peerId, host: said });
        expect(decodeCoreFrame(await asked.next()).kind).toBe("welcome");
      } else {
        await prove(asked, ann, { room: "r", peer: ann.peerId, host: said });
        expect(await asked.closed).toBe(code);
      }
    }
  });
});

describe("the rule of a core", () => {
  test("[CO14] says who plays and who watches, by the room, and before somebody opens a match there", async () => {
    const asked: string[] = [];
    const running = await core.start({ admit: ({ room, name, wants }) => {
      asked.push(`${room} ${name} ${wants}`);
      return name === "Mallory" ? { refuse: "you are banned" } : true;
    } });
    const [url, other] = running.endpoints as [string, string];
    const room = "lobby";
    await expect(core.join(await core.seam(url, await somebody(), { room }), { name: "Mallory" })).rejects.toThrow("you are banned");
    const ann = await core.join(await core.seam(other, await somebody(), { room }), { name: "Ann" });
    expect(ann.roster.seats[0]?.name).toBe("Ann");
    await expect(core.join(await core.seam(other, await somebody(), { room }), { name: "Mallory" })).rejects.toThrow("you are banned");
    expect(new Set(asked)).toEqual(new Set(["lobby Mallory seat", "lobby Ann seat"]));
  });

  test("[CO14] that answers what is no answer refuses, and ends nothing", async () => {
    const running = await core.start({ size: 1, admit: (() => false) as never });
    await expect(core.join(await core.seam(running.endpoints[0]!, await somebody()))).rejects.toMatchObject({ code: "admission-refused" });
  });
});

test("[CO12] a list of names that are none, and a room of more than one message can name, are refused before it listens", async () => {
  const given = { id: "a", processes: { a: "ws://x", b: "ws://y", c: "ws://z" }, secret: new Uint8Array(16), storage: new MemoryByteStore() };
  const refused = (wrong: object): Promise<unknown> => expect(startServer({ port: 0, core: { ...given, ...wrong } })).rejects.toMatchObject({ code: "invalid-argument" });
  await refused({ names: ["a.example.org:443"] });
  for (const keepMs of [999, -1, NaN]) await refused({ limits: { keepMs } });
  for (const peersPerRoomMax of [341, 0, 1.5, Infinity]) await refused({ limits: { peersPerRoomMax } });
  await expect(startServer({ port: 0, core: { ...given, limits: { peersPerRoomMax: 341 } } })).rejects.toThrow("peersPerRoomMax is a whole number from 1 to 340 at each of 3 processes, got 341");
  await (await startServer({ port: 0, core: { ...given, limits: { peersPerRoomMax: 340 } } })).close();
});

test("[CO12] a core that is refused leaves nothing running behind", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  try {
    await expect(startServer({ port: 0, witness: true, core: { id: "a", processes: {}, secret: new Uint8Array(16), storage: new MemoryByteStore() } })).rejects.toMatchObject({ code: "invalid-argument" });
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});

test("[CO12] the command line says which rooms there are and which names a process goes by", () => {
  const whole = ["--core-id", "a", "--core", "a=ws://one:1", "--core-secret-file", "s", "--data", "d"];
  expect(readArguments(whole, undefined)).toMatchObject({ core: { rooms: "any", names: undefined } });
  expect(readArguments([...whole, "--core-room", "lobby-*", "--core-room", "hall", "--core-names", "a.example.org, b.example.org"], undefined)).toMatchObject({ core: { rooms: ["lobby-*", "hall"], names: ["a.example.org", "b.example.org"] } });
  expect(readArguments([...whole, "--core-keep-days", "0.5"], undefined)).toMatchObject({ core: { limits: { keepMs: 12 * 3_600_000 } } });
  for (const days of ["1e3", "soon", "123456"]) expect(() => readArguments([...whole, "--core-keep-days", days], undefined)).toThrow("days are a number");
  for (const alone of [["--core-keep-days", "1"], ["--core-room", "lobby"], ["--core-names", "a"]]) expect(() => readArguments(alone, undefined)).toThrow("needs --core-id");
});
