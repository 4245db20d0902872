// A core over real sockets in one process: the seam of its clients, groups that follow and propose, and what it survives.
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { peerId, type PeerId } from "../base/index.ts";
import { LANE_GAME } from "../replica/index.ts";
import { CoreSeam, corePeerId, decodeCoreFrame, encodeCoreFrame, type CoreFrame, type Seam } from "../seam/index.ts";
import type { GameSession } from "../session/index.ts";
import { MemoryByteStore } from "../storage/index.ts";
import { game } from "../testing/core/rules.ts";
import { seamContract, type SeamHarness } from "../seam/seam.contract.ts";
import { describeContract } from "../testing/contract.ts";
import { openNodeSocket } from "../node/index.ts";
import { readArguments } from "./cli-options.ts";
import type { CoreOptions } from "./core.ts";
import { coreGame } from "./core-game.ts";
import { CoreHub, type CoreClient, type CoreLink } from "./core-hub.ts";
import { decodeCoreLinkFrame, encodeCoreLinkFrame } from "./core-link-frame.ts";
import { CoreRoomSeam } from "./core-room-seam.ts";
import { DEFAULT_CORE_LIMITS } from "./limits.ts";
import { newCounts } from "./metrics.ts";
import { nodeClock } from "./node-clock.ts";
import { startServer } from "./server.ts";
import { bareCore, PlayersOnly, prove, somebody, TestCore, until } from "./test-room.ts";

const core = new TestCore();
afterEach(() => core.end());

/** Clients of `size` processes, each at the next one; a room of its own per group. */
function coreHarness(size: number): SeamHarness {
  const opened = bareCore(size);
  const people = Promise.all(Array.from({ length: 4 }, somebody));
  afterAll(async () => (await opened).close());
  let rooms = 0;
  return {
    open: async (n) => {
      const { endpoints } = await opened;
      rooms += 1;
      const seams = (await people).slice(0, n).map((identity, at) => new CoreSeam({ selfId: identity.peerId, room: `room ${rooms}`, url: endpoints[at % size]!, identity, clock: nodeClock, openSocket: openNodeSocket }));
      const players = seams.map((seam) => new PlayersOnly(seam));
      await until(() => seams.every((seam, at) => seam.state.phase === "woven" && players[at]?.peers.size === n), "everybody sees everybody");
      return players;
    },
    leave: (seam) => seam.close(),
    turn: () => new Promise((done) => setTimeout(done, 5)),
    patience: 1000,
  };
}

/** Processes that are linked without sockets, each with its own seat in one room. */
function roomHarness(): SeamHarness {
  const leaving = new Map<Seam, () => Promise<void>>();
  return {
    open: async (n) => {
      const cores = Array.from({ length: n }, (_, at) => corePeerId(String.fromCharCode(97 + at)));
      const hubs = cores.map((self) => new CoreHub({ self, limits: DEFAULT_CORE_LIMITS, counts: newCounts(), onRoom: () => {}, onWord: () => {}, onLink: () => {}, now: () => 0 }));
      const links = cores.map((_, from) => cores.map((core, to) => ({ core, send: (bytes: Uint8Array) => void Promise.resolve().then(() => hubs[to]!.hear(links[to]![from]!, decodeCoreLinkFrame(bytes.slice()))) })));
      const each = (act: (hub: CoreHub, link: CoreLink) => void, only?: number): void =>
        hubs.forEach((hub, from) => cores.forEach((_, to) => from !== to && (only === undefined || from === only || to === only) && act(hub, links[from]![to]!)));
      each((hub, link) => hub.linkUp(link));
      const seams = hubs.map((hub, at) => new CoreRoomSeam(hub, "a room", cores[at]!));
      seams.forEach((seam, at) => {
        if (at % 2 === 0) seam.showPlayers();
        leaving.set(seam, async () => {
          await seam.close();
          each((hub, link) => hub.linkDown(link), at);
        });
      });
      return seams;
    },
    // Once what was sent is over there.
    leave: async (seam) => {
      const leave = leaving.get(seam);
      leaving.delete(seam);
      await Promise.resolve();
      await leave?.();
    },
    turn: () => new Promise((done) => setImmediate(done)),
    closeStays: "closing a process's place in a room leaves its links up",
  };
}

describeContract("a CoreRoomSeam keeps the seam contract", seamContract, roomHarness());
describeContract("a CoreSeam keeps the seam contract, all at one process", seamContract, coreHarness(1));
describeContract("a CoreSeam keeps the seam contract, each at another of three processes", seamContract, coreHarness(3));

const ROOM = "a room";
const propose = (session: GameSession, count: number): Promise<unknown> => Promise.all(Array.from({ length: count }, (_, n) => session.node.propose(game.actions.encode(n), { lane: LANE_GAME })));

describe("a core of three processes", () => {
  test("[CO1] lets a learner follow and propose", async () => {
    const running = await core.start();
    const [ann, bob] = [await somebody(), await somebody()];
    const one = await core.join(await core.seam(running.endpoints[0]!, ann));
    const two = await core.join(await core.seam(running.endpoints[1]!, bob));
    expect(one.node.membership.voters).toEqual(["core:a", "core:b", "core:c"]);
    const { index } = await one.node.propose(Uint8Array.of(1, 2, 3));
    await until(() => two.node.commitIndex >= index, "the other follows");
    await two.node.propose(Uint8Array.of(4));
    expect(one.roster.seats.slice(0, 2).map((taken) => taken?.peer)).toEqual([ann.peerId, bob.peerId]);
    const said = await (await fetch(`${running.server("a")!.url}/metrics`)).text();
    expect(said).toContain("flotilla_core_links 2\n");
    expect(said).toMatch(/flotilla_core_room_commit_index\{group="[0-9a-f]{32}",role="(leader|follower)"\} [1-9]/);
  });

  test("[CO5] with the game the logs are cut: a learner that was away meanwhile and a latecomer come to the same state by a snapshot", async () => {
    const running = await core.start({ run: coreGame(game, { snapshotEvery: 100 }) });
    const [ann, bob] = [await somebody(), await somebody()];
    const one = await core.join(await core.seam(running.endpoints[0]!, ann), { rules: game.rules });
    const storage = new MemoryByteStore();
    const seam = await core.seam(running.endpoints[1]!, bob);
    const away = await core.join(seam, { rules: game.rules, storage });
    await away.close();
    await seam.close();
    await propose(one, 150);
    // A mebibyte is kept for members that are only a little behind.
    await Promise.all(Array.from({ length: 300 }, () => one.node.propose(new Uint8Array(8_192), { lane: LANE_GAME })));
    await propose(one, 50);
    const { commitIndex } = one.node;
    const installs = (session: GameSession): readonly number[] => {
      const found: number[] = [];
      session.node.follow(({ type, index }) => type === "install" && found.push(index));
      return found;
    };
    const back = await core.join(await core.seam(running.endpoints[1]!, bob), { rules: game.rules, storage });
    const late = await core.join(await core.seam(running.endpoints[2]!, await somebody()), { rules: game.rules });
    for (const session of [back, late]) {
      await until(() => session.node.status.appliedIndex >= commitIndex, "the log is there");
      expect(installs(session)[0]).toBeGreaterThanOrEqual(100);
      expect(session.roster.seats.slice(0, 2).map((taken) => taken?.peer)).toEqual([ann.peerId, bob.peerId]);
    }
    const states = (): readonly (string | undefined)[] => running.names.map((name) => running.server(name)!.rooms[0]?.game?.digest);
    await until(() => new Set(states()).size === 1 && states()[0] !== undefined, "one state at all processes");
  });

  test("[CO6] without the game a log is kept whole up to a limit; then its room is closed, and counted", async () => {
    const running = await core.start({ size: 1, limits: { logEntriesMax: 50 } });
    const one = await core.join(await core.seam(running.endpoints[0]!, await somebody()));
    await propose(one, 60);
    await until(() => running.server("a")!.counts.coreRoomsFull === 1, "the room is closed");
    await until(() => running.server("a")!.rooms.length === 0, "its node is gone");
  });

  test("[CO7] a room nobody is in is closed after a time, and opened again with what was committed by whoever comes", async () => {
    const running = await core.start({ limits: { idleMs: 1_000 } });
    const ann = await somebody();
    const first = await core.seam(running.endpoints[0]!, ann);
    const one = await core.join(first);
    await propose(one, 3);
    const { commitIndex } = one.node;
    await one.close();
    await first.close();
    await until(() => running.names.every((name) => running.server(name)!.counts.coreRooms === 0), "all have closed it");
    const again = await core.join(await core.seam(running.endpoints[1]!, ann));
    expect(again.node.commitIndex).toBeGreaterThan(commitIndex);
    expect(again.roster.seats[0]?.peer).toBe(ann.peerId);
  });

  test("[CO8] lets in who proves its id, and nobody in the name of another, of a process or of a witness", async () => {
    const running = await core.start({ size: 1 });
    const [ann, bob] = [await somebody(), await somebody()];
    const url = running.endpoints[0]!;
    const asked = await core.raw(`${url}?room=${ROOM}&peer=${ann.peerId}`);
    await prove(asked, bob, { room: ROOM, peer: ann.peerId, host: "127.0.0.1" });
    expect(await asked.closed).toBe(4401);
    const elsewhere = await core.raw(`${url}?room=${ROOM}&peer=${ann.peerId}`);
    await prove(elsewhere, ann, { room: "another", peer: ann.peerId, host: "127.0.0.1" });
    expect(await elsewhere.closed).toBe(4401);
    for (const query of ["room=&peer=ann", `room=${ROOM}`, `room=${ROOM}&peer=core:a`, `room=${"x".repeat(65)}&peer=ann`]) expect(await (await core.raw(`${url}?${query}`)).closed).toBe(4400);
    expect(running.server("a")!.counts.corePeers).toBe(0);
  });

  test("[CO4] a process whose records are gone votes in no room and lets nobody in from the moment it is told", async () => {
    const lost: Error[] = [];
    const running = await core.start({ onRecordsLost: (error) => lost.push(error), storageOf: () => new MemoryByteStore() });
    const ann = await core.join(await core.seam(running.endpoints[0]!, await somebody()));
    await until(() => running.server("c")!.rooms.length === 1, "the room's node");
    await running.stop("c");
    const server = await running.start("c");
    await until(() => lost.length > 0, "it is told");
    expect(lost.map(({ message }) => message.includes("this process, core:c, by other records"))).not.toContain(false);
    const { closed } = await core.raw(`${running.endpoints[2]!}?room=${ROOM}&peer=ann`);
    expect(await closed).toBe(1006);
    expect(server.rooms).toEqual([]);
    expect(server.counts).toMatchObject({ coreLinks: 0, corePeers: 0 });
    await ann.node.propose(Uint8Array.of(1));
  });

  test("[CO9] who is no process of the core, does not know its secret or says anything else first, is not linked", async () => {
    const lost: Error[] = [];
    const running = await core.start({ size: 3, onRecordsLost: (error) => lost.push(error) });
    const url = running.endpoints[2]!.replace("/core", "/core/link");
    const liar = await core.raw(`${url}?core=core:a`);
    liar.socket.close(4412);
    expect(await liar.closed).toBe(4412);
    for (const name of ["", "core:x", "core:c"]) expect(await (await core.raw(`${url}?core=${name}`)).closed).toBe(4400);
    const stranger = await core.raw(`${url}?core=core:a`);
    const { kind } = decodeCoreLinkFrame(await stranger.next());
    expect(kind).toBe("challenge");
    stranger.socket.send(encodeCoreLinkFrame({ kind: "challenge", nonce: new Uint8Array(32), mark: new Uint8Array(16) }));
    stranger.socket.send(encodeCoreLinkFrame({ kind: "proof", code: new Uint8Array(32) }));
    expect(await stranger.closed).toBe(4406);
    const rude = await core.raw(`${url}?core=core:a`);
    rude.socket.send(encodeCoreLinkFrame({ kind: "met", room: ROOM, peers: [] }));
    expect(await rude.closed).toBe(4406);
    for (const nonce of [new Uint8Array(31), new Uint8Array(0)]) {
      const short = await core.raw(`${url}?core=core:a`);
      short.socket.send(encodeCoreLinkFrame({ kind: "challenge", nonce, mark: new Uint8Array(16) }));
      expect(await short.closed).toBe(4406);
    }
    // What somebody unproven says of this process's records is nothing.
    expect(lost).toEqual([]);
    expect(running.server("c")!.counts.coreLinks).toBe(2);
    expect(running.server("c")!.counts.refusedTotal).toBeGreaterThanOrEqual(3);
  });

  test("[CO10] rooms, peers and what waits for a slow one have limits; a connection that comes anew takes the place of the older one, at whatever process", async () => {
    const running = await core.start({ limits: { roomsMax: 1, peersPerRoomMax: 2 } });
    const [ann, bob, cat] = [await somebody(), await somebody(), await somebody()];
    const [a, b] = running.endpoints as [string, string];
    const older = await core.seam(a, ann);
    const other = await core.seam(a, bob);
    await expect(core.seam(a, cat)).rejects.toThrow("the room is full");
    await expect(core.seam(a, cat, { room: "another" })).rejects.toThrow("the server is full");
    const parted: PeerId[] = [];
    other.on("peers", (peers) => peers.has(ann.peerId) || parted.push(ann.peerId));
    const newer = await core.seam(b, ann);
    await until(() => older.state.phase === "torn", "the older one ends");
    expect(older.lostCode).toBe(4410);
    await until(() => other.peers.has(ann.peerId) && newer.peers.has(bob.peerId), "they meet");
    expect(parted.length).toBeGreaterThan(0);
  });

  test("[CO11] a frame is its sender's as the process says that it is connected to; what comes for nobody, or in the name of somebody else's, is dropped and counted", () => {
    const counts = newCounts();
    const [a, b, c] = ["a", "b", "c"].map(corePeerId) as [PeerId, PeerId, PeerId];
    const [ann, bob] = [peerId("ann"), peerId("bob")];
    const hub = new CoreHub({ self: a, limits: DEFAULT_CORE_LIMITS, counts, onRoom: () => {}, onWord: () => {}, onLink: () => {}, now: () => Date.now() });
    const heard: CoreFrame[] = [];
    const client: CoreClient = { room: ROOM, peer: ann, send: (bytes) => heard.push(decodeCoreFrame(bytes.slice())), close: () => {} };
    hub.join(client, (peers) => ({ kind: "welcome", core: a, cores: [a, b, c], window: "fresh", token: new Uint8Array(), peers }));
    const [toB, toC] = [b, c].map((core): CoreLink => ({ core, send: () => {} })) as [CoreLink, CoreLink];
    hub.linkUp(toB);
    hub.linkUp(toC);
    hub.hear(toB, { kind: "met", room: ROOM, peers: [{ peer: bob, at: 1 }] });
    heard.length = 0;
    const says = (link: CoreLink, from: PeerId, to: PeerId | undefined = ann): void => hub.hear(link, { kind: "relay", room: ROOM, from, to, isLossy: false, bytes: Uint8Array.of(1) });
    says(toB, bob);
    says(toB, b);
    expect(heard.map((frame) => (frame.kind === "relay" ? frame.peer : frame.kind))).toEqual([bob, b]);
    for (const [link, from] of [[toC, bob], [toB, ann], [toB, c], [toC, a]] as const) says(link, from);
    says(toB, bob, peerId("nobody"));
    hub.receive(client, encodeCoreFrame({ kind: "relay", peer: peerId("nobody"), isLossy: false, bytes: new Uint8Array() }));
    hub.receive(client, Uint8Array.of(99));
    hub.hear(toB, { kind: "relay", room: "another", from: b, to: undefined, isLossy: false, bytes: new Uint8Array() });
    expect([heard.length, counts.droppedTotal]).toEqual([2, 8]);
  });
});

test("[CO12] the command line of a core is read whole, or refused with what is missing", () => {
  const whole = ["--core-id", "a", "--core", "a=ws://one:1,b=wss://two,c=http://three", "--core-secret-file", "s", "--data", "d"];
  const core = { id: "a", processes: { a: "ws://one:1", b: "wss://two", c: "http://three" }, secretFile: "s", dataDir: "d", gameFile: undefined, joins: false };
  expect(readArguments(whole, undefined)).toMatchObject({ core });
  expect(readArguments([...whole, "--game", "g.js", "--core-joins"], undefined)).toMatchObject({ core: { ...core, gameFile: "g.js", joins: true } });
  expect(readArguments([], undefined)).not.toHaveProperty("core");
  expect(() => readArguments(whole.slice(2), undefined)).toThrow("needs --core-id");
  expect(() => readArguments(["--game", "g.js"], undefined)).toThrow("needs --core-id");
  for (const list of ["a", "=ws://x", "a=nonsense", "a=ws://x,a=ws://y"]) expect(() => readArguments([...whole, "--core", list], undefined)).toThrow("--core");
});

test("[CO12] a core of two, without a secret worth the name, or without this process, is refused before it listens", async () => {
  const core = { id: "a", processes: { a: "ws://x" }, secret: new Uint8Array(16), storage: new MemoryByteStore() };
  const refused = (wrong: Partial<CoreOptions>): Promise<unknown> => expect(startServer({ port: 0, core: { ...core, ...wrong } })).rejects.toMatchObject({ code: "invalid-argument" });
  await refused({ processes: { a: "ws://x", b: "ws://y" } });
  await refused({ secret: new Uint8Array(15) });
  await refused({ id: "b" });
  await refused({ id: "A!", processes: { "A!": "ws://x" } });
  for (const url of ["localhost:8080", "ftp://x", "no url"]) await refused({ processes: { a: "ws://x", b: url, c: "ws://z" } });
  await (await startServer({ port: 0, core })).close();
  await expect(startServer({ port: 0, core: { ...core, id: "b", processes: { b: "ws://x" } } })).rejects.toMatchObject({ code: "corrupt-state" });
});
