// A core over real sockets in one process: the seam of its clients, groups that follow and propose, and what it survives.
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { CoreSeam, corePeerId, type Seam } from "../seam/index.ts";
import { seamContract, type SeamHarness } from "../seam/seam.contract.ts";
import { describeContract } from "../testing/contract.ts";
import { openNodeSocket } from "../node/index.ts";
import { CoreHub, type CoreLink } from "./core-hub.ts";
import { decodeCoreLinkFrame } from "./core-link-frame.ts";
import { CoreRoomSeam } from "./core-room-seam.ts";
import { DEFAULT_CORE_LIMITS } from "./limits.ts";
import { newCounts } from "./metrics.ts";
import { nodeClock } from "./node-clock.ts";
import { bareCore, PlayersOnly, somebody, TestCore, until } from "./test-room.ts";

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
      const hubs = cores.map((self) => new CoreHub({ self, limits: DEFAULT_CORE_LIMITS, counts: newCounts(), onRoom: () => {} }));
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
});
