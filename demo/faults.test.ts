// Links that are cut, tabs that stand still and nodes that die: what comes through, what comes late, and what a match of three makes of it.
import { afterEach, describe, expect, test } from "vitest";
import { peerId, seededRandom, type PeerId } from "../sdk/base/index.ts";
import { openMatch, type Match } from "../sdk/index.ts";
import { MemoryHub } from "../sdk/seam/index.ts";
import { seamContract } from "../sdk/seam/seam.contract.ts";
import { describeContract } from "../sdk/testing/contract.ts";
import { settled, until } from "../sdk/testing/turn-clock.ts";
import { VirtualClock } from "../sdk/testing/virtual-clock.ts";
import { Faults, FaultySeam, StoppableClock } from "./faults.ts";
import { ticTacToe, type Action, type TicTacToe } from "./tic-tac-toe.ts";

const [ana, bo, cy] = ["ana", "bo", "cy"].map((name) => peerId(name)) as [PeerId, PeerId, PeerId];

const contractClock = new VirtualClock();
const bases = new Map<object, { close(): Promise<void> }>();
describeContract("a seam with no fault on it keeps the seam contract", seamContract, {
  open: async (n) => {
    const hub = new MemoryHub({ clock: contractClock, random: seededRandom(7), payloadBytesMax: 100_000 });
    const seams = Array.from({ length: n }, (_, at) => new FaultySeam(hub.seam(peerId(`peer-${at}`)), () => false));
    for (const seam of seams) bases.set(seam, seam);
    await contractClock.advance(0);
    return seams;
  },
  leave: async (seam) => {
    const left = seam.close();
    await contractClock.advance(200);
    await left;
  },
  turn: () => contractClock.advance(10),
  patience: 100,
});

describe("a held link", () => {
  const pair = (): { readonly held: Set<PeerId>; readonly here: FaultySeam; readonly heard: string[]; readonly there: ReturnType<MemoryHub["seam"]>; readonly arrived: string[]; readonly clock: VirtualClock } => {
    const clock = new VirtualClock();
    const hub = new MemoryHub({ clock, random: seededRandom(1) });
    const held = new Set<PeerId>();
    const [here, there] = [new FaultySeam(hub.seam(ana), (peer) => held.has(peer)), hub.seam(bo)];
    const [heard, arrived]: [string[], string[]] = [[], []];
    here.on("frame", (from, bytes) => void heard.push(`${from} ${bytes.join()}`));
    there.on("frame", (from, bytes) => void arrived.push(`${from} ${bytes.join()}`));
    return { held, here, heard, there, arrived, clock };
  };

  test("lets nothing pass in either direction, and afterwards all of it in order, each frame once", async () => {
    const { held, here, heard, there, arrived, clock } = pair();
    await clock.advance(10);
    held.add(bo);
    const scratch = Uint8Array.of(1);
    here.sendTo(bo, scratch);
    scratch[0] = 9;
    here.broadcast(Uint8Array.of(2));
    here.broadcast(Uint8Array.of(3), { lossy: true });
    there.broadcast(Uint8Array.of(4));
    await clock.advance(1_000);
    expect([heard, arrived]).toEqual([[], []]);
    held.clear();
    here.release();
    here.sendTo(bo, Uint8Array.of(5));
    await clock.advance(10);
    expect(heard).toEqual(["bo 4"]);
    expect(arrived, "what was lossy is lost").toEqual(["ana 1", "ana 2", "ana 5"]);
    here.release();
    expect(heard).toHaveLength(1);
  });

  test("takes what waits on it along when it ends, refuses what any seam refuses, and keeps no more than its limit", async () => {
    const { held, here, heard, there, clock } = pair();
    await clock.advance(10);
    held.add(bo);
    expect(() => here.sendTo(ana, Uint8Array.of(1))).toThrow(expect.objectContaining({ code: "self-send" }));
    expect(() => here.sendTo(cy, Uint8Array.of(1))).toThrow(expect.objectContaining({ code: "peer-not-connected" }));
    expect(() => here.sendTo(bo, new Uint8Array(here.payloadBytesMax + 1))).toThrow(expect.objectContaining({ code: "payload-too-large" }));
    for (let frame = 0; frame < 5_000; frame += 1) there.broadcast(Uint8Array.of(1));
    await clock.advance(10);
    expect(here.lost).toBe(5_000 - 4_096);
    const left = there.close();
    await clock.advance(100);
    await left;
    held.clear();
    here.release();
    expect(heard).toEqual([]);
  });
});

test("a stopped clock fires nothing and still tells the time; started again it fires what fell due, in order, and nothing that was cancelled", async () => {
  const world = new VirtualClock();
  const clock = new StoppableClock(world);
  const fired: string[] = [];
  clock.after(50, () => fired.push("early"));
  clock.stop();
  clock.after(100, () => fired.push("first"));
  const cancel = clock.after(110, () => fired.push("cancelled"));
  clock.after(120, () => fired.push("second"));
  clock.after(5_000, () => fired.push("late"));
  await world.advance(1_000);
  expect([fired, clock.now()]).toEqual([[], 1_000]);
  cancel();
  clock.start();
  await world.advance(0);
  expect(fired).toEqual(["early", "first", "second"]);
  await world.advance(4_000);
  expect(fired.at(-1)).toBe("late");
  expect(world.pendingTimers).toBe(0);
});

interface Tab {
  readonly match: Match<TicTacToe, Action>;
  readonly faults: Faults;
}

describe("three tabs", () => {
  let clock: VirtualClock;
  let hub: MemoryHub;
  let open: Tab[] = [];

  const board = ({ match }: Tab): string => match.confirmed.get().board.map((seat) => (seat === null ? "-" : String(seat))).join("");
  const is = async (holds: () => boolean, ms = 60_000): Promise<void> => expect(await until(clock, holds, ms), String(holds)).toBe(true);
  const mark = async ({ match }: Tab, cell: number): Promise<void> => expect(await settled(clock, match.play({ type: "mark", cell }))).toMatchObject({ outcome: "committed" });

  async function enters(id: PeerId): Promise<Tab> {
    const faults = new Faults();
    const match = await settled(clock, openMatch({ room: "r", game: ticTacToe, name: id, seam: hub.seam(id), clock, random: seededRandom(id.charCodeAt(0)), between: faults.between }));
    const tab = { match, faults };
    open.push(tab);
    return tab;
  }

  async function table(): Promise<readonly [Tab, Tab, Tab]> {
    clock = new VirtualClock();
    hub = new MemoryHub({ clock, random: seededRandom(3), faults: { delayMs: 20 } });
    open = [];
    const tabs = [await enters(ana), await enters(bo), await enters(cy)] as const;
    await is(() => tabs.every(({ match }) => match.node.membership.voters.length === 3 && match.node.membership.votersOutgoing.length === 0));
    await mark(tabs[0], 4);
    return tabs;
  }

  afterEach(async () => {
    for (const { match, faults } of open) {
      faults.thaw();
      for (const peer of [ana, bo, cy]) faults.mend(peer);
      await settled(clock, match.leave());
    }
    await clock.advance(120_000);
    expect(clock.pendingTimers).toBe(0);
  });

  const agreed = (tabs: readonly Tab[]): Promise<void> => is(() => new Set(tabs.map(board)).size === 1 && new Set(tabs.map(({ match }) => `${match.status.get().leader} ${match.status.get().term}`)).size === 1);

  test("a leader that is cut off is followed by another, and mended it has lost nothing and missed nothing", async () => {
    const tabs = await table();
    const [first, second, third] = tabs;
    expect(first.match.status.get().isLeader).toBe(true);
    for (const peer of [bo, cy]) first.faults.cut(peer);
    await is(() => second.match.status.get().isLeader || third.match.status.get().isLeader);
    await mark(second, 0);
    expect(board(first)).toBe("----0----");
    for (const peer of [bo, cy]) first.faults.mend(peer);
    await agreed(tabs);
    expect(board(first)).toBe("1---0----");
    await mark(first, 8);
    await agreed(tabs);
  });

  test("a mark made while cut off waits, and is agreed on by the next leader, once", async () => {
    const tabs = await table();
    const [first, second, third] = tabs;
    await mark(second, 0);
    await agreed(tabs);
    for (const peer of [bo, cy]) first.faults.cut(peer);
    const late = first.match.play({ type: "mark", cell: 8 });
    expect(first.match.pending.get()).toEqual([{ type: "mark", cell: 8 }]);
    await is(() => second.match.status.get().isLeader || third.match.status.get().isLeader);
    expect(board(first)).toBe("1---0----");
    for (const peer of [bo, cy]) first.faults.mend(peer);
    expect((await settled(clock, late)).outcome).toBe("committed");
    await agreed(tabs);
    expect(board(third)).toBe("1---0---0");
  });

  test("one cut of three links leaves everybody in agreement", async () => {
    const tabs = await table();
    tabs[0].faults.cut(bo);
    await clock.advance(30_000);
    tabs[0].faults.mend(bo);
    await is(() => tabs.every(({ match }) => match.status.get().phase === "live"));
    await agreed(tabs);
    await mark(tabs[1], 0);
    await agreed(tabs);
  });

  for (const [how, ms] of [["a moment", 1_000], ["longer than its vote", 40_000]] as const) {
    test(`a leader frozen for ${how} knows nothing of it, and goes on with the others when it thaws`, async () => {
      const tabs = await table();
      const [first, second, third] = tabs;
      const { term } = first.match.status.get();
      first.faults.freeze();
      if (ms > 2_600) {
        await is(() => second.match.status.get().isLeader || third.match.status.get().isLeader);
        await mark(second, 0);
      }
      await clock.advance(ms);
      expect(first.match.status.get()).toMatchObject({ isLeader: true, term });
      expect(board(first)).toBe("----0----");
      first.faults.thaw();
      await is(() => tabs.every(({ match }) => match.status.get().phase === "live"));
      await agreed(tabs);
      await mark(first.match.confirmed.get().turn === 0 ? first : second, 8);
      await agreed(tabs);
    });
  }

  test("a leader that is killed says no goodbye: the others only stop hearing it, and go on", async () => {
    const [first, second, third] = await table();
    first.faults.kill();
    first.faults.thaw();
    expect(first.faults.state).toBe("killed");
    await is(() => second.match.status.get().isLeader || third.match.status.get().isLeader);
    await mark(second, 0);
    await is(() => board(third) === "1---0----");
    expect(board(first)).toBe("----0----");
  });
});
