// What is put between a match and its world is what the match uses.
import { expect, test } from "vitest";
import { peerId, seededRandom, type Clock } from "./base/index.ts";
import { openMatch } from "./open-match.ts";
import { MemoryHub, type Seam } from "./seam/index.ts";
import { settled } from "./testing/turn-clock.ts";
import { VirtualClock } from "./testing/virtual-clock.ts";

const game = { name: "tally", setup: () => 0, apply: (count: number, by: number) => count + by };

class Watched {
  readonly clock = new VirtualClock();
  readonly hub = new MemoryHub({ clock: this.clock, random: seededRandom(1) });
  readonly ways: Seam[] = [];
  timers = 0;
  sends = 0;

  open(name: string): ReturnType<typeof openMatch<number, number>> {
    return settled(this.clock, openMatch({ room: "r", game, seam: this.hub.seam(peerId(name)), clock: this.clock, random: seededRandom(name.length), between: { seam: (seam) => this.#counted(seam), clock: (clock) => this.#timed(clock) } }));
  }

  #counted(seam: Seam): Seam {
    this.ways.push(seam);
    const counted = Object.create(seam, { sendTo: { value: (...sent: Parameters<Seam["sendTo"]>) => ((this.sends += 1), seam.sendTo(...sent)) }, broadcast: { value: (...sent: Parameters<Seam["broadcast"]>) => ((this.sends += 1), seam.broadcast(...sent)) } }) as Seam;
    const own = (name: keyof Seam): void => void Object.defineProperty(counted, name, { get: () => (typeof seam[name] === "function" ? (seam[name] as () => unknown).bind(seam) : seam[name]) });
    for (const name of ["selfId", "peers", "state", "payloadBytesMax", "on", "close"] as const) own(name);
    return counted;
  }

  #timed(clock: Clock): Clock {
    return { now: () => clock.now(), after: (ms, then) => ((this.timers += 1), clock.after(ms, then)) };
  }
}

test("[GA140] all that a match sends goes through the seam, and all its timers through the clock, that stand between", async () => {
  const world = new Watched();
  const [first, second] = [await world.open("ann"), await world.open("bob")];
  expect(world.ways).toHaveLength(2);
  expect(world.timers).toBeGreaterThan(0);
  const before = world.sends;
  expect(await settled(world.clock, second.play(1))).toMatchObject({ outcome: "committed" });
  first.channel("talk").broadcast(Uint8Array.of(1));
  expect(world.sends).toBeGreaterThan(before + 1);
  for (const match of [second, first]) await settled(world.clock, match.leave());
  await world.clock.advance(120_000);
  expect(world.clock.pendingTimers).toBe(0);
  expect(world.ways.map(({ state }) => state.phase), "what was put in between is closed with the match").toEqual(["torn", "torn"]);
});
